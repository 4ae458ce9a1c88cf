use std::collections::BTreeMap;

use dms_kafka_client::{self as raw, types};

use crate::call::Operation;
use crate::config::Config;
use crate::error::Error;
use crate::ids::{InstanceId, Offset, PartitionId, ProjectId, TopicName};
use crate::paging::{List, PAGE};

const PARTITIONS: List = List {
    operation: Operation {
        name: "ListTopicPartitions",
        method: "GET",
    },
    what: "partitions",
};
const TOPICS: List = List {
    operation: Operation {
        name: "ListInstanceTopics",
        method: "GET",
    },
    what: "topics",
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
    pub(crate) partition: PartitionId,
    pub(crate) start_offset: Offset,
    pub(crate) end_offset: Offset,
    /// The smallest offset of a record that is not older than the time of the request.
    pub(crate) timestamp_offset: Option<Offset>,
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

    pub(crate) fn timestamp_offset(&self) -> Option<Offset> {
        self.timestamp_offset
    }
}

/// Lists all partitions. A service that supports `timestamp` (in milliseconds) also returns the offsets of that time.
pub(crate) async fn partitions(
    config: &Config,
    instance_id: &InstanceId,
    topic: &TopicName,
    timestamp: Option<i64>,
) -> Result<Vec<PartitionInfo>, Error> {
    let (instance_id, topic) = (instance_id.as_str(), topic.as_str());
    let send = async |client: raw::Client, project_id: ProjectId, skip| {
        let query = types::ListTopicPartitionsQuery {
            limit: Some(PAGE),
            offset: Some(skip),
            timestamp,
        };
        client
            .list_topic_partitions(project_id.as_str(), instance_id, topic, &query)
            .await
    };
    let open = |page: types::ListTopicPartitionsResponse| {
        let items = page.partitions.iter().map(partition_info);
        (page.total, items.collect())
    };
    let partitions = PARTITIONS.all_pages(config, send, open).await?;
    Ok(partitions.into_values().collect())
}

fn partition_info(
    item: &types::TopicPartition,
) -> Result<(PartitionId, PartitionInfo), &'static str> {
    let (Some(partition), Some(start_offset), Some(end_offset)) =
        (item.partition, item.start_offset, item.last_offset)
    else {
        return Err("an item has no partition or offset");
    };
    let numbers = (
        PartitionId::new(partition),
        Offset::new(start_offset),
        Offset::new(end_offset),
        item.timestamp_offset.map(Offset::new).transpose(),
    );
    match numbers {
        (Ok(partition), Ok(start_offset), Ok(end_offset), Ok(timestamp_offset))
            if start_offset <= end_offset =>
        {
            let info = PartitionInfo {
                partition,
                start_offset,
                end_offset,
                timestamp_offset,
            };
            Ok((partition, info))
        }
        _ => Err("a number is negative, or the end offset is before the start offset"),
    }
}

/// Returns the names of all topics, and when they were created, in milliseconds since the Unix epoch.
pub(crate) async fn topics(
    config: &Config,
    instance_id: &InstanceId,
) -> Result<BTreeMap<TopicName, Option<i64>>, Error> {
    let send = async |client: raw::Client, project_id: ProjectId, skip| {
        let query = types::ListInstanceTopicsQuery {
            limit: Some(PAGE),
            offset: Some(skip),
        };
        client
            .list_instance_topics(project_id.as_str(), instance_id.as_str(), &query)
            .await
    };
    let open = |page: types::ListInstanceTopicsResponse| {
        let item = |topic: types::InstanceTopic| {
            let name = topic.name.ok_or("an item has no name")?;
            let name = TopicName::new(name).map_err(|_| "a name is not one of a topic")?;
            Ok((name, topic.created_at))
        };
        (page.total, page.topics.into_iter().map(item).collect())
    };
    TOPICS.all_pages(config, send, open).await
}
