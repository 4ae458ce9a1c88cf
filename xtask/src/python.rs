//! A virtual environment for the vendor's Python SDK and other Python tools.

use std::path::PathBuf;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::failure::skip;
use crate::process::succeeds;

/// The environment, relative to the root of the checkout.
const FOLDER: &str = "target/python";
/// The vendor's SDK, unmodified.
const SDK: [&str; 2] = [
    "huaweicloudsdkcore==3.1.219",
    "huaweicloudsdkkafka==3.1.219",
];

/// The interpreter of an environment with the vendor's SDK, which is created if necessary.
pub(crate) fn with_sdk(sh: &Shell) -> Result<PathBuf> {
    with(sh, &SDK)
}

/// The interpreter of an environment with these packages.
pub(crate) fn with(sh: &Shell, packages: &[&str]) -> Result<PathBuf> {
    let folder = sh.current_dir().join(FOLDER);
    let program = if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    };
    let python = folder.join(program);
    if !python.exists() && !succeeds(cmd!(sh, "python3 -m venv {folder}")) {
        return skip("python3 with venv is not installed");
    }
    if !succeeds(cmd!(
        sh,
        "{python} -m pip install --quiet --disable-pip-version-check {packages...}"
    )) {
        return skip(format_args!("pip cannot install {}", packages.join(" ")));
    }
    Ok(python)
}
