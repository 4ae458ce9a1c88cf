//! Stored plans: executed as shown, or refused.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::plan::{GROUPS, printed, with_groups};
use crate::support::{Folder, Run as _, Served, assert_stderr, stderr, stdout};

#[test]
fn a_stored_plan_is_executed_as_it_was_shown() {
    let served = with_groups(&GROUPS);
    let folder = Folder::new("");
    let path = folder.path("plan.json");
    let plan = printed(
        &served,
        &format!("plan --topic orders --consumed-by-all --out {path}"),
    );
    let digest = plan["plans"][0]["digest"].as_str().unwrap().to_uppercase();
    let execute = format!("delete --plan {path} --digest {digest}");
    let dry_run = served.command(&format!("{execute} --dry-run")).ends_with(0);
    assert_eq!(stdout(&dry_run).matches("\"offset\":400").count(), 3);
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
    let deleted = printed(&served, &format!("{execute} --yes --refuse-unread-loss"));
    assert_eq!(deleted["losses"]["records"], 0);
    assert_eq!(served.starts("orders", 3), [400, 400, 400]);
    // Again: the records are gone already.
    let again = served.command(&format!("{execute} --yes")).ends_with(0);
    assert!(stdout(&again).contains("Deleted: 0 records"), "{again:?}");
    let again = printed(&served, &format!("{execute} --yes"));
    assert_eq!(again["partitions"][0]["start"], 400);
    assert_eq!(again["partitions"][0]["records"], 0);
    // An existing file is kept.
    let again = format!("plan --topic orders --up-to-end --out {path}");
    let refused = served.command(&again).ends_with(2);
    assert_stderr(&refused, "the file exists");
    served.command(&format!("{again} --overwrite")).ends_with(0);
    assert!(folder.read("plan.json").contains("\"before\": 1000"));
}

type Change = fn(&Served, &str);

/// Changes the gateway through its control API.
fn control(served: &Served, method: &str, path: &str, body: &str) {
    let address = served.text("control_endpoint").replace("http://", "");
    let mut stream = TcpStream::connect(&address).unwrap();
    let length = body.len();
    let request = format!(
        "{method} /control/{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 2"), "{response}");
}

#[test]
fn a_stored_plan_that_changed_is_refused() {
    let groups = ["billing:orders:0=900,1=800,2=700"];
    // The change, as a command or as an edit; words of the message, and the problem.
    let edit: Change = |_, path| {
        let text = fs::read_to_string(path).unwrap();
        fs::write(path, text.replace("\"before\": 700", "\"before\": 701")).unwrap();
    };
    let cut_off: Change = |_, path| {
        let text = fs::read_to_string(path).unwrap();
        fs::write(path, &text[..text.len() / 2]).unwrap();
    };
    let not_text: Change = |_, path| fs::write(path, [0xff, 0xfe]).unwrap();
    let passed: Change = |served, _| {
        served
            .command("delete --topic orders --partition 2:701 --yes")
            .ends_with(0);
    };
    let created_again: Change = |served, _| {
        control(served, "DELETE", "topics/orders", "");
        control(
            served,
            "PUT",
            "topics/orders",
            r#"{"partitions":3,"records":1000}"#,
        );
    };
    let loses: Change = |served, _| {
        let commit = r#"{"topic":"orders","partition":0,"offset":5}"#;
        control(served, "POST", "groups/audit/commits", commit);
    };
    let may_lose: Change = |served, _| {
        let commit = r#"{"topic":"orders","partition":0,"offset":900}"#;
        control(served, "POST", "groups/audit/commits", commit);
    };
    for (change, words, problem) in [
        (created_again, "was created again", "other_topic"),
        (loses, "more than the plan shows", "losses_grew"),
        (may_lose, "which the plan does not show", "losses_grew"),
        (edit, "was edited", "edited"),
        (cut_off, "not the JSON of a plan", "not_a_plan"),
        (not_text, "not the JSON of a plan", "not_a_plan"),
        (passed, "beyond the planned offset", "start_offset_passed"),
    ] {
        let served = with_groups(&groups);
        let folder = Folder::new("");
        let path = folder.path("plan.json");
        served
            .command(&format!(
                "plan --topic orders --consumed-by billing --out {path}"
            ))
            .ends_with(0);
        change(&served, &path);
        let before = served.starts("orders", 3);
        let execute = format!("delete --plan {path} --yes");
        assert_stderr(&served.command(&execute).ends_with(2), words);
        let output = served
            .command(&format!("{execute} --output json"))
            .ends_with(2);
        let error: Value = serde_json::from_str(&stderr(&output)).unwrap();
        assert_eq!(error["plan_problem"], problem);
        assert_eq!(served.starts("orders", 3), before);
        let missing = served
            .command(&format!("delete --plan {path}-x --yes"))
            .ends_with(5);
        assert_stderr(&missing, "--plan");
    }
    // Expired: the flag is for the plan.
    let served = with_groups(&groups);
    let folder = Folder::new("");
    let path = folder.path("plan.json");
    served
        .command(&format!(
            "plan --topic orders --up-to-end --valid-for 1ms --out {path}"
        ))
        .ends_with(0);
    let expired = served
        .command(&format!("delete --plan {path} --yes"))
        .ends_with(2);
    assert_stderr(&expired, "the plan expired at");
    // Of another service, and with another digest.
    let (served, other) = (with_groups(&groups), with_groups(&groups));
    let folder = Folder::new("");
    let path = folder.path("plan.json");
    served
        .command(&format!("plan --topic orders --up-to-end --out {path}"))
        .ends_with(0);
    let elsewhere = other
        .command(&format!("delete --plan {path} --yes"))
        .ends_with(2);
    assert_stderr(&elsewhere, "the plan is for instance");
    let digest = "0".repeat(64);
    let not_approved = served
        .command(&format!("delete --plan {path} --digest {digest} --yes"))
        .ends_with(2);
    assert_stderr(&not_approved, "not the one that was approved");
    assert_eq!(served.starts("orders", 3), [0, 0, 0]);
}
