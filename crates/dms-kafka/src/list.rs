use std::collections::BTreeMap;

use dms_kafka_client::{self as raw, types};

use crate::call::{self, Effect, Operation};
use crate::config::Config;
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::ids::{InstanceId, Offset, PartitionId, ProjectId, TopicName};
use crate::outcome::Outcome;

/// The largest page size of the vendor's service.
const PAGE: i32 = 50;
/// More pages than any topic needs, in case the service never ends the list.
const MAX_PAGES: usize = 10_000;
const OPERATION: Operation = Operation {
    name: "ListTopicPartitions",
    method: "GET",
};

/// The offsets of one partition.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000).start().await.unwrap();
/// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
/// #     .credentials(gateway.credentials()).build().unwrap();
///
/// client.delete_messages(gateway.instance_id(), "orders").before(1, 400).send().await?.into_result()?;
/// let partition = client.list_partitions(gateway.instance_id(), "orders").await?[1];
/// assert_eq!(partition.start_offset(), 400);
/// assert_eq!(partition.end_offset(), 1000);
/// assert_eq!(partition.records(), 600);
/// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    partition: PartitionId,
    start_offset: Offset,
    end_offset: Offset,
}

impl PartitionInfo {
    /// Returns the number of the partition.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Returns the offset of the first record that is kept (Kafka's log start offset).
    pub fn start_offset(&self) -> Offset {
        self.start_offset
    }

    /// Returns the offset after the last record (Kafka's high watermark).
    pub fn end_offset(&self) -> Offset {
        self.end_offset
    }

    /// Returns the number of offsets from start to end. On a compacted topic, some of them have no record.
    pub fn records(&self) -> i64 {
        self.end_offset.get() - self.start_offset.get()
    }
}

type Partitions = BTreeMap<PartitionId, PartitionInfo>;

/// Reads pages until the service's total is reached, with one deadline.
pub(crate) async fn all_pages(
    config: &Config,
    instance_id: InstanceId,
    topic: TopicName,
) -> Result<Vec<PartitionInfo>, Error> {
    let deadline = call::after(config.call_timeout);
    let mut partitions = Partitions::new();
    for _ in 0..MAX_PAGES {
        let skip = i32::try_from(partitions.len()).map_err(|_| invalid_list("it is too long"))?;
        let (instance_id, topic) = (instance_id.as_str(), topic.as_str());
        let send = async |client: raw::Client, project_id: ProjectId| {
            let project_id = project_id.as_str();
            let query = types::ListTopicPartitionsQuery {
                limit: Some(PAGE),
                offset: Some(skip),
                ..Default::default()
            };
            client
                .list_topic_partitions(project_id, instance_id, topic, &query)
                .await
        };
        let page = call::run(config, deadline, OPERATION, Effect::Reads, send).await?;
        let is_complete = add(&mut partitions, &page.value)
            .map_err(|error| error.with_history(page.history.attempts, Outcome::NotApplied))?;
        if is_complete {
            return Ok(partitions.into_values().collect());
        }
    }
    Err(invalid_list("it does not end"))
}

/// Adds a page. Returns whether the list is complete.
fn add(
    partitions: &mut Partitions,
    page: &types::ListTopicPartitionsResponse,
) -> Result<bool, Error> {
    for item in &page.partitions {
        let item = partition_info(item)?;
        if partitions.insert(item.partition, item).is_some() {
            return Err(invalid_list("a partition is repeated"));
        }
    }
    let is_last = page.partitions.is_empty();
    let total = page.total.and_then(|total| usize::try_from(total).ok());
    match total {
        Some(total) if partitions.len() >= total => Ok(true),
        Some(_) if is_last => Err(invalid_list("it is shorter than its total")),
        _ => Ok(is_last),
    }
}

fn invalid_list(reason: &str) -> Error {
    let message = format!("the list of partitions is not valid: {reason}");
    Error::new(ErrorKind::InvalidAnswer, Outcome::NotApplied, message).of_read()
}

fn partition_info(item: &types::TopicPartition) -> Result<PartitionInfo, Error> {
    let (Some(partition), Some(start_offset), Some(end_offset)) =
        (item.partition, item.start_offset, item.last_offset)
    else {
        return Err(invalid_list("an item has no partition or offset"));
    };
    let numbers = (
        PartitionId::new(partition),
        Offset::new(start_offset),
        Offset::new(end_offset),
    );
    match numbers {
        (Ok(partition), Ok(start_offset), Ok(end_offset)) if start_offset <= end_offset => {
            Ok(PartitionInfo {
                partition,
                start_offset,
                end_offset,
            })
        }
        _ => Err(invalid_list(
            "a number is negative, or the end offset is before the start offset",
        )),
    }
}
