//! The operator's endpoints and the ready line.

use std::{fs, path::Path};

use crate::support::{Response, delete, execute, request, serve, start, url};
use dms_kafka_gateway::{Gateway, ReadyLine};
use reqwest::Method;

async fn get(gateway: &Gateway, path: &str) -> Response {
    let url = format!("{}{path}", gateway.endpoint());
    execute(request(Method::GET, &url, "")).await
}

async fn gateway() -> Gateway {
    start(Gateway::memory().topic("orders", 2, 1000)).await
}

#[tokio::test]
async fn health_and_readiness() {
    let gateway = gateway().await;
    for (path, body) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let response = get(&gateway, path).await;
        assert_eq!((response.status, response.body.as_str()), (200, Some(body)));
        assert!(response.header("x-request-id").is_some(), "{response:?}");
    }
}

/// The crate contains a copy of the contract, because a package cannot contain files from outside of the crate.
#[tokio::test]
async fn the_contract_is_served() {
    let gateway = gateway().await;
    let response = get(&gateway, "/openapi.yaml").await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("application/yaml"));
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/dms-kafka.yaml");
    // The package is tested without the contract.
    if let Ok(contract) = fs::read_to_string(contract) {
        assert!(
            response.body.as_str() == Some(&contract),
            "src/openapi.yaml is out of date; run `cargo xtask generate`"
        );
    }
}

#[tokio::test]
async fn metrics() {
    let gateway = gateway().await;
    let body = r#"{"partitions":[{"partition":0,"offset":400},{"partition":1,"offset":-1},{"partition":9,"offset":1}]}"#;
    assert_eq!(delete(&gateway, "orders", body).await.status, 200);
    let url = url(&gateway, "orders", "messages/delete");
    let unsigned = request(Method::POST, &url, body);
    assert_eq!(execute(unsigned).await.status, 401);
    let response = get(&gateway, "/metrics").await;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(response.header("content-type"), Some(media_type));
    let text = response.body.as_str().expect("text");
    for line in [
        r#"dms_kafka_gateway_requests_total{operation="delete_messages",status="200"} 1"#,
        r#"dms_kafka_gateway_requests_total{operation="delete_messages",status="401"} 1"#,
        r#"dms_kafka_gateway_request_duration_seconds_count{operation="delete_messages"} 2"#,
        r#"dms_kafka_gateway_partitions_total{error_code="0"} 2"#,
        r#"dms_kafka_gateway_partitions_total{error_code="3"} 1"#,
        "dms_kafka_gateway_records_deleted_total 1400",
        "dms_kafka_gateway_authentication_failures_total 1",
        "dms_kafka_gateway_audit_failures_total 0",
        "dms_kafka_gateway_requests_in_flight 1",
    ] {
        let found = text.lines().any(|found| found == line);
        assert!(found, "{line} is not in\n{text}");
    }
    let ids = [gateway.project_id(), gateway.instance_id()];
    for name in ids.into_iter().chain([gateway.access_key(), "orders"]) {
        assert!(!text.contains(name), "{name} is in\n{text}");
    }
}

#[tokio::test]
async fn the_ready_line_shows_only_a_generated_secret_key() {
    let made_up = gateway().await;
    let json = |line: ReadyLine<'_>| serde_json::to_value(line).expect("JSON");
    let line = json(made_up.ready_line());
    let expected = serde_json::json!({
        "ready": true, "endpoint": made_up.endpoint(), "project_id": made_up.project_id(),
        "instance_id": made_up.instance_id(), "access_key": made_up.access_key(), "secret_key": made_up.secret_key(),
        "instances": [{"project_id": made_up.project_id(), "instance_id": made_up.instance_id()}],
    });
    assert_eq!(line, expected);

    let several = serve(
        r#"
        listen = "127.0.0.1:0"
        anonymous = true
        instance = [{ id = "i", project_id = "p", memory = {} }, { id = "h", project_id = "q", memory = {} }]
        "#,
        Path::new(""),
    )
    .await;
    let expected = serde_json::json!({
        "ready": true, "endpoint": several.endpoint(), "project_id": "p", "instance_id": "i",
        "instances": [{"project_id": "p", "instance_id": "i"}, {"project_id": "q", "instance_id": "h"}],
    });
    assert_eq!(json(several.ready_line()), expected);

    let given = Gateway::memory().access_key("AK", "SK");
    let given = start(given.project_id("p").instance("i")).await;
    let line = json(given.ready_line());
    assert!(line.get("secret_key").is_none(), "{line}");
    assert_eq!(
        (&line["project_id"], &line["instance_id"]),
        (&"p".into(), &"i".into())
    );

    let everywhere = start(Gateway::memory().listen(([0, 0, 0, 0], 0).into())).await;
    let line = json(everywhere.ready_line());
    assert!(line.get("secret_key").is_none(), "{line}");
}

#[tokio::test]
async fn clients_can_connect_to_the_endpoint_of_a_gateway_on_all_addresses() {
    for (all, loopback) in [
        ("0.0.0.0:0", "http://127.0.0.1:"),
        ("[::]:0", "http://[::1]:"),
    ] {
        // A machine may have no IPv6.
        let Ok(gateway) = Gateway::memory()
            .listen(all.parse().expect("an address"))
            .start()
            .await
        else {
            continue;
        };
        let endpoint = gateway.endpoint();
        assert!(endpoint.starts_with(loopback), "{endpoint}");
        let address = endpoint.strip_prefix("http://").expect("plain HTTP");
        std::net::TcpStream::connect(address).expect("a connection");
    }
}

#[tokio::test]
async fn debug_output_has_no_secrets() {
    let builder = Gateway::memory().access_key("AK", "the-secret-key");
    let builder = builder.token("the-token").topic("orders", 1, 1);
    let described = format!("{builder:?}");
    let gateway = start(builder).await;
    let printed = format!("{described} {gateway:?} {:?}", gateway.ready_line());
    assert!(!printed.contains("the-secret-key"), "{printed}");
    assert!(!printed.contains("the-token"), "{printed}");
}
