//! A load: connections that send one signed request again and again, as cheaply as possible.

use std::fmt::Write as _;
use std::time::{Duration, Instant, SystemTime};

use clap::Args;
use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{Payload, RequestTarget, X_PROJECT_ID, authorize};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;
use crate::server::{Ready, TOPIC};
use crate::usage::pin;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What a server has printed.
    #[arg(long)]
    ready: String,
    #[arg(long)]
    connections: usize,
    #[arg(long)]
    seconds: f64,
    #[arg(long)]
    cpu: Option<usize>,
}

/// What came back.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Answered {
    /// Answers with status 200.
    pub(crate) ok: u64,
    /// Other answers.
    pub(crate) other: u64,
    /// Seconds on the clock.
    pub(crate) wall: f64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    pin(options.cpu);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answered = runtime.block_on(load(options))?;
    println!("{}", serde_json::to_string(&answered)?);
    Ok(())
}

async fn load(options: &Options) -> Result<Answered> {
    let ready: Ready = serde_json::from_str(&options.ready)?;
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(options.seconds);
    let mut connections = JoinSet::new();
    for _ in 0..options.connections {
        connections.spawn(connection(ready.clone(), end));
    }
    let (mut ok, mut other) = (0, 0);
    for counted in connections.join_all().await {
        let counted = counted?;
        ok += counted.0;
        other += counted.1;
    }
    Ok(Answered {
        ok,
        other,
        wall: begin.elapsed().as_secs_f64(),
    })
}

/// Counts answers with status 200 and others until the end.
async fn connection(ready: Ready, end: Instant) -> Result<(u64, u64), String> {
    let mut counted = (0, 0);
    let mut signed = Signed::new(&ready).map_err(|error| error.to_string())?;
    let mut stream = TcpStream::connect(&signed.host).await.map_err(text)?;
    stream.set_nodelay(true).map_err(text)?;
    let mut buffer = Vec::with_capacity(4096);
    while Instant::now() < end {
        if signed.is_old() {
            signed = Signed::new(&ready).map_err(|error| error.to_string())?;
        }
        stream.write_all(&signed.bytes).await.map_err(text)?;
        match answer(&mut stream, &mut buffer).await? {
            200 => counted.0 += 1,
            _ => counted.1 += 1,
        }
    }
    Ok(counted)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn text(error: std::io::Error) -> String {
    error.to_string()
}

/// Reads one answer and gives its status.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<u16, String> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await.map_err(text)? == 0 {
            return Err("the server closed the connection".to_owned());
        }
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut headers);
        let parsed = response.parse(buffer).map_err(|error| error.to_string())?;
        let httparse::Status::Complete(head) = parsed else {
            continue;
        };
        let length = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case("content-length"))
            .and_then(|header| {
                std::str::from_utf8(header.value)
                    .ok()?
                    .parse::<usize>()
                    .ok()
            })
            .ok_or("an answer without Content-Length")?;
        if buffer.len() >= head + length {
            return response
                .code
                .ok_or_else(|| "an answer without status".to_owned());
        }
    }
}

/// A request as it goes on the wire, signed for the next minutes.
struct Signed {
    host: String,
    bytes: Vec<u8>,
    made: Instant,
}

impl Signed {
    fn new(ready: &Ready) -> Result<Self> {
        const BODY: &str = r#"{"partitions":[{"partition":0,"offset":1}]}"#;
        let host = ready.endpoint.trim_start_matches("http://").to_owned();
        let path = format!(
            "/v2/{}/kafka/instances/{}/topics/{TOPIC}/messages/delete",
            ready.project_id, ready.instance_id
        );
        let target = RequestTarget {
            method: &Method::POST,
            host: &host,
            path: &path,
            query: "",
        };
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(X_PROJECT_ID, HeaderValue::from_str(&ready.project_id)?);
        let credentials = Credentials::new(&ready.access_key, &ready.secret_key)?;
        let body = Payload::Bytes(BODY.as_bytes());
        authorize(&credentials, target, &mut headers, body, SystemTime::now())?;
        let mut text = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\n");
        for (name, value) in &headers {
            write!(text, "{name}: {}\r\n", value.to_str()?)?;
        }
        write!(text, "content-length: {}\r\n\r\n{BODY}", BODY.len())?;
        Ok(Self {
            bytes: text.into_bytes(),
            made: Instant::now(),
            host,
        })
    }

    /// A signature is good for 15 minutes.
    fn is_old(&self) -> bool {
        self.made.elapsed() > Duration::from_secs(10 * 60)
    }
}
