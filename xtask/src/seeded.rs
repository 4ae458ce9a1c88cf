//! `cargo xtask conformance --faults`: a build of the kit with every seeded fault, and the kit's judgement of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::failure;
use crate::process::{self, cargo, kit, run_cargo};
use anyhow::{Context as _, Result, anyhow};
use xshell::Shell;

const KIT: &str = "dms-kafka-conformance";
const PATCHES: &str = "tests/conformance/faults";
/// Where cargo keeps what it has compiled, below `debug`.
const COMPILED: [&str; 3] = ["deps", "build", ".fingerprint"];

/// Has the kit judge a build of itself with every seeded fault, and leaves nothing behind. When a patch does not
/// apply, the copy with the others stays, to make that patch again in.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let root = sh.current_dir();
    // Cargo does not like `..` in a path that it compares with another one.
    let root = &root
        .canonicalize()
        .with_context(|| root.display().to_string())?;
    let folder = Folder(process::target(sh).join("faults"));
    folder.remove()?;
    let stage = folder.0.join("stage");
    copy(root, &stage)?;
    apply_patches(&root.join(PATCHES), &stage)?;
    let judged = judge(sh, &stage, &folder.0.join("target"));
    folder.remove()?;
    judged
}

fn judge(sh: &Shell, stage: &Path, target: &Path) -> Result<()> {
    // What the kit is compiled with is then there to be shared.
    run_cargo(sh, &format!("build --package {KIT}"))?;
    share_dependencies(sh, target)?;
    let there = sh.push_dir(stage);
    let build = cargo(sh, &format!("build --package {KIT}"));
    build
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_INCREMENTAL", "0")
        .run()?;
    drop(there);
    let program = target.join("debug").join(KIT);
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    Ok(kit(sh).arg("--faults").arg(program).run()?)
}

/// What is made for one run, and may be left by one that was killed.
struct Folder(PathBuf);

impl Folder {
    fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(anyhow!("{}: {}", self.0.display(), error))
            }
            _ => Ok(()),
        }
    }
}

/// Links what the checkout's target folder has of other people's packages into another one: a gigabyte that is
/// neither compiled nor kept twice. Cargo cannot tell the checkout's own packages from their copies, so these are left
/// out, and no file that is shared is ever written to.
fn share_dependencies(sh: &Shell, target: &Path) -> Result<()> {
    let own = own_packages(&sh.current_dir())?;
    let is_own = |name: &str| own.iter().any(|package| belongs_to(name, package));
    for part in COMPILED {
        let from = process::target(sh).join("debug").join(part);
        let to = target.join("debug").join(part);
        link(&from, &to, &is_own).with_context(|| to.display().to_string())?;
    }
    Ok(())
}

/// The packages of the workspace: those that the lock file has from nowhere else.
fn own_packages(root: &Path) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        source: Option<String>,
    }
    let file = "Cargo.lock";
    let lock: Lock = failure::read_toml(root, file)?;
    let own = lock.package.into_iter().filter(|one| one.source.is_none());
    Ok(own.map(|one| one.name).collect())
}

/// Whether cargo made a file or folder of this name for a package.
fn belongs_to(name: &str, package: &str) -> bool {
    let name = name.replace('-', "_");
    let crate_name = package.replace('-', "_");
    let name = name.strip_prefix("lib").unwrap_or(&name);
    name.strip_prefix(&*crate_name)
        .is_some_and(|rest| rest.starts_with(['_', '.']))
}

/// Links the files of a folder, and of the folders in it, unless their names are to be left out.
fn link(from: &Path, to: &Path, is_left_out: &dyn Fn(&str) -> bool) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if is_left_out(&entry.file_name().to_string_lossy()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            link(&entry.path(), &to, &|_| false)?;
        } else {
            fs::hard_link(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Copies what belongs to the checkout into another folder.
fn copy(root: &Path, folder: &Path) -> Result<()> {
    let failed = |error: io::Error| anyhow!("{}: {}", folder.display(), error);
    let mut git = Command::new("git");
    git.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listed = git.output().context("git")?;
    if !listed.status.success() {
        return Err(anyhow!("{}: {}", "git ls-files", listed.status));
    }
    for name in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
        let (from, to) = (root.join(name), folder.join(name));
        if from.is_file() {
            fs::create_dir_all(to.parent().unwrap_or(folder)).map_err(failed)?;
            fs::copy(from, to).map_err(failed)?;
        }
    }
    Ok(())
}

/// Applies every patch, one over the other.
fn apply_patches(patches: &Path, folder: &Path) -> Result<()> {
    let mut failures = Vec::new();
    for patch in files(patches).with_context(|| patches.display().to_string())? {
        let mut git = Command::new("git");
        // The copy lies within a repository and is none of it.
        git.current_dir(folder)
            .env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder));
        git.args(["apply", "-C1", "--whitespace=nowarn"])
            .arg(&patch);
        if !git.status().is_ok_and(|status| status.success()) {
            let name = patch.strip_prefix(patches).unwrap_or(&patch);
            let mend =
                "does not apply any more: make it again as tests/conformance/README.md tells";
            failures.push(anyhow!(
                "{}: {}",
                Path::new(PATCHES).join(name).display(),
                mend
            ));
        }
    }
    failure::unless_empty(failures)
}

/// The files in a folder and its folders, in order; none when there is no such folder.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
