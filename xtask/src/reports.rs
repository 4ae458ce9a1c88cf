//! `cargo xtask conformance --reports`: writes the reports under `tests/conformance/reports`.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::json;
use xshell::{Cmd, Shell, cmd};

use crate::failure::skip;
use crate::process::{self, Running};
use crate::steps::{self, Step};
use crate::{interop, kafka, python};

const REPORTS: &str = "tests/conformance/reports";
/// The folder of third-party products.
const PEERS: &str = "target/peers";
const PRISM: (&str, &str) = ("@stoplight/prism-cli", "5.14.2");
/// The core does not declare that it needs uuid.
const NODE_SDK: [(&str, &str); 3] = [
    ("@huaweicloud/huaweicloud-sdk-kafka", "3.1.215"),
    ("@huaweicloud/huaweicloud-sdk-core", "3.1.211"),
    ("uuid", "9.0.1"),
];
const PEER: &str = "tests/conformance/peer/measure.py";
const CLIENTS: &str = "tests/conformance/clients";
/// The number of requests that each client sends.
const SDK_REQUESTS: &str = "11";
const TOPIC: &str = "conformance";
/// A key that exists nowhere else.
const KEY: [(&str, &str); 2] = [
    ("HUAWEICLOUD_SDK_AK", "CONFORMANCEACCESSKEY"),
    ("HUAWEICLOUD_SDK_SK", "conformance-secret-key"),
];
const START_TIMEOUT: Duration = Duration::from_secs(60);

struct Reports;

const STEPS: &[Step<Reports>] = &[
    ("own", own),
    ("gateway-kafka", kafka_gateway),
    ("prism", prism),
    ("sdk-python", python_sdk),
    ("sdk-go", go_sdk),
    ("sdk-node", node_sdk),
    ("peer", independent_server),
    ("faults", faults),
];

/// Writes the reports of these names, or all, except those that this machine cannot produce. The first line of each is its
/// command.
pub(crate) fn run(sh: &Shell, names: &[String]) -> Result<()> {
    steps::run(sh, &Reports, STEPS, names)
}

fn own(sh: &Shell, _: &Reports) -> Result<()> {
    let subject = "clients of this project, and its gateway with topics in memory";
    write(sh, "own", Some(subject), &[])
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
        let mut arguments = target(&endpoint, TOPIC);
        arguments.push("--extensions".to_owned());
        write(sh, "gateway-kafka", Some(subject), &arguments)
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
    let modules = npm(sh, "prism", &[PRISM])?;
    let address = free_address()?;
    let program = modules.join("@stoplight/prism-cli/dist/index.js");
    let port = address.port().to_string();
    let root = sh.current_dir();
    let start = || {
        let mut node = Command::new("node");
        node.current_dir(&root).arg(&program).args([
            "mock",
            "openapi/dms-kafka.yaml",
            "--port",
            &port,
        ]);
        node.stdout(Stdio::null()).stderr(Stdio::null());
        Running::start(node)
    };
    let mut arguments = target(&format!("http://{address}"), "orders");
    arguments.extend(["--implementation", "prism", "--wait", "60"].map(str::to_owned));
    let subject = format!("{}@{} serving the contract", PRISM.0, PRISM.1);
    // Some requests end it.
    restarting(start, || {
        wait_for(address)?;
        write(sh, "prism", Some(&subject), &arguments)
    })
}

/// Calls `run` while a process runs, which is started again whenever it ends.
fn restarting(
    start: impl Fn() -> Result<Running> + Sync,
    run: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let process = scope.spawn(|| -> Result<()> {
            let mut process = start()?;
            while !done.load(Ordering::Relaxed) {
                if process.has_ended()? {
                    process = start()?;
                }
                sleep(Duration::from_millis(20));
            }
            Ok(())
        });
        let result = run();
        done.store(true, Ordering::Relaxed);
        process
            .join()
            .map_err(|_| anyhow!("a thread panicked"))?
            .and(result)
    })
}

/// An independent server with one fault at a time.
fn independent_server(sh: &Shell, _: &Reports) -> Result<()> {
    if !process::succeeds(cmd!(sh, "python3 -c 'import tomllib'")) {
        return skip("python3 is not 3.11 or newer");
    }
    process::run_cargo(sh, "build --quiet --package dms-kafka-conformance")?;
    let kit = process::built(sh, "dms-kafka-conformance");
    let mut report = String::new();
    for list in ["1", "2", "3"] {
        let command = cmd!(
            sh,
            "python3 {PEER} --list {list} {kit} -- --seed 1 --extensions"
        );
        report = format!("{report}List {list}\n{}\n\n", command.read()?);
    }
    let command = format!("python3 {PEER} --list N dms-kafka-conformance -- --seed 1 --extensions");
    keep(sh, "peer", &command, report.trim_end())
}

