//! Python packages at fixed versions, in a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::folder;

/// A virtual environment with what a `requirements.txt` asks for.
pub(super) struct Venv(PathBuf);

impl Venv {
    /// Makes the one for `tests/interop/NAME`, unless it is there.
    ///
    /// # Errors
    /// Why it cannot be made here.
    pub(super) fn find(root: &Path, name: &str) -> Result<Self, String> {
        let requirements = root
            .join("tests/interop")
            .join(name)
            .join("requirements.txt");
        let wanted = fs::read_to_string(&requirements)
            .map_err(|error| format!("{}: {error}", requirements.display()))?;
        let venv = Self(folder(root).join(name));
        // Written when everything is installed.
        let mark = venv.0.join("requirements.txt");
        if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
            return Ok(venv);
        }
        let _ = fs::remove_dir_all(&venv.0);
        let mut python = Command::new("python3");
        succeed(
            python.args(["-m", "venv"]).arg(&venv.0),
            "python3 with venv is not installed",
        )?;
        let mut pip = venv.program("pip");
        pip.args([
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ]);
        succeed(pip.arg(&requirements), "pip cannot install")?;
        fs::write(&mark, wanted).map_err(|error| format!("{}: {error}", mark.display()))?;
        Ok(venv)
    }

    /// A command that runs one of its programs.
    pub(super) fn program(&self, name: &str) -> Command {
        let programs = if cfg!(windows) { "Scripts" } else { "bin" };
        Command::new(self.0.join(programs).join(name))
    }
}

fn succeed(command: &mut Command, otherwise: &str) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|_| otherwise.to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = said.lines().last().unwrap_or_default();
    Err(format!("{otherwise}: {last}"))
}
