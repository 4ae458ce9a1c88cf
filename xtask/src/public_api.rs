//! Holds the public API of the library crates against its committed listings.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{self, Failure, Failures, Outcome};
use crate::{cargo, diff};

/// The crates that promise an API.
const CRATES: [&str; 2] = ["dms-kafka", "huaweicloud-auth"];

/// Compares where cargo-public-api and a nightly toolchain are at hand.
pub(crate) fn check(root: &Path) -> Result<Outcome, Failures> {
    if !cargo::succeeds(&mut public_api(root, &["--version"])) {
        return Ok(Outcome::Skipped(
            "no cargo-public-api, or no nightly toolchain".to_owned(),
        ));
    }
    let compared = CRATES.map(|name| compare(root, name));
    let failures = compared.into_iter().filter_map(Result::err);
    Failures::unless_empty(failures.collect()).map(|()| Outcome::Passed)
}

fn compare(root: &Path, name: &str) -> failure::Result<()> {
    let file = format!("crates/{name}/public-api.txt");
    let options = ["-p", name, "--all-features", "-sss", "--color", "never"];
    let mut command = public_api(root, &options);
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::file(&file, error))?;
    if !output.status.success() {
        let cause = format_args!("cargo public-api ended with {}", output.status);
        return Err(Failure::file(&file, cause));
    }
    let api = String::from_utf8_lossy(&output.stdout);
    let listed = failure::read(root, &file)?;
    if listed == api {
        return Ok(());
    }
    let mend = format!("cargo +nightly public-api {} > {file}", options.join(" "));
    let diff = diff::short(&listed, &api);
    let cause = format_args!("the public API is another; if that is meant, run {mend}\n{diff}");
    Err(Failure::file(&file, cause))
}

/// rustup's cargo, for only that knows of toolchains.
fn public_api(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(root)
        .args(["+nightly", "public-api"])
        .args(arguments);
    command
}
