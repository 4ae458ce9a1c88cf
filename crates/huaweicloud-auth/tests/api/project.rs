//! The lookup of the project of a region.

use std::{sync::Arc, time::Duration};

use crate::support::{key_pair, now, recorded::Recorded};
use http::{Request, Response};
use huaweicloud_auth::{
    Clock, Credentials, Environment, HttpFuture, HttpTransport, ProjectLookup, ProviderContext,
    ProviderError, ProviderErrorKind as Kind, Region,
};
use serde_json::{Value, json};
use tokio::time::timeout;

const AP_1: &str = "https://iam.ap-southeast-1.myhuaweicloud.com/v3/projects?name=ap-southeast-1";

fn exchange(url: &str, status: u16, body: &Value) -> Value {
    let headers = json!({ "X-IAM-Trace-Id": "trace-1" });
    json!({
        "request": { "method": "GET", "url": url },
        "response": { "status": status, "headers": headers, "body": body },
    })
}

fn one(url: &str, id: &str) -> Value {
    exchange(
        url,
        200,
        &json!({ "projects": [{ "id": id, "name": "n" }], "links": {} }),
    )
}

fn lookup(exchanges: Value, environment: &[(&str, &str)]) -> (ProjectLookup, Arc<Recorded>) {
    let transport = Arc::new(Recorded::from_json(exchanges));
    let context = ProviderContext::new(transport.clone())
        .with_environment(environment.iter().copied().collect::<Environment>())
        .with_clock(Clock::from_fn(now));
    (ProjectLookup::new(&context), transport)
}

async fn in_ap_1(
    lookup: &ProjectLookup,
    credentials: &Credentials,
) -> Result<String, ProviderError> {
    lookup
        .project_id(credentials, &Region::AP_SOUTHEAST_1)
        .await
}

#[tokio::test]
async fn iam_is_asked_once_per_key_and_region() {
    let ap_2 = "https://iam.ap-southeast-2.myhuaweicloud.com/v3/projects?name=ap-southeast-2";
    let exchanges = json!([one(AP_1, "p1"), one(ap_2, "p2"), one(AP_1, "p3")]);
    let (lookup, transport) = lookup(exchanges, &[]);
    let other = Credentials::new("OtherKey", "SecretKey").unwrap();
    for (credentials, region, expected) in [
        (&key_pair(), Region::AP_SOUTHEAST_1, "p1"),
        (&key_pair(), Region::AP_SOUTHEAST_2, "p2"),
        (&other, Region::AP_SOUTHEAST_1, "p3"),
        (&key_pair(), Region::AP_SOUTHEAST_1, "p1"),
        (&other, Region::AP_SOUTHEAST_1, "p3"),
    ] {
        assert_eq!(
            lookup.project_id(credentials, &region).await.unwrap(),
            expected
        );
    }
    assert_eq!(transport.remaining(), 0);
}

#[tokio::test]
async fn concurrent_calls_ask_once() {
    let (lookup, _) = lookup(json!([one(AP_1, "p1")]), &[]);
    let credentials = key_pair();
    let ask = || lookup.project_id(&credentials, &Region::AP_SOUTHEAST_1);
    let (one, other, third) = tokio::join!(ask(), ask(), ask());
    assert_eq!(
        [one.unwrap(), other.unwrap(), third.unwrap()],
        ["p1", "p1", "p1"]
    );
}

/// The signature was made by the signer of the official Python SDK.
#[tokio::test]
async fn the_request_is_signed() {
    let mut exchange = one(AP_1, "p1");
    exchange["request"]["headers"] = json!({
        "x-sdk-date": "20260102T030405Z",
        "x-security-token": "TOKEN",
        "authorization": "SDK-HMAC-SHA256 Access=AccessKey, SignedHeaders=host;x-sdk-date;x-security-token, Signature=8f95cbc440f4f7cf233517921d8964d422522b654b4d842b32011d67434f0e9f",
    });
    let (lookup, _) = lookup(json!([exchange]), &[]);
    let credentials = key_pair().with_security_token("TOKEN").unwrap();
    in_ap_1(&lookup, &credentials).await.unwrap();
}

#[tokio::test]
async fn a_token_is_sent_unsigned() {
    let mut exchange = one(AP_1, "p1");
    exchange["request"]["headers"] = json!({ "x-auth-token": "TOKEN", "authorization": null });
    let (lookup, transport) = lookup(json!([exchange]), &[]);
    let token = Credentials::token("TOKEN").unwrap();
    for _ in 0..2 {
        assert_eq!(in_ap_1(&lookup, &token).await.unwrap(), "p1");
    }
    assert_eq!(transport.remaining(), 0);
    assert!(!format!("{lookup:?}").contains("TOKEN"));
}

#[tokio::test]
async fn the_project_of_the_credentials_takes_precedence() {
    let (lookup, _) = lookup(json!([]), &[]);
    let credentials = key_pair().with_project_id("mine");
    let project_id = in_ap_1(&lookup, &credentials).await.unwrap();
    assert_eq!(project_id, "mine");
}

