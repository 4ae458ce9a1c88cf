//! Checks the dependencies between crates with cargo.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::Command;

use serde_json::Value;

/// The crates that each crate of the workspace may depend on.
const BELOW: [(&str, &[&str]); 8] = [
    ("huaweicloud-auth", &[]),
    ("dms-kafka-client", &["huaweicloud-auth"]),
    ("dms-kafka", &["dms-kafka-client", "huaweicloud-auth"]),
    ("dms-kafka-gateway", &["huaweicloud-auth"]),
    (
        "dms-kafka-cli",
        &["dms-kafka", "dms-kafka-gateway", "huaweicloud-auth"],
    ),
    (
        "dms-kafka-conformance",
        &[
            "dms-kafka",
            "dms-kafka-cli",
            "dms-kafka-client",
            "dms-kafka-gateway",
            "huaweicloud-auth",
        ],
    ),
    (
        "dms-kafka-bench",
        &["dms-kafka", "dms-kafka-gateway", "huaweicloud-auth"],
    ),
    ("xtask", &[]),
];

/// Crates that a plain `cargo build` or `cargo test` does not compile.
const FOR_MAINTAINERS: [&str; 2] = ["dms-kafka-bench", "xtask"];

/// Crates that only the tests of a crate may depend on.
const TESTS_MAY_USE: [(&str, &str); 2] = [
    ("dms-kafka", "dms-kafka-gateway"),
    ("dms-kafka-gateway", "dms-kafka"),
];

/// Packages that only xtask and the feature `kafka` need.
const NOT_BY_DEFAULT: [&str; 5] = [
    "progenitor",
    "progenitor-impl",
    "typify",
    "rdkafka",
    "rdkafka-sys",
];

fn cargo(arguments: &[&str]) -> String {
    let mut command = Command::new(env::var("CARGO").unwrap());
    let output = command
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn metadata() -> Value {
    let metadata = cargo(&["metadata", "--format-version=1", "--no-deps", "--offline"]);
    serde_json::from_str(&metadata).unwrap()
}

fn packages(metadata: &Value) -> &[Value] {
    metadata["packages"].as_array().unwrap()
}

fn name(value: &Value) -> String {
    value["name"].as_str().unwrap().to_owned()
}

#[test]
fn the_table_lists_every_crate() {
    let found: BTreeSet<String> = packages(&metadata()).iter().map(name).collect();
    let known = BELOW.map(|(name, _)| name.to_owned()).into();
    assert_eq!(found, known);
}

#[test]
fn crates_depend_only_on_the_crates_in_the_table() {
    let below = BTreeMap::from(BELOW);
    for package in packages(&metadata()) {
        let depender = name(package);
        for dependency in package["dependencies"].as_array().unwrap() {
            let used = name(dependency);
            if !below.contains_key(used.as_str()) {
                continue;
            }
            let for_tests = dependency["kind"] == "dev";
            let allowed = below[depender.as_str()].contains(&used.as_str())
                || for_tests && TESTS_MAY_USE.contains(&(&depender, &used))
                // A crate may enable its own features for its tests.
                || for_tests && depender == used;
            assert!(allowed, "{depender} may not depend on {used}");
        }
    }
}

#[test]
fn a_plain_build_or_test_compiles_neither_the_generator_nor_librdkafka() {
    let tree = cargo(&[
        "tree",
        "--workspace",
        "--exclude=xtask",
        "--edges=all",
        "--prefix=none",
        "--format={p}",
        "--locked",
    ]);
    let compiled: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(
        compiled.contains("reqwest"),
        "this is not a list of packages: {tree}"
    );
    for package in NOT_BY_DEFAULT {
        assert!(
            !compiled.contains(package),
            "a plain build compiles {package}"
        );
    }
}

#[test]
fn plain_commands_do_not_compile_the_maintainers_tools() {
    let metadata = metadata();
    let default = metadata["workspace_default_members"].as_array().unwrap();
    let members = metadata["workspace_members"].as_array().unwrap().iter();
    let left_out: Vec<&Value> = members.filter(|member| !default.contains(member)).collect();
    let left_out: BTreeSet<String> = packages(&metadata)
        .iter()
        .filter(|package| left_out.contains(&&package["id"]))
        .map(name)
        .collect();
    assert_eq!(left_out, FOR_MAINTAINERS.map(str::to_owned).into());
}
