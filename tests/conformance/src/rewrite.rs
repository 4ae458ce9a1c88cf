//! Changes of requests and responses: the parts of injected faults.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail};
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::judge::holds;
use crate::values::Values;
use crate::wire::{Request, Response, locked};

/// One change; README.md explains each. Texts may contain the placeholders of server cases, and `<secret_key>`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rewrite {
    Method(String),
    Segment {
        number: usize,
        text: String,
    },
    /// A text in the path, and what it is replaced by.
    Path(String, String),
    Query(String),
    Status(u16),
    Headers(BTreeMap<String, Vec<String>>),
    Body(String),
    /// Of each item of the body's list.
    Rows(RowChange),
    /// Of the body itself.
    Object(RowChange),
    Reshape(Reshape),
    Objects(Vec<String>),
}

/// The lists of requests and responses.
const LISTS: [&str; 5] = [
    "partitions",
    "topics",
    "groups",
    "group_message_offsets",
    "messages",
];

/// A change of each row that meets the conditions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RowChange {
    when: BTreeMap<String, Test>,
    set: Map<String, Value>,
    add: BTreeMap<String, i64>,
    bits: BTreeMap<String, u32>,
    drop: bool,
}

/// A condition of a field.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Test {
    /// It is a number in this range, or absent or null.
    Range(Range),
    /// It has this value.
    Value(Value),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Range {
    from: Option<i64>,
    to: Option<i64>,
    absent: bool,
}

/// Changes of a body as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reshape {
    /// The text after the first JSON value is left out.
    FirstValue,
    /// The last of several rows is left out.
    WithoutLastRow,
    /// Only the last row of each partition is kept.
    OneRowEach,
    /// The rows after the tenth are left out.
    FirstTenRows,
    /// The offset of the first row is that of all rows.
    OneOffset,
    /// With a row of -1, all rows have -1.
    EverythingEverywhere,
    /// Rows that the contract does not allow are left out.
    OnlyValidRows,
    /// Of a response: rows of partitions that were not requested are left out.
    OnlyRequestedRows,
    /// Of a response: a success for each requested partition that is missing.
    EveryRequestedRow,
    /// Of a response: each partition starts at the offset of the last successful deletion.
    LastOffsetAsStart,
}

/// Responses; each field that is absent admits any.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ResponseCondition {
    /// Whether the status is an error.
    error: Option<bool>,
    status: Option<u16>,
    /// The body contains this text.
    text: Option<String>,
}

impl ResponseCondition {
    pub(crate) fn admits(&self, response: &Response) -> bool {
        let text = |text: &String| holds(&response.body, text);
        self.error
            .is_none_or(|error| error == (response.status.as_u16() >= 400))
            && self.status.is_none_or(|status| response.status == status)
            && self.text.as_ref().is_none_or(text)
    }
}

impl Rewrite {
    /// Changes a request.
    pub(crate) fn request(&self, request: &mut Request, values: &Values) -> Result<()> {
        match self {
            Self::Method(method) => {
                let parsed = method.parse();
                request.method = parsed.with_context(|| format!("method {method:?}"))?;
            }
            Self::Segment { number, text } => {
                let mut segments: Vec<_> = request.path.split('/').map(str::to_owned).collect();
                if let Some(segment) = segments.get_mut(*number) {
                    *segment = values.fill(text)?;
                }
                request.path = segments.join("/");
            }
            Self::Path(from, to) => request.path = request.path.replace(from, to),
            Self::Query(query) => request.query = values.fill(query)?,
            Self::Status(_) => bail!("a request has no status"),
            Self::Headers(headers) => set_headers(&mut request.headers, headers, values)?,
            Self::Body(body) => request.body = values.fill(body)?.into_bytes(),
            Self::Reshape(Reshape::FirstValue) => {
                let mut values = serde_json::Deserializer::from_slice(&request.body).into_iter();
                let _: Option<Result<Value, _>> = values.next();
                let end = values.byte_offset();
                request.body.truncate(end);
            }
            _ => self.json(&mut request.body, &[], None),
        }
        Ok(())
    }

    /// Changes the response to a request with the body `asked`.
    pub(crate) fn response(
        &self,
        response: &mut Response,
        asked: &[u8],
        values: &Values,
        deleted: &Mutex<BTreeMap<i64, i64>>,
    ) -> Result<()> {
        match self {
            Self::Status(status) => response.status = StatusCode::from_u16(*status)?,
            Self::Headers(headers) => set_headers(&mut response.headers, headers, values)?,
            Self::Body(body) => response.body = values.fill(body)?.into_bytes(),
            Self::Method(_) | Self::Segment { .. } | Self::Path(..) | Self::Query(_) => {
                bail!("a response has no method, path or query");
            }
            _ => self.json(&mut response.body, asked, Some(deleted)),
        }
        Ok(())
    }

    /// Changes the rows of a body.
    fn json(&self, body: &mut Vec<u8>, asked: &[u8], deleted: Option<&Mutex<BTreeMap<i64, i64>>>) {
        let Ok(before) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
        let mut after = before.clone();
        if let Self::Object(change) = self {
            change.apply(&mut after);
        }
        let mut lists = after.as_object_mut().into_iter().flatten();
        let list = lists.find(|(name, _)| LISTS.contains(&name.as_str()));
        if let Some(rows) = list.and_then(|(_, rows)| rows.as_array_mut()) {
            match self {
                Self::Rows(change) => rows.retain_mut(|row| change.apply(row)),
                Self::Objects(names) => rows.iter_mut().for_each(|row| to_object(row, names)),
                Self::Reshape(reshape) => reshape.apply(rows, &asked, deleted),
                _ => {}
            }
        }
        // Without a change the text is kept: numbers that do not fit into 64 bits would be lost.
        if after != before {
            *body = after.to_string().into_bytes();
        }
    }
}

