//! `cargo xtask conformance --reports`: the verdicts that are kept under `tests/conformance/reports`.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Failures, Outcome};
use crate::steps::{self, Step};
use crate::{cargo, conformance, kafka, python};

const REPORTS: &str = "tests/conformance/reports";
/// Where the others' products are installed.
const PEERS: &str = "target/peers";
const PRISM: &str = "@stoplight/prism-cli@5.14.2";
const SDK_CLIENT: &str = "tests/conformance/clients/official_sdk.py";
/// How many requests that client sends.
const SDK_REQUESTS: &str = "5";
const PATIENCE: Duration = Duration::from_secs(60);

/// What the steps work on.
struct Reports {
    root: PathBuf,
}

const STEPS: &[Step<Reports>] = &[
    ("own products", own),
    ("gateway before Kafka", kafka_gateway),
    ("prism", prism),
    ("official sdk", official_sdk),
];

/// Writes every report that this machine can make.
pub(crate) fn run(root: &Path) -> Result<(), Failures> {
    let reports = Reports {
        root: root.to_owned(),
    };
    steps::run(&reports, STEPS)
}

fn own(Reports { root }: &Reports) -> Result<Outcome, Failures> {
    write(
        root,
        "own",
        &[
            "--subject",
            "clients of this project, and its gateway with topics in memory",
        ],
    )
}

const TOPIC: &str = "conformance";

/// The gateway in front of a Kafka that was started for it.
fn kafka_gateway(Reports { root }: &Reports) -> Result<Outcome, Failures> {
    let program = ["build", "--package", "dms-kafka-cli", "--features", "kafka"];
    kafka::with_topic(root, TOPIC, |bootstrap| {
        cargo::cargo(root, &program, &[])?;
        let address = free_address()?;
        let folder =
            tempfile::tempdir().map_err(|error| Failure::file("temporary folder", error))?;
        let config = folder.path().join("gateway.toml");
        fs::write(&config, gateway_config(address, bootstrap))
            .map_err(|error| Failure::file(config.display(), error))?;
        let name = format!("dms-kafka{}", std::env::consts::EXE_SUFFIX);
        let mut gateway = Command::new(cargo::target(root).join("debug").join(name));
        gateway.args(["serve", "--config"]).arg(&config).envs(KEY);
        let _server = Running::start(gateway.stdout(Stdio::null()).stderr(Stdio::null()))?;
        wait_for(address)?;
        let endpoint = format!("http://{address}");
        let subject = "gateway of this project in front of Apache Kafka";
        let target = [
            "--project-id",
            "p",
            "--instance-id",
            "i",
            "--topic",
            TOPIC,
            "--destructive",
        ];
        let arguments = ["--endpoint", &endpoint, "--subject", subject];
        write(root, "gateway-kafka", &[&arguments[..], &target].concat())
    })
}

fn gateway_config(address: SocketAddr, bootstrap: &str) -> String {
    let [(_, access_key), (secret_key_env, _)] = KEY;
    format!(
        r#"listen = "{address}"

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

/// Prism serves the contract: an implementation that knows nothing else.
fn prism(Reports { root }: &Reports) -> Result<Outcome, Failures> {
    let mut npm = Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.args([
        "install",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--prefix",
    ]);
    npm.arg(root.join(PEERS)).arg(PRISM);
    if !cargo::succeeds(&mut npm) {
        return Ok(Outcome::Skipped(format!("npm cannot install {PRISM}")));
    }
    let address = free_address()?;
    let mut node = Command::new("node");
    node.current_dir(root)
        .arg(
            root.join(PEERS)
                .join("node_modules/@stoplight/prism-cli/dist/index.js"),
        )
        .args([
            "mock",
            "openapi/dms-kafka.yaml",
            "--port",
            &address.port().to_string(),
        ])
        .stdout(Stdio::null());
    let _server = Running::start(&mut node)?;
    wait_for(address)?;
    let endpoint = format!("http://{address}");
    let subject = format!("{PRISM} serving the contract");
    let target = [
        "--project-id",
        "p",
        "--instance-id",
        "i",
        "--topic",
        "orders",
        "--destructive",
    ];
    let arguments = [
        "--endpoint",
        &endpoint,
        "--implementation",
        "prism",
        "--subject",
        &subject,
    ];
    write(root, "prism", &[&arguments[..], &target].concat())
}

/// The vendor's Python SDK as a client.
fn official_sdk(Reports { root }: &Reports) -> Result<Outcome, Failures> {
    let python = match python::with_sdk(root) {
        Ok(python) => python,
        Err(reason) => return Ok(Outcome::Skipped(reason)),
    };
    let address = free_address()?;
    let listen = address.to_string();
    let subject = "the vendor's Python SDK, huaweicloudsdkkafka 3.1.219, as a client";
    let arguments = [
        "--listen",
        &listen,
        "--requests",
        SDK_REQUESTS,
        "--subject",
        subject,
    ];
    let mut server = Running::start(&mut kit(root, "official-sdk", &arguments)?)?;
    wait_for(address)?;
    let mut client = Command::new(&python);
    // The SDK keeps a number of its own in the home folder.
    client
        .arg(root.join(SDK_CLIENT))
        .arg(format!("http://{address}"))
        .envs(KEY)
        .env("HOME", root.join(PEERS));
    let status = client
        .status()
        .map_err(|error| Failure::file("python", error))?;
    if !status.success() {
        return Err(Failure::file(SDK_CLIENT, status).into());
    }
    server.succeed("the recording server")?;
    keep(root, "official-sdk")
}

/// A key that nobody has.
const KEY: [(&str, &str); 2] = [
    ("HUAWEICLOUD_SDK_AK", "CONFORMANCEACCESSKEY"),
    ("HUAWEICLOUD_SDK_SK", "conformance-secret-key-of-nobody"),
];

/// The kit, with its report going into a file that is not yet the one that is kept.
fn kit(root: &Path, name: &str, arguments: &[&str]) -> Result<Command, Failure> {
    let file = draft(root, name);
    let failed = |error: std::io::Error| Failure::file(file.display(), error);
    fs::create_dir_all(root.join(PEERS)).map_err(failed)?;
    let mut command = conformance::kit(root);
    command
        .args(arguments)
        .envs(KEY)
        .stdout(File::create(&file).map_err(failed)?);
    Ok(command)
}

fn draft(root: &Path, name: &str) -> PathBuf {
    root.join(PEERS).join(name).with_extension("txt")
}

/// Keeps the report of a run that has ended well.
fn keep(root: &Path, name: &str) -> Result<Outcome, Failures> {
    let file = root.join(REPORTS).join(name).with_extension("txt");
    fs::copy(draft(root, name), &file).map_err(|error| Failure::file(file.display(), error))?;
    Ok(Outcome::Passed)
}

fn write(root: &Path, name: &str, arguments: &[&str]) -> Result<Outcome, Failures> {
    Running::start(&mut kit(root, name, arguments)?)?.succeed(name)?;
    keep(root, name)
}

/// A process that does not outlive the step.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let program = command.get_program().to_owned();
        command
            .spawn()
            .map(Self)
            .map_err(|error| Failure::file(program.display(), error))
    }

    fn succeed(&mut self, what: &str) -> Result<(), Failure> {
        let status = self.0.wait().map_err(|error| Failure::file(what, error))?;
        if status.success() {
            return Ok(());
        }
        Err(Failure::file(what, status))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_address() -> Result<SocketAddr, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| Failure::file("127.0.0.1", error))
}

fn wait_for(address: SocketAddr) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        if Instant::now() > deadline {
            return Err(Failure::file(address, "nothing listens there"));
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}
