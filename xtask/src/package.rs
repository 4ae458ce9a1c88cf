//! `cargo xtask package`: packages every public crate and tests the packages outside of the workspace.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, ensure};
use xshell::{Shell, cmd};

use crate::failure::{read, read_toml, unless_empty};
use crate::process::{cargo, run_tests, target};

/// The public crates, in the order of publication.
const CRATES: [&str; 5] = [
    "huaweicloud-auth",
    "dms-kafka-client",
    "dms-kafka-gateway",
    "dms-kafka",
    "dms-kafka-cli",
];

/// The features that tests require.
const FEATURES: &str = "huaweicloud-auth/reqwest,dms-kafka/serde,dms-kafka/test-util";

/// Files that each package has a copy of: a link would be a text file in a checkout on Windows.
const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

const METADATA: [&str; 7] = [
    "categories",
    "description",
    "documentation",
    "keywords",
    "license",
    "readme",
    "repository",
];

/// Packages the crates, unpacks them and runs their tests.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let links = cmd!(sh, "git ls-files --stage").quiet().read()?;
    let links = links.lines().filter(|line| line.starts_with("120000"));
    unless_empty(links.map(|link| anyhow!("symbolic link: {link}")).collect())?;

    let packages = CRATES.iter().flat_map(|name| ["--package", name]);
    // Uncommitted changes are packaged too. The tests below replace the verification.
    let package = cargo(sh, "package --quiet --no-verify --allow-dirty");
    package.args(packages).run()?;
    let folder = target(sh).join("packaged");
    let version = version(&sh.current_dir())?;
    let mut names = Vec::new();
    for name in CRATES {
        let unpacked = format!("{name}-{version}");
        sh.remove_path(folder.join(&unpacked))?;
        sh.create_dir(&folder)?;
        let there = sh.push_dir(&folder);
        // With the times of now: cargo would take a file of a package, which has always the same time, for unchanged. The colon
        // of an absolute path on Windows would be taken for a host.
        let unpack = cmd!(sh, "tar -xmzf ../package/{unpacked}.crate");
        unpack.quiet().run()?;
        drop(there);
        check(&sh.current_dir(), &folder.join(&unpacked)).context(name)?;
        names.push((name, unpacked));
    }
    sh.write_file(folder.join("Cargo.toml"), workspace(sh, &names)?)?;
    sh.copy_file("Cargo.lock", folder.join("Cargo.lock"))?;
    let target = target(sh);
    let _there = sh.push_dir(folder);
    let test = cargo(sh, "test --workspace --no-fail-fast --features").arg(FEATURES);
    run_tests(test.env("CARGO_TARGET_DIR", target)).map(drop)
}

/// The version of all crates.
pub(crate) fn version(root: &Path) -> Result<String> {
    let manifest: toml::Table = read_toml(root, "Cargo.toml")?;
    let version = manifest["workspace"]["package"]["version"].as_str();
    Ok(version.context("Cargo.toml: no version")?.to_owned())
}

/// Fails if a package lacks a licence or what a registry shows.
fn check(root: &Path, package: &Path) -> Result<()> {
    for file in LICENCES {
        let same = read(root, file)? == read(package, file)?;
        ensure!(same, "{file} is not the one of the workspace");
    }
    let manifest: toml::Table = read_toml(package, "Cargo.toml")?;
    let missing = METADATA
        .iter()
        .filter(|key| manifest["package"].get(key).is_none());
    unless_empty(
        missing
            .map(|key| anyhow!("Cargo.toml has no {key}"))
            .collect(),
    )
}

/// A workspace in which the packages use each other instead of the registry.
fn workspace(sh: &Shell, packages: &[(&str, String)]) -> Result<String> {
    let manifest: toml::Table = read_toml(&sh.current_dir(), "Cargo.toml")?;
    let members: Vec<&str> = packages.iter().map(|(_, folder)| &**folder).collect();
    let patches = packages
        .iter()
        .map(|(name, folder)| format!("{name} = {{ path = {folder:?} }}\n"));
    let patches: String = patches.collect();
    // With the same profiles, crates of the registry need not be built again.
    let profiles = manifest.into_iter().filter(|(key, _)| key == "profile");
    let profiles: toml::Table = profiles.collect();
    Ok(format!(
        "[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n[patch.crates-io]\n{patches}\n{profiles}"
    ))
}
