//! What was run against real brokers, for those who do not run it themselves.

use std::fs;
use std::path::Path;

use super::jars::Java;
use crate::failure::{self, Failure, Result};

const FILE: &str = "tests/kafka/TRANSCRIPT.md";

/// Everything that was run.
pub(super) struct Transcript<'a> {
    pub(super) java: &'a Java,
    pub(super) sections: Vec<Section>,
}

/// One run of the tests, as they printed it.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) lines: Vec<String>,
}

impl Transcript<'_> {
    pub(super) fn write(&self, root: &Path) -> Result<()> {
        let lock = failure::read(root, "Cargo.lock")?;
        let mut text = format!(
            "# The gateway in front of a real Apache Kafka\n\n\
             Written by `cargo xtask kafka test --transcript`, which starts the brokers and runs what is below.\n\n\
             * Apache Kafka {}, KRaft mode\n* {}\n* rdkafka {}, rdkafka-sys {} (with the version of librdkafka)\n\
             * dms-kafka-gateway {}\n",
            self.java.kafka,
            self.java.version,
            version(&lock, "rdkafka")?,
            version(&lock, "rdkafka-sys")?,
            version(&lock, "dms-kafka-gateway")?,
        );
        for section in &self.sections {
            text.push_str(&section.text());
        }
        fs::write(root.join(FILE), text).map_err(|error| Failure::file(FILE, error))
    }
}

impl Section {
    fn text(&self) -> String {
        let ended = |how: &str| self.lines.iter().filter(|line| line.ends_with(how)).count();
        let (passed, ignored) = (ended("... ok"), ended("... ignored"));
        let tests = self
            .lines
            .iter()
            .filter(|line| line.starts_with("test ") && !line.starts_with("test result"));
        let tests: Vec<&str> = tests.map(String::as_str).collect();
        let output: Vec<&str> = self.output().collect();
        format!(
            "\n## {}\n\n{passed} tests passed, {ignored} skipped.\n\n```text\n{}\n\n{}\n```\n",
            self.title,
            tests.join("\n"),
            output.join("\n").trim()
        )
    }

    /// What each test printed: between the names of those that ran and the list of those that passed.
    fn output(&self) -> impl Iterator<Item = &str> {
        let lines = self.lines.iter().map(String::as_str);
        let lines = lines.skip_while(|line| *line != "successes:").skip(1);
        lines.take_while(|line| *line != "successes:")
    }
}

/// The version of a package, as in the lock file.
fn version(lock: &str, package: &str) -> Result<String> {
    let failure = || Failure::file("Cargo.lock", format_args!("it has no package {package}"));
    let lock: toml::Table =
        toml::from_str(lock).map_err(|error| Failure::toml("Cargo.lock", lock, &error))?;
    let packages = lock
        .get("package")
        .and_then(toml::Value::as_array)
        .ok_or_else(failure)?;
    let text = |package: &toml::Value, field: &str| Some(package.get(field)?.as_str()?.to_owned());
    let found = packages
        .iter()
        .find(|found| text(found, "name").as_deref() == Some(package));
    found
        .and_then(|found| text(found, "version"))
        .ok_or_else(failure)
}
