//! The read-only operations of the API. None returns the content of a record.

use std::{ops::RangeInclusive, sync::Arc, time::Instant};

use axum::{
    Json, RequestExt as _, Router,
    extract::{Path, Query, Request, State},
    http::Uri,
    routing::get,
};
use huaweicloud_auth::text;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::admission::{Call, Scope, admit};
use crate::{
    app::App,
    backend::{
        BackendError, CommittedOffset, Edge, FoundRecord, FoundRecords, GroupState, GroupSummary,
        PartitionOffsets, RecordsToFind, TopicSummary,
    },
    deletion_target::PartitionId,
    faults::Operation,
    refusal::Refusal,
    wire::{
        FIND_MESSAGES, LIST_GROUP_OFFSETS, LIST_GROUPS, LIST_PARTITIONS, LIST_TOPICS,
        NEWEST_MESSAGE, OLDEST_MESSAGE,
    },
};

/// The limits of a listing's query parameters are the vendor's, where it states them.
const OFFSETS: RangeInclusive<usize> = 0..=10_000;
const LIMITS: RangeInclusive<usize> = 1..=50;
const DEFAULT_LIMIT: usize = 10;

/// The most characters of a message about a query, which may quote it.
const MAX_EXPLANATION: usize = 300;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route(LIST_PARTITIONS, get(list_partitions))
        .route(LIST_TOPICS, get(list_topics))
        .route(LIST_GROUPS, get(list_groups))
        .route(LIST_GROUP_OFFSETS, get(list_group_offsets))
        .route(FIND_MESSAGES, get(find_messages))
        .route(OLDEST_MESSAGE, get(oldest_message))
        .route(NEWEST_MESSAGE, get(newest_message))
}

/// A read-only request that was admitted, with its query.
struct Reading<'a, Q> {
    call: Call<'a>,
    query: Q,
    deadline: Instant,
}

impl<'a, Q: DeserializeOwned> Reading<'a, Q> {
    async fn begin(
        app: &'a Arc<App>,
        operation: Operation,
        scope: Scope,
        request: Request,
    ) -> Result<Self, Refusal> {
        let uri = request.uri().clone();
        let call = admit(app, operation, scope, request).await?;
        let query = query(&uri)?;
        call.fault.before().await?;
        Ok(Self {
            call,
            query,
            deadline: Instant::now() + app.limits.backend_timeout,
        })
    }

    fn topic(&self) -> &str {
        &self.call.context.path.topic
    }
}

/// Query parameters that the operation does not have are ignored, as by the vendor.
fn query<Q: DeserializeOwned>(uri: &Uri) -> Result<Q, Refusal> {
    let Query(query) = Query::try_from_uri(uri).map_err(|error| {
        let explanation = error.body_text();
        let explanation = text::sanitize(&explanation, &[], MAX_EXPLANATION);
        Refusal::invalid_parameter("query", explanation)
    })?;
    Ok(query)
}

/// How many items to skip before a page.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "usize")]
struct Skip(usize);

impl TryFrom<usize> for Skip {
    type Error = &'static str;

    fn try_from(skip: usize) -> Result<Self, Self::Error> {
        let within = OFFSETS.contains(&skip).then_some(Self(skip));
        within.ok_or("it must be from 0 to 10000")
    }
}

/// How many items a page has at most.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "usize")]
struct Limit(usize);

impl Default for Limit {
    fn default() -> Self {
        Self(DEFAULT_LIMIT)
    }
}

impl TryFrom<usize> for Limit {
    type Error = &'static str;

    fn try_from(limit: usize) -> Result<Self, Self::Error> {
        let within = LIMITS.contains(&limit).then_some(Self(limit));
        within.ok_or("it must be from 1 to 50")
    }
}

