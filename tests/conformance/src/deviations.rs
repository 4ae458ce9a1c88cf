//! `known_deviations.toml`: what known implementations do otherwise, and why.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::report::{Judged, Verdict};
use crate::source::CaseError;

/// The file as it was when the program was built.
const EMBEDDED: &str = include_str!("../known_deviations.toml");
const FILE: &str = "known_deviations.toml";

/// The known deviations of every known implementation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownDeviations {
    #[serde(rename = "deviation", default)]
    all: Vec<Deviation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    implementation: String,
    cases: BTreeSet<String>,
    reason: String,
}

impl KnownDeviations {
    /// The deviations that the program knows by itself.
    ///
    /// # Errors
    /// As for [`KnownDeviations::parse`].
    pub fn embedded(cases: &BTreeSet<&str>) -> Result<Self, CaseError> {
        Self::parse(FILE, EMBEDDED, cases)
    }

    /// Reads a file of deviations. `cases` are the names of the cases that there are.
    ///
    /// # Errors
    /// [`CaseError`] when it is not as documented, gives no reason, names a case twice for one implementation or
    /// one that does not exist.
    pub fn parse(file: &str, text: &str, cases: &BTreeSet<&str>) -> Result<Self, CaseError> {
        let known: Self = toml::from_str(text).map_err(|cause| CaseError::new(file, cause))?;
        let refuse = |cause: String| Err(CaseError::new(file, cause));
        let mut seen = BTreeSet::new();
        for Deviation {
            implementation,
            cases: named,
            reason,
        } in &known.all
        {
            if reason.trim().is_empty() {
                return refuse(format!("an entry for {implementation} gives no reason"));
            }
            for case in named {
                if !cases.contains(case.as_str()) {
                    return refuse(format!("{implementation}: there is no case {case:?}"));
                }
                if !seen.insert((implementation, case)) {
                    return refuse(format!(
                        "{implementation}: case {case:?} stands there twice"
                    ));
                }
            }
        }
        Ok(known)
    }

    /// Turns the failures that are known into deviations, and known deviations that pass into failures.
    ///
    /// # Errors
    /// When nothing is known of an implementation of that name.
    pub fn apply(&self, implementation: &str, judged: &mut [Judged]) -> Result<(), CaseError> {
        let mut of_it = self
            .all
            .iter()
            .filter(|entry| entry.implementation == implementation)
            .peekable();
        if of_it.peek().is_none() {
            let cause = format!("nothing is known of an implementation {implementation:?}");
            return Err(CaseError::new(FILE, cause));
        }
        for entry in of_it {
            for one in judged
                .iter_mut()
                .filter(|one| entry.cases.contains(&one.name))
            {
                one.verdict = known(
                    std::mem::replace(&mut one.verdict, Verdict::Pass),
                    &entry.reason,
                );
            }
        }
        Ok(())
    }
}

fn known(verdict: Verdict, reason: &str) -> Verdict {
    match verdict {
        Verdict::Pass => Verdict::Fail {
            faults: vec![format!(
                "passes, but {FILE} says that it does not; remove the entry"
            )],
        },
        Verdict::Fail { faults } => Verdict::Deviation {
            reason: reason.to_owned(),
            faults,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const FILE_TEXT: &str = r#"
        [[deviation]]
        implementation = "it"
        cases = ["a", "b", "c"]
        reason = "because"
    "#;

    fn judged(name: &str, verdict: Verdict) -> Judged {
        Judged {
            suite: "server",
            name: name.to_owned(),
            title: String::new(),
            proves: Vec::new(),
            verdict,
            elapsed: Duration::ZERO,
        }
    }

    fn fail() -> Verdict {
        Verdict::Fail {
            faults: vec!["wrong".to_owned()],
        }
    }

    #[test]
    fn a_known_failure_is_a_deviation_and_an_unexpected_pass_a_failure() {
        let known = KnownDeviations::parse("f", FILE_TEXT, &["a", "b", "c"].into()).unwrap();
        let skipped = Verdict::NotTestable {
            reason: "no".to_owned(),
        };
        let mut all = [
            judged("a", fail()),
            judged("b", Verdict::Pass),
            judged("c", skipped.clone()),
            judged("d", fail()),
        ];
        known.apply("it", &mut all).unwrap();
        let deviation = Verdict::Deviation {
            reason: "because".to_owned(),
            faults: vec!["wrong".to_owned()],
        };
        assert_eq!(all[0].verdict, deviation);
        assert!(all[1].is_failure(), "{:?}", all[1].verdict);
        assert_eq!(all[2].verdict, skipped);
        assert_eq!(all[3].verdict, fail());
        assert!(known.apply("another", &mut all).is_err());
    }

    #[test]
    fn entries_that_mean_nothing_are_errors() {
        let cases: BTreeSet<&str> = ["a"].into();
        for (text, says) in [
            (FILE_TEXT.to_owned(), "no case \"b\""),
            (
                FILE_TEXT.replace(r#""a", "b", "c""#, r#""a""#).repeat(2),
                "twice",
            ),
            (FILE_TEXT.replace("because", " "), "no reason"),
            (FILE_TEXT.replace("reason", "why"), "why"),
        ] {
            let error = KnownDeviations::parse("f", &text, &cases)
                .unwrap_err()
                .to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
