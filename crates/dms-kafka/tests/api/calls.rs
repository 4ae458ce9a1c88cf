//! The requests that a call sends, and its result.

use std::collections::HashSet;
use std::time::Duration;

use crate::support::{
    DELETED, NoCredentials, builder, chain, client_without_retries, delete, deleted, header, ok,
    read_request, requests, server,
};
use dms_kafka::{
    Client, Deletion, DeletionTarget, Error, ErrorKind, Outcome, PurgeTarget, RetryPolicy,
};
use futures_util::FutureExt;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use wiremock::ResponseTemplate;

#[tokio::test]
async fn offsets_and_partitions_are_exact_on_the_wire() {
    let before = |offset| DeletionTarget::before(offset).unwrap();
    let targets = [
        (0, before(0), "0"),
        (1, before(1 << 31), "2147483648"),
        (2, before((1 << 53) + 1), "9007199254740993"),
        (i32::MAX, before(i64::MAX), "9223372036854775807"),
        (3, DeletionTarget::Everything, "-1"),
    ];
    let partitions: Vec<i32> = targets.iter().map(|target| target.0).collect();
    let server = server(vec![deleted(&partitions)]).await;
    let client = builder(&server.uri()).build().unwrap();
    let mut request = client.delete_messages("instance", "orders");
    for (partition, target, _) in targets {
        request = request.target(partition, target);
    }
    let dry = request.to_request().unwrap();
    assert!(requests(&server).await.is_empty());
    request.send().await.unwrap().into_result().unwrap();
    let sent = requests(&server).await;
    let body = String::from_utf8(sent[0].body.clone()).unwrap();
    assert_eq!(
        (dry.method(), dry.body()),
        (sent[0].method.as_str(), body.as_str())
    );
    assert_eq!(dry.url(), format!("{}{}", server.uri(), sent[0].url.path()));
    for (partition, _, offset) in targets {
        let item = format!(r#"{{"offset":{offset},"partition":{partition}}}"#);
        assert!(body.contains(&item), "{item} in {body}");
    }
}

#[cfg(all(feature = "providers", feature = "rustls"))]
#[test]
fn a_dry_run_has_a_placeholder_for_a_project_that_is_not_looked_up_yet() {
    let client = Client::builder()
        .region(dms_kafka::Region::AP_SOUTHEAST_1)
        .build()
        .unwrap();
    let request = client.delete_messages("instance", "orders").everything(0);
    assert_eq!(
        request.to_request().unwrap().url(),
        "https://dms.ap-southeast-1.myhuaweicloud.com/v2/{project_id}/kafka/instances/instance/topics/orders/messages/delete"
    );
}

#[tokio::test]
async fn only_the_necessary_headers_are_sent() {
    let server = server(vec![deleted(&[0])]).await;
    let client = builder(&server.uri()).build().unwrap();
    delete(&client).await.unwrap();
    let sent = &requests(&server).await[0];
    let names: HashSet<&str> = sent.headers.keys().map(http::HeaderName::as_str).collect();
    let expected = [
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-project-id",
        "x-sdk-date",
    ];
    assert_eq!(names, HashSet::from(expected));
    let product = concat!("dms-kafka/", env!("CARGO_PKG_VERSION"));
    assert_eq!(header(sent, "user-agent"), product);
    assert_eq!(header(sent, "accept-encoding"), "identity");
    // A proxy may change it.
    assert!(!header(sent, "authorization").contains("accept-encoding"));
}

#[tokio::test]
async fn each_attempt_has_its_own_signature_and_waits_for_retry_after() {
    let busy = ResponseTemplate::new(429).insert_header("Retry-After", "1");
    let server = server(vec![busy, deleted(&[0])]).await;
    let client = builder(&server.uri()).build().unwrap();
    let begin = std::time::Instant::now();
    let request = client.delete_messages("instance", "orders").before(0, 1);
    let deletion = request.send().await.unwrap();
    assert_eq!(deletion.attempts(), 2);
    assert!(begin.elapsed() >= Duration::from_secs(1));
    let sent = requests(&server).await;
    assert_ne!(
        header(&sent[0], "x-sdk-date"),
        header(&sent[1], "x-sdk-date")
    );
    assert_ne!(
        header(&sent[0], "authorization"),
        header(&sent[1], "authorization")
    );
}

/// A date has a resolution of one second, and a gateway refuses a signature that it has seen.
#[tokio::test]
async fn equal_deletions_of_everything_never_have_the_same_signature() {
    let busy = ResponseTemplate::new(429);
    let server = server(vec![busy, deleted(&[0])]).await;
    let client = builder(&server.uri())
        .with_retry(RetryPolicy::default().with_base(Duration::ZERO))
        .build()
        .unwrap();
    let delete = async || {
        let request = client.delete_messages("instance", "orders").everything(0);
        request.send().await.unwrap().attempts()
    };
    let (one, other) = tokio::join!(delete(), delete());
    assert_eq!(one + other, 3, "one of them was retried");
    let sent = requests(&server).await;
    for name in ["x-sdk-date", "authorization"] {
        let values: HashSet<&str> = sent.iter().map(|request| header(request, name)).collect();
        assert_eq!(values.len(), 3, "{name}: {values:?}");
    }
}

#[tokio::test]
async fn an_equal_deletion_of_everything_is_not_sent_if_the_call_ends_in_this_second() {
    let server = server(vec![deleted(&[0])]).await;
    let client = builder(&server.uri())
        .with_call_timeout(Duration::from_millis(1))
        .build()
        .unwrap();
    let request = client.delete_messages("instance", "orders").everything(0);
    // The next second may begin between two of them.
    let mut results = Vec::new();
    for _ in 0..20 {
        results.push(request.clone().send().await);
    }
    let waited =
        |error: &&Error| chain(error).contains("the same deletion was sent in this second");
    let error = results
        .iter()
        .filter_map(|result| result.as_ref().err())
        .find(waited);
    let error = error.unwrap();
    assert_eq!(
        (error.kind(), error.outcome(), error.attempts()),
        (ErrorKind::Timeout, Outcome::NotApplied, 0)
    );
}

#[test]
fn a_call_outside_a_tokio_runtime_is_an_error() {
    let client = builder("http://127.0.0.1:1").build().unwrap();
    let delete = || client.delete_messages("instance", "orders").before(0, 1);
    let mut purge =
        client
            .purge("instance")
            .run([PurgeTarget::new("orders", 0, DeletionTarget::Everything).unwrap()]);
    let errors = [
        delete().send().now_or_never().unwrap().unwrap_err(),
        client
            .list_partitions("instance", "orders")
            .now_or_never()
            .unwrap()
            .unwrap_err(),
        client.credentials().now_or_never().unwrap().unwrap_err(),
        client.project_id().now_or_never().unwrap().unwrap_err(),
        purge
            .next()
            .now_or_never()
            .unwrap()
            .unwrap()
            .into_deletion()
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(
            (error.kind(), error.attempts()),
            (ErrorKind::InvalidInput, 0)
        );
        assert!(error.to_string().contains("tokio runtime"), "{error}");
    }
}

#[tokio::test]
async fn invalid_input_opens_no_connection_and_names_the_rule() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let client = builder(&endpoint).build().unwrap();
    let topic = |topic: &str| client.delete_messages("i", topic).before(0, 1);
    let instance = |instance: &str| client.delete_messages(instance, "orders").before(0, 1);
    let orders = || client.delete_messages("i", "orders");
    let long = "t".repeat(250);
    let too_many = (0..250_000).fold(orders(), |request, partition| {
        request.before(partition, i64::MAX)
    });
    let cases = [
        (topic(".."), r#"topic ".." is not a Kafka topic name"#),
        (topic("."), r#"topic ".""#),
        (topic(""), r#"topic """#),
        (topic("a/b"), r#"topic "a/b" is not a Kafka topic name"#),
        (topic("a\0b"), r#"topic "a\0b""#),
        (topic("a\nb"), r#"topic "a\nb""#),
        (topic("a b"), r#"topic "a b""#),
        (topic("a%2Fb"), r#"topic "a%2Fb""#),
        (topic("a?b#c"), r#"topic "a?b#c""#),
        (topic("$&"), r#"topic "$&""#),
        (topic("тема"), "1 to 249 ASCII"),
        (topic(&long), "1 to 249 ASCII"),
        (instance(".."), r#"instance id "..""#),
        (instance(""), r#"instance id """#),
        (instance("a/b"), r#"instance id "a/b""#),
        (orders(), "no partition: add one"),
        (orders().before(0, -1), "use everything(partition)"),
        (orders().before(0, i64::MIN), "use everything(partition)"),
        (orders().before(-1, 1), "partitions count from 0"),
        (
            orders().before(1, 1).everything(1),
            "partition 1 is repeated",
        ),
        (too_many, "add fewer partitions"),
    ];
    for (request, words) in cases {
        let dry = request.to_request().unwrap_err();
        let error = request.send().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome(), error.attempts()),
            (ErrorKind::InvalidInput, Outcome::NotApplied, 0),
            "{error}"
        );
        assert!(chain(&error).contains(words), "{error} lacks {words}");
        assert_eq!(dry.to_string(), error.to_string());
    }
    let without_credentials = builder(&endpoint)
        .credentials(NoCredentials)
        .build()
        .unwrap();
    let error = delete(&without_credentials).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.attempts()),
        (ErrorKind::Credentials, Outcome::NotApplied, 0)
    );
    assert!(
        chain(&error).contains("the provider has no credentials"),
        "{error}"
    );
    let connection = listener.accept().unwrap_err();
    assert_eq!(connection.kind(), std::io::ErrorKind::WouldBlock);
}

#[cfg(feature = "rustls")]
#[test]
fn build_errors_name_the_setting_and_repeat_no_secret() {
    let good = || builder("https://dms.example.com");
    let cases = [
        (Client::builder(), "no endpoint"),
        (
            Client::builder().endpoint("https://dms.example.com"),
            "no project id",
        ),
        (builder("http://dms.example.com"), "allow_plaintext_http"),
        (
            builder("https://user:canary@dms.example.com"),
            "credentials provider",
        ),
        (
            builder("https://user:canary@dms.example.com:99999"),
            "credentials provider",
        ),
        (builder("ftp://dms.example.com"), "not an http or https URL"),
        (builder("https://dms.example.com/v2"), "path"),
        (good().project_id("../x"), "project id"),
        (
            good().with_call_timeout(Duration::ZERO),
            "call timeout is zero",
        ),
        (
            good().with_attempt_timeout(Duration::ZERO),
            "attempt timeout is zero",
        ),
        (
            good().with_connect_timeout(Duration::ZERO),
            "connect timeout is zero",
        ),
        (
            good().with_proxy("http://user:canary@["),
            "the URL of the proxy has an invalid host or port",
        ),
        (
            good().with_proxy("socks5://user:canary@proxy:1080"),
            "the URL of the proxy is not an http or https URL",
        ),
        (good().with_proxy("ftp://canary"), "http or https"),
        (good().with_proxy("http://canary proxy:1"), "blank"),
        (good().with_proxy("http://canary:1\r\n"), "line break"),
        (good().with_proxy("\"http://canary:1\""), "quotation mark"),
        (
            good().with_proxy("http://user:canary#x@proxy:1"),
            "percent-encode",
        ),
        (
            good().with_proxy("http://user:canary/x@proxy:1"),
            "percent-encode",
        ),
        (
            good().with_proxy("http://user:canary@x@proxy:1"),
            "percent-encode",
        ),
        (good().with_proxy(""), "host or port"),
        (good().with_root_certificates("canary"), "root certificates"),
        (
            good().with_client_certificate("canary"),
            "client certificate",
        ),
    ];
    for (builder, rule) in cases {
        let shown = format!("{builder:?}");
        let error = builder.build().unwrap_err();
        assert!(chain(&error).contains(rule), "{error}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let predicates = [
            (error.is_plaintext_refused(), "allow_plaintext_http"),
            (error.is_endpoint_missing(), "no endpoint"),
            (error.is_project_id_missing(), "no project id"),
            (error.is_invalid_id(), "project id"),
        ];
        for (holds, of_rule) in predicates {
            assert_eq!(holds, rule == of_rule, "{error}");
        }
        assert!(
            !format!("{error} {error:?} {shown}").contains("canary"),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn the_longest_timeout_does_not_panic() {
    let server = server(vec![deleted(&[0])]).await;
    let client = builder(&server.uri())
        .with_connect_timeout(Duration::MAX)
        .with_attempt_timeout(Duration::MAX)
        .with_call_timeout(Duration::MAX)
        .build()
        .unwrap();
    delete(&client).await.unwrap();
}

#[tokio::test]
async fn a_deletion_is_displayed_as_a_table() {
    let body = json!({"partitions": [
        {"partition": 0, "result": "success", "error_code": 0},
        {"partition": 1, "result": "fail", "error_code": "1"},
        {"partition": 7, "result": "success", "error_code": "0"},
    ]});
    let server = server(vec![ResponseTemplate::new(200).set_body_json(body)]).await;
    let client = builder(&server.uri()).build().unwrap();
    let request = client.delete_messages("instance", "orders");
    let deletion = request
        .before(0, 400)
        .before(1, 500)
        .everything(2)
        .send()
        .await
        .unwrap();
    let expected = "\
partition                      target  status        result    error code
        0                  before 400  deleted       success   0
        1                  before 500  failed        fail      1
        2                  everything  not_reported  -         -
        7                           -  unexpected    success   0
";
    assert_eq!(deletion.to_string(), expected);
    let unexpected: Vec<_> = deletion.unexpected().iter().collect();
    let [item] = unexpected[..] else {
        panic!("{unexpected:?}");
    };
    assert_eq!(
        (item.partition(), item.result(), item.error_code()),
        (Some(7), Some("success"), Some("0"))
    );
}

#[tokio::test]
async fn an_error_lists_at_most_20_partitions() {
    for (failed, unexpected, more) in [(20, 0, None), (21, 0, Some(1)), (19, 3, Some(2))] {
        let item = |partition| json!({"partition": partition, "result": "fail", "error_code": "1"});
        let items: Vec<_> = (0..failed + unexpected).map(item).collect();
        let body = json!({ "partitions": items });
        let server = server(vec![ResponseTemplate::new(200).set_body_json(body)]).await;
        let client = builder(&server.uri()).build().unwrap();
        let mut request = client.delete_messages("instance", "orders");
        for partition in 0..failed {
            request = request.before(partition, 400);
        }
        let error = request.send().await.unwrap().into_result().unwrap_err();
        let text = chain(&error);
        let head = format!("{failed} of {failed} partitions failed: ");
        assert!(text.contains(&head), "{text}");
        let shown = more.map(|more| format!("; and {more} more"));
        assert_eq!(text.contains(" more"), shown.is_some(), "{text}");
        assert!(text.contains(&shown.unwrap_or_default()), "{text}");
    }
}

#[test]
fn clients_and_calls_are_send_and_sync() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    fn sent<T: Send + 'static>(_: T) {}

    shared::<Client>();
    shared::<Deletion>();
    error::<Error>();
    let client = builder("http://127.0.0.1:1").build().unwrap();
    sent(
        client
            .delete_messages("instance", "orders")
            .before(0, 1)
            .send(),
    );
    sent(client.purge("instance").run([]));
    sent(async move { client.list_partitions("instance", "orders").await });
}

#[tokio::test]
async fn a_request_on_a_broken_connection_is_not_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let client = client_without_retries(&endpoint);
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await.unwrap();
        stream.write_all(ok(DELETED).as_bytes()).await.unwrap();
        read_request(&mut stream).await.unwrap();
        drop(stream);
        // Sending the request again needs a new connection.
        let again = tokio::time::timeout(Duration::from_millis(300), listener.accept()).await;
        assert!(again.is_err(), "the request was sent again");
    };
    let calls = async {
        delete(&client).await.unwrap();
        delete(&client).await.unwrap_err()
    };
    let (error, ()) = tokio::join!(calls, server);
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::Connection, Outcome::Unknown)
    );
}

#[tokio::test]
async fn an_unrequested_response_is_not_used_for_the_next_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let client = client_without_retries(&endpoint);
    let server = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        read_request(&mut first).await.unwrap();
        let repeated = ok(DELETED).repeat(2);
        first.write_all(repeated.as_bytes()).await.unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        read_request(&mut second).await.unwrap();
        let failed = ok(&DELETED.replace("success", "fail"));
        second.write_all(failed.as_bytes()).await.unwrap();
        (first, second)
    });
    delete(&client).await.unwrap();
    let second = delete(&client).await.unwrap_err();
    assert_eq!(
        second.kind(),
        ErrorKind::PartitionsFailed,
        "the repeated first response was used"
    );
    drop(server.await.unwrap());
}
