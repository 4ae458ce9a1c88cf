//! `dms-kafka serve`.

use std::fs;
use std::process::Stdio;
#[cfg(unix)]
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::Command,
    time::{Duration, Instant},
};

#[cfg(unix)]
use serde_json::Value;

use crate::support::{Folder, Run as _, Served, assert_stderr, dms_kafka, stdout};
#[cfg(unix)]
use crate::support::{ended_with, signal, stderr, through_shell};

const CONFIG: &str = r#"
listen = "192.0.2.1:1"
[[access_key]]
access_key = "AK"
secret_key = { env = "GATEWAY_SK" }
[[instance]]
id = "i"
project_id = "p"
memory.topics = [{ name = "orders", partitions = 3, records = 1000 }]
"#;

fn config() -> (Folder, String) {
    let folder = Folder::new("");
    let path = folder.path("gateway.toml");
    fs::write(&path, CONFIG).unwrap();
    (folder, path)
}

/// The address in the file does not exist on this machine.
#[test]
fn flags_override_variables_and_variables_override_the_file() {
    let (_folder, path) = config();
    let serve = |line: &str, variables: &[(&str, &str)]| {
        let mut serve = dms_kafka(line);
        serve
            .envs(variables.iter().copied())
            .env("GATEWAY_SK", "SK");
        serve
    };
    let with_config = format!("serve --config {path}");
    let served = Served::ready(&mut serve(
        &format!("{with_config} --listen 127.0.0.1:0"),
        &[
            ("DMS_KAFKA_SERVE_LISTEN", "192.0.2.2:1"),
            ("DMS_KAFKA_SERVE_CONFIG", "no/such/file"),
        ],
    ));
    assert!(served.text("endpoint").starts_with("http://127.0.0.1:"));
    assert_eq!(
        (served.text("project_id"), served.text("instance_id")),
        ("p", "i")
    );
    let served = Served::ready(&mut serve(
        "serve",
        &[
            ("DMS_KAFKA_SERVE_LISTEN", "127.0.0.1:0"),
            ("DMS_KAFKA_SERVE_CONFIG", &path),
        ],
    ));
    assert!(served.text("endpoint").starts_with("http://127.0.0.1:"));
    let from_file = serve(&with_config, &[]).ends_with(2);
    assert_stderr(&from_file, "192.0.2.1:1");
    let control = serve("serve --control", &[("DMS_KAFKA_SERVE_CONFIG", &path)]).ends_with(2);
    assert_stderr(&control, "control_listen");
    let group = "serve --group billing:orders:0=1";
    let group = serve(group, &[("DMS_KAFKA_SERVE_CONFIG", &path)]).ends_with(2);
    assert_stderr(&group, "set groups in the file");
    // Topics on the command line override a file in the environment.
    let in_memory = Served::ready(&mut serve(
        "serve --topic orders:1:1",
        &[("DMS_KAFKA_SERVE_CONFIG", "no/such/file")],
    ));
    assert!(!in_memory.text("secret_key").is_empty());
}

#[test]
fn check_config_validates_without_serving() {
    let (folder, path) = config();
    let check = || dms_kafka(&format!("serve --check-config --config {path}"));
    let good = check().env("GATEWAY_SK", "SK").ends_with(0);
    assert_eq!(stdout(&good), format!("{path} is valid\n"));
    let mut connected = check();
    connected
        .arg("--connect")
        .env("GATEWAY_SK", "SK")
        .ends_with(0);
    let topic = check()
        .args(["--connect", "no-such-topic"])
        .env("GATEWAY_SK", "SK")
        .ends_with(2);
    assert_stderr(
        &topic,
        "describing the topic failed: the topic does not exist",
    );
    let no_secret = check().ends_with(2);
    assert_stderr(&no_secret, "secret_key in [[access_key]] number 1");
    fs::write(
        folder.path("gateway.toml"),
        CONFIG.replace("listen", "listens"),
    )
    .unwrap();
    let mistyped = check().ends_with(2);
    assert_stderr(&mistyped, "line 2");
}

#[test]
fn invalid_flags_are_refused() {
    for (code, line, word) in [
        (2, "serve", "--topic"),
        (2, "serve --check-config", "--config"),
        (2, "serve --connect --topic a:1:1", "--check-config"),
        (5, "serve --config no/such/file", "no/such/file"),
        (2, "serve --config f --topic a:1:1", "--topic"),
        (2, "serve --config f --control", "--control"),
        (2, "serve --config f --group g:a:0=1", "--group"),
        (2, "serve --group g:a:0=1", "add --topic"),
        (2, "serve --topic a:1:1 --group g", "billing:orders:0=700"),
        (
            2,
            "serve --topic a:1:1 --group g:a:",
            "billing:orders:0=700",
        ),
        (
            2,
            "serve --topic a:1:1 --group g:a:0",
            "billing:orders:0=700",
        ),
        (
            2,
            "serve --topic a:1:1 --group g:a:0=1,",
            "billing:orders:0=700",
        ),
        (2, "serve --topic a:1:1 --group g:a/b:0=1", "a/b"),
        (
            2,
            "serve --topic a:1:1 --group g:a:1=1",
            "no such topic or partition",
        ),
        (2, "serve --topic a:1:1 --group g:a:0=1,0=2", "two commits"),
        (2, "serve --topic a:1:1 --group :a:0=1", "1 to 255"),
        (
            2,
            "serve --listen 0.0.0.0:0 --topic orders:1:1",
            "DMS_KAFKA_SERVE_SECRET_KEY",
        ),
    ] {
        assert_stderr(&dms_kafka(line).ends_with(code), word);
    }
}

