//! Processes by their id.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Sends a signal, and says whether there was such a process.
pub(super) fn send(pid: u32, signal: &str) -> bool {
    // The shell has a `kill` of its own, where a minimal system has no program of that name.
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("kill -{signal} {pid}")]);
    shell.stdout(Stdio::null()).stderr(Stdio::null());
    shell.status().is_ok_and(|status| status.success())
}

/// Whether the process runs and has `argument` among its arguments: its id may belong to another one by now.
pub(super) fn runs(pid: u32, argument: &Path) -> bool {
    let argument = argument.to_string_lossy();
    if Path::new("/proc/self/cmdline").exists() {
        // What ended but was not waited for has an empty command line.
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        return String::from_utf8_lossy(&arguments)
            .split('\0')
            .any(|given| given == argument);
    }
    let output = Command::new("ps")
        .args(["-o", "args=", "-p", &pid.to_string()])
        .output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*argument))
}
