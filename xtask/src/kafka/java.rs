//! Finds Java and downloads Kafka's jars from Maven Central.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

use crate::failure::{read, skip};
use crate::process;

/// The Maven project with Kafka's version.
const POM: &str = "tests/kafka/pom.xml";

/// The oldest Java that Kafka 4 and the tests run on.
const OLDEST_JAVA: u32 = 17;

/// A Java runtime with Kafka on the class path.
#[derive(Debug)]
pub(super) struct Java {
    /// The first line of `java -version`.
    pub(super) version: String,
    /// Kafka's version, as in the project file.
    pub(super) kafka: String,
    libraries: PathBuf,
}

impl Java {
    /// Finds Java and downloads the jars if necessary.
    pub(super) fn find(sh: &Shell) -> Result<Self> {
        let version = version(sh)?;
        let pom = read(&sh.current_dir(), POM)?;
        let kafka = between(&pom, "<kafka.version>", "<");
        let kafka = kafka.with_context(|| format!("{POM}: no element kafka.version"))?;
        let libraries = folder(sh).join(format!("jars-{kafka}"));
        if !libraries.exists() {
            download(sh, &libraries)?;
        }
        Ok(Self {
            version,
            kafka: kafka.to_owned(),
            libraries,
        })
    }

    /// A command that runs a class of Kafka, or a source file.
    pub(super) fn class(&self, class: &str) -> Command {
        let mut command = Command::new("java");
        // For tests, a quick start on few cores matters more than throughput.
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

    /// Runs a class, which must succeed.
    pub(super) fn run(&self, class: &str, arguments: &[&str]) -> Result<()> {
        let output = self.class(class).args(arguments).output().context("java")?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("{class}: {}\n{errors}", output.status);
        }
        Ok(())
    }
}

/// The folder of jars and state files.
pub(super) fn folder(sh: &Shell) -> PathBuf {
    process::target(sh).join("kafka")
}

/// The first line of `java -version`; skips if it is missing or too old.
fn version(sh: &Shell) -> Result<String> {
    let text = cmd!(sh, "java -version").quiet().read_stderr();
    let Some(line) = text
        .ok()
        .and_then(|it| it.lines().next().map(str::to_owned))
    else {
        return skip(format_args!("Java {OLDEST_JAVA} or newer is not installed"));
    };
    if major(&line).is_none_or(|major| major < OLDEST_JAVA) {
        return skip(format_args!(
            "Java {OLDEST_JAVA} or newer is needed; this is {line}"
        ));
    }
    Ok(line)
}

/// 17 for `openjdk version "17.0.15" 2025-04-15`.
fn major(line: &str) -> Option<u32> {
    let number = between(line, "\"", "\"")?;
    number.split(['.', '-']).next()?.parse().ok()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

/// Downloads to a temporary folder first, so that an incomplete download is never used.
fn download(sh: &Shell, libraries: &Path) -> Result<()> {
    let unfinished = libraries.with_extension("unfinished");
    sh.remove_path(&unfinished)?;
    let output = format!("-DoutputDirectory={}", unfinished.display());
    let maven = cmd!(
        sh,
        "mvn --quiet --batch-mode --file {POM} dependency:copy-dependencies -DincludeScope=runtime {output}"
    );
    let Ok(output) = maven.quiet().ignore_status().output() else {
        return skip("Maven (mvn) is not installed");
    };
    if !output.status.success() {
        let output = String::from_utf8_lossy(&output.stdout);
        let line = output.lines().find(|line| line.contains("ERROR"));
        let line = line.unwrap_or_default();
        return skip(format_args!("Maven cannot download Kafka's jars: {line}"));
    }
    fs::rename(&unfinished, libraries).with_context(|| libraries.display().to_string())
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
