//! The servers: one with prepared responses, a bare axum route, and the gateway.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use dms_kafka_gateway::Gateway;
use http::Uri;
use http::header::CONTENT_TYPE;
use nix::sys::resource::UsageWho;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::peers::{ACCESS_KEY, INSTANCE, PROJECT, SECRET_KEY, TOPIC, path};
use crate::process::{Cost, Result, ServerKind, print};

/// Serves on one thread until standard input ends, and returns the cost.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn serve(kind: ServerKind) -> Result<Cost> {
    let gateway = Gateway::memory()
        .project_id(PROJECT)
        .instance(format!("{INSTANCE}1"))
        .access_key(ACCESS_KEY, SECRET_KEY)
        .topic(TOPIC, 10, 1_000_000);
    let gateway = match kind {
        ServerKind::Fast | ServerKind::Axum => None,
        ServerKind::Anonymous => Some(gateway.anonymous().start().await?),
        ServerKind::Gateway => Some(gateway.start().await?),
    };
    let endpoint = if let Some(gateway) = &gateway {
        gateway.endpoint().to_owned()
    } else {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        match kind {
            ServerKind::Axum => tokio::spawn(bare_axum(listener)),
            _ => tokio::spawn(fast(listener)),
        };
        endpoint
    };
    print(&endpoint)?;
    let before = Cost::now(UsageWho::RUSAGE_SELF)?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(Cost::now(UsageWho::RUSAGE_SELF)? - before)
}

async fn bare_axum(listener: TcpListener) -> io::Result<()> {
    let handler = || async { ([(CONTENT_TYPE, "application/json")], success(0, 1)) };
    let route = path("{project_id}", "{instance_id}").replace(TOPIC, "{topic}");
    axum::serve(listener, Router::new().route(&route, post(handler))).await
}

/// Response bodies by first partition and number of partitions.
type Bodies = Arc<Mutex<HashMap<(usize, usize), Bytes>>>;

async fn fast(listener: TcpListener) -> io::Result<()> {
    let router = Router::new()
        .fallback(respond)
        .with_state(Bodies::default());
    let listener = listener.tap_io(|stream| {
        // A failure only makes the server slower.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router.layer(DefaultBodyLimit::disable())).await
}

/// Responds with success. The instance id contains the number of partitions, the request the first one.
async fn respond(State(bodies): State<Bodies>, uri: Uri, request: Bytes) -> impl IntoResponse {
    let mut segments = uri.path().split('/');
    let count = segments.find_map(|segment| segment.strip_prefix(INSTANCE)?.parse().ok());
    let key = (first_partition(&request), count.unwrap_or(1));
    let mut bodies = bodies.lock().unwrap_or_else(PoisonError::into_inner);
    let body = bodies.entry(key).or_insert_with(|| success(key.0, key.1));
    ([(CONTENT_TYPE, "application/json")], body.clone())
}

/// The first partition in a request body.
fn first_partition(request: &[u8]) -> usize {
    const KEY: &[u8] = br#""partition""#;
    let key = request.windows(KEY.len()).position(|word| word == KEY);
    let digits = request[key.unwrap_or(0)..].iter();
    let digits = digits.skip_while(|byte| !byte.is_ascii_digit());
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

fn success(first: usize, count: usize) -> Bytes {
    let item =
        |partition| format!(r#"{{"partition":{partition},"result":"success","error_code":"0"}}"#);
    let items: Vec<String> = (first..first + count).map(item).collect();
    format!(r#"{{"partitions":[{}]}}"#, items.join(",")).into()
}
