//! The deletion target and the result of one partition.

use std::borrow::Cow;
use std::fmt;

use dms_kafka_client::types::PartitionResp;
use huaweicloud_auth::text;

use crate::ids::{InvalidId, Offset, PartitionId, validated};
use crate::outcome::Outcome;

/// The service's `result` for a partition whose records were deleted.
const SUCCESS: &str = "success";

/// The API's offset for all records of a partition.
const EVERYTHING: i64 = -1;

/// The longest result or code that is kept. Real ones are words and numbers.
const SHOWN_WORD: usize = 128;

/// A result or code. The usual two values take no memory.
pub(crate) type Word = Cow<'static, str>;

/// Kafka's error codes for a deletion, and whether the leader returns them before it deletes anything.
const KAFKA_CODES: [(&str, &str, bool); 11] = [
    ("1", "offset out of range", true),
    ("3", "unknown topic or partition", true),
    (
        "5",
        "no leader is available; nothing was sent to a broker",
        true,
    ),
    ("6", "not leader or follower", false),
    ("7", "request timed out; the leader may have deleted", false),
    ("13", "network error", false),
    ("17", "internal topic", true),
    ("29", "no permission on the topic", true),
    ("44", "the topic is compacted only", true),
    ("56", "storage error", false),
    ("-1", "unknown server error", false),
];

/// What a request deletes from one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeletionTarget {
    /// All records before this offset. The record at the offset is kept.
    Before(Offset),
    /// All records that the partition has when the service receives the request (offset -1 in the API).
    Everything,
}

impl DeletionTarget {
    /// Creates the target for all records before `offset`.
    ///
    /// # Errors
    /// [`InvalidId`] if the offset is negative.
    pub fn before(offset: impl TryInto<Offset, Error: Into<InvalidId>>) -> Result<Self, InvalidId> {
        validated(offset).map(Self::Before)
    }

    /// Creates the target from an offset as in the API, where -1 is [`Everything`](Self::Everything).
    ///
    /// ```
    /// use dms_kafka::DeletionTarget;
    ///
    /// assert_eq!(DeletionTarget::from_api_offset(400)?, DeletionTarget::before(400)?);
    /// assert_eq!(DeletionTarget::from_api_offset(-1)?, DeletionTarget::Everything);
    /// assert!(DeletionTarget::from_api_offset(-2).is_err());
    /// # Ok::<(), dms_kafka::InvalidId>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidId`] if the offset is less than -1.
    pub fn from_api_offset(offset: i64) -> Result<Self, InvalidId> {
        match offset {
            EVERYTHING => Ok(Self::Everything),
            offset => Self::before(offset),
        }
    }

    /// Returns the offset as in the API: -1 for [`Everything`](Self::Everything).
    pub fn to_api_offset(self) -> i64 {
        match self {
            Self::Before(offset) => offset.get(),
            Self::Everything => EVERYTHING,
        }
    }

    /// Whether the target is [`Everything`](Self::Everything).
    pub fn is_everything(self) -> bool {
        self == Self::Everything
    }
}

impl fmt::Display for DeletionTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before(offset) => write!(f, "before {offset}"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

/// The result of one requested partition.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use dms_kafka::{Outcome, PartitionStatus};
/// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000).start().await.unwrap();
/// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
/// #     .credentials(gateway.credentials()).build().unwrap();
///
/// let request = client.delete_messages(gateway.instance_id(), "orders").before(0, 5000);
/// let deletion = request.send().await?;
/// let beyond_the_end = &deletion.partitions()[0];
/// assert_eq!(beyond_the_end.status(), PartitionStatus::Failed);
/// assert_eq!(beyond_the_end.error_code(), Some("1"));
/// assert_eq!(beyond_the_end.outcome(), Some(Outcome::NotApplied));
/// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct PartitionDeletion {
    partition: PartitionId,
    target: DeletionTarget,
    /// The outcome of the attempts before the last one.
    earlier: Outcome,
    report: Report,
}

/// What the response reports for a partition. A success needs no allocation: a response can have 100,000 of them.
#[derive(Clone, Debug)]
enum Report {
    Missing,
    Success { with_code: bool },
    Other(Box<OtherReport>),
}

#[derive(Clone, Debug)]
struct OtherReport {
    result: Option<Word>,
    error_code: Option<Word>,
    /// Whether there are several items for the partition.
    repeated: bool,
}

/// One item of the response, with sanitized texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportedItem {
    pub(crate) partition: Option<i32>,
    pub(crate) result: Option<Word>,
    pub(crate) error_code: Option<Word>,
}

impl ReportedItem {
    pub(crate) fn new(item: PartitionResp, secret: Option<&str>) -> Self {
        // Known words are static and need no search.
        let sanitized = |word: Word| match word {
            Cow::Borrowed(_) => word,
            Cow::Owned(text) => {
                Cow::Owned(match text::sanitize(&text, secret.as_slice(), SHOWN_WORD) {
                    Cow::Borrowed(_) => text,
                    Cow::Owned(shown) => shown,
                })
            }
        };
        Self {
            partition: item.partition,
            result: item.result.map(|result| sanitized(result.into_text())),
            error_code: item.error_code.map(|code| sanitized(code.into_text())),
        }
    }
}

