//! Endpoint, project and credentials of a region.
#![cfg(feature = "providers")]

use std::fs;
use std::time::Duration;

use crate::support::{
    assert_no_secret, canary_credentials, chain, delete, deleted, header, repeat_headers,
    requests as received,
};
use dms_kafka::auth::{Credentials, Environment};
use dms_kafka::{Client, ClientBuilder, ErrorKind, Outcome, Region};
use serde_json::{Value, json};
use wiremock::matchers::{any, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const REGION: Region = Region::AP_SOUTHEAST_1;

/// A service that accepts every deletion, and an IAM.
struct Cloud {
    service: MockServer,
    iam: MockServer,
}

impl Cloud {
    async fn with_projects(ids: &[&str]) -> Self {
        let projects: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        Self::with_iam(ResponseTemplate::new(200).set_body_json(json!({"projects": projects})))
            .await
    }

    async fn with_iam(response: ResponseTemplate) -> Self {
        let (service, iam) = (MockServer::start().await, MockServer::start().await);
        Mock::given(method("POST"))
            .respond_with(deleted(&[0]))
            .mount(&service)
            .await;
        Mock::given(method("GET"))
            .and(path("/v3/projects"))
            .and(query_param("name", REGION.id()))
            .respond_with(response)
            .mount(&iam)
            .await;
        Self { service, iam }
    }

    /// The variables with both endpoints, and `more`.
    fn environment(&self, more: &[(&str, &str)]) -> Environment {
        let service = self.service.uri();
        let iam = self.iam.uri();
        let all = [
            ("HUAWEICLOUD_SDK_REGION_KAFKA_AP_SOUTHEAST_1", &*service),
            ("HUAWEICLOUD_SDK_IAM_ENDPOINT", &*iam),
        ];
        all.iter().chain(more).copied().collect()
    }

    fn builder(&self) -> ClientBuilder {
        Client::builder()
            .region(REGION)
            .with_environment(self.environment(&[]))
            .credentials(Credentials::new("access-key", "secret-key").unwrap())
    }
}

/// A client with all settings from its environment.
fn with_environment(environment: Environment) -> Client {
    let builder = Client::builder().region(REGION);
    builder.with_environment(environment).build().unwrap()
}

#[tokio::test]
async fn a_region_determines_endpoint_and_project() {
    let cloud = Cloud::with_projects(&["looked-up"]).await;
    let client = cloud.builder().build().unwrap();
    assert_eq!(client.endpoint(), cloud.service.uri());
    assert!(
        received(&cloud.iam).await.is_empty(),
        "build() sends nothing"
    );
    delete(&client).await.unwrap();
    let sent = &received(&cloud.service).await[0];
    assert!(
        sent.url.path().starts_with("/v2/looked-up/kafka/"),
        "{sent:?}"
    );
    assert_eq!(sent.headers["x-project-id"], "looked-up");
    let lookup = &received(&cloud.iam).await[0];
    assert!(header(lookup, "authorization").contains("Access=access-key"));
    assert_eq!(client.project_id().await.unwrap().as_str(), "looked-up");
}

#[tokio::test]
async fn many_calls_of_many_clones_look_up_the_project_once() {
    let cloud = Cloud::with_projects(&["looked-up"]).await;
    let client = cloud.builder().build().unwrap();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { delete(&client).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    client
        .list_partitions("instance", "orders")
        .await
        .unwrap_err();
    assert_eq!(received(&cloud.iam).await.len(), 1);
}

#[tokio::test]
async fn a_project_of_the_builder_or_the_credentials_is_not_looked_up() {
    let cloud = Cloud::with_projects(&["looked-up"]).await;
    let key = Credentials::new("access-key", "secret-key").unwrap();
    let naming = key.with_project_id("named");
    let credentials_name_it = cloud.builder().credentials(naming);
    let given = credentials_name_it.clone().project_id("given");
    for (builder, expected) in [(credentials_name_it, "named"), (given, "given")] {
        let client = builder.build().unwrap();
        delete(&client).await.unwrap();
        let sent = received(&cloud.service).await;
        assert_eq!(sent.last().unwrap().headers["x-project-id"], expected);
    }
    assert!(received(&cloud.iam).await.is_empty());
}

#[tokio::test]
async fn the_endpoint_overrides_that_of_the_region() {
    let cloud = Cloud::with_projects(&["looked-up"]).await;
    let other = Cloud::with_projects(&[]).await;
    let client = cloud
        .builder()
        .endpoint(other.service.uri())
        .build()
        .unwrap();
    delete(&client).await.unwrap();
    assert!(received(&cloud.service).await.is_empty());
    assert_eq!(received(&other.service).await.len(), 1);
}

#[tokio::test]
async fn without_exactly_one_valid_project_nothing_is_sent() {
    let response = |status: u16, body: Value| ResponseTemplate::new(status).set_body_json(body);
    let projects = |ids: &[&str]| {
        let projects: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        response(200, json!({"projects": projects}))
    };
    for (response, words) in [
        (projects(&[]), "no project in the region ap-southeast-1"),
        (projects(&["one", "two"]), "one, two"),
        (projects(&["../other"]), r#"project id "../other""#),
        (
            response(
                403,
                json!({"error_code": "PAP5.0011", "error_msg": "no right"}),
            ),
            "PAP5.0011 no right",
        ),
        (response(503, json!({})), "503"),
        (
            ResponseTemplate::new(200).set_body_string("<html>"),
            "no list of projects",
        ),
    ] {
        let cloud = Cloud::with_iam(response).await;
        let client = cloud.builder().build().unwrap();
        let error = delete(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProjectId, "{error}");
        assert_eq!(
            (error.outcome(), error.attempts()),
            (Outcome::NotApplied, 0)
        );
        assert!(chain(&error).contains(words), "{error} lacks {words}");
        assert!(received(&cloud.service).await.is_empty());
        assert_eq!(error.is_retryable(), words == "503", "{error}");
        assert_eq!(
            client.project_id().await.unwrap_err().kind(),
            ErrorKind::ProjectId
        );
    }
}

#[tokio::test]
async fn an_error_of_iam_that_repeats_the_request_shows_no_secret() {
    let cloud = Cloud::with_projects(&[]).await;
    Mock::given(any())
        .respond_with(|request: &Request| repeat_headers(request, 401))
        .with_priority(1)
        .mount(&cloud.iam)
        .await;
    for credentials in canary_credentials() {
        let client = cloud.builder().credentials(credentials).build().unwrap();
        let error = delete(&client).await.unwrap_err();
        let shown = format!("{} {error:?} {client:?}", chain(&error));
        assert!(shown.contains("APIGW.0301"), "{shown}");
        assert_no_secret(&shown);
    }
}

#[tokio::test]
async fn a_slow_project_lookup_ends_at_the_deadline() {
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    let cloud = Cloud::with_iam(slow).await;
    let soon = Duration::from_millis(100);
    let client = cloud.builder().with_call_timeout(soon).build().unwrap();
    let error = delete(&client).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::ProjectId, Outcome::NotApplied)
    );
    assert!(chain(&error).contains("timeout"), "{error}");
    assert!(error.is_retryable());
}

/// The client of a loopback endpoint has no proxy, so IAM needs another client.
#[tokio::test]
async fn the_proxy_of_the_builder_is_also_used_for_iam() {
    let cloud = Cloud::with_projects(&["looked-up"]).await;
    // https to IAM starts with CONNECT, which this proxy refuses.
    let environment = [
        (
            "HUAWEICLOUD_SDK_REGION_KAFKA_AP_SOUTHEAST_1",
            &*cloud.service.uri(),
        ),
        (
            "HUAWEICLOUD_SDK_IAM_ENDPOINT",
            "https://iam.example.invalid",
        ),
    ];
    let proxy = MockServer::start().await;
    let client = cloud
        .builder()
        .with_environment(environment.into_iter().collect())
        .with_proxy(proxy.uri())
        .build()
        .unwrap();
    let error = delete(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ProjectId, "{error}");
    let requests = received(&proxy).await;
    assert!(
        requests
            .iter()
            .all(|request| request.method.as_str() == "CONNECT")
            && !requests.is_empty()
    );
}

#[tokio::test]
async fn keys_of_the_environment_are_used_without_calling_later_providers() {
    let cloud = Cloud::with_projects(&["looked-up"]).await;
    let container = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(500))
        .mount(&container)
        .await;
    let uri = container.uri();
    let environment = cloud.environment(&[
        ("HUAWEICLOUD_SDK_AK", "environment-key"),
        ("HUAWEICLOUD_SDK_SK", "secret-key"),
        ("HC_CONTAINER_CREDENTIALS_FULL_URI", &uri),
    ]);
    let client = with_environment(environment);
    delete(&client).await.unwrap();
    assert_eq!(
        client.credentials().await.unwrap().provider_name(),
        "environment"
    );
    assert!(received(&container).await.is_empty());
}

