//! Settings of the process: proxies of the environment, which loopback endpoints do not use, and `Client::from_env`.

use std::env;
use std::net::TcpListener;
use std::process::Command;

use crate::support::{self, assert_no_secret, builder, deleted, requests, server, server_on};
use dms_kafka::{Client, Error, ErrorKind, RetryPolicy};

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
#[ignore = "other tests run it in a separate process"]
async fn child() {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .init();
    if let Ok(endpoint) = env::var(ENDPOINT) {
        let error = delete(&endpoint).await.err();
        let refused = error
            .as_ref()
            .is_some_and(|error| error.kind() == ErrorKind::InvalidInput);
        println!("{}", if refused { "REFUSED" } else { "ENDED" });
        assert!(error.is_none(), "{}", error.unwrap());
    } else {
        support::delete(&Client::from_env().unwrap()).await.unwrap();
    }
}

/// Runs `child` with these variables and no other proxy. Returns whether its deletion succeeded, and what it showed.
async fn run_child(variables: &[(&str, &str)]) -> (bool, String) {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["environment::child", "--exact", "--ignored", "--nocapture"]);
    for name in PROXIES
        .iter()
        .chain(&["REQUEST_METHOD", "NO_PROXY", "no_proxy"])
    {
        child.env_remove(name);
    }
    child.envs(variables.iter().copied());
    let run = tokio::task::spawn_blocking(move || child.output().unwrap());
    let output = run.await.unwrap();
    let shown = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&shown).into_owned(),
    )
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used_for_loopback() {
    let proxy = server(vec![deleted(&[0])]).await;
    let uri = proxy.uri();
    let proxies = PROXIES.map(|name| (name, &*uri));
    let delete = async |endpoint: &str| {
        let variables = [&proxies[..], &[(ENDPOINT, endpoint)]].concat();
        run_child(&variables).await.0
    };
    let received = || async { requests(&proxy).await.len() };

    let service = server(vec![deleted(&[0])]).await;
    assert!(delete(&service.uri()).await);
    let by_name = service.uri().replace("127.0.0.1", "localhost");
    assert!(delete(&by_name).await);
    assert_eq!(received().await, 0);

    // The host does not exist, so the proxy responded.
    let elsewhere = "http://dms.example.invalid";
    assert!(delete(elsewhere).await);
    assert_eq!(received().await, 1);

    let except = [
        ("HTTP_PROXY", &*uri),
        ("NO_PROXY", "example.invalid"),
        (ENDPOINT, elsewhere),
    ];
    assert!(!run_child(&except).await.0);
    assert_eq!(received().await, 1);
}

/// HTTP clients drop such a variable, and the deletion goes past the proxy.
#[tokio::test]
async fn a_proxy_variable_that_cannot_be_read_is_refused_and_not_shown() {
    let https = if cfg!(feature = "rustls") {
        "https"
    } else {
        "http"
    };
    for (scheme, variable, value) in [
        ("http", "HTTP_PROXY", "htp://canary:1"),
        ("http", "http_proxy", "http://user:canary#@proxy:1"),
        (https, "ALL_PROXY", "http://canary proxy:1"),
        (https, "all_proxy", "socks5://user:canary@proxy:1"),
        ("https", "HTTPS_PROXY", "http://user:canary/@proxy:1"),
        ("https", "https_proxy", "\"http://canary:1\""),
    ] {
        if scheme == "https" && https == "http" {
            continue;
        }
        let endpoint = format!("{scheme}://dms.example.invalid");
        let (succeeded, shown) = run_child(&[(ENDPOINT, &endpoint), (variable, value)]).await;
        assert!(!succeeded && shown.contains("REFUSED"), "{shown}");
        assert!(shown.contains(&format!("{variable}: ")), "{shown}");
        assert_no_secret(&shown);
    }
}

