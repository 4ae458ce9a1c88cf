//! A gateway in a process of its own that writes down each request, and purges against it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::Command;

use dms_kafka::Client;
use dms_kafka::auth::Credentials;
use serde_json::Value;

use crate::support::{Served, command};

/// How many records each partition has at the start.
pub(crate) const RECORDS: i64 = 1000;

/// Topics `t0`, `t1`, … with as many partitions each, and the log of requests.
pub(crate) struct Audited {
    served: Served,
    log: PathBuf,
    /// Up to where the log was read.
    read: u64,
    topics: u32,
}

impl Audited {
    /// `more` is added to the configuration.
    pub(crate) fn start(folder: &str, topics: u32, partitions: u32, more: &str) -> Self {
        let log = PathBuf::from(folder).join("audit");
        let mut config = format!(
            "listen = \"127.0.0.1:0\"\naudit.file = '{}'\n{more}\n\
             [[access_key]]\naccess_key = \"AK\"\nsecret_key = {{ env = \"GATEWAY_SK\" }}\n\
             [[instance]]\nid = \"i\"\nproject_id = \"p\"\n[instance.memory]\ntopics = [\n",
            log.display()
        );
        for topic in 0..topics {
            writeln!(
                config,
                "{{ name = \"t{topic}\", partitions = {partitions}, records = {RECORDS} }},"
            )
            .unwrap();
        }
        config.push_str("]\n");
        let path = PathBuf::from(folder).join("gateway.toml");
        std::fs::write(&path, config).unwrap();
        let mut serve = command();
        serve
            .args(["serve", "--config"])
            .arg(path)
            .env("GATEWAY_SK", "SK");
        Self {
            served: Served::ready(&mut serve),
            log,
            read: 0,
            topics,
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.served.text("endpoint")
    }

    /// `dms-kafka purge` of the rows in a file, with `--yes`.
    pub(crate) fn purge(&self, offsets_file: &str, arguments: &[&str]) -> Command {
        let mut purge = command();
        purge
            .args([
                "purge",
                "--endpoint",
                self.endpoint(),
                "--project-id",
                "p",
                "--instance-id",
                "i",
            ])
            .args(["--yes", "--offsets-file", offsets_file])
            .args(arguments)
            .envs([("HUAWEICLOUD_SDK_AK", "AK"), ("HUAWEICLOUD_SDK_SK", "SK")]);
        purge
    }

    /// The deletions that were asked for since the last look: topic, partition and offset.
    pub(crate) fn asked(&mut self) -> Vec<(u32, i32, i64)> {
        let mut file = File::open(&self.log).unwrap();
        file.seek(SeekFrom::Start(self.read)).unwrap();
        let mut reader = BufReader::new(file);
        let (mut asked, mut line) = (Vec::new(), String::new());
        loop {
            line.clear();
            let length = reader.read_line(&mut line).unwrap();
            if !line.ends_with('\n') {
                return asked;
            }
            self.read += length as u64;
            let entry: Value = serde_json::from_str(&line).unwrap();
            if entry["event"] != "intent" {
                continue;
            }
            let topic = entry["topic"].as_str().unwrap()[1..].parse().unwrap();
            asked.extend(entry["partitions"].as_array().unwrap().iter().map(|row| {
                let partition = row["partition"].as_i64().unwrap();
                (
                    topic,
                    i32::try_from(partition).unwrap(),
                    row["offset"].as_i64().unwrap(),
                )
            }));
        }
    }

    /// Where each partition of each topic starts now.
    pub(crate) fn starts(&self) -> Vec<Vec<i64>> {
        let client = Client::builder()
            .endpoint(self.endpoint())
            .project_id("p")
            .credentials(Credentials::new("AK", "SK").unwrap())
            .build()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut starts = Vec::new();
            for topic in 0..self.topics {
                let partitions = client
                    .list_partitions("i", format!("t{topic}"))
                    .await
                    .unwrap();
                starts.push(
                    partitions
                        .iter()
                        .map(|partition| partition.start_offset().get())
                        .collect(),
                );
            }
            starts
        })
    }
}
