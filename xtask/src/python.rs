//! A Python of the checkout's own, for what is compared with the vendor's SDK.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cargo::succeeds;

/// Where it is made, below the checkout.
const FOLDER: &str = "target/python";
/// Python packages with the vendor's SDK, unmodified.
const SDK: [&str; 2] = [
    "huaweicloudsdkcore==3.1.219",
    "huaweicloudsdkkafka==3.1.219",
];

/// The interpreter, in an environment that has the SDK; made when it is not there.
///
/// # Errors
/// Why there is none.
pub(crate) fn with_sdk(root: &Path) -> Result<PathBuf, String> {
    with(root, &SDK)
}

/// The same with any packages.
pub(crate) fn with(root: &Path, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = root.join(FOLDER);
    let python = folder.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let create = ["-m", "venv"];
    if !python.exists() && !succeeds(Command::new("python3").args(create).arg(&folder)) {
        return Err("no python3 with venv".to_owned());
    }
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    if !succeeds(Command::new(&python).args(install).args(packages)) {
        return Err(format!("pip cannot install {}", packages.join(" ")));
    }
    Ok(python)
}
