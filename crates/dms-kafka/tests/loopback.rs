//! Loopback endpoints: IPv6, and no proxy of the environment.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::env;
use std::net::TcpListener;
use std::process::Command;

use dms_kafka::{Error, RetryPolicy};
use support::{builder, deleted, requests, server, server_on};

/// The endpoint for a child process.
const ENDPOINT: &str = "DMS_KAFKA_TEST_ENDPOINT";
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

async fn delete(endpoint: &str) -> Result<(), Error> {
    let client = builder(endpoint)
        .allow_plaintext_http()
        .with_retry(RetryPolicy::never())
        .build()?;
    support::delete(&client).await
}

#[tokio::test]
async fn an_ipv6_endpoint_is_accepted_in_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        println!("SKIPPED: this machine has no IPv6 loopback");
        return;
    };
    let server = server_on(listener, vec![deleted(&[0])]).await;
    assert!(server.uri().starts_with("http://[::1]:"));
    delete(&server.uri()).await.unwrap();
}

#[tokio::test]
#[ignore = "the next test runs it in a separate process"]
async fn child() {
    if let Ok(endpoint) = env::var(ENDPOINT) {
        delete(&endpoint).await.unwrap();
    }
}

/// Runs `child` with a proxy in its environment. Returns whether its deletion succeeded.
async fn delete_with_proxy_in_environment(endpoint: &str, proxy: &str) -> bool {
    let mut child = Command::new(env::current_exe().unwrap());
    child
        .args(["child", "--exact", "--ignored"])
        .env(ENDPOINT, endpoint)
        .envs(PROXIES.map(|name| (name, proxy)))
        .env_remove("REQUEST_METHOD")
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    let run = tokio::task::spawn_blocking(move || child.output().unwrap());
    run.await.unwrap().status.success()
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used_for_loopback() {
    let proxy = server(vec![deleted(&[0])]).await;
    let received = || async { requests(&proxy).await.len() };

    let service = server(vec![deleted(&[0])]).await;
    assert!(delete_with_proxy_in_environment(&service.uri(), &proxy.uri()).await);
    let by_name = service.uri().replace("127.0.0.1", "localhost");
    assert!(delete_with_proxy_in_environment(&by_name, &proxy.uri()).await);
    assert_eq!(received().await, 0);

    // The host does not exist, so the proxy responded.
    let elsewhere = "http://dms.example.invalid";
    assert!(delete_with_proxy_in_environment(elsewhere, &proxy.uri()).await);
    assert_eq!(received().await, 1);
}
