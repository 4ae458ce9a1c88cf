//! What the placeholders of a case stand for.

use std::collections::BTreeMap;

use super::topic::Topic;

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
    pub(super) fn new(target: &super::Target, host: &str) -> Self {
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
    pub(super) fn with_topic(&self, topic: &Topic) -> Self {
        let mut names = self.names.clone();
        names.insert("partitions".to_owned(), topic.total.to_string());
        for (partition, offsets) in &topic.partitions {
            names.insert(format!("start[{partition}]"), offsets.start.to_string());
            names.insert(format!("end[{partition}]"), offsets.end.to_string());
        }
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
    use crate::server::Target;
    use crate::server::topic::Offsets;

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
