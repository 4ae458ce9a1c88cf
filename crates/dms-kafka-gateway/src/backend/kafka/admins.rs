//! The clients that delete.

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

use super::answers::{Answers, Failure, answers_in};

/// Deletions in front of one cluster at a time; others wait.
///
/// Kafka answers what comes over one connection in the order in which it came, and a deletion is answered when the last
/// replica has heard of it: half a second, and much more when a replica hangs. So each deletion has a client of its own.
const MOST: usize = 16;

/// Clients, of which the next deletion takes one that is idle.
pub(super) struct Admins {
    config: ClientConfig,
    idle: Mutex<Vec<Arc<Admin>>>,
    permits: Semaphore,
}

type Admin = AdminClient<DefaultClientContext>;

/// A client that belongs to one deletion, until it is dropped.
pub(super) struct Lease<'a> {
    admin: Arc<Admin>,
    idle: &'a Mutex<Vec<Arc<Admin>>>,
    _permit: SemaphorePermit<'a>,
}

impl Admins {
    /// None yet: a client connects to the cluster when it is made.
    pub(super) fn new(mut config: ClientConfig) -> Self {
        // Lines of a log that nobody reads would pile up.
        config.set_log_level(RDKafkaLogLevel::Emerg);
        Self {
            config,
            idle: Mutex::default(),
            permits: Semaphore::new(MOST),
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
        // It starts threads, and may read certificates.
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

    /// Deletes the records of each partition before an offset, and gives each partition's low watermark.
    ///
    /// When it fails, nothing was sent; code 3: librdkafka knows no leader of any of these partitions.
    pub(super) async fn delete_records(
        &self,
        topic: &str,
        rows: &[(i32, i64)],
        time: Duration,
    ) -> Result<Answers, Failure> {
        // The broker's answer that it took too long must be here before nobody waits for it any more.
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
        Ok(answers_in(&deleting.await?))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        lock(self.idle).push(self.admin.clone());
    }
}

fn lock(idle: &Mutex<Vec<Arc<Admin>>>) -> MutexGuard<'_, Vec<Arc<Admin>>> {
    // A push and a pop are all that happens to it.
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
