//! One partition: what was asked for, and what became of it.

use std::borrow::Cow;
use std::fmt;

use dms_kafka_client::types::PartitionResp;
use huaweicloud_auth::text;

use crate::ids::{InvalidId, Offset, PartitionId};
use crate::outcome::Outcome;

/// What the service says when the records of a partition are deleted.
const SUCCESS: &str = "success";

/// Results and codes are kept up to this many characters; real ones are words and numbers.
const SHOWN_WORD: usize = 128;

/// A word of the answer. Nearly all of them are the same two, which take no memory.
pub(crate) type Word = Cow<'static, str>;

/// Kafka's codes that a deletion can meet, and whether the leader gives them before it changes anything.
const KAFKA_CODES: [(&str, &str, bool); 10] = [
    ("1", "offset out of range", true),
    ("3", "unknown topic or partition", true),
    ("6", "not leader or follower", false),
    ("7", "request timed out; the leader may have deleted", false),
    ("13", "network error", false),
    ("17", "internal topic", true),
    ("29", "no permission on the topic", true),
    ("44", "the topic is compacted only", true),
    ("56", "storage error", false),
    ("-1", "unknown server error", false),
];

/// What to delete in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeletionTarget {
    /// Every record below this offset; the record at the offset stays.
    Before(Offset),
    /// Every record that the partition holds when the request arrives (-1 on the wire).
    Everything,
}

impl DeletionTarget {
    /// Every record below `offset`.
    ///
    /// # Errors
    /// [`InvalidId`] when the offset is negative.
    pub fn before(offset: i64) -> Result<Self, InvalidId> {
        Offset::new(offset).map(Self::Before)
    }

    /// Whether it is [`Everything`](Self::Everything).
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

/// What became of one partition that was asked for.
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
    /// What the attempts before the answered one may have done.
    earlier: Outcome,
    said: Said,
}

/// What the answer says of a partition. A success takes no memory of its own, for an answer may bring 100,000 of them.
#[derive(Clone, Debug)]
enum Said {
    Nothing,
    Success { with_code: bool },
    Otherwise(Box<Otherwise>),
}

#[derive(Clone, Debug)]
struct Otherwise {
    result: Option<Word>,
    error_code: Option<Word>,
    /// Whether several items spoke of the partition.
    repeated: bool,
}

/// One item of the answer, its texts safe to show.
#[derive(Clone, Debug)]
pub(crate) struct ReportedItem {
    pub(crate) partition: Option<i32>,
    pub(crate) result: Option<Word>,
    pub(crate) error_code: Option<Word>,
}

impl ReportedItem {
    pub(crate) fn new(item: PartitionResp, secret: Option<&str>) -> Self {
        let sanitized = |word: Word| match text::sanitize(&word, secret.as_slice(), SHOWN_WORD) {
            Cow::Borrowed(_) => word,
            Cow::Owned(shown) => Cow::Owned(shown),
        };
        Self {
            partition: item.partition,
            result: item.result.map(|result| sanitized(result.into_text())),
            error_code: item.error_code.map(|code| sanitized(code.into_text())),
        }
    }
}

/// How the answer stands to a partition that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PartitionStatus {
    /// `result` is `success` and `error_code` absent, null or 0.
    Deleted,
    /// Anything else: a failure, or an answer that contradicts itself.
    Failed,
    /// The answer does not speak of the partition.
    NotReported,
}

impl PartitionStatus {
    /// The status's stable name for logs and scripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Failed => "failed",
            Self::NotReported => "not_reported",
        }
    }
}

impl PartitionDeletion {
    /// Before the answer is read.
    pub(crate) fn new(partition: PartitionId, target: DeletionTarget, earlier: Outcome) -> Self {
        Self {
            partition,
            target,
            earlier,
            said: Said::Nothing,
        }
    }

    /// Takes an item in; a second one for the same partition is a contradiction.
    pub(crate) fn report(&mut self, item: ReportedItem) {
        let first = matches!(self.said, Said::Nothing);
        let deleted = first
            && item.result.as_deref() == Some(SUCCESS)
            && matches!(item.error_code.as_deref(), None | Some("0"));
        self.said = if deleted {
            Said::Success {
                with_code: item.error_code.is_some(),
            }
        } else {
            Said::Otherwise(Box::new(Otherwise {
                result: item.result,
                error_code: item.error_code.filter(|_| first),
                repeated: !first,
            }))
        };
    }

    /// The partition's number.
    pub fn partition(&self) -> PartitionId {
        self.partition
    }

    /// What was asked for.
    pub fn target(&self) -> DeletionTarget {
        self.target
    }

    /// How the answer stands to it.
    pub fn status(&self) -> PartitionStatus {
        match self.said {
            Said::Nothing => PartitionStatus::NotReported,
            Said::Success { .. } => PartitionStatus::Deleted,
            Said::Otherwise(_) => PartitionStatus::Failed,
        }
    }

    /// Whether the records are certainly deleted.
    pub fn is_deleted(&self) -> bool {
        matches!(self.said, Said::Success { .. })
    }

    /// The service's word (Table 5, `result`).
    pub fn result(&self) -> Option<&str> {
        match &self.said {
            Said::Nothing => None,
            Said::Success { .. } => Some(SUCCESS),
            Said::Otherwise(otherwise) => otherwise.result.as_deref(),
        }
    }

    /// The service's code (Table 5, `error_code`) as text, whether it came as string or number. It is Kafka's
    /// own where the service passes that on: 1 is an offset out of range, 3 an unknown partition.
    pub fn error_code(&self) -> Option<&str> {
        match &self.said {
            Said::Nothing => None,
            Said::Success { with_code } => with_code.then_some("0"),
            Said::Otherwise(otherwise) => otherwise.error_code.as_deref(),
        }
    }

    /// What a failure has done, over all attempts of the call; `None` for a deleted partition.
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.said {
            Said::Success { .. } => None,
            Said::Nothing => Some(Outcome::Unknown),
            Said::Otherwise(otherwise) => {
                let refused = otherwise.result.as_deref() != Some(SUCCESS)
                    && KAFKA_CODES.iter().any(|&(code, _, changes_nothing)| {
                        changes_nothing && otherwise.error_code.as_deref() == Some(code)
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
        match &self.said {
            Said::Nothing => return format!("partition {partition} was not reported"),
            Said::Otherwise(otherwise) if otherwise.repeated => {
                return format!("partition {partition} was reported more than once");
            }
            _ => {}
        }
        let explained = |code| match KAFKA_CODES.iter().find(|known| known.0 == code) {
            Some((_, meaning, _)) => format!("code {code} ({meaning})"),
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
