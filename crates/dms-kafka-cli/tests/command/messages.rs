//! Messages for people: invalid values, help, and what a service explains.

use std::io::Write as _;

use serde_json::Value;

use crate::golden::COMMANDS;
use crate::support::{
    Folder, Run as _, assert_stderr, at, dms_kafka, listener, next_is_deletion, stderr, stdout,
};

/// Arguments, and what the message must contain: the flag or variable, the value and the rule.
const INVALID: &[(&str, &[&str])] = &[
    (
        "delete --topic t --partition 0:1 --timeout 0",
        &["--timeout", "'0'", "from 1 to 86400"],
    ),
    (
        "delete --topic t --partition 0:1 --timeout 1.5",
        &["--timeout", "'1.5'", "whole number"],
    ),
    (
        "delete --topic t --partition 0:1 -o xml",
        &["--output", "'xml'", "table, json"],
    ),
    (
        "delete --topic a/b --partition 0:1",
        &["--topic", "'a/b'", "1 to 249"],
    ),
    (
        "delete --topic t --partition 0:x",
        &["--partition", "'0:x'", "not a number from 0"],
    ),
    (
        "delete --topic t --everything x",
        &["--everything", "'x'", "not a number from 0"],
    ),
    (
        "delete --topic t --partition 0:1 --everything 0 --embedded --yes",
        &["--partition", "--everything", "partition 0 is given twice"],
    ),
    (
        "delete --topic t --partition 0:1 --endpoint https://x",
        &["--project-id", "missing"],
    ),
    (
        "delete --topic t --partition 0:1 --endpoint ftp://x --project-id p",
        &["--endpoint", "\"ftp://x\"", "not an http or https URL"],
    ),
    (
        "delete --topic t --partition 0:1 --endpoint http://x.example --project-id p --yes",
        &[
            "--endpoint",
            "\"http://x.example\"",
            "--allow-plaintext-http",
        ],
    ),
    (
        "delete --topic t --partition 0:1 --endpoint x --project-id a/b",
        &["--project-id", "\"a/b\"", "1 to 64"],
    ),
    (
        "delete --topic t --partition 0:1 --endpoint x --project-id p --instance-id a/b",
        &["--instance-id", "\"a/b\"", "1 to 64"],
    ),
    (
        "delete --topic t --partition 0:1 --region Nowhere",
        &["--region", "\"Nowhere\"", "lower-case"],
    ),
    (
        "delete --topic t --partition 0:1 --region nowhere-1 --yes",
        &["--region", "nowhere-1", "not known"],
    ),
    (
        "delete --topic t --partition 0:1 --endpoint x --project-id p --yes --ca-cert /dev/null",
        &["--ca-cert", "/dev/null", "BEGIN CERTIFICATE"],
    ),
    (
        "purge --offsets-file f --concurrency 0",
        &["--concurrency", "'0'", "from 1 to 500"],
    ),
    (
        "purge --offsets-file f --concurrency 1000000",
        &["--concurrency", "'1000000'", "from 1 to 500"],
    ),
    (
        "purge --offsets-file f --concurrency -1",
        &["--concurrency", "'-1'", "from 1 to 500"],
    ),
    (
        "purge --offsets-file f --partitions-per-request 0",
        &["--partitions-per-request", "'0'", "from 1 to 10000"],
    ),
    (
        "purge --offsets-file f --max-failures 0",
        &["--max-failures", "'0'", "from 1 to"],
    ),
    (
        "purge --offsets-file f --progress-every 0",
        &["--progress-every", "'0'", "from 1 to 86400"],
    ),
    (
        "serve --topic t:1:1 --listen 8080",
        &["--listen", "\"8080\"", "such as 127.0.0.1:8080"],
    ),
    (
        "serve --topic t:1",
        &["--topic", "'t:1'", "such as orders:3:1000"],
    ),
    (
        "serve --topic t:x:1",
        &["--topic", "partitions \"x\"", "from 1 to 1000000"],
    ),
    (
        "serve --topic t:1:-1",
        &["--topic", "records \"-1\"", "from 0 to"],
    ),
    ("serve --topic a/b:1:1", &["--topic", "a/b", "1 to 249"]),
    (
        "serve --topic t:0:1",
        &["--topic", "partitions \"0\"", "from 1 to 1000000"],
    ),
    (
        "serve --topic t:1:1 --project-id a/b",
        &["--project-id", "\"a/b\"", "1 to 64"],
    ),
    (
        "serve --topic t:1:1 --instance-id a/b",
        &["--instance-id", "\"a/b\"", "1 to 64"],
    ),
    (
        "sign --method G(T https://x",
        &["--method", "G(T", "such as GET"],
    ),
    (
        "sign --date today https://x",
        &["--date", "today", "20260102T030405Z"],
    ),
    ("sign ftp://x", &["URL", "ftp://x", "http"]),
    ("completions tcsh", &["SHELL", "'tcsh'", "bash"]),
    ("man purg", &["COMMAND", "'purg'", "purge"]),
];

