//! Jobs run in separate processes, so that the cost of each is measured alone.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::ops::Sub;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Errors are only reported, so their types do not matter.
pub(crate) type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The work of one process of this program, which prints the result as a line of JSON.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Job {
    /// Print the endpoint, serve until standard input ends, and print the `Cost`.
    Serve(ServerKind),
    /// Make calls to an endpoint and print their `Cost`.
    Call(Peer, Work, String),
    /// Put load on an endpoint for a number of seconds and print the `ResponseCounts`.
    Load(u64, String),
    /// Send the largest deletions to an endpoint for a number of seconds and print how many were sent.
    LargeBodies(u64, String),
    /// Run a command and print its `Cost`.
    Command(Vec<String>),
    /// Sign or only hash a body `times` times and print the `Cost`.
    Sign {
        sign: bool,
        bytes: usize,
        times: usize,
    },
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) enum ServerKind {
    /// Reads the request without checks and sends a prepared response.
    Fast,
    /// An axum route that does nothing.
    Axum,
    /// The gateway in memory, without signature verification.
    Anonymous,
    /// The gateway in memory, with signature verification.
    Gateway,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Peer {
    /// reqwest sends prepared bytes, unsigned, and reads the bytes of the response.
    Reqwest,
    /// The same, signed: algorithm and headers are a cost that every caller has.
    ReqwestSigned,
    /// reqwest with `serde_json` for request and response, unsigned.
    ReqwestJson,
    /// The generated client: signed, response kept and decoded.
    Generated,
    Facade,
    Purge,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Work {
    /// Partitions named in each request.
    pub(crate) partitions: usize,
    pub(crate) in_flight: usize,
    pub(crate) calls: usize,
    /// Calls before those that are measured.
    pub(crate) warm_up: usize,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Cost {
    /// Elapsed seconds.
    pub(crate) wall: f64,
    /// Seconds of CPU time, user and system.
    pub(crate) cpu: f64,
    /// The largest resident set, in KiB.
    pub(crate) peak_rss: f64,
    pub(crate) page_faults: f64,
}

impl Cost {
    /// The cost of this process so far, or of its children that have ended.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 KiB or pages")]
    pub(crate) fn now(who: UsageWho) -> Result<Self> {
        static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let wall = BEGIN.elapsed().as_secs_f64();
        let usage = getrusage(who)?;
        let seconds = |time: TimeVal| {
            let whole = Duration::from_secs(time.tv_sec().unsigned_abs());
            (whole + Duration::from_micros(time.tv_usec().unsigned_abs())).as_secs_f64()
        };
        Ok(Self {
            wall,
            cpu: seconds(usage.user_time()) + seconds(usage.system_time()),
            peak_rss: usage.max_rss() as f64,
            page_faults: usage.minor_page_faults() as f64,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
    pub(crate) fn per_call(self, calls: usize) -> Self {
        Self {
            wall: self.wall / calls as f64,
            cpu: self.cpu / calls as f64,
            page_faults: self.page_faults / calls as f64,
            ..self
        }
    }
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            wall: self.wall - before.wall,
            cpu: self.cpu - before.cpu,
            page_faults: self.page_faults - before.page_faults,
            ..self
        }
    }
}

/// Runs a command without output. The cost is exact because this process has no other child.
pub(crate) fn command(command: &[String]) -> Result<Cost> {
    let before = Cost::now(UsageWho::RUSAGE_CHILDREN)?;
    let status = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("{} ended with {status}", command[0]).into());
    }
    Ok(Cost::now(UsageWho::RUSAGE_CHILDREN)? - before)
}

impl Job {
    /// The command for the job, optionally under a runner such as valgrind.
    pub(crate) fn command(&self, runner: &[&str]) -> Result<Command> {
        let (program, job) = (env::current_exe()?, serde_json::to_string(self)?);
        let own = [program.as_os_str(), OsStr::new("job"), OsStr::new(&job)];
        let mut words = runner.iter().map(OsStr::new).chain(own);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        Ok(command)
    }

    pub(crate) fn run<T: DeserializeOwned>(&self, cpu: Option<usize>) -> Result<T> {
        read(&mut self.command(&[])?, cpu)
    }
}

/// Runs a command that prints one line of JSON.
pub(crate) fn read<T: DeserializeOwned>(command: &mut Command, cpu: Option<usize>) -> Result<T> {
    let child = spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()), cpu)?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let program = command.get_program().display();
        return Err(format!("{program} ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Starts a process on one CPU or on any: it inherits the CPU affinity of the thread that starts it.
fn spawn(command: &mut Command, cpu: Option<usize>) -> io::Result<Child> {
    let pinned = || {
        cpu.into_iter().for_each(pin);
        command.spawn()
    };
    let joined = thread::scope(|scope| scope.spawn(pinned).join());
    joined.unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
}

/// Pins this thread to a CPU. Where this is not possible, processes run unpinned.
fn pin(cpu: usize) {
    #[cfg(target_os = "linux")]
    {
        let mut cpus = nix::sched::CpuSet::new();
        if cpus.set(cpu).is_ok() {
            let _ = nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &cpus);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = cpu;
}

#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) endpoint: String,
}

impl Server {
    pub(crate) fn start(kind: ServerKind, cpu: Option<usize>) -> Result<Self> {
        Self::spawn(&mut Job::Serve(kind).command(&[])?, cpu)
    }

    /// Runs a command that serves until standard input ends, and reads the endpoint.
    pub(crate) fn spawn(command: &mut Command, cpu: Option<usize>) -> Result<Self> {
        let mut process = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()), cpu)?;
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let mut server = Self {
            process,
            lines: BufReader::new(stdout),
            endpoint: String::new(),
        };
        // `dms-kafka serve` prints more than its endpoint.
        let ready: Value = server.line()?;
        let endpoint = ready.as_str().or(ready["endpoint"].as_str());
        server.endpoint = endpoint.map(str::to_owned).ok_or("no endpoint")?;
        Ok(server)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Stops the server and returns the cost of serving.
    pub(crate) fn stop(mut self) -> Result<Cost> {
        drop(self.process.stdin.take());
        let cost = self.line()?;
        self.process.wait()?;
        Ok(cost)
    }

    fn line<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails after `stop`, when the process has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A line of a process's status, such as `VmRSS` or `VmHWM`, in KiB.
pub(crate) fn memory_kib(id: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = value.and_then(|value| value.split_whitespace().next());
    Ok(number.ok_or("no such line")?.parse()?)
}

pub(crate) fn print(result: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(result)?);
    Ok(())
}
