//! `cargo xtask interop`: clients that others wrote, against a gateway in memory.

mod gateway;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Subcommand;

use crate::failure::{Failure, Failures, Outcome, Result};
use crate::{cargo, python};
use gateway::{Gateway, SECRET};

/// Which client.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Client {
    /// The vendor's Python SDK, from `PyPI`.
    Python,
    /// schemathesis, from `PyPI`, with requests made up from the served contract.
    Schemathesis,
    /// The vendor's Go SDK, from the Go module proxy.
    Go,
}

const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// schemathesis with one topic that exists, and with whatever it makes up; and how many requests of each kind it makes up.
const RUNS: [(&str, &str); 2] = [("known.toml", "200"), ("any.toml", "50")];

/// Runs the client, unless it cannot be had here.
pub(crate) fn run(root: &Path, client: Client) -> std::result::Result<Outcome, Failures> {
    match client {
        Client::Python => sdk_in_python(root),
        Client::Schemathesis => schemathesis(root),
        Client::Go => sdk_in_go(root),
    }
}

fn sdk_in_python(root: &Path) -> std::result::Result<Outcome, Failures> {
    let python = match python::with_sdk(root) {
        Ok(python) => python,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let gateway = Gateway::serve(root)?;
    let mut sdk = Command::new(python);
    sdk.arg(root.join("tests/interop/python/sdk.py"));
    sdk.env("INTEROP_ENDPOINT", &gateway.endpoint)
        .env("INTEROP_SECRET", SECRET);
    // The SDK keeps an id of its own in the home folder.
    succeed(sdk.env("HOME", folder(root)?))?;
    Ok(Outcome::Passed)
}

fn schemathesis(root: &Path) -> std::result::Result<Outcome, Failures> {
    let python = match python::with(root, &[SCHEMATHESIS]) {
        Ok(python) => python,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    for (config, examples) in RUNS {
        let gateway = Gateway::serve(root)?;
        let mut command = Command::new(python.with_file_name("schemathesis"));
        command.current_dir(folder(root)?);
        command
            .arg("--config-file")
            .arg(root.join("tests/interop/schemathesis").join(config));
        command
            .arg("run")
            .arg(format!("{}/openapi.yaml", gateway.endpoint));
        command.args([
            "--url",
            &gateway.endpoint,
            "--header",
            &format!("X-Auth-Token: {SECRET}"),
        ]);
        command.args([
            "--exclude-checks",
            "positive_data_acceptance",
            "--warnings",
            "off",
        ]);
        succeed(command.args(["--seed", "1", "--max-examples", examples]))?;
        check_answers(&gateway.metrics()?, config == "known.toml")?;
    }
    Ok(Outcome::Passed)
}

/// A run in which nothing was ever deleted would prove little.
fn check_answers(metrics: &str, must_delete: bool) -> Result<()> {
    let answered: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("dms_kafka_gateway_requests_total{"))
        .collect();
    for line in &answered {
        eprintln!("{line}");
    }
    let deleted = r#"operation="delete_messages",status="200""#;
    if must_delete && !answered.iter().any(|line| line.contains(deleted)) {
        return Err(Failure::file(
            "schemathesis",
            "none of its requests deleted anything",
        ));
    }
    match answered.iter().find(|line| line.contains(r#"status="5"#)) {
        Some(line) => Err(Failure::file("the gateway", line)),
        None => Ok(()),
    }
}

fn sdk_in_go(root: &Path) -> std::result::Result<Outcome, Failures> {
    let program = match go_program(root, ".")? {
        Ok(program) => program,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let gateway = Gateway::serve(root)?;
    let mut sdk = Command::new(program);
    sdk.env("INTEROP_ENDPOINT", &gateway.endpoint)
        .env("INTEROP_SECRET", SECRET);
    succeed(sdk.env("HOME", folder(root)?))?;
    Ok(Outcome::Passed)
}

/// Builds one of the programs on the vendor's Go SDK, or says why that cannot be had.
pub(crate) fn go_program(
    root: &Path,
    package: &str,
) -> Result<std::result::Result<PathBuf, String>> {
    if !cargo::succeeds(Command::new("go").arg("version")) {
        return Ok(Err("Go is not installed".to_owned()));
    }
    let module = root.join("tests/interop/go");
    let mut fetch = Command::new("go");
    if !cargo::succeeds(fetch.current_dir(&module).args(["mod", "download"])) {
        return Ok(Err("its modules cannot be downloaded".to_owned()));
    }
    let program = folder(root)?.join(match package {
        "." => "go-sdk".to_owned(),
        package => format!("go-sdk-{package}"),
    });
    let mut build = Command::new("go");
    build
        .current_dir(&module)
        .args(["build", "-o"])
        .arg(&program)
        .arg(format!("./{package}"));
    succeed(&mut build)?;
    Ok(Ok(program))
}

fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|error| Failure::file(&program, error))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::file(program, status))
}

/// Where the clients write what they write.
fn folder(root: &Path) -> Result<PathBuf> {
    let folder = cargo::target(root).join("interop");
    fs::create_dir_all(&folder).map_err(|error| Failure::file(folder.display(), error))?;
    Ok(folder)
}
