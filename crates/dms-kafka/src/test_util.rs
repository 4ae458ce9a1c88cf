//! Results and errors without a service, for the unit tests of programs that use this crate.
//!
//! Nothing here sends a request. For tests that send some, use the crate `dms-kafka-gateway`.
//!
//! ```
//! use dms_kafka::{Deletion, DeletionTarget, Error, ErrorKind, Outcome, test_util};
//!
//! /// The code under test.
//! fn advice(result: Result<Deletion, Error>) -> &'static str {
//!     match result.and_then(Deletion::into_result) {
//!         Ok(_) => "done",
//!         Err(error) if error.outcome() == Outcome::Unknown => "look first",
//!         Err(error) if error.is_retryable() => "again later",
//!         Err(_) => "fix the cause",
//!     }
//! }
//!
//! let rows = [(0, DeletionTarget::before(400)?), (1, DeletionTarget::Everything)];
//! let all_deleted = test_util::deletion([(0, rows[0].1, Ok(())), (1, rows[1].1, Ok(()))]);
//! assert_eq!(advice(all_deleted), "done");
//! let timed_out_on_the_leader = test_util::deletion([(0, rows[0].1, Ok(())), (1, rows[1].1, Err("7"))]);
//! assert_eq!(advice(timed_out_on_the_leader), "look first");
//! let busy = test_util::response(rows, 429, r#"{"error_code":"DMS.10240407","error_msg":"slow down"}"#);
//! assert_eq!(advice(busy), "again later");
//! let broken = test_util::error(ErrorKind::Connection, Outcome::Unknown);
//! assert_eq!(advice(Err(broken)), "look first");
//! # Ok::<(), dms_kafka::Error>(())
//! ```

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use huaweicloud_auth::Credentials;
use jiff::Timestamp;
use serde_json::json;

use crate::client::Client;
use crate::config::Config;
use crate::consumer_groups::GroupOffsets;
use crate::deletion::Deletion;
use crate::error::Error;
use crate::error_kind::{ErrorKind, PlanProblem};
use crate::ids::{InstanceId, InvalidId, Offset, PartitionId, ProjectId, TopicName, validated};
use crate::internals;
use crate::list::PartitionInfo;
use crate::outcome::Outcome;
use crate::partition::DeletionTarget;
use crate::plan::Plan;
use crate::plan_content::{GroupLoss, Losses, PlanContent, PlannedPartition, Selectors};
use crate::purge::{PurgeRequest, PurgeResult, PurgeTarget};
use crate::retry::RetryPolicy;

/// The name of a consumer group, and the partitions and offsets that it has committed.
pub type GroupCommits<'a> = (&'a str, &'a [(i32, i64)]);

const INSTANCE: &str = "instance";
const PROJECT: &str = "project";
const EXPIRY: Duration = Duration::from_secs(24 * 3600);

/// Returns what [`DeleteMessages::send`](crate::DeleteMessages::send) returns if the service deletes from some partitions: for
/// each one, its number, its target, and Kafka's error code if its deletion fails.
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) for a negative number.
pub fn deletion<'a>(
    rows: impl IntoIterator<
        Item = (
            impl TryInto<PartitionId, Error: Into<InvalidId>>,
            DeletionTarget,
            Result<(), &'a str>,
        ),
    >,
) -> Result<Deletion, Error> {
    let mut targets = Vec::new();
    let mut partitions = Vec::new();
    for (partition, target, result) in rows {
        let partition = validated(partition)?;
        targets.push((partition, target));
        let (result, code) = match result {
            Ok(()) => ("success", "0"),
            Err(code) => ("failed", code),
        };
        partitions.push(json!({"partition": partition, "result": result, "error_code": code}));
    }
    response(
        targets,
        200,
        &json!({ "partitions": partitions }).to_string(),
    )
}

/// Returns what [`DeleteMessages::send`](crate::DeleteMessages::send) returns if the service responds with this status and body
/// to the first attempt, and there is no other.
///
/// # Errors
/// Those of `send`; [`InvalidInput`](ErrorKind::InvalidInput) for a negative number or an invalid status.
pub fn response(
    targets: impl IntoIterator<
        Item = (
            impl TryInto<PartitionId, Error: Into<InvalidId>>,
            DeletionTarget,
        ),
    >,
    status: u16,
    body: &str,
) -> Result<Deletion, Error> {
    let target = |(partition, target)| Ok((validated(partition)?, target));
    let targets: Result<Vec<_>, InvalidId> = targets.into_iter().map(target).collect();
    let response = http::Response::builder().status(status);
    let response = response.body(body.as_bytes().to_vec()).map_err(|error| {
        Error::invalid_input(format!("{status} is not an HTTP status")).with_source(error)
    })?;
    internals::evaluate(&targets?, response, None).map_err(|error| {
        let outcome = error.outcome();
        error.with_history(1, outcome)
    })
}

