//! Attacks on the gateway's memory, threads and connections, and what other clients notice of them.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use http::HeaderValue;
use http::header::CONNECTION;
use huaweicloud_auth::Credentials;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use crate::load::{self, ResponseCounts};
use crate::metrics::{PEAK, Results, Scale, quantile};
use crate::peers::{ACCESS_KEY, SECRET_KEY, body};
use crate::process::{Job, Result, Server, ServerKind, memory_kib};
use crate::report;

const SECTION: &str = "Attacks on the gateway";
const MIB: usize = 1024 * 1024;
/// The gateway's largest body, and its memory for all bodies.
const BODY: usize = 12 * MIB;
const BUDGET: usize = 256 * MIB;
/// A response that takes longer is considered lost.
const LOST: Duration = Duration::from_secs(10);

/// Runs each attack against a gateway of its own, with default limits, and fails if a bound does not hold.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(scale: &Scale) -> Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
    let mut results = Results::default();
    let mut push = |row, column, value| results.push([SECTION, "", row, column], vec![value]);
    let served = parked_bodies().await?;
    push(
        "62 unfinished bodies",
        "small deletions served, of 27",
        served,
    );
    push("80 slow readers", PEAK, slow_readers().await?);
    let slower = large_bodies(scale.of(10) as u64).await?;
    push(
        "8 loops of 12 MB bodies",
        "p50 of small deletions, x of idle",
        slower,
    );
    push(
        "4,225 idle connections",
        "slowest probe, s",
        idle_connections().await?,
    );
    push(
        "1,000 unfinished heads",
        "kB for each",
        unfinished_heads().await?,
    );
    results.write(scale.folder(), "exhaustion")?;
    let broken = report::broken_bounds(&results)?;
    if broken.is_empty() || scale.quick {
        return Ok(());
    }
    Err(format!("bounds do not hold: {}", broken.join("; ")).into())
}

/// The gateway under attack, and requests to it.
struct Target {
    server: Server,
    host: String,
    small: Arc<[u8]>,
}

impl Target {
    fn start() -> Result<Self> {
        let server = Server::start(ServerKind::Gateway, None)?;
        let host = server.endpoint.trim_start_matches("http://").to_owned();
        let small = signed(&server.endpoint, SECRET_KEY, &body(1)?)?;
        Ok(Self {
            server,
            host,
            small,
        })
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(&self.host).await
    }

