//! The paths and bodies of the API. The gateway shares no type with the client.

use std::{borrow::Cow, collections::HashSet, fmt, iter, marker::PhantomData};

use axum::http::{HeaderMap, HeaderValue, header};
use huaweicloud_auth::text;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer,
    },
};
use serde_path_to_error::Track;

use crate::{
    backend::DeletedRecords,
    deletion_target::{DeletionTarget, PartitionId, RecordsToDelete},
    refusal::Refusal,
};

/// The most characters of a message of the JSON reader, which may quote the body.
const MAX_EXPLANATION: usize = 300;

/// The operation of the vendor's page.
pub(crate) const DELETE_MESSAGES: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/messages/delete";
/// The vendor's earlier path, with the same body. Some of its regions and tools support only this path.
pub(crate) const DELETE_MESSAGES_BEFORE: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/messages";
pub(crate) const LIST_PARTITIONS: &str =
    "/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/partitions";
pub(crate) const LIST_TOPICS: &str = "/v2/{project_id}/instances/{instance_id}/topics";
pub(crate) const LIST_GROUPS: &str = "/v2/{project_id}/instances/{instance_id}/groups";
pub(crate) const LIST_GROUP_OFFSETS: &str =
    "/v2/kafka/{project_id}/instances/{instance_id}/groups/{group}/message-offset";
pub(crate) const FIND_MESSAGES: &str = "/v2/{project_id}/instances/{instance_id}/messages";
pub(crate) const OLDEST_MESSAGE: &str = "/v2/{project_id}/instances/{instance_id}/management/topics/{topic}/partitions/{partition}/beginning-message";
pub(crate) const NEWEST_MESSAGE: &str = "/v2/{project_id}/instances/{instance_id}/management/topics/{topic}/partitions/{partition}/end-message";

/// The name of each path in metrics and logs.
pub(crate) const NAMES: [(&str, &str); 9] = [
    (DELETE_MESSAGES, "delete_messages"),
    (DELETE_MESSAGES_BEFORE, "delete_messages"),
    (LIST_PARTITIONS, "list_partitions"),
    (LIST_TOPICS, "list_topics"),
    (LIST_GROUPS, "list_groups"),
    (LIST_GROUP_OFFSETS, "list_group_offsets"),
    (FIND_MESSAGES, "find_messages"),
    (OLDEST_MESSAGE, "oldest_message"),
    (NEWEST_MESSAGE, "newest_message"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartitionBody {
    partition: Option<i32>,
    offset: Option<i64>,
}

/// A `T` that was written as a JSON object.
///
/// Serde's derived structs also accept arrays (`[0, 400]` for a partition and an offset), which the API does not.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// Checks that the head of a deletion announces JSON in UTF-8. Without `required`, `Content-Type` may be absent.
pub(crate) fn check_content(headers: &HeaderMap, required: bool) -> Result<(), Refusal> {
    let refuse = |name| Err(Refusal::UNSUPPORTED_MEDIA_TYPE.with(name));
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (None, _) if required => return refuse("Content-Type is missing"),
        (None, _) => {}
        (Some(one), None) if one.to_str().is_ok_and(is_utf8_json) => {}
        _ => return refuse("Content-Type is another one"),
    }
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let identity = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !codings.all(identity) {
        return refuse("Content-Encoding is another one than identity");
    }
    Ok(())
}

/// The vendor's SDKs and pages write `application/json`, also with `;charset=utf-8` or `;charset=utf8`.
fn is_utf8_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim_ascii);
    let is_utf8 = |parameter: &str| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        let value = value.trim_ascii().trim_matches('"');
        !name.trim_ascii().eq_ignore_ascii_case("charset")
            || ["utf-8", "utf8"]
                .iter()
                .any(|utf8| value.eq_ignore_ascii_case(utf8))
    };
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json") && parts.all(is_utf8)
}

/// Parses the rows of a deletion. The parser is strict, because deleted records cannot be restored, and stops at the first
/// invalid row.
pub(crate) fn read_rows(body: &[u8]) -> Result<Vec<RecordsToDelete>, Refusal> {
    if body.is_empty() {
        return Err(Refusal::EMPTY_BODY);
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let mut rows = Rows::default();
    let parsed = reader.deserialize_map(BodyVisitor(&mut rows));
    match (parsed, rows.refusal) {
        (_, Some(refusal)) => return Err(refusal),
        (Err(_), None) => return Err(explain(body)),
        (Ok(()), None) => {}
    }
    let end = reader.end();
    end.map_err(|error| Refusal::MALFORMED_BODY.with(error))?;
    if rows.valid.is_empty() {
        let rule = "it must list at least one partition";
        return Err(Refusal::invalid_parameter("partitions", rule));
    }
    Ok(rows.valid)
}

/// Parses an invalid body again, to find where it is invalid: keeping the path of each value takes longer than parsing.
fn explain(body: &[u8]) -> Refusal {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let (mut rows, mut track) = (Rows::default(), Track::new());
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let parsed = tracked.deserialize_map(BodyVisitor(&mut rows));
    let error = parsed.map_or_else(|error| error.to_string(), |()| String::new());
    let explanation = match &*track.path().to_string() {
        "." => error,
        path => format!("{path}: {error}"),
    };
    Refusal::MALFORMED_BODY.with(text::sanitize(&explanation, &[], MAX_EXPLANATION))
}

/// The rows that have been read, and why the next one is refused.
#[derive(Default)]
struct Rows {
    valid: Vec<RecordsToDelete>,
    /// Their partitions, if there are many.
    partitions: HashSet<PartitionId>,
    refusal: Option<Refusal>,
}

impl Rows {
    /// Fails at an invalid row.
    fn push(&mut self, row: &PartitionBody) -> Result<(), Refusal> {
        let index = self.valid.len();
        let refuse = |(field, rule)| {
            Refusal::invalid_parameter(format_args!("partitions[{index}].{field}"), rule)
        };
        let row = check(row).map_err(refuse)?;
        if self.is_repeated(row.partition) {
            let number = row.partition.number();
            let rule = format!("partition {number} is listed twice; list each partition once");
            return Err(refuse(("partition", &rule)));
        }
        self.valid.push(row);
        Ok(())
    }

    /// Whether the partition is listed already. If it is not, it is now.
    fn is_repeated(&mut self, partition: PartitionId) -> bool {
        /// A set costs more than comparing with each of a few rows.
        const FEW: usize = 16;
        let mut listed = self.valid.iter().map(|row| row.partition);
        if self.valid.len() < FEW {
            return listed.any(|listed| listed == partition);
        }
        if self.partitions.is_empty() {
            self.partitions.extend(listed);
        }
        !self.partitions.insert(partition)
    }
}

/// Reads the body of a deletion: an object with a list named `partitions`.
struct BodyVisitor<'a>(&'a mut Rows);