/// Creates an error that is not the response of a service, such as a [`Connection`](ErrorKind::Connection) that broke. For
/// one that is, see [`response`].
pub fn error(kind: ErrorKind, outcome: Outcome) -> Error {
    use ErrorKind::{Credentials, InvalidInput, Plan, ProjectId};
    let attempts = u32::from(!matches!(
        kind,
        InvalidInput | Credentials | ProjectId | Plan
    ));
    Error::new(kind, outcome, "this error was made by a test").with_history(attempts, outcome)
}

/// Creates the error of a [`Plan`] that cannot be made or executed.
pub fn plan_error(problem: PlanProblem) -> Error {
    Error::plan(problem, "this error was made by a test")
}

/// Creates the result of one request of a [`Purge`](crate::Purge).
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) if there is no row, or rows have different topics.
pub fn purge_result(
    rows: impl IntoIterator<Item = PurgeTarget>,
    result: Result<Deletion, Error>,
) -> Result<PurgeResult, Error> {
    let rows: Vec<PurgeTarget> = rows.into_iter().collect();
    let one_topic = || Error::invalid_input("the rows of one request have one topic");
    let topic = rows.first().ok_or_else(one_topic)?.topic.clone();
    if rows.iter().any(|row| row.topic != topic) {
        return Err(one_topic());
    }
    let request = PurgeRequest {
        config: offline()?,
        instance_id: InstanceId::new(INSTANCE),
        topic,
        targets: rows.iter().map(|row| (row.partition, row.target)).collect(),
        rows: rows.iter().map(|row| row.row).collect(),
    };
    Ok(PurgeResult { request, result })
}

/// Creates the offsets of a partition: those of its records.
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) for a negative number, or if the end is before the start.
pub fn partition_info(
    partition: impl TryInto<PartitionId, Error: Into<InvalidId>>,
    records: Range<i64>,
) -> Result<PartitionInfo, Error> {
    if records.end < records.start {
        return Err(Error::invalid_input(
            "the end offset is before the start offset",
        ));
    }
    Ok(PartitionInfo {
        partition: validated(partition)?,
        start_offset: Offset::new(records.start)?,
        end_offset: Offset::new(records.end)?,
        timestamp_offset: None,
    })
}

/// Creates a plan: for each partition, the offsets of its records, and the one before which they are deleted. `groups` are
/// consumer groups with their committed offsets; without them, the losses are unknown.
///
/// Executing it fails with the kind [`Connect`](ErrorKind::Connect).
///
/// ```
/// use dms_kafka::test_util;
///
/// let info = test_util::partition_info(0, 100..1000)?;
/// let plan = test_util::plan("orders", [(info, 400)], Some(&[("billing", &[(0, 250)])]))?;
/// assert_eq!(plan.records(), 300);
/// assert_eq!(plan.losses().records(), Some(150));
/// # Ok::<(), dms_kafka::Error>(())
/// ```
///
/// # Errors
/// [`InvalidInput`](ErrorKind::InvalidInput) for an invalid name or a negative number.
pub fn plan(
    topic: impl TryInto<TopicName, Error: Into<InvalidId>>,
    partitions: impl IntoIterator<Item = (PartitionInfo, impl TryInto<Offset, Error: Into<InvalidId>>)>,
    groups: Option<&[GroupCommits<'_>]>,
) -> Result<Plan, Error> {
    let planned = |(log, before)| Ok(PlannedPartition::new(&log, validated(before)?));
    let partitions: Result<Vec<_>, InvalidId> = partitions.into_iter().map(planned).collect();
    let mut partitions = partitions?;
    partitions.sort_by_key(PlannedPartition::partition);
    let losses = match groups {
        Some(groups) => Losses::Known(
            groups
                .iter()
                .map(|group| Ok(GroupLoss::new(group_offsets(group)?, &partitions)))
                .collect::<Result<_, InvalidId>>()?,
        ),
        None => Losses::Unknown("the test names no consumer groups".to_owned()),
    };
    let config = offline()?;
    let created_at = Timestamp::now();
    let content = PlanContent {
        endpoint: config.service_name.clone(),
        project_id: ProjectId::new(PROJECT)?,
        instance_id: InstanceId::new(INSTANCE)?,
        topic: validated(topic)?,
        topic_created_at: None,
        created_at,
        expires_at: created_at + EXPIRY,
        selectors: Selectors::default(),
        is_exact: true,
        partitions,
        skipped: Vec::new(),
        losses,
    };
    Ok(Plan::new(config, content))
}

fn group_offsets((name, committed): &GroupCommits<'_>) -> Result<GroupOffsets, InvalidId> {
    let committed = committed
        .iter()
        .map(|(partition, offset)| Ok((PartitionId::new(*partition)?, Offset::new(*offset)?)));
    Ok(GroupOffsets {
        name: (*name).to_owned(),
        state: Some("EMPTY".to_owned()),
        committed: committed.collect::<Result<_, InvalidId>>()?,
    })
}

/// A client for a port on which nothing can listen.
fn offline() -> Result<Arc<Config>, Error> {
    let client = Client::builder()
        .endpoint("http://127.0.0.1:0")
        .project_id(PROJECT)
        .credentials(Credentials::new("access-key", "secret-key")?)
        .with_retry(RetryPolicy::never())
        .build()?;
    Ok(client.into_config())
}