/// The client of a loopback endpoint has no proxy, but the one of IAM has.
#[cfg(all(feature = "providers", feature = "rustls"))]
#[tokio::test]
async fn a_proxy_variable_that_cannot_be_read_is_refused_when_it_is_needed_for_iam() {
    let service = server(vec![deleted(&[0])]).await;
    let uri = service.uri();
    let variables = [
        ("DMS_KAFKA_ENDPOINT", &*uri),
        ("DMS_KAFKA_REGION", "ap-southeast-1"),
        ("HUAWEICLOUD_SDK_AK", "access-key"),
        ("HUAWEICLOUD_SDK_SK", "canary-secret-key"),
        ("HTTPS_PROXY", "htp://canary:1"),
        ("HUAWEICLOUD_SDK_PROJECT_ID", ""),
    ];
    let (succeeded, shown) = run_child(&variables).await;
    assert!(!succeeded && shown.contains("HTTPS_PROXY: "), "{shown}");
    assert!(
        shown.contains("/v3/projects cannot be requested"),
        "{shown}"
    );
    assert_no_secret(&shown);
    assert!(requests(&service).await.is_empty());
    // It is not needed if the project is known.
    let known = [
        &variables[..5],
        &[("HUAWEICLOUD_SDK_PROJECT_ID", "project")],
    ]
    .concat();
    let (succeeded, shown) = run_child(&known).await;
    assert!(succeeded, "{shown}");
}

#[tokio::test]
async fn no_log_shows_the_password_of_a_proxy() {
    let proxy = server(vec![deleted(&[0])]).await;
    for user_info in [
        "user:canary",
        "user:canary%23%2F%40",
        "user:canary:canary",
        "user:%63anary",
        ":canary",
        "canary",
        "canary%40",
    ] {
        let uri = proxy
            .uri()
            .replace("http://", &format!("http://{user_info}@"));
        let variables = [
            (ENDPOINT, "http://dms.example.invalid"),
            ("HTTP_PROXY", &*uri),
        ];
        let (succeeded, shown) = run_child(&variables).await;
        assert!(succeeded && shown.contains("TRACE"), "{shown}");
        assert_no_secret(&shown);
        let sent = requests(&proxy).await;
        let sent = sent.last().unwrap().headers["proxy-authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        let encoded = sent.strip_prefix("Basic ").unwrap();
        assert!(!shown.contains(encoded), "{shown}");
    }
}

#[tokio::test]
async fn a_client_is_built_from_the_variables_of_the_command() {
    let service = server(vec![deleted(&[0])]).await;
    let uri = service.uri();
    let variables = [
        ("DMS_KAFKA_ENDPOINT", &*uri),
        ("DMS_KAFKA_REGION", ""),
        ("HUAWEICLOUD_SDK_PROJECT_ID", "of-environment"),
        ("HUAWEICLOUD_SDK_AK", "access-key"),
        ("HUAWEICLOUD_SDK_SK", "secret-key"),
    ];
    let (succeeded, shown) = run_child(&variables).await;
    assert!(succeeded, "{shown}");
    assert_eq!(
        requests(&service).await[0].headers["x-project-id"],
        "of-environment"
    );
    let (succeeded, shown) = run_child(&variables[1..]).await;
    assert!(!succeeded && shown.contains("no endpoint"), "{shown}");
    for (name, value) in [
        ("DMS_KAFKA_ENDPOINT", "ftp://dms.example.invalid"),
        (
            "DMS_KAFKA_ENDPOINT",
            "https://user:canary@dms.example.invalid",
        ),
        ("DMS_KAFKA_REGION", "not a region"),
        ("HUAWEICLOUD_SDK_PROJECT_ID", "not a project"),
    ] {
        let variables = variables.map(|variable| {
            if variable.0 == name {
                (name, value)
            } else {
                variable
            }
        });
        let (succeeded, shown) = run_child(&variables).await;
        let expected = format!("{name}: ");
        assert!(!succeeded && shown.contains(&expected), "{shown}");
        assert_no_secret(&shown);
    }
}