#[tokio::test]
async fn the_profile_is_used_if_the_environment_has_no_keys() {
    let cloud = Cloud::with_projects(&["looked-up"]).await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".huaweicloud");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join("credentials"),
        "[basic]\nak = profile-key\nsk = secret-key\n",
    )
    .unwrap();
    let environment = cloud.environment(&[
        ("HOME", home.path().to_str().unwrap()),
        ("USERPROFILE", home.path().to_str().unwrap()),
    ]);
    let client = with_environment(environment);
    delete(&client).await.unwrap();
    let credentials = client.credentials().await.unwrap();
    assert_eq!(credentials.access_key(), Some("profile-key"));
    let sent = &received(&cloud.service).await[0];
    assert!(header(sent, "authorization").contains("Access=profile-key"));
}

#[tokio::test]
async fn an_access_key_without_a_secret_key_is_an_error() {
    let cloud = Cloud::with_projects(&["looked-up"]).await;
    let environment = cloud.environment(&[("HUAWEICLOUD_SDK_AK", "environment-key")]);
    let client = with_environment(environment);
    let error = delete(&client).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Credentials, Outcome::NotApplied)
    );
    assert!(chain(&error).contains("HUAWEICLOUD_SDK_SK"), "{error}");
    assert!(received(&cloud.service).await.is_empty());
}

