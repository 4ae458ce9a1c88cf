//! The judged answer to a deletion.

use std::collections::HashMap;
use std::fmt;

use dms_kafka_client::types::DeleteKafkaTopicMessagesResponse;

use crate::ids::PartitionId;
use crate::outcome::Outcome;
use crate::partition::{DeletionTarget, PartitionDeletion, ReportedItem};

/// The service's answer, judged partition by partition.
///
/// The service answers 200 even when partitions failed, so look:
/// [`into_result`](Self::into_result) is the short way.
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
#[derive(Clone, Debug)]
#[must_use = "the service answers 200 even when partitions failed: call into_result()"]
pub struct Deletion {
    request_id: Option<String>,
    partitions: Vec<PartitionDeletion>,
    unexpected: Vec<UnexpectedItem>,
    attempts: u32,
}

/// An item of the answer that answers nothing that was asked.
#[derive(Clone, Debug)]
pub struct UnexpectedItem(ReportedItem);

/// How the call went that brought the answer.
pub(crate) struct History {
    pub(crate) request_id: Option<String>,
    pub(crate) attempts: u32,
    /// What the attempts before the answered one may have done.
    pub(crate) earlier: Outcome,
}

impl Deletion {
    /// Holds the answer against what was asked for.
    pub(crate) fn judge(
        requested: &[(PartitionId, DeletionTarget)],
        answer: DeleteKafkaTopicMessagesResponse,
        secret: Option<&str>,
        history: History,
    ) -> Self {
        let mut partitions: Vec<_> = requested
            .iter()
            .map(|&(partition, target)| PartitionDeletion::new(partition, target, history.earlier))
            .collect();
        let mut unexpected = Vec::new();
        let mut index: Option<HashMap<PartitionId, usize>> = None;
        for (at, item) in answer.partitions.into_iter().enumerate() {
            let item = ReportedItem::new(item, secret);
            let position = item.partition.and_then(|partition| {
                let partition = PartitionId::new(partition).ok()?;
                // Items mostly come in the order of the request, which needs no index.
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

    /// The service's id of the request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// How many requests were sent, the answered one included.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// One entry for each partition that was asked for, in the order of the request.
    pub fn partitions(&self) -> &[PartitionDeletion] {
        &self.partitions
    }

    /// The partitions that were not certainly deleted.
    pub fn failures(&self) -> impl Iterator<Item = &PartitionDeletion> {
        self.partitions
            .iter()
            .filter(|partition| !partition.is_deleted())
    }

    /// Items of the answer that answer nothing that was asked; normally none.
    pub fn unexpected(&self) -> &[UnexpectedItem] {
        &self.unexpected
    }

    /// The partitions when all are deleted and no other was reported.
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
    /// The partition, when the item names one.
    pub fn partition(&self) -> Option<i32> {
        self.0.partition
    }

    /// The service's word.
    pub fn result(&self) -> Option<&str> {
        self.0.result.as_deref()
    }

    /// The service's code as text.
    pub fn error_code(&self) -> Option<&str> {
        self.0.error_code.as_deref()
    }

    fn explain(&self) -> String {
        match self.0.partition {
            Some(partition) => format!("partition {partition} was reported and not asked for"),
            None => "an item names no partition".to_owned(),
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
        row("partition", "asked for", "status", "result", "error code")?;
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
                "nothing",
                "unexpected",
                item.result().unwrap_or("-"),
                item.error_code().unwrap_or("-"),
            )?;
        }
        Ok(())
    }
}
