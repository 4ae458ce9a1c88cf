//! Kafka clients that exist for one read: of the commits of a group, or of records.

use std::{sync::Arc, time::Instant};

use rdkafka::{ClientConfig, config::RDKafkaLogLevel};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout_at,
};

use super::{
    cluster::Cluster,
    librdkafka::{LogContext, Reader},
    results::Failure,
};

/// Concurrent reads of one cluster; others wait. A client has a thread for each broker.
const MAX_READERS: usize = 4;

const PROPERTIES: [(&str, &str); 7] = [
    ("enable.auto.commit", "false"),
    ("enable.partition.eof", "true"),
    // Never continue from another offset than the one that was asked for.
    ("auto.offset.reset", "error"),
    // The end of a partition is reported at once.
    ("fetch.wait.max.ms", "10"),
    // Fetches also return records that are not needed: few of them.
    ("fetch.message.max.bytes", "65536"),
    ("queued.max.messages.kbytes", "1024"),
    ("fetch.queue.backoff.ms", "1"),
];

pub(super) struct Readers {
    config: ClientConfig,
    context: LogContext,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let mut config = cluster.config.clone();
        for (name, value) in PROPERTIES {
            config.set(name, value);
        }
        // The log lines of these clients are not read.
        config.set_log_level(RDKafkaLogLevel::Emerg);
        Self {
            config,
            context: cluster.log_context(),
            permits: Arc::new(Semaphore::new(MAX_READERS)),
        }
    }

    /// A permit for one read.
    pub(super) async fn permit(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Failure> {
        let permit = timeout_at(deadline.into(), self.permits.clone().acquire_owned());
        let permit = permit.await.map_err(|_| Failure::timed_out())?;
        permit.map_err(|error| Failure::unknown(&error))
    }

    /// Calls `read` on a thread of its own, with a client of this group, which never joins it and is dropped afterwards.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        group: &str,
        deadline: Instant,
        read: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let permit = self.permit(deadline).await?;
        let mut config = self.config.clone();
        config.set("group.id", group);
        let context = self.context.clone();
        let reading = spawn_blocking(move || {
            let client = config.create_with_context(context);
            let result = client.map_err(Failure::from).and_then(|it| read(&it));
            drop(permit);
            result
        });
        match timeout_at(deadline.into(), reading).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(Failure::unknown(&error)),
            Err(_) => Err(Failure::timed_out()),
        }
    }
}
