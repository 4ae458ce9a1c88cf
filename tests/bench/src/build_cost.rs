//! Crates, build time and program size that the facade adds to a user's program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::Args;

use crate::metrics::{Results, Scale, root};
use crate::process::Result;

#[derive(Debug, Args)]
pub(crate) struct BuildCost {
    /// Only count the crates that the facade adds, and check that each has a reason.
    #[arg(long)]
    count: bool,
}

const SECTION: &str = "Building";
const REASONS: &str = "tests/bench/crates.toml";

const REQWEST: &str = r#"
reqwest = { version = "0.13", default-features = false, features = ["rustls", "http2", "json", "system-proxy"] }
"#;
const REQWEST_MAIN: &str = r#"
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), reqwest::Error> {
    let response = reqwest::Client::new().post("https://example.com").body("{}").send().await?;
    println!("{}", response.text().await?);
    Ok(())
}
"#;
const FACADE: &str = r#"
dms-kafka = { path = "../../../../crates/dms-kafka" }
"#;
const FACADE_MAIN: &str = r#"
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), dms_kafka::Error> {
    let client = dms_kafka::Client::builder().endpoint("https://example.com").project_id("project").build()?;
    println!("{}", client.delete_messages("instance", "orders").before(0, 400).send().await?);
    Ok(())
}
"#;

const ON_REQWEST: &str = "target/bench/build-cost/on-reqwest";
const ON_FACADE: &str = "target/bench/build-cost/on-facade";

/// The rows of the table: title, folder, arguments of cargo, and name of the program.
const PROGRAMS: [(&str, &str, &str, &str); 4] = [
    ("a program on reqwest with rustls", ON_REQWEST, "", "hello"),
    ("a program on the facade", ON_FACADE, "", "hello"),
    ("the command", "", "-p dms-kafka-cli", "dms-kafka"),
    (
        "the command with `kafka`",
        "",
        "-p dms-kafka-cli --features kafka",
        "dms-kafka",
    ),
];

pub(crate) fn run(options: &BuildCost, scale: &Scale) -> Result<()> {
    let mut results = Results::default();
    count(&mut results)?;
    if options.count {
        return Ok(());
    }
    for (name, folder, arguments, program) in &PROGRAMS[..scale.of(PROGRAMS.len())] {
        let (seconds, megabytes) = build(folder, arguments, program)?;
        results.push([SECTION, "", name, "seconds"], vec![seconds]);
        results.push([SECTION, "", name, "MB"], vec![megabytes]);
    }
    results.write(scale.folder(), "build-cost")
}

/// Counts the crates that a user compiles, and fails if a crate that the facade adds has no reason.
#[expect(clippy::cast_precision_loss, reason = "some hundred crates")]
fn count(results: &mut Results) -> Result<()> {
    let [(reqwest, ..), (facade, ..), ..] = PROGRAMS;
    let theirs = crates(ON_REQWEST, REQWEST, REQWEST_MAIN)?;
    let ours = crates(ON_FACADE, FACADE, FACADE_MAIN)?;
    let reasons = fs::read_to_string(root().join(REASONS))?;
    let reasons: BTreeMap<String, String> = toml::from_str(&reasons)?;
    let added: Vec<&String> = ours.difference(&theirs).collect();
    for name in &added {
        let reason = reasons.get(name.split(' ').next().unwrap_or_default());
        let reason = reason.ok_or_else(|| format!("{REASONS}: no reason for {name}"))?;
        println!("  {name}: {reason}");
    }
    let mut push = |row, column, count: usize| {
        results.push([SECTION, "", row, column], vec![count as f64]);
    };
    push(reqwest, "crates", theirs.len());
    push(facade, "crates", ours.len());
    push(facade, "added crates", added.len());
    Ok(())
}

/// Writes a program and lists the crates that it needs on this system.
fn crates(folder: &str, dependency: &str, main: &str) -> Result<BTreeSet<String>> {
    let folder = root().join(folder);
    let manifest = format!(
        "[package]\nname = \"hello\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]{dependency}tokio = {{ version = \"1\", features = [\"rt\", \"macros\"] }}\n"
    );
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/main.rs"), main)?;
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let output = Command::new("cargo")
        .current_dir(folder)
        .args("tree --edges normal,build --prefix none --format {p}".split(' '))
        .stderr(Stdio::inherit())
        .output()?;
    let tree = String::from_utf8(output.stdout)?;
    let name = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let crates = tree.lines().map(name);
    Ok(crates.filter(|it| !it.starts_with("hello ")).collect())
}

/// Builds a stripped program in a new target folder, and returns the seconds and the size in MB.
fn build(folder: &str, arguments: &str, program: &str) -> Result<(f64, f64)> {
    let target = root().join("target/bench/build-cost/target");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let begin = Instant::now();
    let status = Command::new("cargo")
        .current_dir(root().join(folder))
        .args(["build", "--release", "--quiet"])
        .args(arguments.split_whitespace())
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
        .status()?;
    if !status.success() {
        return Err(format!("{program}: cargo build ended with {status}").into());
    }
    let seconds = begin.elapsed().as_secs_f64();
    let size = fs::metadata(target.join("release").join(program))?.len();
    fs::remove_dir_all(&target)?;
    #[expect(clippy::cast_precision_loss, reason = "the size of a program")]
    Ok((seconds, size as f64 / 1024.0 / 1024.0))
}
