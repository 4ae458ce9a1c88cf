//! The control API: changes topics in memory and faults while the gateway runs, for tests in any language.
//!
//! It has its own listener on a loopback address. Its requests need no signature.

use std::{any::Any, sync::Arc};

use axum::{
    Json, Router,
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, State},
    http::{StatusCode, request::Parts},
    routing::{get, post, put},
};
use huaweicloud_auth::text;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use super::check_no_query;
use crate::{
    app::{App, Instance},
    backend::{
        GroupState,
        memory::{CleanupPolicy, MemoryBackend, PartitionState, TopicSettings, TopicState},
        memory_groups::{CommitSettings, GroupSettings},
    },
    faults::FaultRule,
    refusal::Refusal,
    wire::{Object, check_content},
};

/// The most bytes of a request body.
const MAX_BODY: usize = 64 * 1024;
/// The most characters of a message of the JSON reader, which may quote the body.
const MAX_EXPLANATION: usize = 300;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/control/state", get(state))
        .route("/control/reset", post(reset))
        .route(
            "/control/topics/{topic}",
            put(put_topic).delete(delete_topic),
        )
        .route(
            "/control/topics/{topic}/partitions/{partition}/records",
            post(append_records),
        )
        .route(
            "/control/groups/{group}",
            put(put_group).delete(delete_group),
        )
        .route("/control/groups/{group}/commits", post(commit_offset))
        .route("/control/faults", post(add_fault).delete(clear_faults))
}

/// Every instance with its topics and consumer groups, and the number of rules for faults.
async fn state(_: NoQuery, State(app): State<Arc<App>>) -> Result<Json<ControlState>, Refusal> {
    let instances = app.instances.iter().map(|instance| {
        let backend = memory(instance)?;
        Ok(InstanceState {
            project_id: instance.project_id.clone(),
            instance_id: instance.id.clone(),
            topics: backend.state(),
            groups: backend.group_state(),
        })
    });
    Ok(Json(ControlState {
        instances: instances.collect::<Result<_, Refusal>>()?,
        fault_rules: app.faults.count(),
    }))
}

#[derive(Serialize)]
struct ControlState {
    instances: Vec<InstanceState>,
    fault_rules: usize,
}

#[derive(Serialize)]
struct InstanceState {
    project_id: String,
    instance_id: String,
    topics: Vec<TopicState>,
    groups: Vec<GroupSettings>,
}

