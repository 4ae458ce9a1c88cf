//! Authentication and permissions: signatures, tokens, projects and instances.

use std::time::{Duration, SystemTime};

use crate::support::{
    credentials, deletion, execute, log_start, request, serve, sign, sign_at, start, url, url_at,
};
use dms_kafka_gateway::{ErrorKind, Gateway};
use reqwest::{Method, Request};

const MINUTE: Duration = Duration::from_secs(60);
const FOUR_HUNDRED: &str = r#"{"partitions":[{"partition":0,"offset":400}]}"#;

async fn gateway() -> Gateway {
    start(Gateway::memory().topic("orders", 1, 1000).token("a-token")).await
}

fn unsigned(gateway: &Gateway) -> Request {
    let url = url(gateway, "orders", "messages/delete");
    request(Method::POST, &url, FOUR_HUNDRED)
}

/// The same request with one more header, or another value of it.
fn with_header(mut request: Request, name: &'static str, value: &str) -> Request {
    let value = value.parse().expect("a header");
    request.headers_mut().insert(name, value);
    request
}

/// The request gets a 401 and deletes nothing.
async fn assert_unauthenticated(gateway: &Gateway, request: Request, says: &str) {
    let response = execute(request).await;
    response.assert_refused(401, "APIGW.0301");
    assert!(
        response.error_msg().contains(says),
        "{says:?} is not in {response:?}"
    );
    assert_eq!(log_start(gateway, "orders", 0), 0, "{says}");
}

#[tokio::test]
async fn requests_that_are_not_authenticated() {
    let gateway = gateway().await;
    let authorization = |value| with_header(unsigned(&gateway), "authorization", value);
    let token = |value| with_header(unsigned(&gateway), "x-auth-token", value);
    let at = |time| sign_at(unsigned(&gateway), &gateway.credentials(), time);
    let unknown = credentials("AKOFSOMEBODYELSE", gateway.secret_key());
    let wrong = credentials(gateway.access_key(), "the wrong secret key");
    let mut not_json = unsigned(&gateway);
    *not_json.body_mut() = Some("not JSON".into());
    let now = SystemTime::now();
    for (request, says) in [
        (unsigned(&gateway), "Authorization"),
        (authorization(""), "Authorization"),
        (authorization("Basic QUs6U0s="), "Authorization"),
        (authorization("SDK-HMAC-SHA256"), "Authorization"),
        (authorization("SDK-HMAC-SHA256 Access=AK"), "Authorization"),
        (
            authorization("SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature=00"),
            "Authorization",
        ),
        (sign(unsigned(&gateway), &unknown), "access key is unknown"),
        (
            sign(unsigned(&gateway), &wrong),
            "verify aksk signature fail",
        ),
        // The signature is verified before the body is parsed.
        (sign(not_json, &wrong), "verify aksk signature fail"),
        (at(now - 16 * MINUTE), "X-Sdk-Date"),
        (at(now + 16 * MINUTE), "X-Sdk-Date"),
        (token("another-token"), "token"),
        (token("a-toke"), "token"),
        (token(""), "token"),
    ] {
        assert_unauthenticated(&gateway, request, says).await;
    }
    for request in [
        at(now - 14 * MINUTE),
        at(now + 14 * MINUTE),
        token("a-token"),
    ] {
        let response = execute(request).await;
        assert_eq!(response.status, 200, "{response:?}");
    }
}

#[tokio::test]
async fn requests_that_were_changed_after_signing() {
    let gateway = gateway().await;
    let signed = || sign(unsigned(&gateway), &gateway.credentials());

    let mut body = signed();
    *body.body_mut() = Some(FOUR_HUNDRED.replace("400", "500").into());
    let mut topic = signed();
    *topic.url_mut() = url(&gateway, "others", "messages/delete")
        .parse()
        .expect("a URL");
    let mut query = signed();
    query.url_mut().set_query(Some("force=true"));
    let mut method = signed();
    *method.method_mut() = Method::DELETE;
    *method.url_mut() = url(&gateway, "orders", "messages").parse().expect("a URL");
    let content_type = with_header(signed(), "content-type", "text/plain");
    for changed in [body, topic, query, method, content_type] {
        assert_unauthenticated(&gateway, changed, "verify aksk signature fail").await;
    }
}

