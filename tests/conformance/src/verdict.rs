//! What was found out about each case.

use std::time::Duration;

use serde::Serialize;

/// What was found out about one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Everything was as the case expects it.
    Pass,
    /// Something was not.
    Fail {
        /// What, in words.
        faults: Vec<String>,
    },
    /// Something was not, which is known.
    Deviation {
        /// Why it is so.
        reason: String,
        /// What, in words.
        faults: Vec<String>,
    },
    /// The case could not be tried.
    NotTestable {
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// A pass when there is no fault.
    pub fn of(faults: Vec<String>) -> Self {
        if faults.is_empty() {
            Self::Pass
        } else {
            Self::Fail { faults }
        }
    }

    /// The verdict in one or two words, for tables.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail { .. } => "FAIL",
            Self::Deviation { .. } => "deviation",
            Self::NotTestable { .. } => "not testable",
        }
    }

    /// What stands beside the verdict: reason first, faults after.
    pub fn remarks(&self) -> Vec<&str> {
        match self {
            Self::Pass => Vec::new(),
            Self::Fail { faults } => faults.iter().map(String::as_str).collect(),
            Self::Deviation { reason, faults } => [reason]
                .into_iter()
                .chain(faults)
                .map(String::as_str)
                .collect(),
            Self::NotTestable { reason } => vec![reason],
        }
    }
}

/// A case and what was found out about it.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// `contract`, `client`, `server` or `listen`.
    pub suite: &'static str,
    /// The case's name; for a client with the client that was judged.
    pub name: String,
    /// What the case shows.
    pub title: String,
    /// The rows of the page that it proves.
    pub proves: Vec<String>,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took.
    #[serde(skip)]
    pub elapsed: Duration,
}

impl Judged {
    /// Whether the verdict is a failure.
    pub fn is_failure(&self) -> bool {
        matches!(self.verdict, Verdict::Fail { .. })
    }
}
