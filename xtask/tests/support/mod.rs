//! A copy of the files that xtask reads, which a test may edit, and the commands to run on it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(unreachable_pub, reason = "each test file is a crate of its own")]

pub mod documents;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

pub const CONTRACT: &str = "openapi/dms-kafka.yaml";
pub const GENERATED: &str = "crates/dms-kafka-client/src/generated.rs";
pub const SERVED: &str = "crates/dms-kafka-gateway/src/openapi.yaml";

/// The crates that `generate` compiles.
const CRATES: [&str; 2] = ["crates/dms-kafka-client", "crates/huaweicloud-auth"];

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

/// Kept between runs, so that the dependencies of the client are compiled only once.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("client")
}

#[derive(Debug)]
pub struct Run {
    pub success: bool,
    pub stdout: String,
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
            SERVED,
        ];
        for file in files {
            copy.take(file);
        }
        copy
    }

    /// With the crates that `generate` compiles.
    pub fn with_crates() -> Self {
        let copy = Self::new();
        for file in ["Cargo.toml", "Cargo.lock"] {
            copy.take(file);
        }
        for folder in CRATES {
            copy.take(&format!("{folder}/Cargo.toml"));
            for part in ["src", "benches", "tests"].map(|part| format!("{folder}/{part}")) {
                copy.take_folder(&part);
            }
        }
        copy.set_members(&CRATES);
        copy
    }

    /// Adds the facade, without its tests.
    pub fn add_facade(&self) {
        let folder = "crates/dms-kafka";
        self.take_folder(&format!("{folder}/src"));
        for file in ["Cargo.toml", "README.md"] {
            self.take(&format!("{folder}/{file}"));
        }
        let file = format!("{folder}/Cargo.toml");
        let mut manifest: toml::Table = self.read(&file).parse().unwrap();
        for key in ["dev-dependencies", "bench", "example", "test"] {
            manifest.remove(key);
        }
        self.write(&file, &manifest.to_string());
        self.set_members(&[CRATES[0], CRATES[1], folder]);
    }

    fn set_members(&self, members: &[&str]) {
        let mut manifest: toml::Table = self.read("Cargo.toml").parse().unwrap();
        for key in ["members", "default-members"] {
            manifest["workspace"][key] = members.to_vec().into();
        }
        self.write("Cargo.toml", &manifest.to_string());
    }

    fn take_folder(&self, folder: &str) {
        let Ok(entries) = fs::read_dir(workspace().join(folder)) else {
            return;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let file = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                self.take_folder(&file);
            } else {
                self.take(&file);
            }
        }
    }

    /// Runs cargo, which must succeed.
    pub fn cargo(&self, arguments: &[&str]) {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).current_dir(self.path());
        let run = run(command.env("CARGO_TARGET_DIR", target()));
        assert!(run.success, "{}\n{}", run.stdout, run.stderr);
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
        command.env("CARGO_TARGET_DIR", target());
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
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