#[test]
fn the_control_api_has_an_address_of_its_own() {
    let served = Served::ready(&mut dms_kafka("serve --topic orders:1:1 --control"));
    let control = served.text("control_endpoint");
    assert!(control.starts_with("http://127.0.0.1:"), "{control}");
    assert_ne!(control, served.text("endpoint"));
}

#[test]
fn a_group_on_the_command_line_has_commits() {
    let line = "serve --topic orders:2:1000 --control --group billing:orders:0=700,1=950 --group a:b:orders:1=0";
    let served = Served::ready(&mut dms_kafka(line));
    let address = served.text("control_endpoint").replace("http://", "");
    let mut stream = TcpStream::connect(&address).unwrap();
    let head =
        format!("GET /control/state HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let body = response.split("\r\n\r\n").nth(1).unwrap();
    let state: Value = serde_json::from_str(body).unwrap();
    let commit = |partition, offset| serde_json::json!({"topic": "orders", "partition": partition, "offset": offset});
    let expected = serde_json::json!([
        {"name": "a:b", "state": "EMPTY", "commits": [commit(1, 0)]},
        {"name": "billing", "state": "EMPTY", "commits": [commit(0, 700), commit(1, 950)]},
    ]);
    assert_eq!(state["instances"][0]["groups"], expected);
}

/// The ready line, and what is logged until the process ends.
#[cfg(unix)]
fn ready_and_log(serve: &mut Command) -> (Value, String) {
    let mut process = serve.start();
    let mut line = String::new();
    let mut lines = BufReader::new(process.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    signal(&process, "-TERM");
    let output = ended_with(process, 0);
    (serde_json::from_str(&line).unwrap(), stderr(&output))
}

#[cfg(unix)]
#[test]
fn the_endpoint_of_a_gateway_on_all_addresses_can_be_used_and_plain_http_is_warned_of() {
    let folder = Folder::new("");
    let config = CONFIG.replace("192.0.2.1:1", "0.0.0.0:0");
    fs::write(folder.path("gateway.toml"), config).unwrap();
    for line in [
        "serve --listen 0.0.0.0:0 --topic orders:1:1",
        &format!("serve --config {}", folder.path("gateway.toml")),
    ] {
        let mut serve = dms_kafka(line);
        serve
            .env("DMS_KAFKA_SERVE_ACCESS_KEY", "AK")
            .env("DMS_KAFKA_SERVE_SECRET_KEY", "the-secret-key")
            .env("GATEWAY_SK", "the-secret-key");
        let (ready, log) = ready_and_log(&mut serve);
        let endpoint = ready["endpoint"].as_str().unwrap();
        assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint}");
        assert!(log.contains("plain HTTP"), "{log}");
        assert!(!log.contains("the-secret-key"), "{log}");
    }
    let (_, log) = ready_and_log(&mut dms_kafka("serve --topic orders:1:1"));
    assert_eq!(log, "");
}

/// A process that has run out of file descriptors accepts no connection. A lower hard limit is reported.
#[cfg(unix)]
#[test]
fn more_idle_connections_than_open_files_allow_do_not_delay_a_probe() {
    let folder = Folder::new("");
    let log = folder.path("log");
    for (limit, warns) in [("ulimit -S -n 300", false), ("ulimit -n 300", true)] {
        let line = format!("{limit} && exec \"$0\" \"$@\" 2>{log}");
        let serve = dms_kafka("serve --topic orders:1:1");
        let served = Served::ready(&mut through_shell(&line, &serve));
        let address = served.text("endpoint").replace("http://", "");
        let connect = || TcpStream::connect(&address).unwrap();
        let idle: Vec<TcpStream> = (0..400).map(|_| connect()).collect();
        let mut probe = connect();
        probe
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .unwrap();
        probe
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let mut response = String::new();
        let read = probe.read_to_string(&mut response);
        assert!(response.ends_with("ok\n"), "{limit}: {read:?} {response}");
        drop(idle);
        let logged = fs::read_to_string(&log).unwrap();
        assert_eq!(
            logged.contains("fewer connections"),
            warns,
            "{limit}: {logged}"
        );
    }
}

/// The gateway waits for a client that does not finish its request.
#[cfg(unix)]
#[test]
fn a_second_signal_does_not_wait() {
    let mut served = Served::start();
    let address = served.text("endpoint").replace("http://", "");
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(b"POST / HTTP/1.1\r\nhost: x\r\n").unwrap();
    served.signal("-TERM");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(served.ended(), None, "it waits for the request");
    let started = Instant::now();
    let code = loop {
        served.signal("-TERM");
        if let Some(code) = served.ended() {
            break code;
        }
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "it still waits"
        );
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(code, 130);
}

/// A process that starts the gateway with a pipe can be killed: the gateway stops, too.
#[test]
fn it_stops_when_standard_input_ends() {
    let (_folder, path) = config();
    for line in [
        "serve --topic orders:1:1 --exit-with-stdin".to_owned(),
        format!("serve --config {path} --listen 127.0.0.1:0 --exit-with-stdin"),
    ] {
        let mut serve = dms_kafka(&line);
        serve.env("GATEWAY_SK", "SK").stdin(Stdio::piped());
        let mut served = Served::ready(&mut serve);
        assert_eq!(served.ended(), None, "{line}");
        assert_eq!(served.without_stdin(), Some(0), "{line}");
    }
}
