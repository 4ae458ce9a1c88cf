//! Reads consumer groups and what they have committed.

use std::collections::BTreeMap;

use dms_kafka_client::{self as raw, types};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::call::Operation;
use crate::config::Config;
use crate::error::Error;
use crate::ids::{InstanceId, Offset, PartitionId, ProjectId, TopicName};
use crate::paging::{List, PAGE};

const GROUPS: List = List {
    operation: Operation {
        name: "ListInstanceConsumerGroups",
        method: "GET",
    },
    what: "consumer groups",
};
const COMMITTED: List = List {
    operation: Operation {
        name: "ListInstanceConsumerGroupMessageOffset",
        method: "GET",
    },
    what: "committed offsets",
};

/// The number of groups that are read at the same time.
const CONCURRENCY: usize = 4;

/// A consumer group, and its committed offsets in one topic.
#[derive(Clone, Debug)]
pub(crate) struct GroupOffsets {
    pub(crate) name: String,
    pub(crate) state: Option<String>,
    pub(crate) committed: BTreeMap<PartitionId, Offset>,
}

/// Returns names and states of the groups whose names contain a text. The service may ignore the text.
pub(crate) async fn groups(
    config: &Config,
    instance_id: &InstanceId,
    containing: Option<&str>,
) -> Result<BTreeMap<String, Option<String>>, Error> {
    let send = async |client: raw::Client, project_id: ProjectId, skip| {
        let query = types::ListInstanceConsumerGroupsQuery {
            limit: Some(PAGE),
            offset: Some(skip),
            group: containing.map(str::to_owned),
        };
        client
            .list_instance_consumer_groups(project_id.as_str(), instance_id.as_str(), &query)
            .await
    };
    let open = |page: types::ListInstanceConsumerGroupsResponse| {
        let item = |group: types::ConsumerGroup| {
            let name = group.group_id.ok_or("an item has no name")?;
            Ok((name, group.state))
        };
        (page.total, page.groups.into_iter().map(item).collect())
    };
    GROUPS
        .all_pages(config, send, open)
        .await
        .map_err(|error| error.with_purpose("cannot list the consumer groups"))
}

/// Returns all groups that have committed an offset in the topic.
pub(crate) async fn all(
    config: &Config,
    instance_id: &InstanceId,
    topic: &TopicName,
) -> Result<Vec<GroupOffsets>, Error> {
    let names = groups(config, instance_id, None).await?;
    let groups: Vec<GroupOffsets> = stream::iter(names)
        // Boxed, because the compiler does not see that the future is `Send` otherwise.
        .map(|(name, state)| offsets(config, instance_id, topic, name, state).boxed())
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    let with_commit = groups
        .into_iter()
        .filter(|group| !group.committed.is_empty());
    Ok(with_commit.collect())
}

/// Adds what a group has committed in a topic.
pub(crate) async fn offsets(
    config: &Config,
    instance_id: &InstanceId,
    topic: &TopicName,
    name: String,
    state: Option<String>,
) -> Result<GroupOffsets, Error> {
    let purpose = format!("cannot read the committed offsets of the consumer group {name:?}");
    // A URL parser would remove them.
    if matches!(name.as_str(), "" | "." | "..") {
        return Err(COMMITTED
            .invalid("the name cannot be part of a URL")
            .with_purpose(&purpose));
    }
    let group = name.as_str();
    let send = async |client: raw::Client, project_id: ProjectId, skip| {
        let query = types::ListInstanceConsumerGroupMessageOffsetQuery {
            topic: Some(topic.as_str().to_owned()),
            partition: None,
            offset: Some(skip),
            limit: Some(PAGE),
        };
        let (project_id, instance_id) = (project_id.as_str(), instance_id.as_str());
        client
            .list_instance_consumer_group_message_offset(project_id, instance_id, group, &query)
            .await
    };
    let open = |page: types::ListInstanceConsumerGroupMessageOffsetResponse| {
        let items = page.group_message_offsets.into_iter().map(committed);
        (page.total, items.collect())
    };
    // A service may ignore the topic of the query.
    let all = COMMITTED
        .all_pages(config, send, open)
        .await
        .map_err(|error| error.with_purpose(&purpose))?;
    let of_topic = all.into_iter().filter(|((of, _), _)| of == topic.as_str());
    let committed = of_topic
        .filter_map(|((_, partition), committed)| Some((partition, committed?)))
        .collect();
    Ok(GroupOffsets {
        name,
        state,
        committed,
    })
}

/// A negative offset means that nothing was committed.
fn committed(
    item: types::GroupMessageOffset,
) -> Result<((String, PartitionId), Option<Offset>), &'static str> {
    let (Some(topic), Some(partition), Some(offset)) =
        (item.topic, item.partition, item.message_current_offset)
    else {
        return Err("an item has no topic, partition or offset");
    };
    let partition = PartitionId::new(partition).map_err(|_| "a partition is negative")?;
    Ok(((topic, partition), Offset::new(offset).ok()))
}
