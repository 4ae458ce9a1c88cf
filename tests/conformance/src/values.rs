//! The topic of the server cases, and the placeholders in their texts.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use serde::Deserialize;

use crate::contract::is_topic;

/// The topic of the server cases.
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
    /// The topic of this name in an instance of a project.
    pub fn new(project_id: &str, instance_id: &str, topic: &str) -> Self {
        Self {
            project_id: project_id.to_owned(),
            instance_id: instance_id.to_owned(),
            topic: topic.to_owned(),
        }
    }

    /// The path of a deletion.
    pub(crate) fn deletion_path(&self) -> String {
        format!(
            "/v2/{}/kafka/instances/{}/topics/{}/messages/delete",
            self.project_id, self.instance_id, self.topic
        )
    }

    /// Fails unless each id is one that the API can have, so that no request has another path.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, id) in [
            ("project id", &self.project_id),
            ("instance id", &self.instance_id),
            ("topic", &self.topic),
        ] {
            ensure!(
                is_topic(id),
                "{name} {id:?} is not valid: it may have ASCII letters, digits, '.', '_' and '-', and not only dots"
            );
        }
        Ok(())
    }
}

/// The first page of a topic's partitions, sorted.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Topic {
    pub(crate) total: i64,
    pub(crate) partitions: Vec<Offsets>,
}

/// The offsets of one partition.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Offsets {
    pub(crate) partition: i32,
    #[serde(rename = "start_offset")]
    pub(crate) start: i64,
    #[serde(rename = "last_offset")]
    pub(crate) end: i64,
}

impl Topic {
    /// Reads the body of a listing; `None` when a field is missing.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut topic: Self = serde_json::from_slice(body).ok()?;
        topic.partitions.sort_by_key(|offsets| offsets.partition);
        Some(topic)
    }

    /// The log start offset of a partition.
    pub(crate) fn start(&self, partition: i32) -> Option<i64> {
        let mut partitions = self.partitions.iter();
        partitions
            .find(|offsets| offsets.partition == partition)
            .map(|offsets| offsets.start)
    }

    /// Partitions and their log start offsets.
    pub(crate) fn starts(&self) -> Vec<(i32, i64)> {
        let starts = self.partitions.iter().map(|one| (one.partition, one.start));
        starts.collect()
    }

    /// The smallest number of records in one of the first partitions.
    pub(crate) fn records(&self, partitions: usize) -> i64 {
        let first = self.partitions.iter().take(partitions);
        let records = first.map(|offsets| offsets.end - offsets.start);
        records.min().unwrap_or_default()
    }
}

/// The placeholders in the texts of a case. README.md lists them.
#[derive(Clone)]
pub(crate) struct Values {
    names: BTreeMap<String, String>,
}

/// The names only: a value may be the secret key.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = f.debug_set();
        set.entries(self.names.keys()).finish()
    }
}

impl Values {
    pub(crate) fn new(target: &Target, host: &str) -> Self {
        let uri = target.deletion_path();
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
        for offsets in &topic.partitions {
            let partition = offsets.partition;
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
    /// Fails for an unknown placeholder, such as an offset when the service does not list partitions.
    pub(crate) fn fill(&self, text: &str) -> Result<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            filled += before;
            rest = after;
            match after.split_once('>') {
                Some((name, after)) if is_placeholder(name) => {
                    filled += &self.value(name)?;
                    rest = after;
                }
                _ => filled.push('<'),
            }
        }
        Ok(filled + rest)
    }

    fn value(&self, placeholder: &str) -> Result<String> {
        if let Some(name) = placeholder.strip_suffix('~') {
            let value = self.value(name)?;
            let other = other_case(&value);
            ensure!(other != value, "the {name} {value:?} has no letters");
            return Ok(other);
        }
        if let Some((text, times)) = placeholder.split_once('*') {
            let times = times.parse();
            let times = times.with_context(|| format!("<{placeholder}> is not a repetition"))?;
            return Ok(text.repeat(times));
        }
        if placeholder == "now" {
            return Ok(format!("{:.0}", Timestamp::now()));
        }
        let (name, sum) = match placeholder.find(['+', '-']) {
            Some(at) => placeholder.split_at(at),
            None => (placeholder, ""),
        };
        let name = match name {
            "start" | "end" => format!("{name}[0]"),
            other => other.to_owned(),
        };
        let value = self.names.get(&name);
        let value = value.with_context(|| format!("<{placeholder}> is unknown"))?;
        if sum.is_empty() {
            return Ok(value.clone());
        }
        let (value, sum) = (value.parse::<i128>(), sum.parse::<i128>());
        match (value, sum) {
            (Ok(value), Ok(sum)) => Ok((value + sum).to_string()),
            _ => bail!("<{placeholder}> is not a sum"),
        }
    }
}

/// The text with capital letters in place of small ones, and the other way round.
pub(crate) fn other_case(text: &str) -> String {
    let other = |c: char| {
        if c.is_ascii_lowercase() {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        }
    };
    text.chars().map(other).collect()
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
        let values = Values::new(&Target::new("p", "i", "t"), "h:1");
        let listing = br#"{"total":2,"partitions":[
            {"partition":1,"start_offset":0,"last_offset":7},
            {"partition":0,"start_offset":5,"last_offset":9}
        ]}"#;
        let topic = Topic::parse(listing).unwrap();
        let values = values.with_topic(&topic);
        for (text, filled) in [
            ("<uri>", "/v2/p/kafka/instances/i/topics/t/messages/delete"),
            (r#"{"offset":<start+1>}"#, r#"{"offset":6}"#),
            ("<end-1> <start[1]> <end[1]+4294967296>", "8 0 4294967303"),
            ("<[*3> <partitions>", "[[[ 2"),
            ("a < b", "a < b"),
        ] {
            assert_eq!(values.fill(text).unwrap(), filled, "{text}");
        }
        assert!(values.fill("<start[7]>").is_err());
        assert!(values.fill("<topic+1>").is_err());
    }

    #[test]
    fn debug_output_has_no_value() {
        let values = Values::new(&Target::new("p", "i", "t"), "h:1");
        let shown = format!("{:?}", values.with("secret_key", "s3cr3t".to_owned()));
        assert!(shown.contains("secret_key"), "{shown}");
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}
