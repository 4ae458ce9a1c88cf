//! `cargo xtask conformance`: starts the conformance kit, and builds the program with the seeded faults for it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use crate::cargo;
use crate::failure::{Failure, Failures};
use crate::reports;

const KIT: &str = "dms-kafka-conformance";
const PATCHES: &str = "tests/conformance/faults";

/// Does what was asked for on the command line. The kit itself takes the place of this process: signals and how it
/// ends are its own affair.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<(), Failures> {
    match arguments {
        [only] if only == "--reports" => reports::run(root),
        [only] if only == "--faults" => faults(root),
        _ => Ok(replace_by(kit(root).args(arguments))?),
    }
}

/// Runs the kit and comes back.
pub(crate) fn judge(root: &Path, arguments: &[&str]) -> Result<(), Failures> {
    Ok(succeed(kit(root).args(arguments))?)
}

/// Has the kit judge a build of itself with every seeded fault.
pub(crate) fn faults(root: &Path) -> Result<(), Failures> {
    let program = program_with_faults(root)?;
    Ok(succeed(kit(root).arg("--faults").arg(program))?)
}

/// The kit, whose arguments are to follow.
pub(crate) fn kit(root: &Path) -> Command {
    let mut command = Command::new(cargo::program());
    command
        .current_dir(root)
        .args(["run", "--quiet", "--package", KIT, "--"]);
    command
}

#[cfg(unix)]
fn replace_by(command: &mut Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;
    Err(Failure::file("cargo", command.exec()))
}

#[cfg(not(unix))]
fn replace_by(command: &mut Command) -> Result<(), Failure> {
    succeed(command)
}

/// Builds the kit from a copy of the checkout to which every patch is applied.
fn program_with_faults(root: &Path) -> Result<PathBuf, Failures> {
    // Cargo does not like `..` in a path that it compares with another one.
    let root = &root
        .canonicalize()
        .map_err(|error| Failure::file(root.display(), error))?;
    let faults = root.join("target/faults");
    let (stage, tree) = (faults.join("stage"), faults.join("tree"));
    copy(root, &stage)?;
    apply_patches(&root.join(PATCHES), &stage)?;
    mirror(&stage, &tree).map_err(|error| Failure::file(tree.display(), error))?;
    let mut command = Command::new(cargo::program());
    command
        .current_dir(&tree)
        .args(["build", "--package", KIT])
        // Cargo cannot tell a package from its copy elsewhere, so nothing is shared with the checkout.
        .env("CARGO_TARGET_DIR", faults.join("target"))
        .env("CARGO_PROFILE_DEV_DEBUG", "none");
    succeed(&mut command)?;
    let program = faults.join("target/debug").join(KIT);
    Ok(program.with_extension(std::env::consts::EXE_EXTENSION))
}

/// Copies what belongs to the checkout into an empty folder.
fn copy(root: &Path, folder: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file(folder.display(), error);
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    let mut git = Command::new("git");
    git.current_dir(root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listed = git.output().map_err(|error| Failure::file("git", error))?;
    if !listed.status.success() {
        return Err(Failure::file("git ls-files", listed.status));
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
fn apply_patches(patches: &Path, folder: &Path) -> Result<(), Failures> {
    let mut failures = Vec::new();
    for patch in files(patches).map_err(|error| Failure::file(patches.display(), error))? {
        let mut git = Command::new("git");
        // The copy lies within a repository and is none of it.
        git.current_dir(folder)
            .env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap_or(folder));
        git.args(["apply", "-C1", "--whitespace=nowarn"])
            .arg(&patch);
        if succeed(&mut git).is_err() {
            let name = patch.strip_prefix(patches).unwrap_or(&patch);
            let mend = "does not apply any more: make it again from what the code is now";
            failures.push(Failure::file(Path::new(PATCHES).join(name).display(), mend));
        }
    }
    Failures::unless_empty(failures)
}

/// Makes one folder like the other, and leaves alone what is the same, so that it is not built again.
fn mirror(from: &Path, to: &Path) -> io::Result<()> {
    for old in files(to)? {
        if !from.join(old.strip_prefix(to).unwrap_or(&old)).exists() {
            fs::remove_file(old)?;
        }
    }
    for file in files(from)? {
        let copy = to.join(file.strip_prefix(from).unwrap_or(&file));
        let content = fs::read(&file)?;
        if fs::read(&copy).is_ok_and(|same| same == content) {
            continue;
        }
        fs::create_dir_all(copy.parent().unwrap_or(to))?;
        fs::write(copy, content)?;
    }
    Ok(())
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

fn succeed(command: &mut Command) -> Result<(), Failure> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    let line = line.join(" ");
    let status = command
        .status()
        .map_err(|error| Failure::file(&line, error))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::file(line, status))
    }
}
