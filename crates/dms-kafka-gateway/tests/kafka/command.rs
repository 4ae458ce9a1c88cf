//! The command `dms-kafka`.

use std::{env, process::Command};

use serde_json::Value;

use crate::front::{ACCESS_KEY, INSTANCE, PASSWORDS, PROJECT, SECRET_KEY, SECRET_KEY_ENV};

const COMMAND: &str = "DMS_KAFKA_TEST_COMMAND";

/// The program `dms-kafka`, without arguments, with the secrets that configurations of these tests name.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env::var_os(COMMAND).expect("the program dms-kafka"));
    command.envs(PASSWORDS).env(SECRET_KEY_ENV, SECRET_KEY);
    command
}

/// Exit code and output of the command.
pub(crate) struct CommandResult {
    pub(crate) exit_code: i32,
    /// `status` and `error_code` of each row.
    pub(crate) rows: Vec<(String, String)>,
    /// The error of a request that failed as a whole.
    pub(crate) error: Value,
}

/// Runs `dms-kafka delete` against a gateway.
pub(crate) fn delete(endpoint: &str, topic: &str, arguments: &str) -> CommandResult {
    let mut command = program();
    command.args(["delete", "--yes", "--output", "json", "--topic", topic]);
    command.args(["--project-id", PROJECT, "--instance-id", INSTANCE]);
    command.args(["--endpoint", endpoint]);
    command.args(arguments.split(' '));
    command.env("HUAWEICLOUD_SDK_AK", ACCESS_KEY);
    command.env("HUAWEICLOUD_SDK_SK", SECRET_KEY);
    let output = command.output().expect("the program dms-kafka runs");
    let json = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or(Value::Null);
    let (response, error) = (json(&output.stdout), json(&output.stderr));
    let rows = response["partitions"].as_array().into_iter().flatten();
    let rows: Vec<_> = rows.map(row).collect();
    let exit_code = output.status.code().expect("an exit code");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        !rows.is_empty() || !error.is_null(),
        "neither rows nor an error: {stderr}"
    );
    let code = error["code"].as_str();
    let code = code.map(|code| vec![("request".to_owned(), code.to_owned())]);
    let shown = code.as_ref().unwrap_or(&rows);
    println!("dms-kafka delete {arguments}: exit {exit_code}, {shown:?}");
    CommandResult {
        exit_code,
        rows,
        error,
    }
}

fn row(row: &Value) -> (String, String) {
    let text = |name: &str| match &row[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    (text("status"), text("error_code"))
}
