//! A backend some of whose partitions fail.

use std::{sync::Arc, time::Instant};

use super::FailingPartition;
use crate::backend::{
    Backend, BackendFuture, DeletedRecords, KafkaErrorCode, PartitionOffsets, RecordsToDelete,
};

/// Answers for some partitions with an error code, and asks another backend about the rest.
#[derive(Debug)]
pub(crate) struct FailingPartitions {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) failing: Vec<FailingPartition>,
}

impl FailingPartitions {
    fn code(&self, partition: i32) -> Option<KafkaErrorCode> {
        let failing = self
            .failing
            .iter()
            .find(|failing| failing.partition == partition)?;
        Some(KafkaErrorCode::new(failing.error_code))
    }
}

impl Backend for FailingPartitions {
    fn delete<'a>(
        &'a self,
        topic: &'a str,
        rows: &'a [RecordsToDelete],
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<DeletedRecords>> {
        Box::pin(async move {
            let spared: Vec<_> = rows
                .iter()
                .copied()
                .filter(|row| self.code(row.partition).is_none())
                .collect();
            let mut deleted = self
                .backend
                .delete(topic, &spared, deadline)
                .await?
                .into_iter();
            let answer = |row: &RecordsToDelete| match self.code(row.partition) {
                Some(code) => Some(DeletedRecords {
                    partition: row.partition,
                    outcome: Err(code),
                    records: None,
                }),
                None => deleted.next(),
            };
            Ok(rows.iter().filter_map(answer).collect())
        })
    }

    fn partitions<'a>(
        &'a self,
        topic: &'a str,
        deadline: Instant,
    ) -> BackendFuture<'a, Vec<PartitionOffsets>> {
        self.backend.partitions(topic, deadline)
    }

    fn ready(&self, deadline: Instant) -> BackendFuture<'_, ()> {
        self.backend.ready(deadline)
    }
}
