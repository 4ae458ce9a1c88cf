use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dms_kafka_client::{self as raw, Attempt, types};
use futures_util::FutureExt;

use crate::call::{self, Effect, Operation};
use crate::call_settings::call_settings;
use crate::config::{Config, ProjectSource};
use crate::deletion::Deletion;
use crate::error::Error;
use crate::ids::{InstanceId, InvalidId, Offset, PartitionId, ProjectId, TopicName, validated};
use crate::partition::DeletionTarget;
use crate::response::RawResult;
use crate::retry::RetryPolicy;
use crate::signing_date;

/// The service's limit for a request body, in bytes.
const MAX_BODY: usize = 12_000_000;
/// The placeholder for a project that has not been looked up yet.
const UNKNOWN_PROJECT: &str = "{project_id}";
const OPERATION: Operation<'static> = Operation {
    name: "DeleteKafkaTopicMessages",
    method: "POST",
};

/// A request to delete records of one topic. Nothing is sent until [`send`](Self::send).
///
/// Add each partition once, with [`before`](Self::before) or [`everything`](Self::everything).
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use dms_kafka::DeletionTarget;
/// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000).start().await.unwrap();
/// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
/// #     .credentials(gateway.credentials()).build().unwrap();
///
/// let mut request = client.delete_messages(gateway.instance_id(), "orders").everything(2);
/// for (partition, offset) in [(0, 400), (1, 7)] {
///     request = request.target(partition, DeletionTarget::before(offset)?);
/// }
/// request.send().await?.into_result()?;
///
/// // A negative offset is refused and nothing is sent.
/// let request = client.delete_messages(gateway.instance_id(), "orders").before(0, -1);
/// assert_eq!(request.send().await.unwrap_err().attempts(), 0);
/// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is deleted until send() is awaited"]
pub struct DeleteMessages {
    config: Arc<Config>,
    /// The request, or the first invalid part of it.
    request: Result<DeletionRequest, InvalidId>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct DeletionRequest {
    pub(crate) instance_id: InstanceId,
    pub(crate) topic: TopicName,
    pub(crate) targets: Vec<(PartitionId, DeletionTarget)>,
}

impl DeleteMessages {
    pub(crate) fn new(
        config: Arc<Config>,
        instance_id: Result<InstanceId, InvalidId>,
        topic: Result<TopicName, InvalidId>,
        targets: Vec<(PartitionId, DeletionTarget)>,
    ) -> Self {
        let request = instance_id.and_then(|instance_id| {
            Ok(DeletionRequest {
                instance_id,
                topic: topic?,
                targets,
            })
        });
        Self { config, request }
    }

    /// Deletes the records of `partition` before `offset`. The record at `offset` is kept.
    ///
    /// Both count from 0; [`send`](Self::send) refuses a negative number. Repeating the deletion deletes no other
    /// records, so it can be retried after any failure that may be temporary.
    #[inline]
    pub fn before(
        self,
        partition: impl TryInto<PartitionId, Error: Into<InvalidId>>,
        offset: impl TryInto<Offset, Error: Into<InvalidId>>,
    ) -> Self {
        self.with(|| {
            let partition = validated(partition)?;
            Ok((partition, DeletionTarget::Before(validated(offset)?)))
        })
    }

    /// Deletes all records that `partition` has when the service receives the request.
    ///
    /// Repeating the deletion also deletes records that were written since. It is only retried if nothing was deleted. An
    /// equal request of this client waits for the next second, because a service may refuse a signature that it has seen,
    /// and the signatures of equal requests within a second are equal.
    pub fn everything(self, partition: impl TryInto<PartitionId, Error: Into<InvalidId>>) -> Self {
        self.target(partition, DeletionTarget::Everything)
    }

    /// Adds a partition and its deletion target.
    #[inline]
    pub fn target(
        self,
        partition: impl TryInto<PartitionId, Error: Into<InvalidId>>,
        target: DeletionTarget,
    ) -> Self {
        self.with(|| Ok((validated(partition)?, target)))
    }

    #[inline]
    fn with(
        mut self,
        row: impl FnOnce() -> Result<(PartitionId, DeletionTarget), InvalidId>,
    ) -> Self {
        if let Ok(request) = &mut self.request {
            match row() {
                Ok(row) => request.targets.push(row),
                Err(error) => self.request = Err(error),
            }
        }
        self
    }

    /// Returns the request that [`send`](Self::send) would send, for a dry run. Nothing is sent.
    ///
    /// ```
    /// # use dms_kafka::{Client, auth::Credentials};
    /// let client = Client::builder()
    ///     .endpoint("http://127.0.0.1:8080")
    ///     .project_id("project")
    ///     .credentials(Credentials::new("access-key", "secret-key")?)
    ///     .build()?;
    /// let request = client.delete_messages("instance", "orders").before(0, 400).to_request()?;
    /// assert_eq!(
    ///     request.url(),
    ///     "http://127.0.0.1:8080/v2/project/kafka/instances/instance/topics/orders/messages/delete"
    /// );
    /// assert_eq!(request.body(), r#"{"partitions":[{"offset":400,"partition":0}]}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) in the cases in which `send` refuses the input.
    pub fn to_request(&self) -> Result<PreparedRequest, Error> {
        let request = self.request.as_ref().map_err(Clone::clone)?;
        self.config.settings.check()?;
        let body = request.body()?;
        let config = &self.config;
        let attempt = Attempt::without_sending();
        let base = config.endpoint.url().clone();
        let client = raw::Client::new_with_client(base, config.http.clone(), attempt.clone());
        let project_id = match &*config.project {
            ProjectSource::Given(id) => id.as_str(),
            ProjectSource::OfCredentials => UNKNOWN_PROJECT,
            #[cfg(feature = "providers")]
            ProjectSource::OfRegion { .. } => UNKNOWN_PROJECT,
        };
        // Without sending, the call is ready at once.
        let result = request.send(client, project_id, &body).now_or_never();
        match (attempt.take_request(), result) {
            (Some(request), _) => Ok(PreparedRequest::new(&request)),
            (None, Some(Err(error))) => Err(Error::invalid_input(error.to_string())),
            (None, _) => Err(Error::invalid_input("the request cannot be built")),
        }
    }

