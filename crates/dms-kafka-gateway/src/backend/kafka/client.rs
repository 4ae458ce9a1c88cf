//! Clients of librdkafka.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::error::KafkaResult;
use tokio::task::spawn_blocking;

use super::results::Failure;

/// Creates a client, which starts threads and may read certificates.
pub(super) async fn create<T: Send + 'static>(
    create: impl FnOnce() -> KafkaResult<T> + Send + 'static,
) -> Result<T, Failure> {
    let created = spawn_blocking(create).await;
    let created = created.map_err(|error| Failure::unknown(&error))?;
    Ok(created?)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
