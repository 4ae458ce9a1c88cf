//! Injects configured faults, so that users can test how their code handles them.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    backend::{Backend, BackendError, DeletedRecords, KafkaErrorCode, TopicDeletion},
    deletion_target::RecordsToDelete,
    error::Error,
    limits::seconds,
    refusal::{RawBody, Refusal},
    wire::Object,
};

const X_FAULT: &str = "x-dms-kafka-fault";

/// Rules for injected faults: which requests to a gateway in memory fail, and how.
///
/// Rules are read from TOML. The first rule that matches a request applies:
///
/// ```
/// use dms_kafka_gateway::{Faults, Gateway};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), dms_kafka_gateway::Error> {
/// let faults = Faults::from_toml(r#"
///     [[rule]]                      # the first two deletions from "orders" are throttled
///     operation = "delete"          # or "list" or "groups"; all when absent
///     topic = "orders"              # every topic when absent
///     times = 2                     # always when absent
///     fault = { status = 429, retry_after_seconds = 1 }
///
///     [[rule]]                      # the next one is applied, but the response is lost
///     operation = "delete"
///     times = 1
///     fault = { reset = true, after_deleting = true }
///
///     [[rule]]                      # the tenth listing and all later ones take a second longer
///     operation = "list"
///     skip = 9
///     fault = { delay_seconds = 1 }
///
///     [[rule]]                      # a proxy's page instead of a response
///     topic = "bills"
///     fault = { status = 502, body = { content_type = "text/html", text = "<html>" } }
///
///     [[rule]]                      # partition 1 fails with Kafka's REQUEST_TIMED_OUT, as a number
///     fault = { fail = [{ partition = 1, error_code = 7 }], integer_error_codes = true }
/// "#)?;
/// let gateway = Gateway::memory().topic("orders", 3, 1000).faults(faults).start().await?;
/// # Ok(())
/// # }
/// ```
///
/// In Rust, a [`FaultRule`] is the same as a `[[rule]]`. Rules apply in the order in which they were added:
///
/// ```
/// use dms_kafka_gateway::{FaultRule, Faults, Gateway};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), dms_kafka_gateway::Error> {
/// let faults = Faults::default()
///     .rule(FaultRule::status(429).with_retry_after(1).on_deletions().on_topic("orders").times(2))
///     .rule(FaultRule::reset().after_deleting().times(1))
///     .rule(FaultRule::status(200).with_body("text/html", "<html>log in</html>"));
/// let gateway = Gateway::memory().topic("orders", 3, 1000).faults(faults).start().await?;
/// # Ok(())
/// # }
/// ```
///
/// With `accept_header = true` a request may select a fault, in the same notation:
/// `X-Dms-Kafka-Fault: { status = 503 }`. Faults apply only to authenticated requests that the gateway would serve.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    accept_header: bool,
    rule: Vec<FaultRule>,
}

/// A rule of [`Faults`]: what happens to which requests to a gateway in memory. Without a limit, it applies to all of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[must_use = "add the rule to Faults"]
pub struct FaultRule {
    operation: Option<Operation>,
    topic: Option<String>,
    #[serde(default)]
    skip: u32,
    times: Option<u32>,
    #[serde(deserialize_with = "effective")]
    fault: Fault,
}

/// The rules that apply now: those of the configuration, until the control API changes them.
#[derive(Debug)]
pub(crate) struct ActiveFaults {
    configured: Faults,
    rules: Mutex<Vec<ActiveRule>>,
}

#[derive(Debug)]
struct ActiveRule {
    rule: FaultRule,
    /// Requests that matched so far.
    seen: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operation {
    Delete,
    List,
    Groups,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fault {
    #[serde(rename = "delay_seconds", deserialize_with = "seconds")]
    delay: Duration,
    status: Option<u16>,
    #[serde(rename = "retry_after_seconds")]
    retry_after: Option<u32>,
    #[serde(deserialize_with = "body")]
    body: Option<RawBody>,
    reset: bool,
    after_deleting: bool,
    pub(crate) fail: Vec<FailingPartition>,
    pub(crate) integer_error_codes: bool,
}

/// A partition from which nothing is deleted, and whose row gets this error code.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailingPartition {
    partition: i32,
    error_code: i16,
}

fn body<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RawBody>, D::Error> {
    let Object(body) = Object::deserialize(deserializer)?;
    Ok(Some(body))
}

/// Refuses settings that would have no effect.
fn effective<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fault, D::Error> {
    let Object(fault) = Object::<Fault>::deserialize(deserializer)?;
    fault.check().map_err(D::Error::custom)?;
    Ok(fault)
}

impl Faults {
    /// Reads rules; the example above shows every setting.
    ///
    /// # Errors
    /// [`Error`] with the line when the text is not TOML or has an unknown or invalid setting.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::toml("the rules for faults", text, &error))
    }

    /// Adds a rule after the others.
    #[must_use]
    pub fn rule(mut self, rule: FaultRule) -> Self {
        self.rule.push(rule);
        self
    }

