//! Compares the public API of the library crates with the committed listings, and with the last release.

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

use crate::diff;
use crate::failure::{self, skip, unless_empty};
use crate::process::succeeds;
use crate::tools::{PUBLIC_API, SEMVER_CHECKS};

/// The crates with a public API.
const CRATES: [&str; 2] = ["dms-kafka", "huaweicloud-auth"];

/// Compares the API with the listings if cargo-public-api and a nightly toolchain are installed.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    if !succeeds(cmd!(sh, "rustup run nightly rustc --version")) {
        return skip("a nightly toolchain is not installed");
    }
    PUBLIC_API.program(sh)?;
    let compared = CRATES.map(|name| compare(sh, name));
    unless_empty(compared.into_iter().filter_map(Result::err).collect())
}

fn compare(sh: &Shell, name: &str) -> Result<()> {
    let file = format!("crates/{name}/public-api.txt");
    let list = PUBLIC_API.command(sh, "--all-features -sss --color never -p")?;
    let list = list.arg(name).env("RUSTUP_TOOLCHAIN", "nightly").quiet();
    let api = list.read().with_context(|| file.clone())? + "\n";
    let listed = failure::read(&sh.current_dir(), &file)?;
    if listed != api {
        let diff = diff::short(&listed, &api);
        bail!(
            "{file}: the public API has changed; if that is intended, run {list} > {file}\n{diff}"
        );
    }
    Ok(())
}

/// Fails if the versions of the crates do not permit their changes since the last release.
pub(crate) fn versions(sh: &Shell) -> Result<()> {
    let last = cmd!(sh, "git describe --tags --abbrev=0 --match v*");
    let Ok(tag) = last.quiet().ignore_stderr().read() else {
        return skip("there is no release yet");
    };
    let check = SEMVER_CHECKS.command(sh, "check-release --baseline-rev")?;
    let packages = CRATES.iter().flat_map(|name| ["--package", name]);
    Ok(check.arg(tag).args(packages).run()?)
}
