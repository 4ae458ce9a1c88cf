//! The gateway under load, compared with an axum route that does nothing.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use huaweicloud_auth::Credentials;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::metrics::{Results, Round, Scale};
use crate::peers::{ACCESS_KEY, INSTANCE, PROJECT, SECRET_KEY, body, path, sign_headers};
use crate::process::{Job, Result, Server, ServerKind};

const CONNECTIONS: usize = 64;
const SERVERS: [(&str, ServerKind); 3] = [
    ("axum", ServerKind::Axum),
    ("anonymous", ServerKind::Anonymous),
    ("gateway", ServerKind::Gateway),
];

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct ResponseCounts {
    pub(crate) ok: usize,
    pub(crate) other: usize,
}

/// Measures each server for two seconds per round. The server has one CPU, the load the other.
pub(crate) fn measure(rounds: usize, scale: &Scale, results: &mut Results) -> Result<()> {
    const SECTION: &str = "The gateway";
    let mut measured: Vec<Round> = Vec::new();
    for _ in 0..rounds {
        let mut round = Round::new();
        for (name, kind) in SERVERS {
            let server = Server::start(kind, Some(0))?;
            let job = Job::Load(scale.of(2) as u64, server.endpoint.clone());
            let counts: ResponseCounts = job.run(Some(1))?;
            if counts.other > 0 || counts.ok == 0 {
                return Err(
                    format!("the {name} server sent failures or nothing: {counts:?}").into(),
                );
            }
            round.push((name, server.stop()?.per_call(counts.ok)));
        }
        measured.push(round);
    }
    results.push_costs(SECTION, "", &measured);
    for (at, (name, _)) in SERVERS.iter().enumerate() {
        let rounds = measured.iter();
        let values = rounds.map(|round| round[0].1.cpu / round[at].1.cpu);
        let metric = "requests per CPU second, x of the first";
        results.push([SECTION, "", name, metric], values.collect());
    }
    Ok(())
}

/// Repeats one signed request over each connection, with as little work as possible.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn load(seconds: u64, endpoint: &str) -> Result<ResponseCounts> {
    let host = endpoint.trim_start_matches("http://").to_owned();
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY)?;
    let request: Arc<[u8]> = request(endpoint, &credentials, &body(1)?, [])?.into();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(connection(host.clone(), request.clone(), end));
    }
    let mut all = ResponseCounts::default();
    for counts in connections.join_all().await {
        let counts = counts?;
        all.ok += counts.ok;
        all.other += counts.other;
    }
    Ok(all)
}

async fn connection(host: String, request: Arc<[u8]>, end: Instant) -> io::Result<ResponseCounts> {
    let mut stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    let mut counts = ResponseCounts::default();
    let mut response = Vec::with_capacity(4096);
    while Instant::now() < end {
        stream.write_all(&request).await?;
        response.clear();
        // Every response body is a JSON object.
        while !response.ends_with(b"}") {
            if stream.read_buf(&mut response).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if response.starts_with(b"HTTP/1.1 200 ") {
            counts.ok += 1;
        } else {
            counts.other += 1;
        }
    }
    Ok(counts)
}

/// The bytes of a request, with more headers that are not signed. The signature is valid for 15 minutes.
pub(crate) fn request<const N: usize>(
    endpoint: &str,
    credentials: &Credentials,
    body: &[u8],
    more: [(HeaderName, HeaderValue); N],
) -> Result<Vec<u8>> {
    let path = path(PROJECT, &format!("{INSTANCE}1"));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    sign_headers(&mut headers, credentials, endpoint, &path, body)?;
    headers.extend(more);
    let host = endpoint.trim_start_matches("http://");
    headers.insert(HOST, HeaderValue::from_str(host)?);
    headers.insert(CONTENT_LENGTH, body.len().into());
    let mut request = format!("POST {path} HTTP/1.1\r\n").into_bytes();
    for (name, value) in &headers {
        write!(request, "{name}: {}\r\n", value.to_str()?)?;
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    Ok(request)
}
