//! A copy of the files that xtask reads, which a test may edit, and the commands to run on it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(unreachable_pub, reason = "each test file is a crate of its own")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

pub const CONTRACT: &str = "openapi/dms-kafka.yaml";
pub const GENERATED: &str = "crates/dms-kafka-client/src/generated.rs";

/// The real checkout.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn cases<T: DeserializeOwned>(text: &str) -> Vec<T> {
    #[derive(Deserialize)]
    struct Cases<T> {
        case: Vec<T>,
    }
    toml::from_str::<Cases<T>>(text).unwrap().case
}

#[derive(Debug)]
pub struct Run {
    pub success: bool,
    pub stderr: String,
}

pub struct Checkout(TempDir);

impl Checkout {
    pub fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let files = [
            "openapi/reference.toml",
            "openapi/deviations.toml",
            CONTRACT,
            GENERATED,
        ];
        for file in files {
            copy.take(file);
        }
        copy
    }

    pub fn take(&self, file: &str) {
        let target = self.path().join(file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(workspace().join(file), target).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }

    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).unwrap();
    }

    /// Replaces the first occurrence and returns the line, counted from 1, at which the replacement begins.
    pub fn edit(&self, file: &str, find: &str, replace: &str) -> usize {
        let text = self.read(file);
        let at = text
            .find(find)
            .unwrap_or_else(|| panic!("{find:?} is not in {file}"));
        self.write(file, &text.replacen(find, replace, 1));
        text[..at].matches('\n').count() + 1
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.arg("--root").arg(self.path()).args(arguments);
        command.env_remove("DMS_KAFKA_PAGE");
        command
    }

    pub fn xtask(&self, arguments: &[&str]) -> Run {
        run(&mut self.command(arguments))
    }
}

pub fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        success: output.status.success(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
