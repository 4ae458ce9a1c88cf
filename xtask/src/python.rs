//! A Python of the checkout's own, for what is compared with the vendor's SDK.

use std::path::PathBuf;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::failure::skip;
use crate::process::succeeds;

/// Where it is made, below the checkout.
const FOLDER: &str = "target/python";
/// Python packages with the vendor's SDK, unmodified.
const SDK: [&str; 2] = [
    "huaweicloudsdkcore==3.1.219",
    "huaweicloudsdkkafka==3.1.219",
];

/// The interpreter, in an environment that has the SDK; made when it is not there.
pub(crate) fn with_sdk(sh: &Shell) -> Result<PathBuf> {
    with(sh, &SDK)
}

/// The same with any packages.
pub(crate) fn with(sh: &Shell, packages: &[&str]) -> Result<PathBuf> {
    let folder = sh.current_dir().join(FOLDER);
    let program = if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    };
    let python = folder.join(program);
    if !python.exists() && !succeeds(cmd!(sh, "python3 -m venv {folder}")) {
        return skip("no python3 with venv");
    }
    if !succeeds(cmd!(
        sh,
        "{python} -m pip install --quiet --disable-pip-version-check {packages...}"
    )) {
        return skip(format_args!("pip cannot install {}", packages.join(" ")));
    }
    Ok(python)
}
