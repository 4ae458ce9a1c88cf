//! The result of a deletion request, over all of its partitions.

use std::collections::HashMap;
use std::fmt;

use dms_kafka_client::types::DeleteKafkaTopicMessagesResponse;

use crate::ids::PartitionId;
use crate::outcome::Outcome;
use crate::partition::{DeletionTarget, PartitionDeletion, ReportedItem};

/// The result of each partition of a request.
///
/// The service returns 200 even if partitions failed. Call [`into_result`](Self::into_result) to turn failed partitions
/// into an error.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 2, 1000).start().await.unwrap();
/// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
/// #     .credentials(gateway.credentials()).build().unwrap();
/// let deletion = client
///     .delete_messages(gateway.instance_id(), "orders")
///     .before(0, 400)
///     .before(1, 5000) // beyond the end of the log
///     .send()
///     .await?;
/// assert_eq!(deletion.failures().count(), 1);
/// assert!(deletion.into_result().is_err());
/// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "partitions may have failed: call into_result()"]
pub struct Deletion {
    request_id: Option<String>,
    partitions: Vec<PartitionDeletion>,
    unexpected: Vec<UnexpectedItem>,
    attempts: u32,
}

/// An item of the response for a partition that was not requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnexpectedItem(ReportedItem);

pub(crate) struct History {
    pub(crate) request_id: Option<String>,
    pub(crate) attempts: u32,
    /// The outcome of the attempts before the last one.
    pub(crate) earlier: Outcome,
}

impl Deletion {
    /// Compares the response with the request.
    pub(crate) fn new(
        requested: &[(PartitionId, DeletionTarget)],
        response: DeleteKafkaTopicMessagesResponse,
        secret: Option<&str>,
        history: History,
    ) -> Self {
        let mut partitions: Vec<_> = requested
            .iter()
            .map(|&(partition, target)| PartitionDeletion::new(partition, target, history.earlier))
            .collect();
        let mut unexpected = Vec::new();
        let mut index: Option<HashMap<PartitionId, usize>> = None;
        for (at, item) in response.partitions.into_iter().enumerate() {
            let item = ReportedItem::new(item, secret);
            let position = item.partition.and_then(|partition| {
                let partition = PartitionId::new(partition).ok()?;
                // Items in the order of the request, the usual case, need no index.
                if requested
                    .get(at)
                    .is_some_and(|target| target.0 == partition)
                {
                    return Some(at);
                }
                let positions = requested.iter().enumerate();
                let index = index
                    .get_or_insert_with(|| positions.map(|(at, target)| (target.0, at)).collect());
                index.get(&partition).copied()
            });
            match position {
                Some(at) => partitions[at].report(item),
                None => unexpected.push(UnexpectedItem(item)),
            }
        }
        Self {
            request_id: history.request_id,
            partitions,
            unexpected,
            attempts: history.attempts,
        }
    }

    /// The result of a deletion that needs no request.
    pub(crate) fn of_nothing() -> Self {
        Self {
            request_id: None,
            partitions: Vec::new(),
            unexpected: Vec::new(),
            attempts: 0,
        }
    }

    /// Returns the request id, which the support of the service asks for.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the number of attempts.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns one entry for each requested partition, in the order of the request.
    pub fn partitions(&self) -> &[PartitionDeletion] {
        &self.partitions
    }

    /// Returns the partitions whose deletion is not confirmed.
    pub fn failures(&self) -> impl Iterator<Item = &PartitionDeletion> {
        self.partitions
            .iter()
            .filter(|partition| !partition.is_deleted())
    }

    /// Returns the items for partitions that were not requested. Normally there are none.
    pub fn unexpected(&self) -> &[UnexpectedItem] {
        &self.unexpected
    }

    pub(crate) fn all_deleted(self) -> Result<Vec<PartitionDeletion>, Self> {
        if self.failures().next().is_none() && self.unexpected.is_empty() {
            Ok(self.partitions)
        } else {
            Err(self)
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let unknown = |failure: &PartitionDeletion| failure.outcome() == Some(Outcome::Unknown);
        if !self.unexpected.is_empty() || self.failures().any(unknown) {
            Outcome::Unknown
        } else if self.partitions.iter().any(PartitionDeletion::is_deleted) {
            Outcome::Partial
        } else {
            Outcome::NotApplied
        }
    }

    pub(crate) fn failure_summary(&self) -> String {
        const LISTED: usize = 20;
        let failed = self.failures().count();
        let all = failed + self.unexpected.len();
        let explained = self.failures().map(PartitionDeletion::explain);
        let unexpected = self.unexpected.iter().map(UnexpectedItem::explain);
        let mut lines: Vec<String> = explained.chain(unexpected).take(LISTED).collect();
        if all > LISTED {
            lines.push(format!("and {} more", all - LISTED));
        }
        format!(
            "{failed} of {} partitions failed: {}",
            self.partitions.len(),
            lines.join("; ")
        )
    }
}

impl UnexpectedItem {
    /// Returns the partition, if the item has one.
    pub fn partition(&self) -> Option<i32> {
        self.0.partition
    }

    /// Returns the service's `result`.
    pub fn result(&self) -> Option<&str> {
        self.0.result.as_deref()
    }

    /// Returns the service's `error_code` as text.
    pub fn error_code(&self) -> Option<&str> {
        self.0.error_code.as_deref()
    }

    fn explain(&self) -> String {
        match self.0.partition {
            Some(partition) => format!("partition {partition} was reported but not requested"),
            None => "an item has no partition".to_owned(),
        }
    }
}

impl fmt::Display for Deletion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |partition: &str, target: &str, status, result, code| {
            writeln!(
                f,
                "{partition:>9}  {target:>26}  {status:<12}  {result:<8}  {code}"
            )
        };
        row("partition", "target", "status", "result", "error code")?;
        for deletion in &self.partitions {
            row(
                &deletion.partition().to_string(),
                &deletion.target().to_string(),
                deletion.status().as_str(),
                deletion.result().unwrap_or("-"),
                deletion.error_code().unwrap_or("-"),
            )?;
        }
        for item in &self.unexpected {
            let partition = item.partition().map(|number| number.to_string());
            row(
                partition.as_deref().unwrap_or("-"),
                "-",
                "unexpected",
                item.result().unwrap_or("-"),
                item.error_code().unwrap_or("-"),
            )?;
        }
        Ok(())
    }
}