    /// Fails for a rule that was made in Rust and is not valid.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let broken = self.rule.iter().find_map(|rule| rule.fault.check().err());
        broken.map_or(Ok(()), |rule| {
            Err(Error::invalid_setting("faults", "", rule))
        })
    }

    /// Creates faults without rules: a request selects a fault with its `X-Dms-Kafka-Fault` header.
    pub fn by_header() -> Self {
        Self {
            accept_header: true,
            rule: Vec::new(),
        }
    }
}

impl From<FaultRule> for Faults {
    fn from(rule: FaultRule) -> Self {
        Self::default().rule(rule)
    }
}

impl ActiveFaults {
    pub(crate) fn new(configured: Faults) -> Self {
        let faults = Self {
            configured,
            rules: Mutex::default(),
        };
        faults.reset();
        faults
    }

    /// Returns to the rules of the configuration, as if no request had matched them.
    pub(crate) fn reset(&self) {
        let rules = self.configured.rule.iter().cloned();
        *self.rules() = rules.map(ActiveRule::new).collect();
    }

    pub(crate) fn clear(&self) {
        self.rules().clear();
    }

    /// Adds a rule after all others, and returns how many there are.
    pub(crate) fn add(&self, rule: FaultRule) -> usize {
        let mut rules = self.rules();
        rules.push(ActiveRule::new(rule));
        rules.len()
    }

    pub(crate) fn count(&self) -> usize {
        self.rules().len()
    }

    fn rules(&self) -> MutexGuard<'_, Vec<ActiveRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault of this request; fails with a 400 when its header is not a fault.
    pub(crate) fn pick(
        &self,
        operation: Operation,
        topic: &str,
        headers: &HeaderMap,
    ) -> Result<Fault, Refusal> {
        let header = headers.get(X_FAULT);
        if let Some(header) = header.filter(|_| self.configured.accept_header) {
            return header.to_str().ok().and_then(from_header).ok_or_else(|| {
                let rule = "it must be a fault such as { status = 503 }";
                Refusal::invalid_parameter("X-Dms-Kafka-Fault", rule)
            });
        }
        let mut rules = self.rules();
        let mut matching = rules
            .iter_mut()
            .filter(|active| active.rule.matches(operation, topic));
        let active = matching.find_map(|active| active.applies().then_some(&active.rule.fault));
        Ok(active.cloned().unwrap_or_default())
    }
}

fn from_header(value: &str) -> Option<Fault> {
    #[derive(Deserialize)]
    struct Header {
        #[serde(deserialize_with = "effective")]
        fault: Fault,
    }
    let header: Header = toml::from_str(&format!("fault = {value}")).ok()?;
    Some(header.fault)
}

impl FaultRule {
    /// Responds with this status, from 200 to 599, instead of the result. The body is an error body of the API, unless
    /// [`with_body`](Self::with_body) sets another.
    pub fn status(status: u16) -> Self {
        Self::of(|fault| fault.status = Some(status))
    }

    /// Resets the connection instead of a response.
    pub fn reset() -> Self {
        Self::of(|fault| fault.reset = true)
    }

    /// Waits before the operation, or after it with [`after_deleting`](Self::after_deleting). Combine it with other faults by [`with_delay`](Self::with_delay).
    pub fn delay(delay: Duration) -> Self {
        Self::default().with_delay(delay)
    }

    /// Deletes nothing from a partition, and reports Kafka's error code for it. Add others with
    /// [`with_failing`](Self::with_failing).
    pub fn failing(partition: i32, error_code: i16) -> Self {
        Self::default().with_failing(partition, error_code)
    }

    /// As [`failing`](Self::failing), for another partition.
    pub fn with_failing(self, partition: i32, error_code: i16) -> Self {
        self.with(|fault| {
            fault.fail.push(FailingPartition {
                partition,
                error_code,
            });
        })
    }

    /// Writes the error codes of partitions as numbers.
    pub fn with_integer_error_codes(self) -> Self {
        self.with(|fault| fault.integer_error_codes = true)
    }

    /// Sets `Content-Type` and body of a [`status`](Self::status): anything that a service, or a proxy before it, might send, such
    /// as HTML or a JSON text that breaks off.
    pub fn with_body(self, content_type: impl Into<String>, body: impl Into<String>) -> Self {
        self.with(|fault| {
            fault.body = Some(RawBody {
                content_type: content_type.into(),
                text: body.into(),
            });
        })
    }

    /// Sets the header `Retry-After` of a [`status`](Self::status), in seconds.
    pub fn with_retry_after(self, seconds: u32) -> Self {
        self.with(|fault| fault.retry_after = Some(seconds))
    }

    /// Waits before the operation.
    pub fn with_delay(self, delay: Duration) -> Self {
        self.with(|fault| fault.delay = delay)
    }

