//! A gateway in memory, in a process of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::cargo;
use crate::failure::{Failure, Failures, Result};

/// Secret key and token of a gateway that nobody else can reach.
pub(super) const SECRET: &str = "interop-secret";

/// It serves until it is dropped.
pub(super) struct Gateway {
    pub(super) endpoint: String,
    process: Child,
}

impl Gateway {
    /// Builds the command `dms-kafka`, and has it serve `tests/interop/gateway.toml`.
    pub(super) fn serve(root: &Path) -> std::result::Result<Self, Failures> {
        let target = cargo::target(root);
        cargo::cargo(
            root,
            &["build", "--quiet", "--package", "dms-kafka-cli"],
            &[],
        )?;
        let program = target
            .join("debug")
            .join(format!("dms-kafka{}", std::env::consts::EXE_SUFFIX));
        let failure = |error: std::io::Error| Failure::file(program.display(), error);
        let mut command = Command::new(&program);
        command
            .arg("serve")
            .arg("--config")
            .arg(root.join("tests/interop/gateway.toml"));
        command
            .env("INTEROP_SECRET", SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().map_err(failure)?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(failure)?;
        }
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        let gateway = Self {
            endpoint: ready["endpoint"].as_str().unwrap_or_default().to_owned(),
            process,
        };
        if gateway.endpoint.is_empty() {
            return Err(Failure::file(program.display(), "it does not serve").into());
        }
        Ok(gateway)
    }

    /// What it counted.
    pub(super) fn metrics(&self) -> Result<String> {
        let failure = |error: std::io::Error| Failure::file("/metrics", error);
        let address = self.endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).map_err(failure)?;
        let request =
            format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(failure)?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map_err(failure)?;
        Ok(text)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
