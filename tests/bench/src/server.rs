//! The servers that are measured against: one that answers as fast as it can, a bare axum route, and the gateway.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use clap::ValueEnum;
use dms_kafka_gateway::Gateway;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::Result;
use crate::usage::{Usage, pin};

/// The topic that all servers have.
pub(crate) const TOPIC: &str = "orders";
/// How an instance id tells the fast server how many partitions to answer for.
pub(crate) const INSTANCE: &str = "partitions-";
const PROJECT: &str = "0123456789abcdef0123456789abcdef";
const ACCESS_KEY: &str = "BENCHMARKACCESSKEY00";
const SECRET_KEY: &str = "benchmark-secret-key-of-forty-characters";

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// Reads the request, checks nothing, and sends an answer made beforehand.
    Fast,
    /// An axum route that does nothing.
    Axum,
    /// The gateway, in memory, checking signatures.
    Gateway,
    /// The gateway, in memory, without checking signatures.
    Anonymous,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(value_enum)]
    kind: Kind,
    #[arg(long)]
    cpu: Option<usize>,
}

/// What whoever starts a server needs for calling it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Ready {
    pub(crate) endpoint: String,
    pub(crate) project_id: String,
    pub(crate) instance_id: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
}

impl Ready {
    fn at(endpoint: String, instance_id: &str) -> Self {
        Self {
            endpoint,
            project_id: PROJECT.to_owned(),
            instance_id: instance_id.to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
        }
    }
}

/// Prints where it serves, serves until standard input ends, and prints what that has cost.
pub(crate) fn run(options: &Options) -> Result<()> {
    pin(options.cpu);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(options.kind))
}

async fn serve(kind: Kind) -> Result<()> {
    let gateway = match kind {
        Kind::Fast | Kind::Axum => None,
        Kind::Gateway => Some(gateway().start().await?),
        Kind::Anonymous => Some(gateway().anonymous().start().await?),
    };
    let ready = if let Some(gateway) = &gateway {
        Ready::at(gateway.endpoint().to_owned(), gateway.instance_id())
    } else {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        match kind {
            Kind::Axum => tokio::spawn(bare_axum(listener)),
            _ => tokio::spawn(fast(listener)),
        };
        Ready::at(endpoint, &format!("{INSTANCE}1"))
    };
    println!("{}", serde_json::to_string(&ready)?);
    let before = Usage::own()?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    let after = Usage::own()?;
    let usage = Usage {
        cpu: after.cpu - before.cpu,
        page_faults: after.page_faults - before.page_faults,
        ..after
    };
    println!("{}", serde_json::to_string(&usage)?);
    Ok(())
}

fn gateway() -> dms_kafka_gateway::MemoryGatewayBuilder {
    Gateway::memory()
        .project_id(PROJECT)
        .instance(format!("{INSTANCE}1"))
        .access_key(ACCESS_KEY, SECRET_KEY)
        .topic(TOPIC, 10, 1_000_000)
}

async fn bare_axum(listener: TcpListener) -> std::io::Result<()> {
    let answer = || async { ([(CONTENT_TYPE, "application/json")], answer(1)) };
    let route = "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/messages/delete";
    axum::serve(listener, Router::new().route(route, post(answer))).await
}

/// Answers made once for each number of partitions.
type Answers = Arc<Mutex<HashMap<usize, Bytes>>>;

async fn fast(listener: TcpListener) -> std::io::Result<()> {
    let answers = Answers::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = answers.clone();
        let service = service_fn(move |request| answer_fast(request, answers.clone()));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

async fn answer_fast(
    request: http::Request<Incoming>,
    answers: Answers,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let partitions = partitions(request.uri().path());
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    let answer = {
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers
            .entry(partitions)
            .or_insert_with(|| answer(partitions))
            .clone()
    };
    let mut response = Response::new(Full::new(answer));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

/// How many partitions the path's instance id asks to answer for.
fn partitions(path: &str) -> usize {
    path.split('/')
        .find_map(|segment| segment.strip_prefix(INSTANCE)?.parse().ok())
        .unwrap_or(1)
}

/// Success for each of so many partitions.
fn answer(partitions: usize) -> Bytes {
    let mut text = String::from(r#"{"partitions":["#);
    for partition in 0..partitions {
        let comma = if partition == 0 { "" } else { "," };
        let _ = write!(
            text,
            r#"{comma}{{"partition":{partition},"result":"success","error_code":"0"}}"#
        );
    }
    text.push_str("]}");
    text.into()
}
