use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use huaweicloud_auth::ProvideCredentials;

use crate::builder::ClientBuilder;
use crate::delete::DeleteMessages;
use crate::error::Error;
use crate::ids::ProjectId;
use crate::list::{self, PartitionInfo};
use crate::retry::RetryPolicy;
use crate::transport::Endpoint;

/// A client of one endpoint and project. Cheap to clone; clones share the connections.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use dms_kafka::Client;
/// use dms_kafka_gateway::Gateway;
///
/// // A gateway in memory stands in for the service: one topic, 3 partitions of 1,000 records.
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
/// let left = client.list_partitions(gateway.instance_id(), "orders").await?;
/// let records: Vec<i64> = left.iter().map(|partition| partition.records()).collect();
/// assert_eq!(records, [600, 1000, 0]);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Client(Arc<Config>);

/// What all calls of a client share.
pub(crate) struct Config {
    pub(crate) http: reqwest::Client,
    pub(crate) endpoint: Endpoint,
    pub(crate) project_id: ProjectId,
    pub(crate) project_header: HeaderValue,
    pub(crate) credentials: Arc<dyn ProvideCredentials>,
    pub(crate) attempt_timeout: Duration,
    pub(crate) call_timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) answer_limit: usize,
}

impl Client {
    /// Starts building a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(crate) fn new(config: Config) -> Self {
        Self(Arc::new(config))
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0
    }

    /// Starts a deletion in one topic. Name the partitions, then [`send`](DeleteMessages::send) it.
    pub fn delete_messages(
        &self,
        instance_id: impl Into<String>,
        topic: impl Into<String>,
    ) -> DeleteMessages {
        DeleteMessages::new(self.clone(), instance_id.into(), topic.into())
    }

    /// Which records each partition of a topic holds, over all pages, by partition number.
    ///
    /// # Errors
    /// Any [`ErrorKind`](crate::ErrorKind). A service without this companion call answers 404 or 405.
    pub async fn list_partitions(
        &self,
        instance_id: impl Into<String> + Send,
        topic: impl Into<String> + Send,
    ) -> Result<Vec<PartitionInfo>, Error> {
        list::all_pages(self.config(), instance_id.into(), topic.into()).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.0.endpoint.base())
            .field("project_id", &self.0.project_id)
            .field("credentials", &self.0.credentials)
            .finish_non_exhaustive()
    }
}
