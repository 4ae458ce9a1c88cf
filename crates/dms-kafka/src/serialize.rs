//! Results as data, with the names of the command's JSON.

use std::error::Error as StdError;
use std::iter;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::delete::PreparedRequest;
use crate::deletion::{Deletion, UnexpectedItem};
use crate::error::Error;
use crate::error_kind::{ErrorKind, PlanProblem};
use crate::ids::Offset;
use crate::list::PartitionInfo;
use crate::outcome::Outcome;
use crate::partition::{DeletionTarget, PartitionDeletion, PartitionStatus};
use crate::plan::Plan;
use crate::purge::{PurgeResult, PurgeTarget};

macro_rules! names {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )+};
}

macro_rules! fields {
    ($($type:ident($this:ident) { $($name:ident: $value:expr),+ })+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $this = self;
                let count = [$(stringify!($name)),+].len();
                let mut fields = serializer.serialize_struct(stringify!($type), count)?;
                $(fields.serialize_field(stringify!($name), &$value)?;)+
                fields.end()
            }
        }
    )+};
}

names!(ErrorKind, Outcome, PartitionStatus, PlanProblem);

fields! {
    DeletionTarget(target) { offset: offset(*target), everything: target.is_everything() }
    PartitionDeletion(row) {
        partition: row.partition(),
        offset: offset(row.target()),
        everything: row.target().is_everything(),
        status: row.status(),
        result: row.result(),
        error_code: row.error_code(),
        outcome: row.outcome()
    }
    UnexpectedItem(item) {
        partition: item.partition(),
        result: item.result(),
        error_code: item.error_code()
    }
    Deletion(deletion) {
        request_id: deletion.request_id(),
        attempts: deletion.attempts(),
        partitions: deletion.partitions(),
        unexpected: deletion.unexpected()
    }
    PartitionInfo(log) {
        partition: log.partition(),
        start_offset: log.start_offset(),
        end_offset: log.end_offset(),
        records: log.records()
    }
    PreparedRequest(request) {
        method: request.method(),
        url: request.url(),
        body: request.body()
    }
    PurgeTarget(row) {
        topic: row.topic,
        partition: row.partition,
        offset: offset(row.target),
        everything: row.target.is_everything(),
        row: row.row
    }
    PurgeResult(result) {
        topic: result.topic(),
        rows: result.rows(),
        deletion: result.deletion().ok(),
        error: result.deletion().err()
    }
    Error(error) {
        kind: error.kind(),
        code: error.code(),
        message: error.message(),
        causes: causes(error),
        status: error.status(),
        request_id: error.request_id(),
        outcome: error.outcome(),
        attempts: error.attempts(),
        plan_problem: error.plan_problem(),
        encoded_authorization_message: error.encoded_authorization_message(),
        deletion: error.deletion()
    }
}

/// The document of [`Plan::to_json`].
impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document().serialize(serializer)
    }
}

fn offset(target: DeletionTarget) -> Option<Offset> {
    match target {
        DeletionTarget::Before(offset) => Some(offset),
        DeletionTarget::Everything => None,
    }
}

fn causes(error: &Error) -> Vec<String> {
    let causes = iter::successors(error.source(), |&cause| cause.source());
    causes.map(ToString::to_string).collect()
}