impl<'de> Visitor<'de> for BodyVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        const FIELD: &str = "partitions";
        let mut found = false;
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            if name != FIELD {
                return Err(A::Error::unknown_field(&name, &[FIELD]));
            }
            if found {
                return Err(A::Error::duplicate_field(FIELD));
            }
            map.next_value_seed(RowsVisitor(self.0))?;
            found = true;
        }
        Ok(())
    }
}

/// Reads the list `partitions`, which may be `null`.
struct RowsVisitor<'a>(&'a mut Rows);

impl<'de> DeserializeSeed<'de> for RowsVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for RowsVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(Object(row)) = items.next_element()? {
            if let Err(refusal) = self.0.push(&row) {
                self.0.refusal = Some(refusal);
                return Err(A::Error::custom("a row is invalid"));
            }
        }
        Ok(())
    }
}

/// Fails with the field and the rule that it violates.
fn check(row: &PartitionBody) -> Result<RecordsToDelete, (&'static str, &'static str)> {
    let partition = row.partition.ok_or(("partition", "it is missing"))?;
    let partition = PartitionId::new(partition).ok_or(("partition", "it must be 0 or greater"))?;
    let offset = row.offset.ok_or(("offset", "it is missing"))?;
    let rule = "it must be 0 or greater, or -1 for every record";
    let target = DeletionTarget::from_offset(offset).ok_or(("offset", rule))?;
    Ok(RecordsToDelete { partition, target })
}

/// How `error_code` is written in the response to a deletion.
///
/// On the vendor's page it is a string in the table and an integer in the example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCodeStyle {
    /// `"error_code":"0"`, which every official SDK decodes.
    #[default]
    Text,
    /// `"error_code":0`, as in the example of the page.
    Integer,
}

/// The body of a 200 to a deletion (the page's Tables 4 and 5). It is small until it is written.
pub(crate) struct DeleteResponse {
    rows: Vec<DeletedRow>,
    style: ErrorCodeStyle,
}

#[derive(Clone, Copy)]
struct DeletedRow {
    partition: PartitionId,
    is_deleted: bool,
    error_code: i16,
}

#[derive(Serialize)]
struct DeletedPartition {
    partition: PartitionId,
    result: &'static str,
    error_code: ErrorCode,
}

struct ErrorCode {
    value: i16,
    style: ErrorCodeStyle,
}

impl DeleteResponse {
    /// Rows in one part of the text, of about 60 bytes each.
    const PART: usize = 500;

    pub(crate) fn new(deleted: &[DeletedRecords], style: ErrorCodeStyle) -> Self {
        let rows = deleted.iter().map(|row| DeletedRow {
            partition: row.partition,
            is_deleted: row.outcome.is_ok(),
            error_code: row.error_code(),
        });
        Self {
            rows: rows.collect(),
            style,
        }
    }

    /// The bytes that it takes until it is written.
    pub(crate) fn size(&self) -> usize {
        size_of_val(&*self.rows)
    }

    /// The text, in parts.
    pub(crate) fn into_parts(self) -> impl Iterator<Item = Vec<u8>> + Send {
        let mut written = 0;
        iter::from_fn(move || {
            let rows = self.rows.get(written..)?;
            let part = &rows[..rows.len().min(Self::PART)];
            let mut text = Vec::with_capacity(64 * part.len());
            if written == 0 {
                text.extend_from_slice(b"{\"partitions\":[");
            }
            for row in part {
                if written > 0 {
                    text.push(b',');
                }
                // Strings and numbers always serialize.
                let _ = serde_json::to_writer(&mut text, &self.item(*row));
                written += 1;
            }
            if written == self.rows.len() {
                text.extend_from_slice(b"]}");
                written += 1;
            }
            Some(text)
        })
    }

    fn item(&self, row: DeletedRow) -> DeletedPartition {
        DeletedPartition {
            partition: row.partition,
            result: if row.is_deleted { "success" } else { "fail" },
            error_code: ErrorCode {
                value: row.error_code,
                style: self.style,
            },
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.style {
            ErrorCodeStyle::Text => serializer.collect_str(&self.value),
            ErrorCodeStyle::Integer => serializer.serialize_i16(self.value),
        }
    }
}

/// The body of a refusal.
#[derive(Serialize)]
pub(crate) struct ErrorResponse<'a> {
    pub(crate) error_code: &'a str,
    pub(crate) error_msg: &'a str,
    pub(crate) request_id: &'a str,
}
