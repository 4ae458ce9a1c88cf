//! Checks a response by the contract and by a case.

use http::HeaderValue;
use huaweicloud_auth::Credentials;
use openapiv3::Operation;
use serde_json::Value;

use super::case::ExpectedResponse;
use crate::contract::Contract;
use crate::judge::{holds, is_json};
use crate::report::{secrets, shown};
use crate::values::{Offsets, Topic, Values};
use crate::wire::Response;

/// How a response violates the contract; `operation` is that of the request, if the contract has it.
pub(super) fn contract_faults(
    contract: &Contract,
    operation: Option<&Operation>,
    response: &Response,
    credentials: &Credentials,
) -> Vec<String> {
    let mut faults = contract.response_faults(operation, response.status.as_u16(), &response.body);
    let media = response
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    if !media.is_some_and(is_json) {
        faults.push(format!(
            "content-type is {} instead of application/json",
            media.unwrap_or("absent")
        ));
    }
    if let Some(outcome) = response.headers.get("x-dms-kafka-outcome")
        && (outcome != "not-applied" || response.status.as_u16() < 400)
    {
        faults.push(format!(
            "x-dms-kafka-outcome is {outcome:?} with status {}",
            response.status
        ));
    }
    let shows = |secret: &str| {
        holds(&response.body, secret)
            || response
                .headers
                .values()
                .any(|value| holds(value.as_bytes(), secret))
    };
    if secrets(credentials).any(shows) {
        faults.push("the response contains the secret key or the security token".to_owned());
    }
    faults
}

/// Whether the response is that of the vendor for an unknown topic.
pub(super) fn is_unknown_topic(response: &Response) -> bool {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    response.status == 400 && body["error_code"] == "DMS.00400062"
}

/// How a response differs from that of a case.
pub(super) fn case_faults(
    expect: &ExpectedResponse,
    response: &Response,
    values: &Values,
    credentials: &Credentials,
) -> Vec<String> {
    let mut faults = status_fault(&expect.status, response.status.as_u16())
        .into_iter()
        .collect::<Vec<_>>();
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    if let Some(code) = &expect.code
        && body["error_code"].as_str() != Some(code)
    {
        faults.push(format!(
            "error_code {} instead of {code:?}",
            body["error_code"]
        ));
    }
    for name in &expect.headers {
        if response.headers.get(name).is_none_or(HeaderValue::is_empty) {
            faults.push(format!("the header {name} is missing"));
        }
    }
    if let Some(rows) = &expect.rows {
        faults.extend(row_faults(rows, &body));
    }
    for (pointer, wanted) in &expect.fields {
        let found = body
            .pointer(pointer)
            .map_or_else(|| "nothing".to_owned(), Value::to_string);
        match values.fill(wanted) {
            Ok(wanted) if wanted == found => {}
            Ok(wanted) => faults.push(format!("{pointer} is {found} instead of {wanted}")),
            Err(error) => faults.push(error.to_string()),
        }
    }
    if !faults.is_empty() {
        faults.push(format!(
            "the response was {} {}",
            response.status.as_u16(),
            shown(&response.text(), credentials)
        ));
    }
    faults
}

/// Whether `status` is none of those in `wanted`.
pub(super) fn status_fault(wanted: &str, status: u16) -> Option<String> {
    let is = |wanted: &str| match wanted.strip_suffix("XX") {
        Some(hundreds) => hundreds.parse() == Ok(status / 100),
        None => wanted.parse() == Ok(status),
    };
    (!wanted.split(' ').any(is)).then(|| format!("status {status} instead of {wanted}"))
}

fn row_faults(wanted: &[String], body: &Value) -> Vec<String> {
    let empty = Vec::new();
    let items = body["partitions"].as_array().unwrap_or(&empty);
    let mut faults = Vec::new();
    if items.len() != wanted.len() {
        faults.push(format!(
            "{} items in the response instead of {}",
            items.len(),
            wanted.len()
        ));
    }
    for row in wanted {
        if !items.iter().any(|item| is_row(row, item)) {
            faults.push(format!("no item is {row:?}"));
        }
    }
    faults
}

fn is_row(wanted: &str, item: &Value) -> bool {
    let mut wanted = wanted.split(' ');
    let partition = item["partition"].to_string();
    let result = if item["result"] == "success" {
        "success"
    } else {
        "fail"
    };
    let code = match &item["error_code"] {
        Value::Null => "0".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let found = [partition.as_str(), result, &code];
    found.into_iter().all(|found| {
        wanted
            .next()
            .is_some_and(|wanted| wanted == "*" || wanted == found)
    })
}

/// How the offsets of the topic afterwards differ from the expected ones.
pub(super) fn left_faults(
    expect: &ExpectedResponse,
    before: &Topic,
    after: &Topic,
    values: &Values,
) -> Vec<String> {
    let is_listed = |name: &str| name.parse().is_ok_and(|it| before.start(it).is_some());
    let mut faults = Vec::new();
    for name in expect.log_start.keys().filter(|name| !is_listed(name)) {
        faults.push(format!(
            "the log start offset of partition {name} is not listed"
        ));
    }
    for Offsets {
        partition, start, ..
    } in &before.partitions
    {
        let wanted = match expect.log_start.get(&partition.to_string()) {
            Some(wanted) => values.fill(wanted),
            None => Ok(start.to_string()),
        };
        let found = after.start(*partition).map(|start| start.to_string());
        match (wanted, found) {
            (Ok(wanted), Some(found)) if wanted == found => {}
            (Ok(wanted), found) => {
                let found = found.unwrap_or_else(|| "not listed".to_owned());
                faults.push(format!(
                    "log start offset of partition {partition} is {found} instead of {wanted}"
                ));
            }
            (Err(error), _) => faults.push(error.to_string()),
        }
    }
    faults
}
