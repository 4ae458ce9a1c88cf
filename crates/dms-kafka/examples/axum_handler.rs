//! Deletes records in a handler of axum, and maps errors to statuses: `cargo run -p dms-kafka --example axum_handler`
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::delete;
use dms_kafka::{Client, ErrorKind};
use dms_kafka_gateway::Gateway;
use tokio::net::TcpListener;

/// Clones of a client share its connections and credentials.
#[derive(Clone)]
struct Shared {
    client: Client,
    instance_id: String,
}

async fn delete_before(
    State(shared): State<Shared>,
    Path((topic, partition, offset)): Path<(String, i32, i64)>,
) -> Result<StatusCode, (StatusCode, String)> {
    // Names and numbers of a request are validated before anything is sent.
    let deletion = shared.client.delete_messages(shared.instance_id, topic);
    let deletion = deletion.before(partition, offset).send().await;
    match deletion.and_then(dms_kafka::Deletion::into_result) {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err((status(error.kind()), error.to_string())),
    }
}

fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidInput | ErrorKind::BadRequest => StatusCode::BAD_REQUEST,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let gateway = Gateway::memory().topic("orders", 2, 1000).start().await?;
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(gateway.credentials())
        .build()?;
    let shared = Shared {
        client,
        instance_id: gateway.instance_id().to_owned(),
    };
    let router = Router::new()
        .route(
            "/topics/{topic}/{partition}/{offset}",
            delete(delete_before),
        )
        .with_state(shared);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, router).await });

    let http = reqwest::Client::builder().no_proxy().build()?;
    for path in [
        "orders/0/400",
        "orders/0/-2",
        "payments/0/400",
        "orders/9/400",
    ] {
        let response = http
            .delete(format!("http://{address}/topics/{path}"))
            .send()
            .await?;
        println!("{path}: {} {}", response.status(), response.text().await?);
    }
    Ok(())
}
