//! The gateway as a process: `dms-kafka serve --config FILE`.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{brokers::Brokers, command, front};

/// A process that serves until it is asked to stop.
pub(crate) struct Gateway {
    pub(crate) endpoint: String,
    process: Child,
    folder: TempDir,
}

impl Gateway {
    /// Starts it in front of the brokers, with an audit log.
    pub(crate) fn serve(brokers: &Brokers) -> Self {
        Self::with_config(&front::config(&brokers.bootstrap_servers, 30.0, ""))
    }

    /// Starts it with this configuration, and an audit log.
    pub(crate) fn with_config(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let audit_file = folder.path().join("audit.jsonl");
        let config = format!("audit.file = '{}'\n{config}", audit_file.display());
        let file = folder.path().join("gateway.toml");
        fs::write(&file, config).expect("a file");
        let mut command = command::program();
        command.args(["serve", "-v", "--config"]).arg(&file);
        let log = fs::File::create(folder.path().join("log.jsonl")).expect("a file");
        command.stderr(log);
        let mut process = command.stdout(Stdio::piped()).spawn().expect("a process");
        let stdout = process.stdout.take().expect("its output");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("the line that says where it serves");
        Self {
            endpoint: ready["endpoint"].as_str().expect("a URL").to_owned(),
            process,
            folder,
        }
    }

    pub(crate) fn audit_file(&self) -> PathBuf {
        self.folder.path().join("audit.jsonl")
    }

    pub(crate) fn ask_to_stop(&self) {
        self.signal("TERM");
    }

    pub(crate) fn kill(&self) {
        self.signal("KILL");
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.process.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("a shell").success(), "{kill}");
    }

    /// Waits until the process has ended, and returns its log.
    pub(crate) fn wait(mut self) -> Vec<Value> {
        let status = self.process.wait().expect("an end");
        assert!(status.success(), "{status}");
        self.log()
    }

    /// The log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.folder.path().join("log.jsonl")).expect("a log");
        let line = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
        };
        log.lines().map(line).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Fails if the process has ended.
        let _ = self.process.kill();
    }
}
