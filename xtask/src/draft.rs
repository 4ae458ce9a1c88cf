//! Compiles new code of the client in a copy of its crate, before it replaces the old file.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use xshell::Shell;

use crate::contract::CONTRACT;
use crate::failure;
use crate::process::{cargo, target};

/// The client crate and the crate of the workspace that it depends on.
const CRATES: [&str; 2] = ["crates/dms-kafka-client", "crates/huaweicloud-auth"];

/// Fails if the code does not compile without warnings. `file` is its place in the checkout. Another run waits until the
/// returned lock is dropped.
pub(crate) fn check(sh: &Shell, file: &str, code: &str) -> Result<Option<File>> {
    let root = sh.current_dir();
    if !root.join(CRATES[0]).join("Cargo.toml").exists() {
        eprintln!("skipped: compiling {file}: there is no {} here", CRATES[0]);
        return Ok(None);
    }
    eprintln!("compiling the new client");
    // The same place each time, so that the crates it depends on are compiled once.
    let target = target(sh);
    let draft = target.join("draft");
    let lock = lock(&target).with_context(|| target.display().to_string())?;
    copy(&root, &draft).context("copy of the client crate")?;
    fs::write(draft.join(file), code).with_context(|| file.to_owned())?;
    let output = cargo(
        sh,
        "check --quiet --message-format=short --package dms-kafka-client",
    )
    .arg("--manifest-path")
    .arg(draft.join("Cargo.toml"))
    .env("CARGO_TARGET_DIR", &target)
    .quiet()
    .ignore_status()
    .output()?;
    let messages = String::from_utf8_lossy(&output.stderr).replace('\\', "/");
    let about_file = messages.lines().find(|line| line.starts_with(file));
    if output.status.success() && about_file.is_none() {
        return Ok(Some(lock));
    }
    let is_of_crates = |line: &&str| line.starts_with("crates/") && line.contains("error");
    if let Some(first) = about_file.or_else(|| messages.lines().find(is_of_crates)) {
        bail!(
            "{CONTRACT}: the client that it describes does not compile without warnings: {first}\n{file} is unchanged"
        );
    }
    bail!("cannot compile the new client: {messages}{file} is unchanged");
}

fn lock(target: &Path) -> std::io::Result<File> {
    fs::create_dir_all(target)?;
    let file = File::create(target.join("draft.lock"))?;
    file.lock()?;
    Ok(file)
}

/// Copies the crates to a workspace of their own.
fn copy(root: &Path, draft: &Path) -> Result<()> {
    let mut manifest: toml::Table = failure::read_toml(root, "Cargo.toml")?;
    let members = toml::Value::from(CRATES.to_vec());
    manifest["workspace"]["members"] = members.clone();
    manifest["workspace"]["default-members"] = members;
    if draft.exists() {
        fs::remove_dir_all(draft)?;
    }
    fs::create_dir_all(draft)?;
    fs::write(draft.join("Cargo.toml"), manifest.to_string())?;
    fs::copy(root.join("Cargo.lock"), draft.join("Cargo.lock"))?;
    for name in CRATES {
        let (from, to) = (root.join(name), draft.join(name));
        copy_folder(&from.join("src"), &to.join("src"))?;
        fs::copy(from.join("Cargo.toml"), to.join("Cargo.toml"))?;
        // Cargo needs every target of the manifest, although only the library is checked.
        for part in ["benches", "examples"].map(|part| from.join(part)) {
            if let (true, Some(name)) = (part.exists(), part.file_name()) {
                copy_folder(&part, &to.join(name))?;
            }
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
