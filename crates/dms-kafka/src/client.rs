use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use huaweicloud_auth::Credentials;
use tokio::time::Instant;

use crate::call;
use crate::call_settings::call_settings;
use crate::config::Config;
use crate::delete::DeleteMessages;
use crate::error::Error;
use crate::ids::{InstanceId, InvalidId, ProjectId, TopicName, validated};
use crate::list::{self, PartitionInfo};
use crate::plan::Plan;
use crate::plan_deletion::PlanDeletion;
use crate::purge::Purge;
use crate::retry::RetryPolicy;
use crate::signed_request;

/// A client for one endpoint and project. Cheap to clone; clones share connections.
///
/// Await its calls in a tokio runtime with time and I/O enabled. Outside a runtime, they return an error.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use dms_kafka::Client;
/// use dms_kafka_gateway::Gateway;
///
/// // This example uses an in-memory gateway: one topic, 3 partitions of 1,000 records.
/// let gateway = Gateway::memory().topic("orders", 3, 1000).start().await?;
/// let client = Client::builder()
///     .endpoint(gateway.endpoint())
///     .project_id(gateway.project_id())
///     .credentials(gateway.credentials())
///     .build()?;
///
/// client
///     .delete_messages(gateway.instance_id(), "orders")
///     .before(0, 400)
///     .everything(2)
///     .send()
///     .await?
///     .into_result()?;
///
/// let partitions = client.list_partitions(gateway.instance_id(), "orders").await?;
/// let records: Vec<i64> = partitions.iter().map(|partition| partition.records()).collect();
/// assert_eq!(records, [600, 1000, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Client(Arc<Config>);

impl Client {
    #[cfg(feature = "test-util")]
    pub(crate) fn into_config(self) -> Arc<Config> {
        self.0
    }

    pub(crate) fn new(config: Config) -> Self {
        Self(Arc::new(config))
    }

    /// Starts a deletion in one topic. Add partitions, then call [`send`](DeleteMessages::send).
    pub fn delete_messages(
        &self,
        instance_id: impl TryInto<InstanceId, Error: Into<InvalidId>>,
        topic: impl TryInto<TopicName, Error: Into<InvalidId>>,
    ) -> DeleteMessages {
        let (instance_id, topic) = (validated(instance_id), validated(topic));
        DeleteMessages::new(Arc::clone(&self.0), instance_id, topic, Vec::new())
    }

    /// Starts any number of deletions in any topics of an instance. Pass the rows to [`run`](Purge::run).
    pub fn purge(&self, instance_id: impl TryInto<InstanceId, Error: Into<InvalidId>>) -> Purge {
        Purge::new(Arc::clone(&self.0), validated(instance_id))
    }

    /// Starts a plan to delete records of a topic. Add selectors, then call [`resolve`](PlanDeletion::resolve), which only
    /// reads.
    pub fn plan_deletion(
        &self,
        instance_id: impl TryInto<InstanceId, Error: Into<InvalidId>>,
        topic: impl TryInto<TopicName, Error: Into<InvalidId>>,
    ) -> PlanDeletion {
        PlanDeletion::new(
            Arc::clone(&self.0),
            validated(instance_id),
            validated(topic),
        )
    }

