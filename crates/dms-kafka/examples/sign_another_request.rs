//! Sends a signed request for an operation that this crate does not have: the partitions of a topic, page by page.
#![expect(clippy::print_stdout, reason = "an example prints")]

use dms_kafka::Client;
use dms_kafka_gateway::Gateway;
use http::Request;
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gateway = Gateway::memory().topic("orders", 3, 1000).start().await?;
    let client = Client::builder()
        .endpoint(gateway.endpoint())
        .project_id(gateway.project_id())
        .credentials(gateway.credentials())
        .build()?;

    let (project, instance) = (client.project_id().await?, gateway.instance_id());
    let path = format!("/v2/{project}/kafka/instances/{instance}/topics/orders/partitions?limit=2");
    let response = client.send_signed(Request::get(path).body("")?).await?;
    let request_id = response.headers().get("x-request-id");
    println!("{}, request {request_id:?}", response.status());
    let page: Value = serde_json::from_slice(response.body())?;
    assert_eq!(page["total"], 3);

    // Every status but a success is an error, with the code of the service.
    let path = format!("/v2/{project}/kafka/instances/{instance}/no-such-operation");
    let response = client.send_signed(Request::post(path).body("{}")?).await;
    let Err(error) = response else {
        return Err("the gateway has no such operation".into());
    };
    println!("{error}");
    assert_eq!(error.status(), Some(404));
    Ok(())
}