/// The status of a requested partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartitionStatus {
    /// `result` is `success`, and `error_code` is absent, null or 0.
    Deleted,
    /// Any other report: a failure, or a contradiction.
    Failed,
    /// The response does not contain the partition.
    NotReported,
}

impl PartitionStatus {
    /// Returns the stable name for logs and scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Failed => "failed",
            Self::NotReported => "not_reported",
        }
    }
}

/// Compares what the methods return.
impl PartialEq for PartitionDeletion {
    fn eq(&self, other: &Self) -> bool {
        (self.partition, self.target, self.status(), self.outcome())
            == (
                other.partition,
                other.target,
                other.status(),
                other.outcome(),
            )
            && (self.result(), self.error_code()) == (other.result(), other.error_code())
    }
}

impl Eq for PartitionDeletion {}

impl PartitionDeletion {
    pub(crate) fn new(partition: PartitionId, target: DeletionTarget, earlier: Outcome) -> Self {
        Self {
            partition,
            target,
            earlier,
            report: Report::Missing,
        }
    }

    /// Adds an item of the response. A second item for the partition is a contradiction.
    pub(crate) fn report(&mut self, item: ReportedItem) {
        let first = matches!(self.report, Report::Missing);
        let deleted = first
            && item.result.as_deref() == Some(SUCCESS)
            && matches!(item.error_code.as_deref(), None | Some("0"));
        self.report = if deleted {
            Report::Success {
                with_code: item.error_code.is_some(),
            }
        } else {
            Report::Other(Box::new(OtherReport {
                result: item.result,
                error_code: item.error_code.filter(|_| first),
                repeated: !first,
            }))
        };
    }

    /// Returns the number of the partition.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// Returns the deletion target of the request.
    pub fn target(&self) -> DeletionTarget {
        self.target
    }

    /// Returns the status.
    pub fn status(&self) -> PartitionStatus {
        match self.report {
            Report::Missing => PartitionStatus::NotReported,
            Report::Success { .. } => PartitionStatus::Deleted,
            Report::Other(_) => PartitionStatus::Failed,
        }
    }

    /// Whether the service confirmed the deletion.
    pub fn is_deleted(&self) -> bool {
        matches!(self.report, Report::Success { .. })
    }

    /// Returns the service's `result`.
    pub fn result(&self) -> Option<&str> {
        match &self.report {
            Report::Missing => None,
            Report::Success { .. } => Some(SUCCESS),
            Report::Other(other) => other.result.as_deref(),
        }
    }

    /// Returns the service's `error_code` as text. It is usually Kafka's code: 1 is an offset out of range, 3 an unknown
    /// partition.
    pub fn error_code(&self) -> Option<&str> {
        match &self.report {
            Report::Missing => None,
            Report::Success { with_code } => with_code.then_some("0"),
            Report::Other(other) => other.error_code.as_deref(),
        }
    }

    /// Returns what Kafka's `error_code` means, such as `offset out of range`; `None` for an unknown code.
    pub fn error_meaning(&self) -> Option<&'static str> {
        let known = KAFKA_CODES
            .iter()
            .find(|known| self.error_code() == Some(known.0));
        known.map(|known| known.1)
    }

    /// Returns the outcome of a failure, over all attempts of the call. `None` if the partition was deleted.
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.report {
            Report::Success { .. } => None,
            Report::Missing => Some(Outcome::Unknown),
            Report::Other(other) => {
                let refused = other.result.as_deref() != Some(SUCCESS)
                    && KAFKA_CODES.iter().any(|&(code, _, is_refusal)| {
                        is_refusal && other.error_code.as_deref() == Some(code)
                    });
                let outcome = if refused {
                    Outcome::NotApplied
                } else {
                    Outcome::Unknown
                };
                Some(outcome.after(self.earlier))
            }
        }
    }

    pub(crate) fn explain(&self) -> String {
        let partition = self.partition;
        match &self.report {
            Report::Missing => return format!("partition {partition} was not reported"),
            Report::Other(other) if other.repeated => {
                return format!("partition {partition} was reported more than once");
            }
            _ => {}
        }
        let explained = |code| match self.error_meaning() {
            Some(meaning) => format!("code {code} ({meaning})"),
            None => format!("code {code}"),
        };
        match (self.result(), self.error_code()) {
            (Some(result), Some(code)) if result == SUCCESS || code == "0" => {
                let code = explained(code);
                format!("partition {partition} has result {result} with {code}")
            }
            (_, Some(code)) => format!("partition {partition} has {}", explained(code)),
            (Some(result), None) => {
                format!("partition {partition} has result {result} without a code")
            }
            (None, None) => format!("partition {partition} has neither result nor code"),
        }
    }
}