    /// Applies the [`status`](Self::status) or the [`reset`](Self::reset) after the operation: records are deleted, and the client
    /// does not get the result.
    pub fn after_deleting(self) -> Self {
        self.with(|fault| fault.after_deleting = true)
    }

    /// Applies only to deletions.
    pub fn on_deletions(self) -> Self {
        self.on(Operation::Delete)
    }

    /// Applies only to operations that read topics and records.
    pub fn on_lists(self) -> Self {
        self.on(Operation::List)
    }

    /// Applies only to operations that read consumer groups.
    pub fn on_groups(self) -> Self {
        self.on(Operation::Groups)
    }

    /// Applies only to this topic.
    pub fn on_topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Lets this many matching requests pass first.
    pub fn skip(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// Applies to this many matching requests.
    pub fn times(mut self, requests: u32) -> Self {
        self.times = Some(requests);
        self
    }

    fn of(change: impl FnOnce(&mut Fault)) -> Self {
        Self::default().with(change)
    }

    fn with(mut self, change: impl FnOnce(&mut Fault)) -> Self {
        change(&mut self.fault);
        self
    }

    fn on(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }

    fn matches(&self, operation: Operation, topic: &str) -> bool {
        // A read must not use up what only a deletion can show.
        let only_deletions = self.fault.after_deleting || !self.fault.fail.is_empty();
        (!only_deletions || operation == Operation::Delete)
            && self.operation.is_none_or(|only| only == operation)
            && self.topic.as_deref().is_none_or(|only| only == topic)
    }
}

impl ActiveRule {
    fn new(rule: FaultRule) -> Self {
        Self { rule, seen: 0 }
    }

    /// Counts a request that matches, and returns whether the fault applies to it.
    fn applies(&mut self) -> bool {
        let FaultRule { skip, times, .. } = self.rule;
        let before = self.seen;
        self.seen = before.saturating_add(1);
        before >= skip && times.is_none_or(|times| before - skip < times)
    }
}

impl Fault {
    /// Refuses what cannot be sent, and settings that would have no effect.
    fn check(&self) -> Result<(), &'static str> {
        let has_body = self.body.as_ref();
        let rules = [
            (
                self.status
                    .is_some_and(|status| !(200..600).contains(&status)),
                "the status of a fault must be from 200 to 599",
            ),
            (
                self.retry_after.is_some() && self.status.is_none(),
                "retry_after_seconds requires status",
            ),
            (
                has_body.is_some() && self.status.is_none(),
                "body requires status",
            ),
            (
                has_body.is_some_and(|body| HeaderValue::from_str(&body.content_type).is_err()),
                "content_type must be visible ASCII",
            ),
            (
                self.after_deleting && self.status.is_none() && !self.reset && self.delay.is_zero(),
                "after_deleting requires status, reset or delay_seconds",
            ),
            (
                self.reset && self.status.is_some(),
                "reset and status exclude each other",
            ),
        ];
        match rules.into_iter().find(|(broken, _)| *broken) {
            Some((_, rule)) => Err(rule),
            None => Ok(()),
        }
    }

    /// Waits and fails if the fault comes before the operation.
    pub(crate) async fn before(&self) -> Result<(), Refusal> {
        self.apply(false).await
    }

    /// Waits and fails if the fault comes after the deletion.
    pub(crate) async fn after_deletion(&self) -> Result<(), Refusal> {
        self.apply(true).await
    }

    async fn apply(&self, after_deleting: bool) -> Result<(), Refusal> {
        if self.after_deleting != after_deleting {
            return Ok(());
        }
        // A sleep of 0 would wait for the next tick of the timer.
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if self.reset {
            return Err(Refusal::reset());
        }
        let Some(status) = self.status else {
            return Ok(());
        };
        let refusal = Refusal::fault(status, self.body.clone());
        Err(match self.retry_after {
            Some(seconds) => refusal.after(Duration::from_secs(seconds.into())),
            None => refusal,
        })
    }
}

/// Sets the error codes of the failing partitions, and calls the backend for the others.
pub(crate) async fn delete(
    failing: &[FailingPartition],
    backend: &dyn Backend,
    deletion: TopicDeletion<'_>,
) -> Result<Vec<DeletedRecords>, BackendError> {
    let code = |row: &RecordsToDelete| {
        let mut failing = failing.iter();
        let failing = failing.find(|failing| failing.partition == row.partition.number())?;
        Some(KafkaErrorCode::new(failing.error_code))
    };
    let rows = deletion.rows;
    let others = rows.iter().copied().filter(|row| code(row).is_none());
    let others = TopicDeletion {
        rows: &others.collect::<Vec<_>>(),
        ..deletion
    };
    let mut deleted = backend.delete(others).await?.into_iter();
    let result = |row: &RecordsToDelete| match code(row) {
        Some(code) => Some(DeletedRecords {
            partition: row.partition,
            outcome: Err(code),
            records: None,
        }),
        None => deleted.next(),
    };
    Ok(rows.iter().filter_map(result).collect())
}
