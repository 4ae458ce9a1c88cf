//! The topic that cases are about, and what the placeholders in their texts stand for.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The topic that the cases are about.
#[derive(Clone, Debug)]
pub struct Target {
    /// Project id.
    pub project_id: String,
    /// Instance id.
    pub instance_id: String,
    /// Topic.
    pub topic: String,
}

impl Target {
    /// Whether each id is what the API can have, so that no request leads to another path.
    pub(crate) fn check(&self) -> Result<(), String> {
        let ids = [&self.project_id, &self.instance_id, &self.topic];
        let names = ["project id", "instance id", "topic"];
        let may_stand_there = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        for (name, id) in names.into_iter().zip(ids) {
            let dots = matches!(id.as_str(), "" | "." | "..");
            if dots || !id.bytes().all(may_stand_there) {
                let rule = "it takes ASCII letters, digits, '.', '_' and '-', and more than dots";
                return Err(format!("{name} {id:?} is not usable: {rule}"));
            }
        }
        Ok(())
    }
}

/// The offsets of a topic's first page of partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) total: i64,
    pub(crate) partitions: BTreeMap<i32, Offsets>,
}

/// The offsets of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offsets {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

#[derive(Deserialize)]
struct Page {
    total: i64,
    partitions: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    partition: i32,
    start_offset: i64,
    last_offset: i64,
}

impl Topic {
    /// Reads the body of a listing; `None` when it lacks what is needed.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let page: Page = serde_json::from_slice(body).ok()?;
        let offsets = |item: Item| {
            (
                item.partition,
                Offsets {
                    start: item.start_offset,
                    end: item.last_offset,
                },
            )
        };
        Some(Self {
            total: page.total,
            partitions: page.partitions.into_iter().map(offsets).collect(),
        })
    }

    /// How many records each of the first partitions holds at least.
    pub(crate) fn records(&self, partitions: usize) -> i64 {
        let first = self.partitions.values().take(partitions);
        let records = first.map(|offsets| offsets.end - offsets.start);
        records.min().unwrap_or_default()
    }
}

/// What the placeholders in the texts of a case stand for.
///
/// | placeholder | stands for |
/// |---|---|
/// | `<uri>` | the page's URI with the three ids |
/// | `<project_id>`, `<instance_id>`, `<topic>`, `<host>` | what the kit was given |
/// | `<unknown>` | an id that nothing has |
/// | `<partitions>` | how many partitions the topic has |
/// | `<start>`, `<end>` | log start offset and end offset of partition 0 when the case began |
/// | `<start[1]>`, `<end[1]>` | the same of another partition |
/// | `<start+1>`, `<end[1]-1>` | a number more or less |
/// | `<x*5000>` | a character so many times |
#[derive(Clone, Debug)]
pub struct Values {
    names: BTreeMap<String, String>,
}

impl Values {
    pub(crate) fn new(target: &Target, host: &str) -> Self {
        let uri = format!(
            "/v2/{}/kafka/instances/{}/topics/{}/messages/delete",
            target.project_id, target.instance_id, target.topic
        );
        let unknown = uuid::Uuid::new_v4().to_string();
        let names = [
            ("uri", uri.as_str()),
            ("project_id", &target.project_id),
            ("instance_id", &target.instance_id),
            ("topic", &target.topic),
            ("host", host),
            ("unknown", &unknown),
        ];
        Self {
            names: names
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        }
    }

    /// The same with the offsets of the topic.
    pub(crate) fn with_topic(&self, topic: &Topic) -> Self {
        let mut names = self.names.clone();
        names.insert("partitions".to_owned(), topic.total.to_string());
        for (partition, offsets) in &topic.partitions {
            names.insert(format!("start[{partition}]"), offsets.start.to_string());
            names.insert(format!("end[{partition}]"), offsets.end.to_string());
        }
        Self { names }
    }

    /// The same with one more placeholder.
    pub(crate) fn with(&self, name: &str, value: String) -> Self {
        let mut names = self.names.clone();
        names.insert(name.to_owned(), value);
        Self { names }
    }

    /// The text with its placeholders replaced.
    ///
    /// # Errors
    /// The placeholder that stands for nothing, such as an offset where the service does not list partitions.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            filled += before;
            let placeholder = after
                .split_once('>')
                .filter(|(name, _)| is_placeholder(name));
            if let Some((name, after)) = placeholder {
                filled += &self.value(name)?;
                rest = after;
            } else {
                filled.push('<');
                rest = after;
            }
        }
        Ok(filled + rest)
    }

    fn value(&self, placeholder: &str) -> Result<String, String> {
        if let Some((text, times)) = placeholder.split_once('*') {
            let times = times
                .parse()
                .map_err(|_| format!("<{placeholder}> has no number of times"))?;
            return Ok(text.repeat(times));
        }
        let (name, sum) = match placeholder.find(['+', '-']) {
            Some(at) => placeholder.split_at(at),
            None => (placeholder, ""),
        };
        let name = match name {
            "start" | "end" => format!("{name}[0]"),
            other => other.to_owned(),
        };
        let value = self
            .names
            .get(&name)
            .ok_or_else(|| format!("<{placeholder}> is not known here"))?;
        if sum.is_empty() {
            return Ok(value.clone());
        }
        let sum: Option<i128> = sum.parse().ok();
        let value: Option<i128> = value.parse().ok();
        match (value, sum) {
            (Some(value), Some(sum)) => Ok((value + sum).to_string()),
            _ => Err(format!("<{placeholder}> is no sum")),
        }
    }
}

fn is_placeholder(name: &str) -> bool {
    let first = name.as_bytes().first();
    name.contains('*')
        || (first.is_some_and(u8::is_ascii_lowercase) && !name.contains([' ', '"', '\n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_and_unknown_ones_named() {
        let target = Target {
            project_id: "p".to_owned(),
            instance_id: "i".to_owned(),
            topic: "t".to_owned(),
        };
        let values = Values::new(&target, "h:1");
        let topic = Topic {
            total: 2,
            partitions: [
                (0, Offsets { start: 5, end: 9 }),
                (1, Offsets { start: 0, end: 7 }),
            ]
            .into(),
        };
        let values = values.with_topic(&topic);
        for (text, filled) in [
            ("<uri>", "/v2/p/kafka/instances/i/topics/t/messages/delete"),
            (r#"{"offset":<start+1>}"#, r#"{"offset":6}"#),
            ("<end-1> <start[1]> <end[1]+4294967296>", "8 0 4294967303"),
            ("<[*3> <partitions>", "[[[ 2"),
            ("a < b", "a < b"),
        ] {
            assert_eq!(values.fill(text).as_deref(), Ok(filled), "{text}");
        }
        assert!(values.fill("<start[7]>").is_err());
        assert!(values.fill("<topic+1>").is_err());
    }
}
