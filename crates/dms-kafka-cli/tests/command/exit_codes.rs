//! The exit codes of the help and of both READMEs, and a command that ends with each.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::Command;

use crate::support::{
    Folder, Run as _, at, dms_kafka, ended_with, interrupt, listener, rows, stdout,
};

type Table = BTreeMap<i32, String>;

/// The section `Exit codes` of the help. A line without a code continues the line above it.
fn in_help(command: &str) -> Table {
    let help = stdout(&dms_kafka(&format!("{command} --help")).ends_with(0));
    let mut table = Table::new();
    for line in help.split_once("Exit codes:\n").unwrap().1.lines() {
        if let Some((code, meaning)) = line.trim().split_once("  ") {
            table.insert(code.parse().unwrap(), meaning.trim().to_owned());
        } else {
            let mut last = table.last_entry().unwrap();
            *last.get_mut() += " ";
            *last.get_mut() += line.trim();
        }
    }
    table
}

/// `None` if there is no such file: the package is tested without the README of the repository.
fn in_readme(path: &str) -> Option<Table> {
    let text = fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).ok()?;
    let rows = text.lines().filter_map(|line| {
        let (code, meaning) = line
            .strip_prefix("| ")?
            .strip_suffix(" |")?
            .split_once(" | ")?;
        Some((code.parse().ok()?, meaning.to_owned()))
    });
    Some(rows.collect())
}

#[test]
fn help_and_readmes_have_the_same_exit_codes() {
    let table = in_help("delete");
    assert_eq!(table, in_help("purge"));
    assert_eq!(table, in_readme("README.md").unwrap());
    if let Some(found) = in_readme("../../README.md") {
        assert_eq!(table, found);
    }
}

/// Accepts connections, reads the start of a request and closes.
fn closes(listener: TcpListener) {
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let _ = connection.unwrap().read(&mut [0; 16]);
        }
    });
}

#[test]
fn each_exit_code_of_the_help_is_produced() {
    let folder = Folder::new(&rows(&[("orders", 0, 5000)]));
    let delete = |endpoint: &str| {
        at(
            endpoint,
            "delete --topic orders --partition 0:1 --yes --output json",
        )
    };
    let embedded =
        |what: &str| dms_kafka(&format!("delete --embedded --topic orders {what} --yes"));
    let mut purge = dms_kafka("purge --embedded --yes --offsets-file");
    purge.arg(&folder.offsets);
    let mut wrong_signature = dms_kafka("sign --date 20260102T030405Z --compare");
    wrong_signature
        .arg(format!(
            "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature={}",
            "0".repeat(64)
        ))
        .arg("https://example.com/v1")
        .envs([("HUAWEICLOUD_SDK_AK", "AK"), ("HUAWEICLOUD_SDK_SK", "SK")]);
    let mut remote_purge = at("https://192.0.2.1", "purge --yes --offsets-file");
    remote_purge.arg(&folder.offsets);
    let with_folder = |mut command: Command| {
        command.env("HUAWEICLOUD_SDK_CREDENTIALS_FILE", folder.path(""));
        command
            .env_remove("HUAWEICLOUD_SDK_AK")
            .env_remove("HUAWEICLOUD_SDK_SK");
        command
    };
    let no_credentials = dms_kafka("sign https://example.com/v1");
    let (broken, breaking) = listener();
    closes(broken);
    let mut produced: Vec<i32> = [
        (0, embedded("--partition 0:1")),
        (0, dms_kafka("regions")),
        (1, embedded("--partition 0:5000")),
        (1, purge),
        (1, wrong_signature),
        (2, embedded("--partition 0")),
        (
            2,
            dms_kafka("delete --embedded --topic orders --partition 0:1"),
        ),
        (2, no_credentials),
        (3, delete(&crate::support::endpoint_of_nothing())),
        (4, delete(&breaking)),
        (
            5,
            dms_kafka("purge --embedded --yes --offsets-file no/such/file"),
        ),
        (5, dms_kafka("man --dir Cargo.toml/folder")),
        (5, dms_kafka("serve --config no/such/file")),
        (5, with_folder(dms_kafka("sign https://example.com/v1"))),
        (5, with_folder(delete("https://192.0.2.1"))),
        (5, with_folder(remote_purge)),
    ]
    .into_iter()
    .map(|(code, mut command): (i32, Command)| {
        command.ends_with(code);
        code
    })
    .collect();
    let (silent, endpoint) = listener();
    let process = delete(&endpoint).start();
    let (mut connection, _) = silent.accept().unwrap();
    connection.read_exact(&mut [0]).unwrap();
    interrupt(&process);
    drop(connection);
    closes(silent);
    ended_with(process, 130);
    produced.push(130);
    produced.dedup();
    assert_eq!(produced, in_help("delete").into_keys().collect::<Vec<_>>());
}