#[tokio::test]
async fn the_iam_endpoint_is_configured_or_regional_or_global() {
    let profile = key_pair().with_iam_endpoint("https://iam.profile.example.com");
    let variable = [("HUAWEICLOUD_SDK_IAM_ENDPOINT", "http://127.0.0.1:8080")];
    for (credentials, environment, region, host) in [
        (
            profile.clone(),
            &variable[..],
            Region::CN_NORTH_4,
            "https://iam.profile.example.com",
        ),
        (
            key_pair(),
            &variable[..],
            Region::CN_NORTH_4,
            "http://127.0.0.1:8080",
        ),
        (
            key_pair(),
            &[],
            Region::CN_NORTH_4,
            "https://iam.cn-north-4.myhuaweicloud.com",
        ),
        (
            key_pair(),
            &[],
            Region::EU_WEST_101,
            "https://iam.myhuaweicloud.com",
        ),
        (
            key_pair(),
            &[],
            Region::new("my-own-1").unwrap(),
            "https://iam.myhuaweicloud.com",
        ),
    ] {
        let url = format!("{host}/v3/projects?name={region}");
        let (lookup, _) = lookup(json!([one(&url, "p")]), environment);
        assert_eq!(lookup.project_id(&credentials, &region).await.unwrap(), "p");
    }
}

#[tokio::test]
async fn anything_but_one_project_is_an_error() {
    let several = json!({ "projects": [{ "id": "p1" }, { "id": "p2" }] });
    for (status, body, kind, parts) in [
        (
            200,
            json!({ "projects": [] }),
            Kind::NotFound,
            ["no project", "ap-southeast-1", "trace-1"],
        ),
        (
            200,
            several,
            Kind::Ambiguous,
            ["several", "p1, p2", "trace-1"],
        ),
        (
            200,
            json!([]),
            Kind::Invalid,
            ["no list of projects", "/v3/projects", "trace-1"],
        ),
        (
            200,
            json!({ "projects": [{ "name": "n" }] }),
            Kind::Invalid,
            ["no list", "", ""],
        ),
        (200, json!("<html>"), Kind::Invalid, ["no list", "", ""]),
        (
            200,
            json!({ "projects": [{ "id": "p\u{1b}[2J" }] }),
            Kind::Invalid,
            ["no list", "", ""],
        ),
        (
            200,
            json!({ "projects": [{ "id": "p".repeat(65) }] }),
            Kind::Invalid,
            ["no list", "", ""],
        ),
        (
            401,
            json!({ "error_code": "APIGW.0301", "error_msg": "bad TOKEN" }),
            Kind::Invalid,
            ["401", "APIGW.0301 bad <redacted>", "/v3/projects"],
        ),
        (503, json!(null), Kind::Unavailable, ["503", "", ""]),
    ] {
        let (lookup, _) = lookup(json!([exchange(AP_1, status, &body), one(AP_1, "p1")]), &[]);
        let credentials = key_pair().with_security_token("TOKEN").unwrap();
        let error = in_ap_1(&lookup, &credentials).await.unwrap_err();
        let message = error.to_string();
        assert_eq!(error.kind(), kind, "{message}");
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        assert_eq!(
            error.candidates().len(),
            if kind == Kind::Ambiguous { 2 } else { 0 }
        );
        let again = in_ap_1(&lookup, &credentials).await;
        assert_eq!(again.unwrap(), "p1", "errors are not cached");
    }
}

#[tokio::test]
async fn the_message_lists_ten_projects_and_the_error_all() {
    for (count, end) in [(10, "p8, p9"), (12, "p8, p9 and 2 more")] {
        let projects: Vec<_> = (0..count)
            .map(|number| json!({ "id": format!("p{number}") }))
            .collect();
        let several = exchange(AP_1, 200, &json!({ "projects": projects }));
        let (lookup, _) = lookup(json!([several]), &[]);
        let error = in_ap_1(&lookup, &key_pair()).await.unwrap_err();
        assert!(error.to_string().ends_with(end), "{error}");
        assert_eq!(error.candidates().len(), count);
    }
}

#[tokio::test]
async fn secrets_are_not_sent_without_encryption() {
    let variable = [("HUAWEICLOUD_SDK_IAM_ENDPOINT", "http://iam.example.com")];
    let (lookup, _) = lookup(json!([]), &variable);
    let error = lookup
        .project_id(&key_pair(), &Region::CN_NORTH_4)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        error.to_string().contains("HUAWEICLOUD_SDK_IAM_ENDPOINT"),
        "{error}"
    );
}

/// Does not respond for one region, and at once for every other.
#[derive(Debug)]
struct DeadIn(Region);

impl HttpTransport for DeadIn {
    fn send(&self, request: Request<Vec<u8>>, _: Duration) -> HttpFuture<'_> {
        let is_dead = request.uri().query() == Some(&format!("name={}", self.0));
        Box::pin(async move {
            if is_dead {
                std::future::pending::<()>().await;
            }
            Ok(Response::new(br#"{"projects":[{"id":"p"}]}"#.to_vec()))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_without_response_does_not_block_others() {
    let dead = Region::AP_SOUTHEAST_1;
    let transport = Arc::new(DeadIn(dead.clone()));
    let nothing = Environment::from_iter::<[(&str, &str); 0]>([]);
    let lookup = ProjectLookup::new(&ProviderContext::new(transport).with_environment(nothing));
    let credentials = key_pair();
    let silent = lookup.project_id(&credentials, &dead);
    let other = async {
        let asked = lookup.project_id(&credentials, &Region::AP_SOUTHEAST_2);
        timeout(Duration::from_secs(60), asked).await
    };
    tokio::select! {
        biased;
        _ = silent => unreachable!("there is no response"),
        found = other => assert_eq!(found.unwrap().unwrap(), "p"),
    }
}