/// A service that is reached by its endpoint, without a region.
#[tokio::test]
async fn without_a_region_the_project_of_the_credentials_is_used() {
    let service = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(deleted(&[0]))
        .mount(&service)
        .await;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".huaweicloud");
    fs::create_dir(&folder).unwrap();
    let profile = "[basic]\nak = profile-key\nsk = secret-key\nproject_id = of-profile\n";
    fs::write(folder.join("credentials"), profile).unwrap();
    let home = home.path().to_str().unwrap();
    let other = tempfile::tempdir().unwrap();
    fs::create_dir(other.path().join(".huaweicloud")).unwrap();
    let profile = "[basic]\nak = profile-key\nsk = secret-key\n";
    fs::write(other.path().join(".huaweicloud/credentials"), profile).unwrap();
    let keys_only = other.path().to_str().unwrap();
    let keys = [
        ("HUAWEICLOUD_SDK_AK", "key"),
        ("HUAWEICLOUD_SDK_SK", "secret-key"),
    ];
    let builder = || Client::builder().endpoint(service.uri());
    let with = |variables: &[(&str, &str)]| {
        builder().with_environment(variables.iter().copied().collect())
    };
    let project = ("HUAWEICLOUD_SDK_PROJECT_ID", "of-environment");
    let key = Credentials::new("access-key", "secret-key").unwrap();
    for (builder, expected) in [
        (with(&[keys[0], keys[1], project]), "of-environment"),
        (with(&[("HOME", home), ("USERPROFILE", home)]), "of-profile"),
        (
            builder().credentials(key.clone().with_project_id("of-key")),
            "of-key",
        ),
        // The variable also names the project of keys from elsewhere.
        (
            with(&[project, ("HOME", home), ("USERPROFILE", home)]),
            "of-environment",
        ),
        (
            with(&[project, ("HOME", keys_only), ("USERPROFILE", keys_only)]),
            "of-environment",
        ),
        (
            with(&[project, ("HOME", keys_only), ("USERPROFILE", keys_only)]).region(REGION),
            "of-environment",
        ),
    ] {
        let client = builder.build().unwrap();
        delete(&client).await.unwrap();
        let sent = received(&service).await;
        assert_eq!(sent.last().unwrap().headers["x-project-id"], expected);
    }
    let sent = received(&service).await.len();
    for builder in [
        builder().credentials(key),
        // The profile has a project, and the keys of the environment have none.
        with(&[keys[0], keys[1], ("HOME", home), ("USERPROFILE", home)]),
    ] {
        let error = delete(&builder.build().unwrap()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::InvalidInput, 0)
        );
        assert!(error.is_project_id_missing());
    }
    let error = with(&[keys[0], keys[1]]).build().unwrap_err();
    assert!(error.is_project_id_missing());
    assert_eq!(received(&service).await.len(), sent);
}