#[tokio::test]
async fn unknown_projects_and_instances() {
    let gateway = gateway().await;
    let at = |project: &str, instance: &str| {
        let ids = [project, instance, "orders"];
        let url = url_at(gateway.endpoint(), ids, "messages/delete");
        let request = request(Method::POST, &url, FOUR_HUNDRED);
        execute(sign(request, &gateway.credentials()))
    };
    let no_instance = at(gateway.project_id(), "another-instance").await;
    no_instance.assert_refused(404, "DMS.00404022");
    let no_project = at("another-project", gateway.instance_id()).await;
    no_project.assert_refused(403, "DMS.00403003");
    assert_eq!(log_start(&gateway, "orders", 0), 0);
}

#[tokio::test]
async fn a_project_header_that_names_another_project() {
    let gateway = gateway().await;
    let send = |project: &str| {
        let request = with_header(unsigned(&gateway), "x-project-id", project);
        execute(sign(request, &gateway.credentials()))
    };
    let another = send("another-project").await;
    another.assert_refused(401, "DMS.10240104");
    assert_eq!(send(gateway.project_id()).await.status, 200);
}

#[tokio::test]
async fn keys_and_tokens_are_limited_to_their_projects_and_instances() {
    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        instance = [
            { id = "i1", project_id = "p1", memory.topics = [{ name = "t", partitions = 1, records = 10 }] },
            { id = "i2", project_id = "p1", memory.topics = [{ name = "t", partitions = 1, records = 10 }] },
            { id = "i3", project_id = "p2", memory.topics = [{ name = "t", partitions = 1, records = 10 }] },
        ]
        access_key = [
            { access_key = "ALL", secret_key = { env = "SK" } },
            { access_key = "P1", secret_key = { env = "SK" }, projects = ["p1"] },
            { access_key = "I2", secret_key = { env = "SK" }, instances = ["i2"] },
            { access_key = "NONE", secret_key = { env = "SK" }, projects = [] },
        ]
        token = [{ name = "tok", token = { env = "TOKEN" }, projects = ["p1"] }]
    "#;
    let folder = tempfile::tempdir().expect("a folder");
    let service = serve(CONFIG, folder.path()).await;
    let (forbidden, mismatch, unknown) = (
        (403, "DMS.00403003"),
        (401, "DMS.10240104"),
        (404, "DMS.00404022"),
    );
    for (who, project, instance, refused) in [
        ("ALL", "p1", "i1", None),
        ("ALL", "p2", "i3", None),
        ("ALL", "p2", "i1", Some(unknown)),
        ("ALL", "p3", "i1", Some(unknown)),
        ("ALL", "p1", "i9", Some(unknown)),
        ("P1", "p1", "i2", None),
        ("P1", "p2", "i3", Some(forbidden)),
        ("P1", "p1", "i9", Some(unknown)),
        ("I2", "p1", "i2", None),
        ("I2", "p1", "i1", Some(forbidden)),
        ("I2", "p1", "i9", Some(forbidden)),
        ("NONE", "p1", "i1", Some(forbidden)),
        ("tok", "p1", "i1", None),
        ("tok", "p2", "i3", Some(mismatch)),
    ] {
        let credentials = match who {
            "tok" => huaweicloud_auth::Credentials::token("token").expect("a token"),
            access_key => credentials(access_key, "sk"),
        };
        let body = r#"{"partitions":[{"partition":0,"offset":1}]}"#;
        let ids = [project, instance, "t"];
        let response = execute(deletion(&service, ids, body, &credentials)).await;
        match refused {
            None => assert_eq!(
                response.status, 200,
                "{who} {project} {instance}: {response:?}"
            ),
            Some((status, code)) => response.assert_refused(status, code),
        }
    }
}

#[tokio::test]
async fn anonymous_requests_are_served_on_a_loopback_address_only() {
    let gateway = start(Gateway::memory().topic("orders", 1, 1000).anonymous()).await;
    assert_eq!(execute(unsigned(&gateway)).await.status, 200);
    let everywhere = Gateway::memory().listen(([0, 0, 0, 0], 0).into());
    let error = everywhere.anonymous().start().await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
}
