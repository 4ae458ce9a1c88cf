//! The body of a deletion: read strictly, because what it deletes is gone.

use std::collections::HashSet;

use serde::Deserialize;

use super::object::Object;
use crate::{
    backend::{BeforeOffset, RecordsToDelete},
    refusal::Refusal,
};

/// The offset that stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;

/// What the JSON reader says may quote the body; no more characters of it than this go into an answer.
const LONGEST_EXPLANATION: usize = 300;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    partitions: Option<Vec<Object<Row>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    partition: Option<i32>,
    offset: Option<i64>,
}

/// Reads the rows of a deletion from its body.
///
/// # Errors
/// A 400 that names the row and the rule when the body is empty, is not what the API describes, names no partition
/// or names one twice.
pub(crate) fn read_rows(body: &[u8]) -> Result<Vec<RecordsToDelete>, Refusal> {
    if body.is_empty() {
        return Err(Refusal::empty_body());
    }
    let Object(body) = parse(body)?;
    let rows = body.partitions.unwrap_or_default();
    if rows.is_empty() {
        return Err(Refusal::invalid_parameter(
            "partitions",
            "it must list at least one partition",
        ));
    }
    let mut seen = HashSet::with_capacity(rows.len());
    rows.into_iter()
        .enumerate()
        .map(|(index, Object(row))| {
            let row = check(index, &row)?;
            if seen.insert(row.partition) {
                return Ok(row);
            }
            let rule = format!(
                "partition {} is named twice; name each partition once",
                row.partition
            );
            Err(Refusal::invalid_parameter(
                &format!("partitions[{index}].partition"),
                &rule,
            ))
        })
        .collect()
}

fn parse(body: &[u8]) -> Result<Object<Body>, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let explanation = error.inner().to_string();
        let explanation = if path == "." {
            explanation
        } else {
            format!("{path}: {explanation}")
        };
        Refusal::malformed_body(&shorten(explanation))
    })?;
    reader
        .end()
        .map_err(|error| Refusal::malformed_body(&error.to_string()))?;
    Ok(parsed)
}

fn check(index: usize, row: &Row) -> Result<RecordsToDelete, Refusal> {
    let refuse = |field: &str, rule: &str| {
        Refusal::invalid_parameter(&format!("partitions[{index}].{field}"), rule)
    };
    let partition = row
        .partition
        .ok_or_else(|| refuse("partition", "it is missing"))?;
    if partition < 0 {
        return Err(refuse("partition", "it must be 0 or greater"));
    }
    let before = match row
        .offset
        .ok_or_else(|| refuse("offset", "it is missing"))?
    {
        HIGH_WATERMARK => BeforeOffset::HighWatermark,
        offset if offset < 0 => {
            return Err(refuse(
                "offset",
                "it must be 0 or greater, or -1 for every record",
            ));
        }
        offset => BeforeOffset::Offset(offset),
    };
    Ok(RecordsToDelete { partition, before })
}

fn shorten(text: String) -> String {
    match text.char_indices().nth(LONGEST_EXPLANATION) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
