//! What it takes to run a broker: Java, and Kafka's jars from Maven Central.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::folder;

/// The project file that names the jars.
const POM: &str = "tests/kafka/pom.xml";

/// The oldest Java that Kafka 4 runs on.
const OLDEST_JAVA: u32 = 17;

/// Why no broker can be run here.
#[derive(Debug)]
pub(super) struct Absent(pub(super) String);

/// A Java with Kafka on its class path.
#[derive(Debug)]
pub(super) struct Java {
    /// The first line of `java -version`.
    pub(super) version: String,
    /// Kafka's version, as in the project file.
    pub(super) kafka: String,
    libraries: PathBuf,
}

impl Java {
    /// Finds Java, and fetches the jars unless they were fetched before.
    pub(super) fn find(root: &Path) -> Result<Self, Absent> {
        let version = java_version()?;
        let pom = fs::read_to_string(root.join(POM));
        let pom = pom.map_err(|error| Absent(format!("{POM}: {error}")))?;
        let kafka = kafka_version(&pom)
            .ok_or_else(|| Absent(format!("{POM} has no element kafka.version")))?;
        let libraries = folder(root).join(format!("libs-{kafka}"));
        if !libraries.exists() {
            fetch(root, &libraries)?;
        }
        Ok(Self {
            version,
            kafka: kafka.to_owned(),
            libraries,
        })
    }

    /// A command that runs a class of Kafka's.
    pub(super) fn class(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        // Brokers for tests: a quick start on few cores is worth more than speed later.
        command.args([
            "-Xms64m",
            "-Xmx384m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
        ]);
        command.arg("-cp").arg(self.libraries.join("*")).arg(class);
        command.stdin(Stdio::null());
        command
    }
}

fn java_version() -> Result<String, Absent> {
    let missing = || Absent(format!("Java {OLDEST_JAVA} or newer is not installed"));
    let output = Command::new("java").arg("-version").output();
    let output = output.map_err(|_| missing())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().next().ok_or_else(missing)?;
    match major(line) {
        Some(major) if major >= OLDEST_JAVA => Ok(line.to_owned()),
        _ => Err(Absent(format!(
            "Kafka needs Java {OLDEST_JAVA} or newer; this is {line}"
        ))),
    }
}

/// 17 of `openjdk version "17.0.15" 2025-04-15`.
fn major(line: &str) -> Option<u32> {
    let number = line.split('"').nth(1)?;
    number.split(['.', '-']).next()?.parse().ok()
}

fn kafka_version(pom: &str) -> Option<&str> {
    let (_, rest) = pom.split_once("<kafka.version>")?;
    rest.split_once('<').map(|(version, _)| version)
}

/// Fetches into a folder of its own first, so that half of it is never taken for all of it.
fn fetch(root: &Path, libraries: &Path) -> Result<(), Absent> {
    let unfinished = libraries.with_extension("unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    let mut maven = Command::new("mvn");
    maven
        .args(["--quiet", "--batch-mode", "--file"])
        .arg(root.join(POM));
    maven.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", unfinished.display()));
    let output = maven.stdin(Stdio::null()).output();
    let output = output.map_err(|_| Absent("Maven (mvn) is not installed".to_owned()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = said
            .lines()
            .find(|line| line.contains("ERROR"))
            .unwrap_or_default();
        return Err(Absent(format!("Maven cannot fetch Kafka's jars: {line}")));
    }
    fs::rename(&unfinished, libraries)
        .map_err(|error| Absent(format!("{}: {error}", libraries.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_java() {
        for (line, expected) in [
            (r#"openjdk version "17.0.15" 2025-04-15"#, Some(17)),
            (r#"openjdk version "25" 2025-09-16"#, Some(25)),
            (r#"openjdk version "26-ea" 2026-03-17"#, Some(26)),
            (r#"java version "1.8.0_402""#, Some(1)),
            ("command not found", None),
        ] {
            assert_eq!(major(line), expected, "{line}");
        }
    }
}
