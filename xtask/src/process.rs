//! Runs other programs.

use std::env;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use xshell::{Cmd, Shell};

/// The cargo that runs this command, so that every step uses the same toolchain.
pub(crate) fn cargo<'a>(sh: &'a Shell, words: &str) -> Cmd<'a> {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    sh.cmd(program).args(words.split_whitespace())
}

pub(crate) fn run_cargo(sh: &Shell, words: &str) -> Result<()> {
    Ok(cargo(sh, words).run()?)
}

/// Runs `cargo test` and returns the lines that it prints. An error has the failures, for the end of a long log.
pub(crate) fn run_tests(test: Cmd<'_>) -> Result<Vec<String>> {
    eprintln!("$ {test}");
    let mut test = Command::from(test);
    test.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut running = test.spawn()?;
    let mut lines = Vec::new();
    let stdout = running.stdout.take().into_iter();
    for line in stdout.flat_map(|stdout| BufReader::new(stdout).split(b'\n')) {
        let line = String::from_utf8_lossy(&line?).into_owned();
        eprintln!("{line}");
        lines.push(line);
    }
    let status = running.wait()?;
    if status.success() {
        return Ok(lines);
    }
    let mut is_failure = false;
    lines.retain(|line| {
        is_failure = match line.as_str() {
            "failures:" => true,
            line if line.starts_with("test result:") => false,
            _ => is_failure,
        };
        is_failure
    });
    bail!("cargo test: {status}\n{}", lines.join("\n"))
}

/// The conformance kit, without arguments.
pub(crate) fn kit(sh: &Shell) -> Cmd<'_> {
    cargo(sh, "run --quiet --package dms-kafka-conformance --").quiet()
}

/// Whether a command that only probes or installs something succeeds.
pub(crate) fn succeeds(command: Cmd<'_>) -> bool {
    let quiet = command.quiet().ignore_stdout().ignore_stderr();
    quiet.run().is_ok()
}

pub(crate) fn target(sh: &Shell) -> PathBuf {
    let root = sh.current_dir();
    root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The version of a package in a `Cargo.lock`.
pub(crate) fn locked_version<'a>(lock: &'a toml::Table, package: &str) -> Option<&'a str> {
    let packages = lock.get("package")?.as_array()?.iter();
    let mut found = packages.filter(|found| found["name"].as_str() == Some(package));
    found.find_map(|found| found["version"].as_str())
}

pub(crate) fn dms_kafka(sh: &Shell) -> PathBuf {
    built(sh, "dms-kafka")
}

/// The path of a program of the workspace that has been built.
pub(crate) fn built(sh: &Shell, program: &str) -> PathBuf {
    let name = format!("{program}{}", env::consts::EXE_SUFFIX);
    target(sh).join("debug").join(name)
}

/// The path of this program, even if another step of the same run has rebuilt it.
pub(crate) fn this_program() -> io::Result<PathBuf> {
    // Linux appends this to the path of a file that was deleted or replaced.
    const GONE: &str = " (deleted)";
    let program = env::current_exe()?;
    let path = program.to_str().and_then(|path| path.strip_suffix(GONE));
    Ok(path.map_or_else(|| program.clone(), PathBuf::from))
}

/// A process that is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let what = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().context(what)?;
        Ok(Self { child })
    }

    pub(crate) fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits until the process ends, and returns its standard output if that is piped.
    pub(crate) fn ended(&mut self) -> Result<(String, ExitStatus)> {
        let mut text = String::new();
        if let Some(mut stdout) = self.child.stdout.take() {
            stdout.read_to_string(&mut text)?;
        }
        Ok((text, self.child.wait()?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `dms-kafka serve` and returns the process and its endpoint.
pub(crate) fn serve(sh: &Shell, config: &Path, secret: (&str, &str)) -> Result<(Running, String)> {
    serve_from(sh, &dms_kafka(sh), config, &[secret])
}

/// Runs `serve` of a program with these variables.
pub(crate) fn serve_from(
    sh: &Shell,
    program: &Path,
    config: &Path,
    variables: &[(&str, &str)],
) -> Result<(Running, String)> {
    let command = sh.cmd(program).args(["serve", "--config"]).arg(config);
    let mut command = Command::from(command.envs(variables.iter().copied()));
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = Running::start(command)?;
    let mut line = String::new();
    if let Some(stdout) = running.child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    let ready: Value = serde_json::from_str(&line).unwrap_or_default();
    let endpoint = ready["endpoint"].as_str();
    let endpoint =
        endpoint.with_context(|| format!("{}: printed no ready line", program.display()))?;
    Ok((running, endpoint.to_owned()))
}

/// Unused loopback addresses.
pub(crate) fn free_addresses(count: usize) -> io::Result<Vec<SocketAddr>> {
    // All stay bound until the last one is found, so that they differ.
    let bound = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
    let bound: Vec<TcpListener> = bound.collect::<io::Result<_>>()?;
    bound.iter().map(TcpListener::local_addr).collect()
}
