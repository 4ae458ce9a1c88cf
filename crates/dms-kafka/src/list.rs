use dms_kafka_client::types;

use crate::call;
use crate::client::Config;
use crate::error::{Error, ErrorKind};
use crate::ids::{InstanceId, TopicName};
use crate::outcome::Outcome;

/// The most that the vendor's service puts on a page.
const PAGE: i32 = 50;

/// The records that one partition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    partition: i32,
    start_offset: i64,
    end_offset: i64,
}

impl PartitionInfo {
    /// The partition's number.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Offset of the oldest record that can be read (log start offset).
    pub fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// Offset that the next record will get (high watermark).
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// How many offsets lie between start and end. On a compacted topic some of them hold no record.
    pub fn records(&self) -> i64 {
        self.end_offset.saturating_sub(self.start_offset)
    }
}

/// Reads page after page until the service's total is reached.
pub(crate) async fn all_pages(
    config: &Config,
    instance_id: String,
    topic: String,
) -> Result<Vec<PartitionInfo>, Error> {
    let instance_id = InstanceId::new(instance_id)?;
    let topic = TopicName::new(topic)?;
    let mut partitions: Vec<PartitionInfo> = Vec::new();
    loop {
        let skip = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
        let page = call::run(config, true, |client| {
            let (project_id, instance_id, topic) = (&config.project_id, &instance_id, &topic);
            async move {
                client
                    .list_topic_partitions(
                        project_id.as_str(),
                        instance_id.as_str(),
                        topic.as_str(),
                        Some(PAGE),
                        Some(skip),
                    )
                    .await
            }
        })
        .await?
        .value;
        let total = page.total;
        let got = page.partitions.len();
        for item in page.partitions {
            let item = partition_info(&item).ok_or_else(|| untrusted("an item lacks a number"))?;
            partitions.push(item);
        }
        let wanted = total
            .and_then(|total| usize::try_from(total).ok())
            .unwrap_or(partitions.len());
        if got == 0 || partitions.len() >= wanted {
            break;
        }
    }
    partitions.sort_by_key(PartitionInfo::partition);
    if partitions
        .windows(2)
        .any(|pair| pair[0].partition == pair[1].partition)
    {
        return Err(untrusted("a partition stands on it twice"));
    }
    Ok(partitions)
}

fn untrusted(what: &str) -> Error {
    let message = format!("the list of partitions cannot be trusted: {what}");
    Error::new(ErrorKind::InvalidAnswer, Outcome::NotApplied, message)
}

fn partition_info(item: &types::TopicPartition) -> Option<PartitionInfo> {
    Some(PartitionInfo {
        partition: item.partition?,
        start_offset: item.start_offset?,
        end_offset: item.last_offset?,
    })
}
