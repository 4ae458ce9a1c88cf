//! `cargo xtask conformance --reports`: writes the reports under `tests/conformance/reports`.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use xshell::{Cmd, Shell, cmd};

use crate::failure::skip;
use crate::process::{self, Running};
use crate::steps::{self, Step};
use crate::{kafka, python};

const REPORTS: &str = "tests/conformance/reports";
/// The folder of third-party products.
const PEERS: &str = "target/peers";
const PRISM: &str = "@stoplight/prism-cli@5.14.2";
const SDK_CLIENT: &str = "tests/conformance/clients/official_sdk.py";
/// The number of requests that the client sends.
const SDK_REQUESTS: &str = "5";
const TOPIC: &str = "conformance";
/// A key that exists nowhere else.
const KEY: [(&str, &str); 2] = [
    ("HUAWEICLOUD_SDK_AK", "CONFORMANCEACCESSKEY"),
    ("HUAWEICLOUD_SDK_SK", "conformance-secret-key"),
];
const START_TIMEOUT: Duration = Duration::from_secs(60);

struct Reports;

const STEPS: &[Step<Reports>] = &[
    ("own products", own),
    ("gateway before Kafka", kafka_gateway),
    ("prism", prism),
    ("official sdk", official_sdk),
];

/// Writes every report, except those that this machine cannot produce.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    steps::run(sh, &Reports, STEPS)
}

fn own(sh: &Shell, _: &Reports) -> Result<()> {
    let subject = "clients of this project, and its gateway with topics in memory";
    write(sh, "own", subject, &[])
}

/// The gateway in front of a Kafka, which is started for this report.
fn kafka_gateway(sh: &Shell, _: &Reports) -> Result<()> {
    kafka::with_topic(sh, TOPIC, |bootstrap| {
        process::run_cargo(sh, "build --package dms-kafka-cli --features kafka")?;
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("gateway.toml");
        fs::write(&config, gateway_config(bootstrap))?;
        let [_, secret] = KEY;
        let (_server, endpoint) = process::serve(sh, &config, secret)?;
        let subject = "gateway of this project in front of Apache Kafka";
        write(sh, "gateway-kafka", subject, &target(&endpoint, TOPIC))
    })
}

fn gateway_config(bootstrap: &str) -> String {
    let [(_, access_key), (secret_key_env, _)] = KEY;
    format!(
        r#"listen = "127.0.0.1:0"

[[instance]]
id = "i"
project_id = "p"

[instance.kafka]
"bootstrap.servers" = "{bootstrap}"

[[access_key]]
access_key = "{access_key}"
secret_key = {{ env = "{secret_key_env}" }}
projects = ["p"]
"#
    )
}

/// Prism, which serves the contract.
fn prism(sh: &Shell, _: &Reports) -> Result<()> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let peers = sh.current_dir().join(PEERS);
    if !process::succeeds(cmd!(
        sh,
        "{npm} install --no-save --no-audit --no-fund --prefix {peers} {PRISM}"
    )) {
        return skip(format_args!("npm cannot install {PRISM}"));
    }
    let address = free_address()?;
    let program = peers.join("node_modules/@stoplight/prism-cli/dist/index.js");
    let port = address.port().to_string();
    let mut node = Command::from(cmd!(
        sh,
        "node {program} mock openapi/dms-kafka.yaml --port {port}"
    ));
    node.stdout(Stdio::null());
    let _server = Running::start(node)?;
    wait_for(address)?;
    let mut arguments = target(&format!("http://{address}"), "orders");
    arguments.extend(["--implementation", "prism"].map(str::to_owned));
    write(
        sh,
        "prism",
        &format!("{PRISM} serving the contract"),
        &arguments,
    )
}

/// The vendor's Python SDK as a client.
fn official_sdk(sh: &Shell, _: &Reports) -> Result<()> {
    let python = python::with_sdk(sh)?;
    let address = free_address()?;
    let subject = "the vendor's Python SDK, huaweicloudsdkkafka 3.1.219, as a client";
    let arguments = ["--listen", &address.to_string(), "--requests", SDK_REQUESTS];
    let mut kit = Command::from(kit(sh, subject, &arguments.map(str::to_owned)));
    kit.stdout(Stdio::piped());
    let mut server = Running::start(kit)?;
    wait_for(address)?;
    // The SDK writes an id to a file in its home folder.
    let home = sh.create_dir(PEERS)?;
    let endpoint = format!("http://{address}");
    let client = cmd!(sh, "{python} {SDK_CLIENT} {endpoint}").envs(KEY);
    client.env("HOME", home).run()?;
    keep(sh, "official-sdk", &server.output()?)
}

/// The arguments for a server whose records may be deleted.
fn target(endpoint: &str, topic: &str) -> Vec<String> {
    let words = format!(
        "--endpoint {endpoint} --project-id p --instance-id i --topic {topic} --destructive"
    );
    words.split(' ').map(str::to_owned).collect()
}

fn write(sh: &Shell, name: &str, subject: &str, arguments: &[String]) -> Result<()> {
    keep(
        sh,
        name,
        &format!("{}\n", kit(sh, subject, arguments).read()?),
    )
}

/// The kit, with a name of the subject for the report.
fn kit<'a>(sh: &'a Shell, subject: &str, arguments: &[String]) -> Cmd<'a> {
    let kit = process::kit(sh).args(arguments);
    kit.args(["--subject", subject]).envs(KEY)
}

fn keep(sh: &Shell, name: &str, report: &str) -> Result<()> {
    Ok(sh.write_file(format!("{REPORTS}/{name}.txt"), report)?)
}

fn free_address() -> Result<SocketAddr> {
    let found = process::free_addresses(1)?;
    found.first().copied().context("127.0.0.1: no free port")
}

fn wait_for(address: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            bail!("{address}: no server listens on this address");
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}
