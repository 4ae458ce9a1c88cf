//! Finds offsets and times of records. Their content is not read.

use std::collections::BTreeMap;

use dms_kafka_client::{self as raw, types};

use crate::call::{self, Effect, Operation};
use crate::config::Config;
use crate::error::Error;
use crate::ids::{InstanceId, Offset, PartitionId, ProjectId, TopicName};
use crate::paging::{List, PAGE};
use crate::response::RawResult;

const RECORDS: List = List {
    operation: Operation {
        name: "ShowInstanceMessages",
        method: "GET",
    },
    what: "records",
};
/// More records than this are not listed. A service may cap its total at 10,000.
const MAX_RECORDS: usize = 5000;
/// The times of records in milliseconds, by partition and offset.
type Times = BTreeMap<(PartitionId, Offset), i64>;

async fn find(
    client: raw::Client,
    project_id: ProjectId,
    instance_id: &InstanceId,
    query: &types::ShowInstanceMessagesQuery,
) -> RawResult<types::ShowInstanceMessagesResponse> {
    client
        .show_instance_messages(project_id.as_str(), instance_id.as_str(), query)
        .await
}

/// Returns all records of a topic that are not older than `time`, which is positive, or an error if the list may be incomplete.
pub(crate) async fn since(
    config: &Config,
    instance_id: &InstanceId,
    topic: &TopicName,
    time: i64,
) -> Result<Times, Error> {
    let query = |skip| types::ShowInstanceMessagesQuery {
        topic: Some(topic.as_str().to_owned()),
        // It may exclude the time itself.
        start_time: Some(time - 1),
        // Records may have any time, also nanoseconds.
        end_time: Some(i64::MAX),
        limit: Some(PAGE),
        // The number of the page. If a page is not full, the next one repeats a record, which is refused.
        offset: Some(skip / PAGE),
        asc: Some(true),
        ..Default::default()
    };
    let send = async |client: raw::Client, project_id: ProjectId, skip| {
        find(client, project_id, instance_id, &query(skip)).await
    };
    let open = |page: types::ShowInstanceMessagesResponse| {
        let total = page.total.and_then(|total| i32::try_from(total).ok());
        let records = usize::try_from(total.unwrap_or(-1));
        let items = match records {
            Ok(records) if records > MAX_RECORDS => vec![Err("it is too long")],
            Ok(_) => {
                let item = |message| match record(topic, message)? {
                    (_, at) if at < time - 1 => Err("a record is older than was asked for"),
                    item => Ok(item),
                };
                page.messages.iter().map(item).collect()
            }
            Err(_) => vec![Err("it has no total")],
        };
        (total, items)
    };
    let mut times = RECORDS
        .all_pages(config, send, open)
        .await
        .map_err(Error::without_content)?;
    times.retain(|_, at| *at >= time);
    Ok(times)
}

/// Returns offset and time of the first record at or after an offset.
pub(crate) async fn at_or_after(
    config: &Config,
    instance_id: &InstanceId,
    topic: &TopicName,
    partition: PartitionId,
    offset: Offset,
) -> Result<Option<(Offset, i64)>, Error> {
    let query = types::ShowInstanceMessagesQuery {
        topic: Some(topic.as_str().to_owned()),
        partition: Some(partition.get()),
        message_offset: Some(offset.get()),
        limit: Some(1),
        ..Default::default()
    };
    let send = async |client: raw::Client, project_id: ProjectId| {
        find(client, project_id, instance_id, &query).await
    };
    let deadline = call::after(config.settings.call_timeout);
    let found = call::run(config, deadline, RECORDS.operation, Effect::Reads, send)
        .await
        .map_err(Error::without_content)?;
    let mut records = Vec::new();
    for message in &found.value.messages {
        match record(topic, message) {
            Ok(((of, at), time)) if of == partition && at >= offset => records.push((at, time)),
            Ok(_) => return Err(RECORDS.invalid("a record is not one that was asked for")),
            Err(rule) => return Err(RECORDS.invalid(rule)),
        }
    }
    Ok(records.into_iter().min())
}

fn record(
    topic: &TopicName,
    message: &types::InstanceMessage,
) -> Result<((PartitionId, Offset), i64), &'static str> {
    let (Some(of), Some(partition), Some(offset), Some(time)) = (
        message.topic.as_deref(),
        message.partition,
        message.message_offset,
        message.timestamp,
    ) else {
        return Err("an item has no topic, partition, offset or time");
    };
    match (PartitionId::new(partition), Offset::new(offset)) {
        (Ok(partition), Ok(offset)) if of == topic.as_str() => Ok(((partition, offset), time)),
        _ => Err("an item has another topic, or a negative partition or offset"),
    }
}