#[tokio::test]
async fn the_metadata_service_is_not_asked_for_a_loopback_endpoint_or_if_it_is_disabled() {
    let keyless = |endpoint: &str| {
        Client::builder()
            .endpoint(endpoint)
            .project_id("project")
            .with_environment(Environment::from_iter::<[(&str, &str); 0]>([]))
    };
    let off = [("HUAWEICLOUD_SDK_METADATA", "off")].into_iter().collect();
    for (builder, reason) in [
        (
            keyless("http://127.0.0.1:1"),
            "the endpoint is a loopback address",
        ),
        (
            keyless("http://localhost:1"),
            "the endpoint is a loopback address",
        ),
        (
            keyless("http://[::1]:1"),
            "the endpoint is a loopback address",
        ),
        #[cfg(feature = "rustls")]
        (
            keyless("https://127.0.0.1:1"),
            "the endpoint is a loopback address",
        ),
        (
            keyless("http://dms.example.invalid")
                .allow_plaintext_http()
                .without_metadata(),
            "the program disabled it",
        ),
        (
            keyless("http://dms.example.invalid")
                .allow_plaintext_http()
                .with_environment(off),
            "HUAWEICLOUD_SDK_METADATA is off",
        ),
    ] {
        let client = builder.build().unwrap();
        let error = client.credentials().await.unwrap_err();
        let shown = chain(&error);
        assert!(
            shown.contains(&format!("metadata: not asked, because {reason}")),
            "{shown}"
        );
        assert!(
            shown.contains("environment: neither HUAWEICLOUD_SDK_AK nor"),
            "{shown}"
        );
    }
}

#[test]
fn build_refuses_missing_and_unknown_settings() {
    let empty =
        || Client::builder().with_environment(Environment::from_iter::<[(&str, &str); 0]>([]));
    let clear = [(
        "HUAWEICLOUD_SDK_REGION_KAFKA_AP_SOUTHEAST_1",
        "http://dms.example.com",
    )];
    for (builder, words) in [
        (empty().project_id("p"), "set a region or an endpoint"),
        (empty().endpoint("https://dms.example.com"), "or a region"),
        (
            empty().region(Region::new("ap-southest-1").unwrap()),
            "did you mean ap-southeast-1",
        ),
        (
            empty()
                .region(REGION)
                .with_environment(clear.into_iter().collect()),
            "is not encrypted",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let message = chain(&error);
        assert!(message.contains(words), "{message} lacks {words}");
        assert!(message.matches("ap-southest-1").count() < 2, "{message}");
    }
}