#[test]
fn an_invalid_value_is_named_with_its_flag_and_rule() {
    for (line, words) in INVALID {
        let output = dms_kafka(line)
            .env("DMS_KAFKA_INSTANCE_ID", "i")
            .ends_with(2);
        for word in *words {
            assert_stderr(&output, word);
        }
        let printed = stderr(&output);
        for riddle in ["non-zero type", "invalid socket address", "invalid digit"] {
            assert!(!printed.contains(riddle), "{line}: {printed}");
        }
    }
}

#[test]
fn an_invalid_variable_is_named() {
    for (variable, value, rule) in [
        ("DMS_KAFKA_ENDPOINT", "ftp://x", "not an http or https URL"),
        ("DMS_KAFKA_INSTANCE_ID", "a/b", "1 to 64"),
        ("HUAWEICLOUD_SDK_PROJECT_ID", "a/b", "1 to 64"),
        ("DMS_KAFKA_REGION", "Nowhere", "lower-case"),
    ] {
        let mut delete = dms_kafka("delete --topic t --partition 0:1 --yes -o json");
        delete
            .env("DMS_KAFKA_ENDPOINT", "x")
            .env("DMS_KAFKA_INSTANCE_ID", "i")
            .env("HUAWEICLOUD_SDK_PROJECT_ID", "p")
            .env(variable, value);
        let output = delete.ends_with(2);
        let error: Value = serde_json::from_str(&stderr(&output)).unwrap();
        let message = error["message"].as_str().unwrap();
        for word in [variable, value, rule] {
            assert!(message.contains(word), "{word}: {message}");
        }
    }
}

#[test]
fn an_invalid_address_in_a_configuration_has_an_example() {
    let folder = Folder::new("");
    let path = folder.path("gateway.toml");
    std::fs::write(&path, "listen = '8080'\n").unwrap();
    let output = dms_kafka(&format!("serve --config {path}")).ends_with(2);
    assert_stderr(
        &output,
        "line 1: expected an IP address and port, such as 127.0.0.1:8080",
    );
}

#[test]
fn help_is_a_subcommand_too() {
    for name in COMMANDS {
        let asked = stdout(&dms_kafka(&format!("help {name}")).ends_with(0));
        assert_eq!(
            asked,
            stdout(&dms_kafka(&format!("{name} --help")).ends_with(0))
        );
    }
    let asked = stdout(&dms_kafka("help").ends_with(0));
    assert_eq!(asked, stdout(&dms_kafka("--help").ends_with(0)));
}

/// The format is known although the command line is not valid.
#[test]
fn every_spelling_of_the_output_format_makes_errors_json() {
    for spelling in [
        "-o json",
        "-ojson",
        "-o=json",
        "-yo json",
        "-vyojson",
        "--output json",
        "--output=json",
    ] {
        let output = dms_kafka(&format!("delete --topik t {spelling}")).ends_with(2);
        let error: Result<Value, _> = serde_json::from_str(&stderr(&output));
        assert!(error.is_ok(), "{spelling}: {}", stderr(&output));
    }
    for spelling in ["-o table", "--output table", "-v"] {
        let output = dms_kafka(&format!("delete --topik t {spelling}")).ends_with(2);
        assert_stderr(&output, "error: ");
    }
    let regions = dms_kafka("regions -o json").ends_with(0);
    assert!(stdout(&regions).starts_with('{'));
}

#[test]
fn the_encoded_reason_of_a_403_is_shown_in_text_and_json() {
    let (listener, endpoint) = listener();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut lines = std::io::BufReader::new(&connection);
            if next_is_deletion(&mut lines).is_some() {
                let body = r#"{"error_code":"DMS.00403003","error_msg":"not permitted","encoded_authorization_message":"XyZ-encoded"}"#;
                let head = format!(
                    "HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                connection.write_all((head + body).as_bytes()).unwrap();
            }
        }
    });
    let delete = "delete --topic orders --partition 0:1 --yes";
    let text = at(&endpoint, delete).ends_with(3);
    assert_stderr(
        &text,
        "an administrator can decode the reason with IAM: XyZ-encoded",
    );
    let output = at(&endpoint, &format!("{delete} -o json")).ends_with(3);
    let error: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(error["encoded_authorization_message"], "XyZ-encoded");
}
