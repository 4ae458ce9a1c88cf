//! The bodies of answers.

use serde::{Deserialize, Serialize, Serializer};

use crate::backend::{DeletedRecords, PartitionOffsets};

/// How `error_code` is written in the answer to a deletion.
///
/// The vendor's page calls it a string in its table and shows an integer in its example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCodeStyle {
    /// `"error_code":"0"`, which every official SDK decodes.
    #[default]
    Text,
    /// `"error_code":0`, as in the page's example.
    Integer,
}

/// The body of a 200 to a deletion (the page's Tables 4 and 5).
#[derive(Serialize)]
pub(crate) struct DeleteAnswer {
    partitions: Vec<PartitionAnswer>,
}

#[derive(Serialize)]
struct PartitionAnswer {
    partition: i32,
    result: &'static str,
    error_code: ErrorCode,
}

struct ErrorCode {
    value: i16,
    style: ErrorCodeStyle,
}

impl DeleteAnswer {
    pub(crate) fn new(deleted: &[DeletedRecords], style: ErrorCodeStyle) -> Self {
        let partitions = deleted
            .iter()
            .map(|row| PartitionAnswer::new(row, style))
            .collect();
        Self { partitions }
    }
}

impl PartitionAnswer {
    fn new(row: &DeletedRecords, style: ErrorCodeStyle) -> Self {
        let (result, value) = match row.outcome {
            Ok(_) => ("success", 0),
            Err(code) => ("fail", code.value()),
        };
        Self {
            partition: row.partition,
            result,
            error_code: ErrorCode { value, style },
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

/// The body of a 200 to a listing of partitions.
#[derive(Serialize)]
pub(crate) struct PartitionsAnswer {
    total: usize,
    partitions: Vec<OffsetsAnswer>,
}

#[derive(Serialize)]
struct OffsetsAnswer {
    partition: i32,
    start_offset: i64,
    last_offset: i64,
    message_count: i64,
    last_update_time: i64,
}

impl PartitionsAnswer {
    /// The page of at most `limit` partitions that begins after the first `offset` ones.
    pub(crate) fn page(all: &[PartitionOffsets], offset: usize, limit: usize) -> Self {
        let partitions = all
            .iter()
            .skip(offset)
            .take(limit)
            .map(OffsetsAnswer::new)
            .collect();
        Self {
            total: all.len(),
            partitions,
        }
    }
}

impl OffsetsAnswer {
    fn new(offsets: &PartitionOffsets) -> Self {
        Self {
            partition: offsets.partition,
            start_offset: offsets.log_start_offset,
            last_offset: offsets.high_watermark,
            message_count: offsets.high_watermark - offsets.log_start_offset,
            last_update_time: offsets.last_update_time,
        }
    }
}

/// The body of every answer that is not a success.
#[derive(Serialize)]
pub(crate) struct ErrorAnswer<'a> {
    pub(crate) error_code: &'a str,
    pub(crate) error_msg: &'a str,
    pub(crate) request_id: &'a str,
}
