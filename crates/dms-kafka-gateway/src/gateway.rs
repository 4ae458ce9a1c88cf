//! A running gateway in memory, and a look inside.

use std::sync::Arc;

use huaweicloud_auth::Credentials;

use crate::{
    backend::{MemoryBackend, PartitionOffsets},
    memory_gateway::MemoryGatewayBuilder,
    ready_line::ReadyLine,
    service::Service,
};

/// A running gateway whose topics are in memory.
///
/// It serves until [`Gateway::shutdown`] or until it is dropped.
///
/// ```
/// use dms_kafka_gateway::Gateway;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), dms_kafka_gateway::Error> {
/// let gateway = Gateway::memory().topic("orders", 3, 1000).start().await?;
/// assert!(gateway.endpoint().starts_with("http://127.0.0.1:"));
/// // ... point the code under test at the endpoint, with `gateway.credentials()` ...
/// let partition = gateway.partition("orders", 0).expect("it was seeded");
/// assert_eq!((partition.log_start_offset, partition.high_watermark), (0, 1000));
/// gateway.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Gateway {
    pub(crate) service: Service,
    pub(crate) project_id: String,
    pub(crate) instance_id: String,
    pub(crate) credentials: Credentials,
    /// Whether the key pair was made up for this run.
    pub(crate) made_up: bool,
    pub(crate) backend: Arc<MemoryBackend>,
}

impl Gateway {
    /// Describes a gateway whose topics are in memory: one instance, one key pair, on a free port of 127.0.0.1.
    pub fn memory() -> MemoryGatewayBuilder {
        MemoryGatewayBuilder::default()
    }

    /// The URL to send requests to, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        self.service.endpoint()
    }

    /// The project that the instance belongs to.
    pub fn project_id(&self) -> &str {
        &self.project_id
    }

    /// The only instance there is.
    pub fn instance_id(&self) -> &str {
        &self.instance_id
    }

    /// The access key that requests are to be signed with.
    pub fn access_key(&self) -> &str {
        self.credentials.access_key().unwrap_or_default()
    }

    /// The secret key that goes with [`Gateway::access_key`].
    pub fn secret_key(&self) -> &str {
        self.credentials.secret_key().unwrap_or_default()
    }

    /// Access key and secret key, ready to sign with.
    pub fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }

    /// Looks at one partition, past the API; `None` when there is no such partition.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<PartitionOffsets> {
        self.backend.partition(topic, partition)
    }

    /// Appends records to a partition, as a producer would, and returns its new high watermark.
    ///
    /// `None` when there is no such partition.
    pub fn append(&self, topic: &str, partition: i32, records: u64) -> Option<i64> {
        self.backend.append(topic, partition, records)
    }

    /// What to tell whoever started this gateway as a process of its own.
    pub fn ready_line(&self) -> ReadyLine<'_> {
        let may_tell = self.made_up && self.service.address().ip().is_loopback();
        ReadyLine::new(
            self.endpoint(),
            &self.project_id,
            &self.instance_id,
            self.access_key(),
            may_tell.then(|| self.secret_key()),
        )
    }

    /// Stops taking requests and waits for those in flight to be answered, one minute at most.
    pub async fn shutdown(self) {
        self.service.shutdown().await;
    }
}
