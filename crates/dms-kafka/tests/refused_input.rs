//! Input that breaks a rule is refused before a connection is opened.

use std::io::ErrorKind::WouldBlock;
use std::net::TcpListener;

use dms_kafka::auth::Credentials;
use dms_kafka::{Client, DeleteMessages, ErrorKind, Outcome};

#[tokio::test]
async fn nothing_is_sent_for_bad_input() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let client = Client::builder()
        .endpoint(format!("http://{}", listener.local_addr().unwrap()))
        .project_id("p")
        .credentials(Credentials::new("key", "secret").unwrap())
        .build()
        .unwrap();
    let topic = |topic: &str| client.delete_messages("i", topic).before(0, 1);
    let orders = || client.delete_messages("i", "orders");
    let long = "t".repeat(250);
    let too_many = (0..250_000).fold(orders(), |request, partition| {
        request.before(partition, i64::MAX)
    });
    let cases: Vec<(DeleteMessages, &str)> = vec![
        (topic(".."), r#"topic "..""#),
        (topic("."), r#"topic ".""#),
        (topic(""), r#"topic """#),
        (topic("a/b"), r#"topic "a/b""#),
        (topic("a\0b"), r#"topic "a\0b""#),
        (topic("a\nb"), r#"topic "a\nb""#),
        (topic("a b"), r#"topic "a b""#),
        (topic("a%2Fb"), r#"topic "a%2Fb""#),
        (topic("a?b#c"), r#"topic "a?b#c""#),
        (topic("$&"), r#"topic "$&""#),
        (topic("тема"), "1 to 249 ASCII"),
        (topic(&long), "1 to 249 ASCII"),
        (
            client.delete_messages("..", "orders").before(0, 1),
            r#"instance id "..""#,
        ),
        (
            client.delete_messages("", "orders").before(0, 1),
            r#"instance id """#,
        ),
        (
            client.delete_messages("a/b", "orders").before(0, 1),
            r#"instance id "a/b""#,
        ),
        (orders(), "no partition is named"),
        (orders().before(0, -1), "use everything"),
        (orders().before(0, i64::MIN), "use everything"),
        (orders().before(-1, 1), "partitions count from 0"),
        (
            orders().before(1, 1).everything(1),
            "partition 1 is named twice",
        ),
        (too_many, "name fewer partitions"),
    ];
    for (request, words) in cases {
        let dry = request.to_request().unwrap_err();
        let error = request.send().await.unwrap_err();
        assert_eq!(dry.to_string(), error.to_string());
        assert_eq!(
            (error.kind(), error.outcome()),
            (ErrorKind::InvalidInput, Outcome::NotApplied),
            "{error}"
        );
        assert_eq!(error.attempts(), 0, "{error}");
        assert!(error.to_string().contains(words), "{error} lacks {words}");
    }
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        WouldBlock,
        "a connection was opened"
    );
}