/// The injected faults, and the cases that detect them.
fn faults(sh: &Shell, _: &Reports) -> Result<()> {
    write(sh, "faults", None, &["--faults".to_owned()])
}

fn python_sdk(sh: &Shell, _: &Reports) -> Result<()> {
    let python = python::with_sdk(sh)?;
    let client = cmd!(sh, "{python} {CLIENTS}/official_sdk.py");
    let subject = "the vendor's Python SDK, huaweicloudsdkkafka 3.1.219, as a client";
    sdk(sh, "sdk-python", subject, client)
}

fn go_sdk(sh: &Shell, _: &Reports) -> Result<()> {
    let program = interop::go_program(sh, "listen")?;
    let subject = "the vendor's Go SDK, in the version of tests/interop/go/go.mod, as a client";
    sdk(sh, "sdk-go", subject, sh.cmd(program))
}

fn node_sdk(sh: &Shell, _: &Reports) -> Result<()> {
    let modules = npm(sh, "node-sdk", &NODE_SDK)?;
    let client = cmd!(sh, "node {CLIENTS}/official_sdk.js").env("NODE_PATH", modules);
    let subject = "the vendor's Node SDK, huaweicloud-sdk-kafka 3.1.215, as a client";
    sdk(sh, "sdk-node", subject, client)
}

/// Judges the requests of a client that gets the address of the kit as its argument.
fn sdk(sh: &Shell, name: &str, subject: &str, client: Cmd<'_>) -> Result<()> {
    let address = free_address()?;
    let arguments = ["--listen", &address.to_string(), "--requests", SDK_REQUESTS];
    let arguments = arguments.map(str::to_owned);
    let mut kit = Command::from(kit(sh, Some(subject), &arguments));
    kit.stdout(Stdio::piped());
    let mut server = Running::start(kit)?;
    wait_for(address)?;
    // The SDKs write an id to a file in their home folder.
    let home = sh.create_dir(PEERS)?;
    let client = client.arg(format!("http://{address}")).envs(KEY);
    client.env("HOME", home).run()?;
    // What the kit refuses, the report names.
    let (report, _) = server.ended()?;
    keep(sh, name, &shown(&arguments), &report)
}

/// Installs packages in a folder of their own, and returns it. Each has this version also where another package demands
/// another one: the Node SDK demands a core that was never published.
fn npm(sh: &Shell, folder: &str, packages: &[(&str, &str)]) -> Result<PathBuf> {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let folder = sh.create_dir(format!("{PEERS}/{folder}"))?;
    let versions: BTreeMap<_, _> = packages.iter().copied().collect();
    let manifest = json!({"private": true, "dependencies": versions, "overrides": versions});
    sh.write_file(folder.join("package.json"), manifest.to_string())?;
    let install = cmd!(sh, "{npm} install --no-audit --no-fund --prefix {folder}");
    if !process::succeeds(install) {
        return skip(format_args!("npm cannot install {}", folder.display()));
    }
    Ok(folder.join("node_modules"))
}

/// The arguments for a server whose records may be deleted.
fn target(endpoint: &str, topic: &str) -> Vec<String> {
    let words = format!(
        "--endpoint {endpoint} --project-id p --instance-id i --topic {topic} --destructive --seed 1"
    );
    words.split(' ').map(str::to_owned).collect()
}

fn write(sh: &Shell, name: &str, subject: Option<&str>, arguments: &[String]) -> Result<()> {
    let output = kit(sh, subject, arguments).ignore_status().output()?;
    keep(
        sh,
        name,
        &shown(arguments),
        &String::from_utf8(output.stdout)?,
    )?;
    ensure!(output.status.success(), "{name}: {}", output.status);
    Ok(())
}

/// The kit, with a name of the subject for the report.
fn kit<'a>(sh: &'a Shell, subject: Option<&str>, arguments: &[String]) -> Cmd<'a> {
    let subject = subject.map(|subject| ["--subject", subject]);
    let kit = process::kit(sh).args(arguments);
    kit.args(subject.into_iter().flatten()).envs(KEY)
}

/// The command of a report. The address is another one in each run.
fn shown(arguments: &[String]) -> String {
    let words = arguments.iter().map(String::as_str);
    let words = words.map(|word| match word.trim_start_matches("http://") {
        address if !address.starts_with("127.0.0.1:") => word,
        address if address == word => "ADDRESS",
        _ => "URL",
    });
    let words: Vec<_> = ["dms-kafka-conformance"].into_iter().chain(words).collect();
    words.join(" ")
}

fn keep(sh: &Shell, name: &str, command: &str, report: &str) -> Result<()> {
    ensure!(!report.is_empty(), "{name}: the report is empty");
    let lines: Vec<_> = report.trim_end().lines().map(str::trim_end).collect();
    let text = format!("$ {command}\n{}\n", lines.join("\n"));
    Ok(sh.write_file(format!("{REPORTS}/{name}.txt"), text)?)
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