fn page<T>(all: Vec<T>, Skip(skip): Skip, Limit(limit): Limit) -> impl Iterator<Item = T> {
    all.into_iter().skip(skip).take(limit)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PartitionsQuery {
    offset: Skip,
    limit: Limit,
    timestamp: Option<i64>,
}

#[derive(Serialize)]
struct PartitionList {
    total: usize,
    partitions: Vec<ListedPartition>,
}

#[derive(Serialize)]
struct ListedPartition {
    partition: i32,
    start_offset: i64,
    last_offset: i64,
    message_count: i64,
    last_update_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp_offset: Option<i64>,
}

/// `ListTopicPartitions`.
async fn list_partitions(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<PartitionList>, Refusal> {
    let reading = Reading::<PartitionsQuery>::begin(&app, Operation::List, Scope::Topic, request);
    let reading = reading.await?;
    let (backend, topic) = (&reading.call.instance.backend, reading.topic());
    let (Skip(skip), Limit(limit)) = (reading.query.offset, reading.query.limit);
    let page = skip..skip + limit;
    // The times first: the end may grow meanwhile.
    let of_time = match reading.query.timestamp {
        None => Vec::new(),
        Some(time) => match backend
            .offsets_for_time(topic, page.clone(), time, reading.deadline)
            .await
        {
            // As the vendor, which does not have this parameter.
            Err(BackendError::NotSupported) => Vec::new(),
            offsets => offsets?,
        },
    };
    let listed = backend.partitions(topic, page, reading.deadline).await?;
    let row = |offsets: PartitionOffsets| {
        let is_it = |(partition, _): &&(i32, i64)| *partition == offsets.partition;
        let of_time = of_time.iter().find(is_it);
        ListedPartition {
            partition: offsets.partition,
            start_offset: offsets.log_start_offset,
            last_offset: offsets.high_watermark,
            message_count: offsets.high_watermark - offsets.log_start_offset,
            last_update_time: offsets.last_update_time,
            timestamp_offset: of_time.map(|(_, offset)| *offset),
        }
    };
    Ok(Json(PartitionList {
        total: listed.total,
        partitions: listed.items.into_iter().map(row).collect(),
    }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TopicsQuery {
    offset: Skip,
    limit: Limit,
}

#[derive(Serialize)]
struct TopicList {
    total: usize,
    size: usize,
    topics: Vec<ListedTopic>,
}

#[derive(Serialize)]
struct ListedTopic {
    name: String,
    partition: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    replication: Option<usize>,
    topic_type: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<i64>,
}

/// `ListInstanceTopics`: those that the caller may use.
async fn list_topics(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<TopicList>, Refusal> {
    let reading = Reading::<TopicsQuery>::begin(&app, Operation::List, Scope::Instance, request);
    let reading = reading.await?;
    let mut all = reading
        .call
        .instance
        .backend
        .topics(reading.deadline)
        .await?;
    let grants = &reading.call.caller.grants;
    all.retain(|topic| grants.has_topic(&topic.name));
    let total = all.len();
    let row = |topic: TopicSummary| ListedTopic {
        name: topic.name,
        partition: topic.partitions,
        replication: topic.replicas,
        topic_type: u8::from(topic.internal),
        created_at: topic.created_at,
    };
    let page = page(all, reading.query.offset, reading.query.limit);
    let topics: Vec<_> = page.map(row).collect();
    let size = topics.len();
    Ok(Json(TopicList {
        total,
        size,
        topics,
    }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupsQuery {
    offset: Skip,
    limit: Limit,
    group: String,
}

#[derive(Serialize)]
struct GroupList {
    total: usize,
    groups: Vec<ListedGroup>,
}

#[derive(Serialize)]
struct ListedGroup {
    group_id: String,
    state: GroupState,
    #[serde(skip_serializing_if = "Option::is_none")]
    lag: Option<u64>,
}

/// `ListInstanceConsumerGroups`.
async fn list_groups(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<GroupList>, Refusal> {
    let reading = Reading::<GroupsQuery>::begin(&app, Operation::Groups, Scope::Instance, request);
    let reading = reading.await?;
    let (backend, query) = (&reading.call.instance.backend, &reading.query);
    let all = backend.groups(&query.group, reading.deadline).await?;
    let total = all.len();
    let row = |group: GroupSummary| ListedGroup {
        group_id: group.name,
        state: group.state,
        lag: group.lag,
    };
    let groups = page(all, query.offset, query.limit).map(row).collect();
    Ok(Json(GroupList { total, groups }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupOffsetsQuery {
    offset: Skip,
    limit: Limit,
    partition: Option<i32>,
}

#[derive(Serialize)]
struct GroupOffsetList {
    total: usize,
    group_message_offsets: Vec<ListedGroupOffset>,
}

#[derive(Serialize)]
struct ListedGroupOffset {
    topic: String,
    partition: i32,
    message_current_offset: i64,
    message_log_start_offset: i64,
    message_log_end_offset: i64,
    lag: i64,
}

#[derive(Deserialize)]
struct GroupInPath {
    group: String,
}

/// `ListInstanceConsumerGroupMessageOffset`.
async fn list_group_offsets(
    State(app): State<Arc<App>>,
    mut request: Request,
) -> Result<Json<GroupOffsetList>, Refusal> {
    let path = in_path::<GroupInPath>(&mut request).await;
    let reading =
        Reading::<GroupOffsetsQuery>::begin(&app, Operation::Groups, Scope::Topic, request);
    let reading = reading.await?;
    let GroupInPath { group } = path?;
    let (backend, topic) = (&reading.call.instance.backend, reading.topic());
    let mut all = backend.committed(&group, topic, reading.deadline).await?;
    if let Some(only) = reading.query.partition {
        all.retain(|committed| committed.partition.partition == only);
    }
    let total = all.len();
    let row = |CommittedOffset { partition, offset }| ListedGroupOffset {
        topic: topic.to_owned(),
        partition: partition.partition,
        message_current_offset: offset,
        message_log_start_offset: partition.log_start_offset,
        message_log_end_offset: partition.high_watermark,
        lag: partition.high_watermark.saturating_sub(offset).max(0),
    };
    let page = page(all, reading.query.offset, reading.query.limit);
    let group_message_offsets = page.map(row).collect();
    Ok(Json(GroupOffsetList {
        total,
        group_message_offsets,
    }))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct MessagesQuery {
    partition: Option<i32>,
    message_offset: Option<i64>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    /// The number of the page, from 0.
    offset: Skip,
    limit: Limit,
    /// The vendor's Python SDK writes `True`.
    asc: Option<String>,
}

impl MessagesQuery {
    fn what(&self) -> Result<RecordsToFind, Refusal> {
        let reverse = match self.asc.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("true") => false,
            Some("false") => true,
            Some(_) => {
                return Err(Refusal::invalid_parameter(
                    "asc",
                    "it must be true or false",
                ));
            }
        };
        if self.start_time.is_some() || self.end_time.is_some() {
            let start = self.start_time.unwrap_or(i64::MIN);
            return Ok(RecordsToFind::Between {
                times: start..=self.end_time.unwrap_or(i64::MAX),
                reverse,
                skip: self.offset.0 as u64 * self.limit.0 as u64,
                limit: self.limit.0,
            });
        }
        let (Some(partition), Some(offset)) = (self.partition, self.message_offset) else {
            let rule = "both are needed, or start_time and end_time";
            let names = "partition and message_offset";
            return Err(Refusal::invalid_parameter(names, rule));
        };
        let partition = PartitionId::new(partition).ok_or(Refusal::UNKNOWN_PARTITION)?;
        Ok(RecordsToFind::AtOrAfter { partition, offset })
    }
}

#[derive(Serialize)]
struct MessageList {
    total: u64,
    size: usize,
    messages: Vec<ListedMessage>,
}

#[derive(Serialize)]
struct ListedMessage {
    topic: String,
    partition: i32,
    message_offset: i64,
    timestamp: i64,
}

/// `ShowInstanceMessages`.
async fn find_messages(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<MessageList>, Refusal> {
    let reading = Reading::<MessagesQuery>::begin(&app, Operation::List, Scope::Topic, request);
    let reading = reading.await?;
    let (backend, topic) = (&reading.call.instance.backend, reading.topic());
    let what = reading.query.what()?;
    let found = backend.find(topic, what, reading.deadline).await?;
    let FoundRecords { total, records } = found;
    let row = |(partition, record): (i32, FoundRecord)| ListedMessage {
        topic: topic.to_owned(),
        partition,
        message_offset: record.offset,
        timestamp: record.timestamp,
    };
    let messages: Vec<_> = records.into_iter().map(row).collect();
    let size = messages.len();
    Ok(Json(MessageList {
        total,
        size,
        messages,
    }))
}

#[derive(Deserialize)]
struct PartitionInPath {
    partition: i32,
}

#[derive(Deserialize)]
struct NoParameters {}

#[derive(Serialize)]
struct EdgeMessage {
    topic: String,
    partition: i32,
    /// Absent if the partition has no records.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<i64>,
}

/// `ShowPartitionBeginningMessage`.
async fn oldest_message(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<EdgeMessage>, Refusal> {
    edge_message(&app, Edge::Oldest, request).await
}

/// `ShowPartitionEndMessage`.
async fn newest_message(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<EdgeMessage>, Refusal> {
    edge_message(&app, Edge::Newest, request).await
}

async fn edge_message(
    app: &Arc<App>,
    edge: Edge,
    mut request: Request,
) -> Result<Json<EdgeMessage>, Refusal> {
    let path = in_path::<PartitionInPath>(&mut request).await;
    let reading =
        Reading::<NoParameters>::begin(app, Operation::List, Scope::Topic, request).await?;
    let PartitionInPath { partition } = path?;
    let partition = PartitionId::new(partition).ok_or(Refusal::UNKNOWN_PARTITION)?;
    let (backend, topic) = (&reading.call.instance.backend, reading.topic());
    let found = backend.edge(topic, partition, edge, reading.deadline);
    let found = found.await?;
    let message = EdgeMessage {
        topic: topic.to_owned(),
        partition: partition.number(),
        offset: found.map(|record| record.offset),
        timestamp: found.map(|record| record.timestamp),
    };
    Ok(Json(message))
}

/// Further parameters of the path. They are checked after the admission.
async fn in_path<P: DeserializeOwned + Send + 'static>(
    request: &mut Request,
) -> Result<P, Refusal> {
    let path = request.extract_parts::<Path<P>>().await;
    let rule = "a partition is a number, and a group is text in UTF-8";
    let Path(path) = path.map_err(|_| Refusal::invalid_parameter("path", rule))?;
    Ok(path)
}