    /// Waits until the gateway takes no more memory.
    async fn settle(&self) -> Result<()> {
        let mut before = 0.0;
        loop {
            let now = memory_kib(self.server.id(), "VmRSS")?;
            if now <= before {
                return Ok(());
            }
            before = now;
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// The status of the response to a request on a new connection, and its duration.
    async fn status(&self, request: &[u8]) -> (Option<u16>, Duration) {
        let started = Instant::now();
        let exchange = async {
            let mut stream = self.connect().await?;
            stream.write_all(request).await?;
            status(&mut stream).await
        };
        let status = timeout(LOST, exchange).await;
        (status.ok().and_then(io::Result::ok), started.elapsed())
    }
}

/// Reads the start of a response, up to its status.
async fn status(stream: &mut TcpStream) -> io::Result<u16> {
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    let status = str::from_utf8(&start[9..]).map_err(io::Error::other)?;
    status.parse().map_err(io::Error::other)
}

fn signed(endpoint: &str, secret_key: &str, body: &[u8]) -> Result<Arc<[u8]>> {
    let credentials = Credentials::new(ACCESS_KEY, secret_key)?;
    let more = [(CONNECTION, HeaderValue::from_static("close"))];
    Ok(load::request(endpoint, &credentials, body, more)?.into())
}

/// The body with the most rows that the gateway accepts.
fn largest_body() -> String {
    let mut body = r#"{"partitions":[{"partition":0,"offset":0}"#.to_owned();
    let mut row = 0;
    while body.len() < BODY - 64 {
        row += 1;
        // Writing to a string does not fail.
        let _ = write!(body, r#",{{"partition":{row},"offset":0}}"#);
    }
    body + "]}"
}

/// Small deletions that are served while others do not finish their bodies, which have made-up signatures.
async fn parked_bodies() -> Result<f64> {
    let target = Target::start()?;
    // Without their last byte, they take the whole memory for bodies, except for less than a small deletion.
    let body = vec![b' '; BUDGET / 62 + 1];
    let request = signed(&target.server.endpoint, "a guess", &body)?;
    let mut writing = JoinSet::new();
    for _ in 0..62 {
        let (mut stream, request) = (target.connect().await?, request.clone());
        writing.spawn(async move {
            // The gateway may refuse the request and close the connection.
            let _ = stream.write_all(&request[..request.len() - 1]).await;
            stream
        });
    }
    let _parked = writing.join_all().await;
    target.settle().await?;
    let small = stream::iter(0..27).then(|_| target.status(&target.small));
    let served = small.filter(|(status, _)| std::future::ready(*status == Some(200)));
    Ok(count(served.count().await))
}

/// The gateway's peak memory while the largest responses are not read.
async fn slow_readers() -> Result<f64> {
    let target = Target::start()?;
    let endpoint = &target.server.endpoint;
    let request = signed(endpoint, SECRET_KEY, largest_body().as_bytes())?;
    let mut open = Vec::new();
    let mut served = 0;
    for _ in 0..80 {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        let mut stream = socket.connect(target.host.parse()?).await?;
        let _ = stream.write_all(&request).await;
        let status = timeout(LOST, status(&mut stream)).await;
        served += usize::from(matches!(status, Ok(Ok(200))));
        open.push(stream);
    }
    println!("{served} of 80 slow readers get a 200");
    Ok(memory_kib(target.server.id(), "VmHWM")? / 1024.0)
}

/// The median duration of small deletions while large ones are sent, as a multiple of the median without them.
async fn large_bodies(seconds: u64) -> Result<f64> {
    let target = Arc::new(Target::start()?);
    // Sent on schedule, whether or not the last one has been answered: a gateway that stops gets no rest.
    let median = async |seconds: u64| -> Result<f64> {
        let mut pending = JoinSet::new();
        let mut schedule = interval(Duration::from_millis(20));
        for _ in 0..seconds * 50 {
            schedule.tick().await;
            let target = target.clone();
            pending.spawn(async move { target.status(&target.small).await });
        }
        let answers = pending.join_all().await;
        if let Some((status, _)) = answers.iter().find(|(status, _)| *status != Some(200)) {
            println!("a small deletion got {status:?}");
        }
        let durations: Vec<f64> = answers.iter().map(|(_, time)| time.as_secs_f64()).collect();
        Ok(quantile(&durations, 0.5))
    };
    let idle = median(2).await?;
    let job = Job::LargeBodies(seconds + 2, target.server.endpoint.clone());
    let load = thread::spawn(move || {
        let counts: Result<ResponseCounts> = job.run(None);
        counts.map_err(|error| error.to_string())
    });
    let busy = median(seconds).await?;
    let counts = load.join().map_err(|_| "the load panicked")??;
    println!("p50 of small deletions: idle {idle:.6} s, with large ones {busy:.6} s; {counts:?}");
    Ok(busy / idle)
}

/// Sends the largest deletions in eight loops, and counts the responses.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn send_large_bodies(seconds: u64, endpoint: &str) -> Result<ResponseCounts> {
    let request = signed(endpoint, SECRET_KEY, largest_body().as_bytes())?;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut loops = JoinSet::new();
    for _ in 0..8 {
        let (request, host) = (request.clone(), endpoint.replace("http://", ""));
        loops.spawn(async move {
            let mut counts = ResponseCounts::default();
            let mut response = vec![0; MIB];
            while Instant::now() < end {
                let mut stream = TcpStream::connect(&host).await?;
                let _ = stream.write_all(&request).await;
                match status(&mut stream).await {
                    Ok(200) => counts.ok += 1,
                    _ => counts.other += 1,
                }
                // The gateway closes the connection after the response.
                while matches!(stream.read(&mut response).await, Ok(1..)) {}
            }
            io::Result::Ok(counts)
        });
    }
    let mut all = ResponseCounts::default();
    for counts in loops.join_all().await {
        let counts = counts?;
        all.ok += counts.ok;
        all.other += counts.other;
    }
    Ok(all)
}

/// The slowest of some probes while one peer has more idle connections than the gateway accepts.
async fn idle_connections() -> Result<f64> {
    let target = Target::start()?;
    let mut idle = Vec::new();
    for _ in 0..4225 {
        // The system queues the connections that the gateway does not accept, but not all of them.
        match timeout(LOST / 3, target.connect()).await {
            Ok(stream) => idle.push(stream?),
            Err(_) => break,
        }
    }
    println!("{} idle connections", idle.len());
    let probe = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let (status, duration) = target.status(probe).await;
        slowest = slowest.max(duration);
        if status != Some(200) {
            println!("a probe got {status:?}");
            slowest = slowest.max(LOST);
            break;
        }
    }
    Ok(slowest.as_secs_f64())
}

/// The memory of the gateway for each head that does not end.
async fn unfinished_heads() -> Result<f64> {
    const HEADS: usize = 1000;
    let target = Target::start()?;
    let before = memory_kib(target.server.id(), "VmRSS")?;
    let mut heads = Vec::new();
    for _ in 0..HEADS {
        let mut stream = target.connect().await?;
        let _ = stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\n").await;
        heads.push(stream);
    }
    let line = format!("x-a: {}\r\n", "x".repeat(1000));
    for _ in 0..180 {
        for stream in &mut heads {
            // The gateway closes a connection whose head is too large.
            let _ = stream.write_all(line.as_bytes()).await;
        }
    }
    let peak = memory_kib(target.server.id(), "VmHWM")?;
    Ok((peak - before) / count(HEADS))
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}
