//! Compares the public API of the library crates with the committed listings.

use anyhow::{Context as _, Result, bail};
use xshell::{Shell, cmd};

use crate::failure::{self, skip, unless_empty};
use crate::{diff, process};

/// The crates with a public API.
const CRATES: [&str; 2] = ["dms-kafka", "huaweicloud-auth"];

/// Compares the API if cargo-public-api and a nightly toolchain are installed. Only rustup's cargo accepts `+nightly`.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    if !process::succeeds(cmd!(sh, "cargo +nightly public-api --version")) {
        return skip("cargo-public-api or a nightly toolchain is not installed");
    }
    let compared = CRATES.map(|name| compare(sh, name));
    unless_empty(compared.into_iter().filter_map(Result::err).collect())
}

fn compare(sh: &Shell, name: &str) -> Result<()> {
    let file = format!("crates/{name}/public-api.txt");
    let list = cmd!(
        sh,
        "cargo +nightly public-api -p {name} --all-features -sss --color never"
    )
    .quiet();
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
