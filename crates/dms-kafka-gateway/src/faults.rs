//! Faults on request, so that users can test what their own code does about them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::{
    backend::{Backend, BackendFuture, DeletedRecords, KafkaErrorCode, PartitionOffsets},
    deletion_target::{PartitionId, RecordsToDelete},
    error::Error,
    limits::seconds,
    refusal::Refusal,
};

/// The header that asks for a fault.
const X_FAULT: &str = "x-dms-kafka-fault";

/// Which requests to a gateway in memory are to go wrong, and how.
///
/// Rules are read from TOML. The first rule that fits a request decides:
///
/// ```
/// use dms_kafka_gateway::{Faults, Gateway};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), dms_kafka_gateway::Error> {
/// let faults = Faults::from_toml(r#"
///     [[rule]]                      # the first two deletions from "orders" are throttled
///     operation = "delete"          # or "list"; both when absent
///     topic = "orders"              # every topic when absent
///     times = 2                     # always when absent
///     fault = { status = 429, retry_after_seconds = 1 }
///
///     [[rule]]                      # the next one is applied, but the answer is lost
///     operation = "delete"
///     times = 1
///     fault = { reset = true, after_deleting = true }
///
///     [[rule]]                      # the tenth listing and all after it take a second longer
///     operation = "list"
///     skip = 9
///     fault = { delay_seconds = 1 }
///
///     [[rule]]                      # partition 1 fails with Kafka's REQUEST_TIMED_OUT, as a number
///     fault = { fail = [{ partition = 1, error_code = 7 }], integer_error_codes = true }
/// "#)?;
/// let gateway = Gateway::memory().topic("orders", 3, 1000).faults(faults).start().await?;
/// # Ok(())
/// # }
/// ```
///
/// With `accept_header = true` a request may ask for its own fault, in the same words:
/// `X-Dms-Kafka-Fault: { status = 503 }`. Only requests that are signed, and that would have been served, get faults.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    accept_header: bool,
    rule: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    operation: Option<Operation>,
    topic: Option<String>,
    #[serde(default)]
    skip: u32,
    times: Option<u32>,
    fault: Fault,
    /// Requests that fitted so far.
    #[serde(skip)]
    seen: AtomicU32,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    Delete,
    List,
}

/// What goes wrong with one request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fault {
    #[serde(rename = "delay_seconds", deserialize_with = "seconds")]
    delay: Duration,
    status: Option<FaultStatus>,
    #[serde(rename = "retry_after_seconds")]
    retry_after: Option<u32>,
    reset: bool,
    after_deleting: bool,
    pub(crate) fail: Vec<FailingPartition>,
    pub(crate) integer_error_codes: bool,
}

/// A partition whose records are left alone, with this code for an answer.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailingPartition {
    partition: i32,
    error_code: i16,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u16")]
struct FaultStatus(StatusCode);

impl TryFrom<u16> for FaultStatus {
    type Error = &'static str;

    fn try_from(status: u16) -> Result<Self, Self::Error> {
        const RULE: &str = "the status of a fault must be 429, 500, 502, 503 or 504";
        match status {
            429 | 500 | 502..=504 => StatusCode::from_u16(status).map(Self).map_err(|_| RULE),
            _ => Err(RULE),
        }
    }
}

impl Faults {
    /// Reads rules; the example above shows all there is to say.
    ///
    /// # Errors
    /// [`Error`] with the line when the text is not TOML or says something else.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::toml("the rules for faults", text, &error))
    }

    /// No rules: every request asks for its own fault, or none, in its `X-Dms-Kafka-Fault` header.
    pub fn by_header() -> Self {
        Self {
            accept_header: true,
            rule: Vec::new(),
        }
    }

    /// What is to go wrong with this request.
    ///
    /// # Errors
    /// A 400 when the header asks for something unknown.
    pub(crate) fn pick(
        &self,
        operation: Operation,
        topic: &str,
        headers: &HeaderMap,
    ) -> Result<Fault, Refusal> {
        if let Some(header) = headers.get(X_FAULT).filter(|_| self.accept_header) {
            return header.to_str().ok().and_then(from_header).ok_or_else(|| {
                let rule = "it must be a fault such as { status = 503 }";
                Refusal::invalid_parameter("X-Dms-Kafka-Fault", rule)
            });
        }
        let rule = self
            .rule
            .iter()
            .filter(|rule| rule.fits(operation, topic))
            .find(|rule| rule.strikes());
        Ok(rule.map(|rule| rule.fault.clone()).unwrap_or_default())
    }
}

fn from_header(value: &str) -> Option<Fault> {
    #[derive(Deserialize)]
    struct Header {
        fault: Fault,
    }
    let header: Header = toml::from_str(&format!("fault = {value}")).ok()?;
    Some(header.fault)
}

impl Rule {
    fn fits(&self, operation: Operation, topic: &str) -> bool {
        self.operation.is_none_or(|only| only == operation)
            && self.topic.as_deref().is_none_or(|only| only == topic)
    }

    /// Counts a request that fits, and says whether it is one of those to strike.
    fn strikes(&self) -> bool {
        let before = self.seen.fetch_add(1, Ordering::Relaxed);
        before >= self.skip && self.times.is_none_or(|times| before - self.skip < times)
    }
}

impl Fault {
    /// Waits, then answers instead of the operation if that is what the fault is.
    ///
    /// # Errors
    /// The fault.
    pub(crate) async fn before(&self) -> Result<(), Refusal> {
        // Even no time at all would wait for the next tick of the timer.
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if self.after_deleting {
            Ok(())
        } else {
            self.answer()
        }
    }

    /// Answers instead of telling what the operation did if that is what the fault is.
    ///
    /// # Errors
    /// The fault.
    pub(crate) fn after(&self) -> Result<(), Refusal> {
        if self.after_deleting {
            self.answer()
        } else {
            Ok(())
        }
    }

    fn answer(&self) -> Result<(), Refusal> {
        if self.reset {
            return Err(Refusal::reset());
        }
        let Some(FaultStatus(status)) = self.status else {
            return Ok(());
        };
        let refusal = Refusal::fault(status);
        Err(match self.retry_after {
            Some(seconds) => refusal.after(Duration::from_secs(seconds.into())),
            None => refusal,
        })
    }
}

/// Answers for some partitions with an error code, and asks another backend about the rest.
#[derive(Debug)]
pub(crate) struct FailingPartitions {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) failing: Vec<FailingPartition>,
}

impl FailingPartitions {
    fn code(&self, partition: PartitionId) -> Option<KafkaErrorCode> {
        let failing = self
            .failing
            .iter()
            .find(|failing| failing.partition == partition.number())?;
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