/// Returns to the topics, records, groups and faults of the start.
async fn reset(
    _: NoQuery,
    State(app): State<Arc<App>>,
    _: JsonBody<Empty>,
) -> Result<StatusCode, Refusal> {
    for instance in &app.instances {
        memory(instance)?.reset();
    }
    app.faults.reset();
    app.access.forget_signatures();
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

/// Creates a topic, or replaces the one of the same name.
async fn put_topic(
    State(app): State<Arc<App>>,
    InPath(name): InPath<String>,
    of: InstanceId,
    JsonBody(topic): JsonBody<NewTopic>,
) -> Result<(StatusCode, Json<TopicState>), Refusal> {
    let topic = TopicSettings {
        name,
        partitions: topic.partitions,
        records: topic.records,
        cleanup_policy: topic.cleanup_policy,
    };
    let put = of.backend(&app)?.put(&topic);
    let (state, replaced) = put.map_err(|rule| Refusal::invalid_parameter("topic", rule))?;
    let status = if replaced {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(state)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTopic {
    partitions: u32,
    #[serde(default)]
    records: u64,
    #[serde(default)]
    cleanup_policy: CleanupPolicy,
}

async fn delete_topic(
    State(app): State<Arc<App>>,
    InPath(name): InPath<String>,
    of: InstanceId,
) -> Result<StatusCode, Refusal> {
    if of.backend(&app)?.remove(&name) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::INVALID_TOPIC)
}

/// Appends records to a partition like a producer.
async fn append_records(
    State(app): State<Arc<App>>,
    InPath((topic, partition)): InPath<(String, i32)>,
    of: InstanceId,
    JsonBody(body): JsonBody<NewRecords>,
) -> Result<Json<PartitionState>, Refusal> {
    let backend = of.backend(&app)?;
    let times = match (body.first_time, body.last_time) {
        (None, None) => None,
        (Some(first), last) => Some((first, last.unwrap_or(first))),
        (None, Some(_)) => {
            let rule = "it needs first_time";
            return Err(Refusal::invalid_parameter("last_time", rule));
        }
    };
    let (skip, records) = (body.skip_offsets, body.records);
    let offsets = backend.append(&topic, partition, skip, records, times);
    let rule =
        "it must exist, have less than 10000 gaps, and its end offset must be less than 2^63";
    let offsets = offsets.ok_or_else(|| Refusal::invalid_parameter("partition", rule))?;
    Ok(Json(PartitionState::from(&offsets)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRecords {
    records: u64,
    /// Of the first record, in milliseconds since 1970; now if absent.
    first_time: Option<i64>,
    /// Of the last record; that of the first one if absent.
    last_time: Option<i64>,
    /// Offsets without records before them.
    #[serde(default)]
    skip_offsets: u64,
}

/// Creates a consumer group, or replaces the one of the same name.
async fn put_group(
    State(app): State<Arc<App>>,
    InPath(name): InPath<String>,
    of: InstanceId,
    JsonBody(group): JsonBody<NewGroup>,
) -> Result<(StatusCode, Json<GroupSettings>), Refusal> {
    let group = GroupSettings {
        name,
        state: group.state,
        commits: group.commits,
    };
    let replaced = of.backend(&app)?.put_group(&group);
    let replaced = replaced.map_err(|rule| Refusal::invalid_parameter("group", rule))?;
    let status = if replaced {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(group)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    #[serde(default)]
    state: GroupState,
    #[serde(default)]
    commits: Vec<CommitSettings>,
}

async fn delete_group(
    State(app): State<Arc<App>>,
    InPath(name): InPath<String>,
    of: InstanceId,
) -> Result<StatusCode, Refusal> {
    if of.backend(&app)?.remove_group(&name) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::UNKNOWN_GROUP)
}

/// Commits an offset like a consumer of a group, which is created if it does not exist.
async fn commit_offset(
    State(app): State<Arc<App>>,
    InPath(name): InPath<String>,
    of: InstanceId,
    JsonBody(commit): JsonBody<CommitSettings>,
) -> Result<StatusCode, Refusal> {
    let committed = of.backend(&app)?.commit(&name, commit);
    committed.map_err(|rule| Refusal::invalid_parameter("commit", rule))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds a rule for faults, in the notation of a configuration, after those that exist.
async fn add_fault(
    _: NoQuery,
    State(app): State<Arc<App>>,
    JsonBody(rule): JsonBody<FaultRule>,
) -> (StatusCode, Json<FaultRules>) {
    let fault_rules = app.faults.add(rule);
    (StatusCode::CREATED, Json(FaultRules { fault_rules }))
}

#[derive(Serialize)]
struct FaultRules {
    fault_rules: usize,
}

async fn clear_faults(_: NoQuery, State(app): State<Arc<App>>) -> StatusCode {
    app.faults.clear();
    StatusCode::NO_CONTENT
}

fn memory(instance: &Instance) -> Result<&MemoryBackend, Refusal> {
    let backend: &dyn Any = &*instance.backend;
    // A gateway with another backend does not start with a control API.
    backend.downcast_ref().ok_or(Refusal::INTERNAL)
}

/// The query parameter `instance`; the first instance if it is absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceId {
    instance: Option<String>,
}

impl InstanceId {
    fn backend<'a>(&self, app: &'a App) -> Result<&'a MemoryBackend, Refusal> {
        let is_it =
            |instance: &&Instance| self.instance.as_ref().is_none_or(|id| instance.id == *id);
        let instance = app.instances.iter().find(is_it);
        memory(instance.ok_or(Refusal::UNKNOWN_INSTANCE)?)
    }
}

impl<S: Sync> FromRequestParts<S> for InstanceId {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let rule = "the only one is instance, and it may be given once";
        let query = Query::try_from_uri(&head.uri);
        let Query(id) = query.map_err(|_| Refusal::invalid_parameter("query", rule))?;
        Ok(id)
    }
}

/// No query parameters.
struct NoQuery;

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Refusal> {
        check_no_query(&head.uri)?;
        Ok(Self)
    }
}

/// The parameters of a path.
struct InPath<T>(T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let rule = "a topic is text in UTF-8, and a partition is a number";
        let path = Path::from_request_parts(head, state).await;
        let Path(parameters) = path.map_err(|_| Refusal::invalid_parameter("path", rule))?;
        Ok(Self(parameters))
    }
}

/// A JSON object that was sent as `application/json`.
struct JsonBody<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refusal> {
        // Without asking the gateway first, a web page can send only other types.
        check_content(request.headers(), true)?;
        let body = to_bytes(request.into_body(), MAX_BODY);
        let body = timeout(app.limits.body_timeout, body).await;
        let body = body.map_err(|_| Refusal::BODY_TOO_SLOW.closing())?;
        let body = body.map_err(|_| Refusal::BODY_TOO_LARGE.with(MAX_BODY).closing())?;
        let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
        let parsed = serde_json::from_slice(body).map_err(|error| {
            let error = error.to_string();
            Refusal::MALFORMED_BODY.with(text::sanitize(&error, &[], MAX_EXPLANATION))
        });
        let Object(body) = parsed?;
        Ok(Self(body))
    }
}
