//! JSON output is valid according to `output.schema.json`.

use std::fs;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::{Folder, Run as _, Served, at, dms_kafka, listener, rows, stderr, stdout};

fn validator(definition: &str) -> Validator {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/output.schema.json");
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    jsonschema::validator_for(&schema).unwrap()
}

fn check(definition: &str, text: &str) {
    let validator = validator(definition);
    assert!(!text.is_empty(), "{definition}: nothing was printed");
    for line in text.lines() {
        let value: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        if let Err(error) = validator.validate(&value) {
            panic!("{definition}: {line}: {error}");
        }
    }
}

const MIXED: &str = r#"{"topic":"orders","partition":0,"offset":400}
{"topic":"orders","partition":1,"offset":5000}
{"topic":"nowhere","partition":1,"offset":5}
{"topic":"orders","partition":2,"offset":-1}
"#;

#[test]
fn results_follow_the_schema() {
    let served = Served::start();
    let delete = "--partition 0:400 --partition 9:1 --everything 2 --yes --output json";
    let output = served.delete(delete).output().unwrap();
    check("delete", &stdout(&output));
    check("error", &stderr(&output));
    for (line, definition) in [
        ("topics --embedded", "topics"),
        ("topic --embedded orders", "topic"),
        ("plan --embedded --topic orders --older-than 7d", "plans"),
        (
            "plan --embedded --topic orders --consumed-by-all --partitions 0",
            "plans",
        ),
        (
            "delete --embedded --topic orders --older-than 7d --yes",
            "delete",
        ),
        (
            "delete --embedded --topic orders --everything 0 --yes --refuse-unread-loss",
            "error",
        ),
        (
            "delete --embedded --topic orders --consumed-by nobody --yes",
            "error",
        ),
    ] {
        let output = dms_kafka(&format!("{line} --output json"))
            .output()
            .unwrap();
        check(definition, &(stdout(&output) + &stderr(&output)));
    }
    let folder = Folder::new(MIXED);
    for (form, definition) in [("json", "purge"), ("ndjson", "purge_row")] {
        let arguments = format!("--yes --allow-everything --output {form}");
        let output = served.purge(&folder.offsets, &arguments).output().unwrap();
        check(definition, &stdout(&output));
        if form == "ndjson" {
            check("message", &stderr(&output));
        }
        let dry_run = served
            .purge(&folder.offsets, &format!("{arguments} --dry-run"))
            .output()
            .unwrap();
        check("request", &stdout(&dry_run));
        check("message", &stderr(&dry_run));
    }
    check(
        "regions",
        &stdout(&dms_kafka("regions --output json").output().unwrap()),
    );
    let mut sign = dms_kafka("sign --output json --date 20260102T030405Z https://example.com/v1");
    sign.envs([("HUAWEICLOUD_SDK_AK", "AK"), ("HUAWEICLOUD_SDK_SK", "SK")]);
    check("sign", &stdout(&sign.output().unwrap()));
    let authorization = format!(
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature={}",
        "0".repeat(64)
    );
    check(
        "sign",
        &stdout(&sign.args(["--compare", &authorization]).output().unwrap()),
    );
}

#[test]
fn errors_and_messages_follow_the_schema() {
    let folder = Folder::new(MIXED);
    let refused = dms_kafka("purge --embedded --yes --output json --offsets-file")
        .arg(&folder.offsets)
        .output()
        .unwrap();
    check("error", &stderr(&refused));
    let mistyped = dms_kafka("purge --output json").output().unwrap();
    check("error", &stderr(&mistyped));
    let served = Served::start();
    let stopped = served
        .purge(&folder.offsets, "--yes --allow-everything --output json")
        .env("HUAWEICLOUD_SDK_SK", "wrong")
        .output()
        .unwrap();
    let printed = stderr(&stopped);
    let (error, notes) = printed.split_once('\n').unwrap();
    check("error", error);
    check("message", notes);
    let slow = Folder::new(&rows(&[("orders", 0, 1)]));
    let (_listener, endpoint) = listener();
    let purge = "purge --yes --output json --progress-every 1 --offsets-file";
    let mut process = at(&endpoint, purge).arg(&slow.offsets).start();
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(process.stderr.take().unwrap()),
        &mut line,
    )
    .unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(line.contains("progress"), "{line}");
    check("message", &line);
}
