//! Checks a response by the contract and by a case.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use http::{HeaderValue, Method};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::X_REQUEST_ID;
use openapiv3::Operation;
use serde_json::{Map, Value};

use super::case::ExpectedResponse;
use super::harmless::NO_PARTITION;
use crate::contract::{Contract, DELETE};
use crate::judge::{holds, is_utf8_json};
use crate::report::{secrets, shown};
use crate::values::{Offsets, Topic, Values};
use crate::wire::{Request, Response};

/// How a response violates the contract, whatever the case.
pub(super) fn contract_faults(
    contract: &Contract,
    request: &Request,
    response: &Response,
    credentials: &Credentials,
    host: &str,
) -> Vec<String> {
    let mut faults = Vec::new();
    // A response to HEAD has no body.
    if request.method != Method::HEAD {
        let operation = contract.operation(request.method.as_str(), &request.path);
        let (status, body) = (response.status.as_u16(), &response.body);
        faults.extend(contract.response_faults(operation, status, body));
        faults.extend(media_fault(response));
        let body = serde_json::from_slice(body).unwrap_or_default();
        if status == 200 && operation.is_some_and(is_deletion) {
            faults.extend(result_faults(&request.body, &body));
        } else if status == 200 {
            faults.extend(list_faults(&body));
        } else {
            faults.extend(error_faults(&body));
        }
    }
    match response.headers.get(X_REQUEST_ID) {
        None => faults.push("the header x-request-id is missing".to_owned()),
        Some(id) if id.is_empty() => faults.push("the header x-request-id is empty".to_owned()),
        Some(_) => {}
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
    let secret_key = credentials.secret_key().unwrap_or_default();
    let sent = request.text("authorization").unwrap_or_default();
    if response.status == 401
        && let Some(right) = request.right_signature(host, secret_key)
        && !sent.ends_with(&right)
        && shows(&right)
    {
        faults.push("the response contains the right signature".to_owned());
    }
    faults
}

fn is_deletion(operation: &Operation) -> bool {
    operation.operation_id.as_deref() == Some(DELETE)
}

/// JSON is in UTF-8, and a parameter of the media type cannot say otherwise.
fn media_fault(response: &Response) -> Option<String> {
    let media = response.text_of("content-type").unwrap_or("absent");
    (!is_utf8_json(media)).then(|| format!("content-type is {media} instead of application/json"))
}

/// An error needs a code, by which clients decide, and a message.
fn error_faults(body: &Value) -> Vec<String> {
    let is_absent = |name: &&str| body[*name].as_str().is_none_or(str::is_empty);
    let absent = ["error_code", "error_msg"].into_iter().filter(is_absent);
    absent
        .map(|name| format!("the error has no {name}"))
        .collect()
}

/// The response to a deletion has one result for each requested partition, and code 0 exactly with `success`.
fn result_faults(asked: &[u8], body: &Value) -> Vec<String> {
    let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
    let partitions = |body: &Value| {
        let mut partitions: Vec<_> = items(body)
            .map(|row| row["partition"].to_string())
            .collect();
        partitions.sort_unstable();
        partitions
    };
    let (asked, found) = (partitions(&asked), partitions(body));
    let mut faults = Vec::new();
    if asked != found {
        let (asked, found) = (asked.join(", "), found.join(", "));
        faults.push(format!(
            "results for the partitions {found} instead of {asked}"
        ));
    }
    for row in items(body) {
        let succeeded = row["result"] == "success";
        if succeeded != (code(row) == "0") {
            faults.push(format!("the result contradicts the code: {row}"));
        }
        if succeeded
            && row["partition"]
                .as_i64()
                .is_some_and(|it| it >= NO_PARTITION)
        {
            faults.push(format!("a partition that does not exist succeeded: {row}"));
        }
    }
    faults
}

/// What identifies an item of a list.
const KEYS: [&str; 5] = ["group_id", "name", "topic", "partition", "message_offset"];

/// Numbers in a list that have to agree: of each item the sum of the first and the second is the third.
const SUMS: [[&str; 3]; 2] = [
    ["start_offset", "message_count", "last_offset"],
    ["message_current_offset", "lag", "message_log_end_offset"],
];

/// Counts agree with offsets and with the items of the list, and no item is there twice.
fn list_faults(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let lists = body
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, list)| Some((name, list.as_array()?)));
    for (name, items) in lists {
        let number = |name: &str| body[name].as_u64();
        let length = items.len() as u64;
        if number("total").is_none_or(|total| total < length) {
            faults.push(format!(
                "total is {}, and {name} has {length} items",
                body["total"]
            ));
        }
        if number("size").is_some_and(|size| size != length) {
            faults.push(format!(
                "size is {}, and {name} has {length} items",
                body["size"]
            ));
        }
        let mut seen = BTreeSet::new();
        for item in items {
            let key = KEYS.map(|name| item[name].to_string());
            if !seen.insert(key) {
                faults.push(format!("an item of {name} is there twice: {item}"));
            }
            for [from, count, to] in SUMS {
                let (from, count, to) =
                    (item[from].as_i64(), item[count].as_i64(), item[to].as_i64());
                if let (Some(from), Some(count), Some(to)) = (from, count, to)
                    && (to.checked_sub(from).map(|it| it.max(0)) != Some(count))
                {
                    faults.push(format!(
                        "the numbers of an item of {name} do not agree: {item}"
                    ));
                }
            }
        }
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
        let (found, wanted) = (items(&body).count(), rows.len());
        if found != wanted {
            faults.push(format!("{found} items in the response instead of {wanted}"));
        }
    }
    for row in expect.rows.iter().flatten().chain(&expect.row) {
        if !items(&body).any(|item| is_row(row, item)) {
            faults.push(format!("no item is {row:?}"));
        }
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
    if let Some((pointer, item)) = &expect.item {
        faults.extend(item_fault(&body, pointer, values.fill(item)));
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

fn item_fault(body: &Value, pointer: &str, wanted: Result<String>) -> Option<String> {
    let wanted = wanted.and_then(|text| Ok((serde_json::from_str::<Map<_, _>>(&text)?, text)));
    let (fields, text) = match wanted {
        Ok(wanted) => wanted,
        Err(error) => return Some(error.to_string()),
    };
    let items = body.pointer(pointer).and_then(Value::as_array);
    let is_it = |item: &Value| fields.iter().all(|(name, value)| item[name] == *value);
    let has = items.is_some_and(|items| items.iter().any(is_it));
    (!has).then(|| format!("{pointer} has no item {text}"))
}

/// Whether `status` is none of those in `wanted`.
pub(super) fn status_fault(wanted: &str, status: u16) -> Option<String> {
    let is = |wanted: &str| match wanted.strip_suffix("XX") {
        Some(hundreds) => hundreds.parse() == Ok(status / 100),
        None => wanted.parse() == Ok(status),
    };
    (!wanted.split(' ').any(is)).then(|| format!("status {status} instead of {wanted}"))
}

/// The items of the response to a deletion.
fn items(body: &Value) -> impl Iterator<Item = &Value> {
    body["partitions"].as_array().into_iter().flatten()
}

/// The error code of a partition; `0` also when it is null or absent.
fn code(row: &Value) -> String {
    match &row["error_code"] {
        Value::Null => "0".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_row(wanted: &str, item: &Value) -> bool {
    let mut wanted = wanted.split(' ');
    let partition = item["partition"].to_string();
    let result = if item["result"] == "success" {
        "success"
    } else {
        "fail"
    };
    let code = code(item);
    let found = [partition.as_str(), result, &code];
    found.into_iter().all(|found| {
        wanted
            .next()
            .is_some_and(|wanted| wanted == "*" || wanted == found)
    })
}

/// How the offsets of the topic afterwards differ from the expected ones, of all requests between. An end offset never
/// decreases; when nothing else writes to the topic it is the same.
pub(super) fn left_faults(
    log_start: &BTreeMap<&String, &String>,
    before: &Topic,
    after: &Topic,
    values: &Values,
    is_own: bool,
) -> Vec<String> {
    let is_listed = |name: &str| name.parse().is_ok_and(|it| before.start(it).is_some());
    let mut faults = Vec::new();
    for name in log_start.keys().filter(|name| !is_listed(name)) {
        faults.push(format!(
            "the log start offset of partition {name} is not listed"
        ));
    }
    for Offsets {
        partition,
        start,
        end,
    } in &before.partitions
    {
        let ends = after.partitions.iter();
        let mut ends = ends.filter(|one| one.partition == *partition);
        if let Some(found) = ends.next()
            && (found.end < *end || is_own && found.end != *end)
        {
            faults.push(format!(
                "end offset of partition {partition} is {} instead of {end}",
                found.end
            ));
        }
        let wanted = match log_start.get(&partition.to_string()) {
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
