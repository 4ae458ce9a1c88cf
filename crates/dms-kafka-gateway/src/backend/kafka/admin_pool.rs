//! The librdkafka clients that delete.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    config::RDKafkaLogLevel,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::spawn_blocking,
};

use super::results::{Failure, PartitionResults, results_in};

/// Concurrent deletions for one cluster; others wait.
///
/// Kafka responds to the requests of one connection in their order, and to a deletion when the last replica has applied it:
/// after half a second, and much later when a replica hangs. So concurrent deletions do not share a client.
const MAX_CLIENTS: usize = 16;

/// Clients that are kept for later deletions.
pub(super) struct AdminPool {
    config: ClientConfig,
    idle: Mutex<Vec<Arc<Admin>>>,
    permits: Semaphore,
}

type Admin = AdminClient<DefaultClientContext>;

/// The exclusive use of a client; dropping it returns the client to the pool.
pub(super) struct Lease<'a> {
    admin: Arc<Admin>,
    idle: &'a Mutex<Vec<Arc<Admin>>>,
    _permit: SemaphorePermit<'a>,
}

impl AdminPool {
    /// Starts empty: a client connects to the cluster when it is created.
    pub(super) fn new(mut config: ClientConfig) -> Self {
        // The log lines of these clients are not read, and would fill their queue.
        config.set_log_level(RDKafkaLogLevel::Emerg);
        Self {
            config,
            idle: Mutex::default(),
            permits: Semaphore::new(MAX_CLIENTS),
        }
    }

    pub(super) async fn lease(&self) -> Result<Lease<'_>, Failure> {
        let permit = self.permits.acquire().await;
        let permit = permit.map_err(|error| Failure::unknown(&error))?;
        let idle = lock(&self.idle).pop();
        let admin = match idle {
            Some(admin) => admin,
            None => self.create().await?,
        };
        Ok(Lease {
            admin,
            idle: &self.idle,
            _permit: permit,
        })
    }

    async fn create(&self) -> Result<Arc<Admin>, Failure> {
        // Creating a client starts threads, and may read certificates.
        let config = self.config.clone();
        let created = spawn_blocking(move || config.create()).await;
        let created = created.map_err(|error| Failure::unknown(&error))?;
        Ok(Arc::new(created?))
    }
}

impl Lease<'_> {
    pub(super) fn client(&self) -> Arc<Admin> {
        self.admin.clone()
    }

    /// Deletes the records of each partition before an offset, and returns each partition's low watermark.
    ///
    /// When it fails, nothing was sent; code 3: librdkafka knows no leader of any of these partitions.
    pub(super) async fn delete_records(
        &self,
        topic: &str,
        rows: &[(i32, i64)],
        time: Duration,
    ) -> Result<PartitionResults, Failure> {
        // The broker's timeout must be shorter than the client's, so that its response still arrives.
        let options = AdminOptions::new()
            .request_timeout(Some(time))
            .operation_timeout(Some(time.mul_f64(0.9)));
        let deleting = {
            let mut list = TopicPartitionList::with_capacity(rows.len());
            for &(partition, before) in rows {
                list.add_partition_offset(topic, partition, Offset::Offset(before))?;
            }
            self.admin.delete_records(&list, &options)
        };
        Ok(results_in(&deleting.await?))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        lock(self.idle).push(self.admin.clone());
    }
}

fn lock(idle: &Mutex<Vec<Arc<Admin>>>) -> MutexGuard<'_, Vec<Arc<Admin>>> {
    // A panic cannot interrupt a push or a pop.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
