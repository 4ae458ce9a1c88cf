//! `dms-kafka delete`: input that is refused before anything is sent.

use crate::support::{Run as _, assert_stderr, at, dms_kafka, stderr, stdout};

/// Arguments after `delete`, and words of the message. Exit code 2: nothing was sent.
const REFUSED: &[(&str, &[&str])] = &[
    (
        "--embedded --topic .. --partition 0:1 --yes",
        &["\"..\"", "but not '.' or '..'"],
    ),
    ("--embedded --topic . --partition 0:1 --yes", &["\".\""]),
    ("--embedded --topic  --partition 0:1 --yes", &["1 to 249"]),
    ("--embedded --topic a/b --partition 0:1 --yes", &["\"a/b\""]),
    (
        "--embedded --topic a\nb --partition 0:1 --yes",
        &[r#""a\nb""#],
    ),
    (
        "--embedded --topic orders --partition 0:-1 --yes",
        &["--everything"],
    ),
    (
        "--embedded --topic orders --partition 0 --yes",
        &["P:OFFSET"],
    ),
    (
        "--embedded --topic orders --partition 0:9223372036854775808 --yes",
        &["9223372036854775807"],
    ),
    (
        "--embedded --topic orders --partition -1:5 --yes",
        &["2147483647"],
    ),
    (
        "--embedded --topic orders --partition 0:1 --everything 0 --yes",
        &["partition 0 is given twice"],
    ),
    ("--embedded --topic orders --yes", &["--partition"]),
    (
        "--embedded --topic orders --partition 0:1",
        &["--yes", "nothing was deleted"],
    ),
    (
        "--embedded --topic orders --partition 0:1 --yes --digest 0000000000000000000000000000000000000000000000000000000000000000",
        &["--digest", "cannot be used with"],
    ),
    (
        "--embedded --topic orders --keep-last 3 --yes --digest 0000000000000000000000000000000000000000000000000000000000000000",
        &["--digest", "cannot be used with"],
    ),
    (
        "--embedded --topic orders --partition 0:1001 --yes --output json --refuse-unread-loss",
        &["written meanwhile", "--up-to-end"],
    ),
    ("--topic orders --partition 0:1 --yes", &["--endpoint"]),
    (
        "--endpoint http://192.0.2.1 --project-id p --instance-id i --topic orders --partition 0:1 --yes",
        &["not encrypted", "--allow-plaintext-http"],
    ),
    (
        "--endpoint http://127.0.0.1:9 --instance-id i --topic orders --partition 0:1 --yes",
        &["--project-id is missing"],
    ),
    (
        "--endpoint http://127.0.0.1:9 --project-id p --instance-id i --topic orders --partition 0:1 --yes",
        &["HUAWEICLOUD_SDK_AK"],
    ),
];

#[test]
fn invalid_input_is_refused_before_anything_is_sent() {
    for (line, words) in REFUSED {
        let output = dms_kafka(&format!("delete {line}")).ends_with(2);
        for word in *words {
            assert_stderr(&output, word);
        }
        assert_eq!(stdout(&output), "", "{line}");
    }
}

#[test]
fn advice_does_not_depend_on_the_text_of_the_endpoint() {
    let delete = "delete --topic orders --partition 0:1 --yes";
    let output = at("http://127.0.0.1/allow_plaintext_http", delete).ends_with(2);
    assert_stderr(&output, "path");
    let printed = stderr(&output);
    assert!(!printed.contains("--allow-plaintext-http"), "{printed}");
}
