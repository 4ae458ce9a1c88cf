//! Runs the command as a user would.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// The command, without the environment's credentials and settings.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dms-kafka"));
    let ours = |name: &str| name.starts_with("HUAWEICLOUD_") || name.starts_with("DMS_KAFKA_");
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
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
        let mut process = command()
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--topic",
                "orders:3:1000",
            ])
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

    pub(crate) fn text(&self, field: &str) -> &str {
        self.ready[field].as_str().unwrap()
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
