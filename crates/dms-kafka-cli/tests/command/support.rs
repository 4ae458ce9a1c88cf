//! Runs the command as a user would.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The command, without the environment's credentials and settings.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dms-kafka"));
    let ours = |name: &str| name.starts_with("HUAWEICLOUD_") || name.starts_with("DMS_KAFKA_");
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    // The chain of sources ends there, before the metadata service of the machine.
    command.env("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "no/such/file");
    command.stdin(Stdio::null());
    command
}

/// A gateway in a process of its own.
pub(crate) struct Served {
    process: Child,
    ready: Value,
}

impl Served {
    pub(crate) fn start() -> Self {
        Self::with_topics(&["orders:3:1000"])
    }

    /// Topics as NAME:PARTITIONS:RECORDS.
    pub(crate) fn with_topics(topics: &[&str]) -> Self {
        let mut serve = command();
        serve.arg("serve");
        for topic in topics {
            serve.args(["--topic", topic]);
        }
        Self::ready(&mut serve)
    }

    /// Starts the gateway and waits for its ready line.
    pub(crate) fn ready(serve: &mut Command) -> Self {
        let mut process = serve
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            process,
            ready: serde_json::from_str(&line).unwrap(),
        }
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.process, name);
    }

    /// The exit code, once it has ended.
    #[cfg(unix)]
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.process.try_wait().unwrap()?.code()
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.ready[field].as_str().unwrap()
    }

    /// `dms-kafka purge` against the gateway, with the rows in a file.
    pub(crate) fn purge(&self, offsets_file: &Path, arguments: &[&str]) -> Command {
        let mut purge = command();
        purge
            .args(["purge", "--endpoint", self.text("endpoint")])
            .args(["--project-id", self.text("project_id")])
            .args(["--instance-id", self.text("instance_id")])
            .arg("--offsets-file")
            .arg(offsets_file)
            .args(arguments)
            .env("HUAWEICLOUD_SDK_AK", self.text("access_key"))
            .env("HUAWEICLOUD_SDK_SK", self.text("secret_key"));
        purge
    }

    /// Where the partitions of a topic start now: the embedded look is another process, so the API is asked.
    pub(crate) fn starts(&self, topic: &str, partitions: u32) -> Vec<i64> {
        let rows: Vec<String> = (0..partitions)
            .map(|partition| format!("{partition}:0"))
            .collect();
        let mut look = command();
        look.args([
            "delete",
            "--endpoint",
            self.text("endpoint"),
            "--yes",
            "--topic",
            topic,
        ])
        .args(["--project-id", self.text("project_id")])
        .args(["--instance-id", self.text("instance_id")])
        .env("HUAWEICLOUD_SDK_AK", self.text("access_key"))
        .env("HUAWEICLOUD_SDK_SK", self.text("secret_key"));
        for row in &rows {
            look.args(["--partition", row]);
        }
        let output = look.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let starts = stdout(&output);
        starts
            .lines()
            .skip(1)
            .map(|line| {
                line.split_whitespace()
                    .rev()
                    .nth(1)
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect()
    }

    /// Runs `dms-kafka delete` against the gateway.
    pub(crate) fn delete(&self, secret_key: &str, arguments: &[&str]) -> Output {
        command()
            .args([
                "delete",
                "--endpoint",
                self.text("endpoint"),
                "--project-id",
                self.text("project_id"),
            ])
            .args([
                "--instance-id",
                self.text("instance_id"),
                "--topic",
                "orders",
            ])
            .args(arguments)
            .env("HUAWEICLOUD_SDK_AK", self.text("access_key"))
            .env("HUAWEICLOUD_SDK_SK", secret_key)
            .output()
            .unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// As Ctrl-C does.
pub(crate) fn interrupt(process: &Child) {
    signal(process, "-INT");
}

pub(crate) fn signal(process: &Child, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &process.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Reads the next request; says whether it is a deletion. `None` when the client has gone.
pub(crate) fn next_is_deletion(lines: &mut BufReader<&TcpStream>) -> Option<bool> {
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        (lines.read_line(&mut head).ok()? > 0).then_some(())?;
        let line = head[start..].to_ascii_lowercase();
        length = line
            .strip_prefix("content-length:")
            .map_or(length, |text| text.trim().parse().unwrap());
    }
    lines.read_exact(&mut vec![0; length]).ok()?;
    Some(head.starts_with("POST"))
}

/// Answers a deletion from partition 0, and anything else as a service that has nothing but deletions.
pub(crate) fn answer_deletion_only(mut connection: &TcpStream, is_deletion: bool) -> Option<()> {
    let (status, body) = if is_deletion {
        (
            "200 OK",
            r#"{"partitions":[{"partition":0,"error_code":0,"result":"success"}]}"#,
        )
    } else {
        ("405 Method Not Allowed", "")
    };
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
    connection.write_all(answer.as_bytes()).ok()
}
