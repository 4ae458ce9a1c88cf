//! The gateway under load, next to an axum route that does nothing.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue};
use huaweicloud_auth::Credentials;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::metrics::{Results, Round, Scale};
use crate::peers::{ACCESS_KEY, INSTANCE, PROJECT, SECRET_KEY, body, path, sign_headers};
use crate::process::{Job, Kind, Result, Server};

const CONNECTIONS: usize = 64;
const SERVERS: [(&str, Kind); 3] = [
    ("axum", Kind::Axum),
    ("anonymous", Kind::Anonymous),
    ("gateway", Kind::Gateway),
];

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Answers {
    pub(crate) ok: usize,
    pub(crate) other: usize,
}

/// Measures each server for two seconds a round, which stays on one CPU with the load on the other.
pub(crate) fn measure(rounds: usize, scale: &Scale, results: &mut Results) -> Result<()> {
    const SECTION: &str = "The gateway";
    let mut measured: Vec<Round> = Vec::new();
    for _ in 0..rounds {
        let mut round = Round::new();
        for (name, kind) in SERVERS {
            let server = Server::start(kind, Some(0))?;
            let job = Job::Load(scale.of(2) as u64, server.endpoint.clone());
            let answers: Answers = job.run(Some(1))?;
            if answers.other > 0 || answers.ok == 0 {
                return Err(format!("the {name} server answered {answers:?}").into());
            }
            round.push((name, server.stop()?.per_call(answers.ok)));
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

/// Sends one signed request again and again over each connection, as cheaply as possible.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn load(seconds: u64, endpoint: &str) -> Result<Answers> {
    let host = endpoint.trim_start_matches("http://").to_owned();
    let request: Arc<[u8]> = request(endpoint, &host)?.into();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(connection(host.clone(), request.clone(), end));
    }
    let mut all = Answers::default();
    for answers in connections.join_all().await {
        let answers = answers?;
        all.ok += answers.ok;
        all.other += answers.other;
    }
    Ok(all)
}

async fn connection(host: String, request: Arc<[u8]>, end: Instant) -> io::Result<Answers> {
    let mut stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    let mut answers = Answers::default();
    let mut response = Vec::with_capacity(4096);
    while Instant::now() < end {
        stream.write_all(&request).await?;
        response.clear();
        // The end of a body of JSON, with or without error.
        while !response.ends_with(b"}") {
            if stream.read_buf(&mut response).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if response.starts_with(b"HTTP/1.1 200 ") {
            answers.ok += 1;
        } else {
            answers.other += 1;
        }
    }
    Ok(answers)
}

/// A request as it is on the wire. The signature is valid for 15 minutes.
fn request(endpoint: &str, host: &str) -> Result<Vec<u8>> {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY)?;
    let path = path(PROJECT, &format!("{INSTANCE}1"));
    let body = body(1)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    sign_headers(&mut headers, &credentials, endpoint, &path, &body)?;
    headers.insert(HOST, HeaderValue::from_str(host)?);
    headers.insert(CONTENT_LENGTH, body.len().into());
    let mut request = format!("POST {path} HTTP/1.1\r\n").into_bytes();
    for (name, value) in &headers {
        write!(request, "{name}: {}\r\n", value.to_str()?)?;
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(&body);
    Ok(request)
}
