//! What the facade adds to a user's build.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{Result, root, write_json};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the results go.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "target/bench/build-cost.json"
    )]
    json: PathBuf,
    /// Only count the crates that the facade adds, and look whether each has its reason.
    #[arg(long)]
    count: bool,
}

/// The cost of building one program.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Build {
    pub(crate) crates: Option<usize>,
    /// Seconds on the clock of a clean release build.
    pub(crate) seconds: Option<f64>,
    /// Bytes of the stripped program.
    pub(crate) size: Option<u64>,
}

/// A program on the facade beside one on reqwest with rustls.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct BuildCost {
    pub(crate) reqwest: Build,
    pub(crate) facade: Build,
    /// What the facade's tree has and reqwest's has not, and what for.
    pub(crate) added: BTreeMap<String, String>,
    pub(crate) command: Build,
    pub(crate) command_with_kafka: Option<Build>,
}

const REQWEST: &str = r#"
[dependencies]
reqwest = { version = "0.13", default-features = false, features = ["rustls", "http2", "json", "system-proxy"] }
tokio = { version = "1", features = ["rt", "macros"] }
"#;
const REQWEST_MAIN: &str = r#"
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), reqwest::Error> {
    let answer = reqwest::Client::new().post("https://example.com").body("{}").send().await?;
    println!("{}", answer.text().await?);
    Ok(())
}
"#;
const FACADE_MAIN: &str = r#"
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), dms_kafka::Error> {
    let client = dms_kafka::Client::builder().endpoint("https://example.com").project_id("project").build()?;
    println!("{}", client.delete_messages("instance", "orders").before(0, 400).send().await?);
    Ok(())
}
"#;

pub(crate) fn run(options: &Options) -> Result<()> {
    let facade = format!(
        "\n[dependencies]\ndms-kafka = {{ path = \"{}\" }}\ntokio = {{ version = \"1\", features = [\"rt\", \"macros\"] }}\n",
        root().join("crates/dms-kafka").canonicalize()?.display()
    );
    let folder = root().join("target/bench/build-cost");
    let (reqwest, ours) = (folder.join("on-reqwest"), folder.join("on-facade"));
    write_program(&reqwest, REQWEST, REQWEST_MAIN)?;
    write_program(&ours, &facade, FACADE_MAIN)?;
    let (theirs, mine) = (crates(&reqwest)?, crates(&ours)?);
    let added = with_reasons(mine.difference(&theirs))?;
    println!(
        "on reqwest: {} crates, on the facade: {}",
        theirs.len(),
        mine.len()
    );
    println!("added: {}", added.len());
    for (name, reason) in &added {
        println!("  {name}: {reason}");
    }
    if options.count {
        return Ok(());
    }
    let mut cost = BuildCost {
        reqwest: Build::counted(&theirs),
        facade: Build::counted(&mine),
        added,
        command: Build::default(),
        command_with_kafka: None,
    };
    time(&mut cost, &reqwest, &ours)?;
    write_json(&options.json, &cost)
}

/// Every crate that the facade adds is there for a reason.
fn with_reasons<'a>(added: impl Iterator<Item = &'a String>) -> Result<BTreeMap<String, String>> {
    const REASONS: &str = "tests/bench/crates.toml";
    let text = fs::read_to_string(root().join(REASONS))?;
    let reasons: BTreeMap<String, String> = toml::from_str(&text)?;
    let with_reason = |added: &'a String| {
        let name = added.split(' ').next().unwrap_or_default();
        let reason = reasons.get(name).cloned();
        let reason = reason.ok_or_else(|| format!("{REASONS} gives no reason for {added}"))?;
        Ok((added.clone(), reason))
    };
    added.map(with_reason).collect()
}

fn time(cost: &mut BuildCost, reqwest: &Path, facade: &Path) -> Result<()> {
    cost.reqwest.build(reqwest, &["--bin", "hello"], "hello")?;
    cost.facade.build(facade, &["--bin", "hello"], "hello")?;
    let command = ["-p", "dms-kafka-cli"];
    cost.command.build(&root(), &command, "dms-kafka")?;
    let mut with_kafka = Build::default();
    let features = [&command[..], &["--features", "kafka"]].concat();
    with_kafka.build(&root(), &features, "dms-kafka")?;
    cost.command_with_kafka = Some(with_kafka);
    Ok(())
}

impl Build {
    fn counted(crates: &BTreeSet<String>) -> Self {
        Self {
            crates: Some(crates.len()),
            ..Self::default()
        }
    }

    /// Builds from nothing, in a target folder of its own.
    fn build(&mut self, folder: &Path, arguments: &[&str], program: &str) -> Result<()> {
        let target = root().join("target/bench/build-cost/target");
        if target.exists() {
            fs::remove_dir_all(&target)?;
        }
        let begin = Instant::now();
        let status = Command::new("cargo")
            .current_dir(folder)
            .args(["build", "--release", "--quiet"])
            .args(arguments)
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("{}: cargo build ended with {status}", folder.display()).into());
        }
        self.seconds = Some(begin.elapsed().as_secs_f64());
        self.size = Some(fs::metadata(target.join("release").join(program))?.len());
        println!(
            "{program}: {:.0} s, {} bytes",
            begin.elapsed().as_secs_f64(),
            self.size.unwrap_or(0)
        );
        fs::remove_dir_all(&target)?;
        Ok(())
    }
}

fn write_program(folder: &Path, dependencies: &str, main: &str) -> Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    let manifest = format!(
        "[package]\nname = \"hello\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n{dependencies}"
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/main.rs"), main)?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    Ok(())
}

/// The crates that a user of this system compiles.
fn crates(folder: &Path) -> Result<BTreeSet<String>> {
    let output = Command::new("cargo")
        .current_dir(folder)
        .args([
            "tree",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .stderr(Stdio::inherit())
        .output()?;
    let tree = String::from_utf8(output.stdout)?;
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let crates = tree
        .lines()
        .map(name)
        .filter(|name| !name.starts_with("hello "));
    Ok(crates.collect())
}
