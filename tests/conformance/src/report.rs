//! Verdicts, as text, `JUnit` XML and JSON.

use std::fmt;
use std::time::Duration;

use huaweicloud_auth::{Credentials, text};
use quick_junit::{NonSuccessKind, Report as JunitReport, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;

use crate::wire::Exchange;

/// The verdict on one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The case passed.
    Pass,
    /// The case failed.
    Fail {
        /// What is wrong.
        faults: Vec<String>,
        /// Whether the case was run. `false` when the kit itself failed, which shows nothing about the subject.
        #[serde(skip)]
        was_run: bool,
    },
    /// The case failed, which is known.
    Deviation {
        /// Why.
        reason: String,
        /// What is wrong.
        faults: Vec<String>,
    },
    /// The case could not be run.
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
            Self::failure(faults)
        }
    }

    pub(crate) fn failure(faults: Vec<String>) -> Self {
        Self::Fail {
            faults,
            was_run: true,
        }
    }

    /// A failure, because the kit could not run the case.
    pub(crate) fn not_run(error: &anyhow::Error) -> Self {
        Self::Fail {
            faults: vec![format!("the case cannot be run: {error:#}")],
            was_run: false,
        }
    }

    pub(crate) fn not_testable(reason: impl Into<String>) -> Self {
        Self::NotTestable {
            reason: reason.into(),
        }
    }

    /// The exchanges of a failure; those of other cases are dropped.
    pub(crate) fn keeps(&self, exchanges: impl FnOnce() -> Vec<Exchange>) -> Vec<Exchange> {
        match self {
            Self::Fail { .. } => exchanges(),
            Self::Pass | Self::Deviation { .. } | Self::NotTestable { .. } => Vec::new(),
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

    /// The reason, then the faults.
    pub fn remarks(&self) -> Vec<&str> {
        match self {
            Self::Pass => Vec::new(),
            Self::Fail { faults, .. } => faults.iter().map(String::as_str).collect(),
            Self::Deviation { reason, faults } => [reason]
                .into_iter()
                .chain(faults)
                .map(String::as_str)
                .collect(),
            Self::NotTestable { reason } => vec![reason],
        }
    }
}

/// A case and its verdict.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    /// `contract`, `client`, `server` or `listen`.
    pub suite: &'static str,
    /// The case's name; for a client with the client that was judged.
    pub name: String,
    /// A sentence that describes the case.
    pub title: String,
    /// The rows of the page that it proves.
    pub proves: Vec<String>,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took.
    #[serde(skip)]
    pub elapsed: Duration,
    /// Requests and responses, if it failed.
    #[serde(skip)]
    pub exchanges: Vec<Exchange>,
}

impl Judged {
    /// Whether the verdict is a failure.
    pub fn is_failure(&self) -> bool {
        matches!(self.verdict, Verdict::Fail { .. })
    }
}

/// The verdicts of one run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The subject, such as an endpoint.
    pub subject: String,
    /// How many cases have each verdict.
    pub totals: Totals,
    /// The verdicts.
    pub cases: Vec<Judged>,
}

/// How many cases have each verdict.
#[derive(Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names of the verdicts")]
pub struct Totals {
    pub pass: usize,
    pub fail: usize,
    pub deviation: usize,
    pub not_testable: usize,
}

impl Report {
    /// Counts the verdicts.
    pub fn new(subject: impl Into<String>, cases: Vec<Judged>) -> Self {
        let mut totals = Totals::default();
        for case in &cases {
            *match case.verdict {
                Verdict::Pass => &mut totals.pass,
                Verdict::Fail { .. } => &mut totals.fail,
                Verdict::Deviation { .. } => &mut totals.deviation,
                Verdict::NotTestable { .. } => &mut totals.not_testable,
            } += 1;
        }
        Self {
            subject: subject.into(),
            totals,
            cases,
        }
    }

    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        self.totals.fail == 0
    }

    /// The report as `JUnit` XML. A known deviation is a pass with its reason in the output.
    ///
    /// # Errors
    /// When it cannot be written as XML.
    pub fn junit(&self) -> Result<String, quick_junit::SerializeError> {
        let mut report = JunitReport::new("dms-kafka-conformance");
        let mut suites: Vec<TestSuite> = Vec::new();
        for case in &self.cases {
            if suites
                .last()
                .is_none_or(|suite| suite.name.as_str() != case.suite)
            {
                suites.push(TestSuite::new(case.suite));
            }
            if let Some(suite) = suites.last_mut() {
                suite.add_test_case(junit_case(case));
            }
        }
        report.add_test_suites(suites);
        report.to_string()
    }
}

fn junit_case(case: &Judged) -> TestCase {
    let remarks = case.verdict.remarks().join("\n");
    let mut status = match &case.verdict {
        Verdict::Pass | Verdict::Deviation { .. } => TestCaseStatus::success(),
        Verdict::Fail { .. } => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::NotTestable { .. } => TestCaseStatus::skipped(),
    };
    // A success has none.
    status.set_message(remarks.clone());
    let mut junit = TestCase::new(case.name.clone(), status);
    junit
        .set_classname(case.proves.join("; "))
        .set_time(case.elapsed);
    if let Verdict::Deviation { .. } = case.verdict {
        junit.set_system_out(format!("known deviation: {remarks}"));
    }
    junit
}

/// One line for each case, then what is wrong, and at the end the totals.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        let width = self
            .cases
            .iter()
            .map(|case| case.name.len())
            .max()
            .unwrap_or_default();
        for case in &self.cases {
            let rows = match case.proves.join("; ") {
                rows if rows.is_empty() => rows,
                rows => format!(" [{rows}]"),
            };
            let (word, name, title) = (case.verdict.word(), &case.name, &case.title);
            writeln!(f, "{word:<12}  {name:<width$}  {title}{rows}")?;
            for remark in case.verdict.remarks() {
                writeln!(f, "{:14}{remark}", "")?;
            }
        }
        let Totals {
            pass,
            fail,
            deviation,
            not_testable,
        } = self.totals;
        write!(
            f,
            "{pass} passed, {fail} failed, {deviation} known deviations, {not_testable} not testable"
        )
    }
}

/// The secret parts of `credentials`.
pub(crate) fn secrets(credentials: &Credentials) -> impl Iterator<Item = &str> {
    let secrets = [credentials.secret_key(), credentials.security_token()];
    secrets.into_iter().flatten()
}

/// `text` as a report shows it: in one line, without secrets and control characters, at most 500 characters.
pub fn shown(text: &str, credentials: &Credentials) -> String {
    shown_up_to(text, credentials, 500)
}

pub(crate) fn shown_up_to(text: &str, credentials: &Credentials, limit: usize) -> String {
    let secrets: Vec<_> = secrets(credentials).collect();
    text::sanitize(text, &secrets, limit).into_owned()
}