impl RowChange {
    /// Changes a row; `false` leaves it out.
    fn apply(&self, row: &mut Value) -> bool {
        let Some(fields) = row.as_object_mut() else {
            return true;
        };
        let holds = |(name, test): (&String, &Test)| test.holds(fields.get(name));
        if !self.when.iter().all(holds) {
            return true;
        }
        fields.extend(self.set.clone());
        for (name, add) in &self.add {
            if let Some(number) = fields.get(name).and_then(Value::as_i64) {
                fields.insert(name.clone(), number.saturating_add(*add).into());
            }
        }
        for (name, bits) in &self.bits {
            if let Some(number) = fields.get(name).and_then(Value::as_i64) {
                fields.insert(name.clone(), (number & ((1 << bits) - 1)).into());
            }
        }
        !self.drop
    }
}

impl Test {
    fn holds(&self, field: Option<&Value>) -> bool {
        let field = field.unwrap_or(&Value::Null);
        match self {
            Self::Range(range) if range.absent => field.is_null(),
            Self::Range(range) => field.as_i64().is_some_and(|number| {
                range.from.is_none_or(|from| from <= number)
                    && range.to.is_none_or(|to| number <= to)
            }),
            Self::Value(value) => field == value,
        }
    }
}

impl Reshape {
    fn apply(
        self,
        rows: &mut Vec<Value>,
        asked: &Value,
        deleted: Option<&Mutex<BTreeMap<i64, i64>>>,
    ) {
        let empty = Vec::new();
        let asked = asked["partitions"].as_array().unwrap_or(&empty);
        match self {
            Self::EverythingEverywhere if rows.iter().any(|row| row["offset"] == -1) => {
                set_offsets(rows, Some((-1).into()));
            }
            Self::WithoutLastRow if rows.len() > 1 => {
                rows.pop();
            }
            // The first value is taken before the body is JSON.
            Self::WithoutLastRow | Self::EverythingEverywhere | Self::FirstValue => {}
            Self::OneRowEach => {
                let mut seen = BTreeSet::new();
                rows.reverse();
                rows.retain(|row| seen.insert(row["partition"].to_string()));
                rows.reverse();
            }
            Self::FirstTenRows => rows.truncate(10),
            Self::OneOffset => {
                let first = rows.first().map(|row| row["offset"].clone());
                set_offsets(rows, first);
            }
            Self::OnlyValidRows => rows.retain(is_valid),
            Self::OnlyRequestedRows => rows.retain(|row| has(asked, row)),
            Self::EveryRequestedRow => {
                let missing = asked.iter().filter(|row| !has(rows, row));
                let success = |row: &Value| json!({"partition": row["partition"], "result": "success", "error_code": "0"});
                let missing: Vec<_> = missing.map(success).collect();
                rows.extend(missing);
            }
            Self::LastOffsetAsStart => {
                let Some(deleted) = deleted else { return };
                let mut deleted = locked(deleted);
                last_offset_as_start(rows, asked, &mut deleted);
            }
        }
    }
}

fn set_offsets(rows: &mut [Value], offset: Option<Value>) {
    for (row, offset) in rows.iter_mut().zip(iter::repeat(offset)) {
        if let (Some(fields), Some(offset)) = (row.as_object_mut(), offset) {
            fields.insert("offset".to_owned(), offset);
        }
    }
}

fn has(rows: &[Value], wanted: &Value) -> bool {
    rows.iter()
        .any(|row| row["partition"] == wanted["partition"])
}

fn is_valid(row: &Value) -> bool {
    let in_range = |name: &str, from, to| {
        row[name]
            .as_i64()
            .is_some_and(|it| (from..=to).contains(&it))
    };
    row.as_object().is_some_and(|fields| fields.len() == 2)
        && in_range("partition", 0, i64::from(i32::MAX))
        && in_range("offset", -1, i64::MAX)
}

/// Records the offsets of a deletion, and inserts them into a listing.
fn last_offset_as_start(rows: &mut [Value], asked: &[Value], deleted: &mut BTreeMap<i64, i64>) {
    for row in rows {
        let Some(partition) = row["partition"].as_i64() else {
            continue;
        };
        if row.get("start_offset").is_some() {
            if let Some(offset) = deleted.get(&partition) {
                row["start_offset"] = (*offset).into();
            }
        } else if row["result"] == "success" {
            let asked = asked.iter().find(|asked| asked["partition"] == partition);
            match asked.and_then(|asked| asked["offset"].as_i64()) {
                Some(offset @ 0..) => deleted.insert(partition, offset),
                _ => deleted.remove(&partition),
            };
        }
    }
}

fn to_object(row: &mut Value, names: &[String]) {
    if let Some(values) = row.as_array() {
        *row = names.iter().cloned().zip(values.iter().cloned()).collect();
    }
}

/// Sets headers; an empty list removes a header.
pub(crate) fn set_headers(
    headers: &mut HeaderMap,
    wanted: &BTreeMap<String, Vec<String>>,
    values: &Values,
) -> Result<()> {
    for (name, texts) in wanted {
        let parsed = name.parse::<HeaderName>();
        let name = parsed.with_context(|| format!("{name:?} is not a header name"))?;
        headers.remove(&name);
        for text in texts {
            let value = values.fill(text)?.parse();
            let value = value.with_context(|| format!("{name}: {text:?} is not a header value"))?;
            headers.append(&name, value);
        }
    }
    Ok(())
}
