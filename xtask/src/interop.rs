//! `cargo xtask interop`: runs third-party clients against gateways in memory.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;
use xshell::{Cmd, Shell, cmd};

use crate::failure::skip;
use crate::process::{self, Running, succeeds};
use crate::python;

/// Run third-party clients against gateways.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Interop {
    /// The vendor's Python SDK, from `PyPI`.
    Python,
    /// schemathesis, from `PyPI`, with requests generated from the served contract.
    Schemathesis,
    /// The vendor's Go SDK, from the Go module proxy.
    Go,
    /// Chromium with axe-core, from the npm registry, on the HTML pages of plans and topics.
    Page,
}

const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Secret key and token of the gateway, which listens on loopback only.
const SECRET: (&str, &str) = ("INTEROP_SECRET", "interop-secret");

const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Configurations of schemathesis, for an existing topic and for any topic, with the number of requests of each kind.
const RUNS: [(&str, &str); 2] = [("known.toml", "200"), ("any.toml", "50")];

impl Interop {
    /// Runs the client, or skips it if it cannot be installed.
    pub(crate) fn run(self, sh: &Shell) -> Result<()> {
        match self {
            Self::Python => {
                let python = python::with_sdk(sh)?;
                run_sdk(sh, cmd!(sh, "{python} tests/interop/python/sdk.py"))
            }
            Self::Schemathesis => schemathesis(sh),
            Self::Go => run_sdk(sh, sh.cmd(go_program(sh, ".")?)),
            Self::Page => page(sh),
        }
    }
}

fn run_sdk(sh: &Shell, sdk: Cmd<'_>) -> Result<()> {
    let (_gateway, endpoint) = gateway(sh)?;
    let sdk = sdk.env("INTEROP_ENDPOINT", endpoint).envs([SECRET]);
    // The SDKs write an id to a file in their home folder.
    Ok(sdk.env("HOME", folder(sh)?).run()?)
}

fn page(sh: &Shell) -> Result<()> {
    let installed = CHROMIUM.iter().find_map(|name| {
        let path = std::env::var_os("PATH")?;
        let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
        places.find(|place| place.is_file())
    });
    let Some(chromium) = installed else {
        return skip("Chromium is not installed; on Debian: apt-get install chromium");
    };
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let folder = sh.create_dir(folder(sh)?.join("page"))?;
    sh.copy_file("tests/interop/page/package.json", &folder)?;
    let install = sh
        .cmd(npm)
        .args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"]);
    if !succeeds(install.arg(&folder)) {
        return skip("npm cannot install the packages of tests/interop/page");
    }
    process::run_cargo(sh, "build --quiet --package dms-kafka-cli")?;
    let program = process::target(sh).join("debug/dms-kafka");
    Ok(cmd!(
        sh,
        "node tests/interop/page/check.mjs {folder} {chromium} {program}"
    )
    .run()?)
}

fn schemathesis(sh: &Shell) -> Result<()> {
    let program = python::with(sh, &[SCHEMATHESIS])?.with_file_name("schemathesis");
    let configs = sh.current_dir().join("tests/interop/schemathesis");
    for (config, examples) in RUNS {
        let (_gateway, endpoint) = gateway(sh)?;
        let _there = sh.push_dir(folder(sh)?);
        let file = configs.join(config);
        let token = format!("X-Auth-Token: {}", SECRET.1);
        cmd!(
            sh,
            "{program} --config-file {file} run {endpoint}/openapi.yaml --url {endpoint} --header {token}
                --exclude-checks positive_data_acceptance --warnings off --seed 1 --max-examples {examples}"
        )
        .quiet()
        .run()?;
        check_counts(&metrics(&endpoint)?, config == "known.toml")?;
    }
    Ok(())
}

/// Fails if the gateway had internal errors, or if no request deleted anything although one must.
fn check_counts(metrics: &str, must_delete: bool) -> Result<()> {
    let is_count = |line: &&str| line.starts_with("dms_kafka_gateway_requests_total{");
    let counts: Vec<&str> = metrics.lines().filter(is_count).collect();
    eprintln!("{}", counts.join("\n"));
    let deleted = r#"operation="delete_messages",status="200""#;
    if must_delete && !counts.iter().any(|line| line.contains(deleted)) {
        bail!("schemathesis: no request deleted anything");
    }
    if let Some(line) = counts.iter().find(|line| line.contains(r#"status="5"#)) {
        bail!("schemathesis: the gateway had internal errors: {line}");
    }
    Ok(())
}

pub(crate) fn go_program(sh: &Shell, package: &str) -> Result<PathBuf> {
    if !succeeds(cmd!(sh, "go version")) {
        return skip("Go is not installed");
    }
    let name = if package == "." { "sdk" } else { package };
    let program = folder(sh)?.join(format!("go-{name}"));
    let _there = sh.push_dir("tests/interop/go");
    if !succeeds(cmd!(sh, "go mod download")) {
        return skip("Go cannot download the modules of tests/interop/go");
    }
    cmd!(sh, "go build -o {program} ./{package}").run()?;
    Ok(program)
}

fn gateway(sh: &Shell) -> Result<(Running, String)> {
    process::run_cargo(sh, "build --quiet --package dms-kafka-cli")?;
    let config = sh.current_dir().join("tests/interop/gateway.toml");
    process::serve(sh, &config, SECRET)
}

fn metrics(endpoint: &str) -> Result<String> {
    let address = endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// The working folder of the clients.
fn folder(sh: &Shell) -> Result<PathBuf> {
    Ok(sh.create_dir(process::target(sh).join("interop"))?)
}