    /// Sends the request.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput), before anything is sent: an invalid identifier, a negative
    /// number, no partition, a repeated partition, or a request body above 12 MB. The call can fail with any other
    /// [`ErrorKind`](crate::ErrorKind), except that failed partitions are an error of [`Deletion::into_result`].
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn send(self) -> Result<Deletion, Error> {
        let request = self.request?;
        let sent = request.deletion(&self.config);
        let (instance_id, topic) = (Some(&request.instance_id), Some(&request.topic));
        call::in_span("delete_messages", instance_id, topic, sent).await
    }
}

call_settings!(DeleteMessages, request => Arc::make_mut(&mut request.config).settings);

impl DeletionRequest {
    pub(crate) async fn deletion(&self, config: &Config) -> Result<Deletion, Error> {
        let body = &self.body()?;
        let deadline = call::after(config.settings.call_timeout);
        let send = |client, project_id: ProjectId| async move {
            self.send(client, project_id.as_str(), body).await
        };
        let output = call::run(config, deadline, OPERATION, self.effect(), send).await?;
        let secret = call::secret(&output.credentials);
        Ok(Deletion::new(
            &self.targets,
            output.value,
            secret,
            output.history,
        ))
    }

    async fn send(
        &self,
        client: raw::Client,
        project_id: &str,
        body: &types::DeleteKafkaMessageRequestBody,
    ) -> RawResult<types::DeleteKafkaTopicMessagesResponse> {
        let (instance_id, topic) = (self.instance_id.as_str(), self.topic.as_str());
        client
            .delete_kafka_topic_messages(project_id, instance_id, topic, body)
            .await
    }

    fn effect(&self) -> Effect {
        if self
            .targets
            .iter()
            .any(|(_, target)| target.is_everything())
        {
            Effect::DeletesEverything(signing_date::identity(self))
        } else {
            Effect::DeletesBefore
        }
    }

    fn body(&self) -> Result<types::DeleteKafkaMessageRequestBody, Error> {
        if self.targets.is_empty() {
            return Err(Error::invalid_input(
                "no partition: add one with before(partition, offset) or everything(partition)",
            ));
        }
        self.check_unique()?;
        let item =
            |&(partition, target): &(PartitionId, DeletionTarget)| types::PartitionOffsetEntity {
                partition: Some(partition.get()),
                offset: Some(target.to_api_offset()),
            };
        let partitions = self.targets.iter().map(item).collect();
        let body = types::DeleteKafkaMessageRequestBody { partitions };
        check_size(&body)?;
        Ok(body)
    }

    /// Ascending partitions, the usual order, need no set.
    fn check_unique(&self) -> Result<(), Error> {
        if self.targets.is_sorted_by(|one, next| one.0 < next.0) {
            return Ok(());
        }
        let mut seen = HashSet::with_capacity(self.targets.len());
        match self.targets.iter().find(|target| !seen.insert(target.0)) {
            None => Ok(()),
            Some((partition, _)) => Err(Error::invalid_input(format!(
                "partition {partition} is repeated: add each partition once"
            ))),
        }
    }
}

/// Refuses a body above the service's limit. A request with few partitions is not measured.
fn check_size(body: &types::DeleteKafkaMessageRequestBody) -> Result<(), Error> {
    const LONGEST_ITEM: usize = r#"{"offset":9223372036854775807,"partition":2147483647},"#.len();
    if body.partitions.len() < MAX_BODY / LONGEST_ITEM {
        return Ok(());
    }
    let size = serde_json::to_vec(body)
        .map_err(|error| {
            Error::invalid_input("the request cannot be written as JSON").with_source(error)
        })?
        .len();
    if size <= MAX_BODY {
        return Ok(());
    }
    Err(Error::invalid_input(format!(
        "the request body has {size} bytes, and the service accepts {MAX_BODY}: add fewer partitions per call"
    )))
}

/// A request that would be sent, without its headers. Created by [`DeleteMessages::to_request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedRequest {
    method: String,
    url: String,
    body: String,
}

impl PreparedRequest {
    fn new(request: &reqwest::Request) -> Self {
        let body = request.body().and_then(reqwest::Body::as_bytes);
        Self {
            method: request.method().to_string(),
            // No identifier and no host contains the escaped form.
            url: request
                .url()
                .as_str()
                .replace("%7Bproject_id%7D", UNKNOWN_PROJECT),
            body: String::from_utf8_lossy(body.unwrap_or_default()).into_owned(),
        }
    }

    /// Returns the HTTP method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Returns the URL. It contains `{project_id}` if the first call would look up the project.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the request body: JSON, exactly as it would be sent.
    pub fn body(&self) -> &str {
        &self.body
    }
}