    /// Reads a plan that [`Plan::to_json`] wrote, to execute it as it was shown. Compare [`Plan::digest`] with the digest that was
    /// approved.
    ///
    /// # Errors
    /// [`Plan`](crate::ErrorKind::Plan): it is not a plan, was edited, or is for another instance.
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) for an invalid instance id.
    pub fn stored_plan(
        &self,
        instance_id: impl TryInto<InstanceId, Error: Into<InvalidId>>,
        json: &str,
    ) -> Result<Plan, Error> {
        Plan::stored(Arc::clone(&self.0), &validated(instance_id)?, json)
    }

    /// Returns the offsets of all partitions of a topic, ordered by partition. The call timeout applies to all pages
    /// together.
    ///
    /// # Errors
    /// Any [`ErrorKind`](crate::ErrorKind). A service without this operation returns 404 or 405.
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn list_partitions(
        &self,
        instance_id: impl TryInto<InstanceId, Error: Into<InvalidId>> + Send,
        topic: impl TryInto<TopicName, Error: Into<InvalidId>> + Send,
    ) -> Result<Vec<PartitionInfo>, Error> {
        let (instance_id, topic) = (validated(instance_id)?, validated(topic)?);
        let listed = list::partitions(&self.0, &instance_id, &topic, None);
        call::in_span("list_partitions", Some(&instance_id), Some(&topic), listed).await
    }

    /// Returns the names of the instance's topics, in alphabetical order. The call timeout applies to all pages together.
    ///
    /// # Errors
    /// Any [`ErrorKind`](crate::ErrorKind). A service without this operation returns 404 or 405.
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn list_topics(
        &self,
        instance_id: impl TryInto<InstanceId, Error: Into<InvalidId>> + Send,
    ) -> Result<Vec<TopicName>, Error> {
        let instance_id = validated(instance_id)?;
        let listed = list::topics(&self.0, &instance_id);
        let topics = call::in_span("list_topics", Some(&instance_id), None, listed).await?;
        Ok(topics.into_keys().collect())
    }

    /// Signs and sends a request for an operation that this crate does not have, over the HTTP client, proxy and certificates of
    /// this one. The URI is a path with an optional query; [`project_id`](Self::project_id) returns the project for it.
    ///
    /// The request is sent once: check [`Error::outcome`] and [`Error::is_retryable`] before you repeat it. The timeouts
    /// of the client apply. Of the request's headers, `Content-Type` is signed. The headers of the response have the request id (`X-Request-Id`).
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000).start().await?;
    /// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
    /// #     .credentials(gateway.credentials()).build()?;
    /// let path = format!("/v2/{}/instances/{}/topics?limit=5", client.project_id().await?, gateway.instance_id());
    /// let response = client.send_signed(http::Request::get(path).body("")?).await?;
    /// assert_eq!(response.status(), 200);
    /// assert!(response.headers().contains_key("x-request-id"));
    /// assert!(response.body().starts_with(br#"{"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// Any status but a success. [`InvalidInput`](crate::ErrorKind::InvalidInput) for a URI with a scheme or host, a path that
    /// is not in normal form, and a header that the client sets itself.
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn send_signed(
        &self,
        request: Request<impl Into<Bytes> + Send>,
    ) -> Result<Response<Bytes>, Error> {
        signed_request::send(&self.0, request.map(Into::into)).await
    }

    /// Returns the endpoint: scheme, host and port.
    pub fn endpoint(&self) -> &str {
        self.0.endpoint.base()
    }

    /// Returns the name of the service in stored plans: the endpoint, unless
    /// [`service_name`](crate::ClientBuilder::service_name) was set.
    pub fn service_name(&self) -> &str {
        &self.0.service_name
    }

    /// Returns the credentials that a call would use now, with their provider, expiry and access key.
    ///
    /// # Errors
    /// [`Credentials`](crate::ErrorKind::Credentials) if the provider has none.
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn credentials(&self) -> Result<Credentials, Error> {
        self.0.credentials(self.deadline()).await
    }

    /// Returns the project that a call would use now: the project of the builder, of the credentials, or of the region.
    /// The last is looked up in IAM once.
    ///
    /// # Errors
    /// [`Credentials`](crate::ErrorKind::Credentials), [`ProjectId`](crate::ErrorKind::ProjectId), and
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) if there is no region and the credentials have no project.
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
    pub async fn project_id(&self) -> Result<ProjectId, Error> {
        Ok(self.0.identity(self.deadline()).await?.project_id)
    }

    fn deadline(&self) -> Instant {
        call::after(self.0.settings.call_timeout)
    }
}

call_settings!(Client, client => Arc::make_mut(&mut client.0).settings);
