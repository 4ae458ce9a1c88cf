//! `known_deviations.toml`: how known implementations differ from the contract, and why.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use crate::cases::is_in;
use crate::report::{Judged, Verdict};

/// The file at build time.
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
    /// The deviations that are part of the program.
    ///
    /// # Errors
    /// As for [`KnownDeviations::parse`].
    pub fn embedded(cases: &BTreeSet<String>) -> Result<Self> {
        Self::parse(FILE, EMBEDDED, cases)
    }

    /// Reads a file of deviations. `cases` are the names of all cases.
    ///
    /// # Errors
    /// When the file is not valid, an entry has no reason, or a case does not exist or is listed twice.
    pub fn parse(file: &str, text: &str, cases: &BTreeSet<String>) -> Result<Self> {
        let known: Self = toml::from_str(text).with_context(|| file.to_owned())?;
        let mut seen = BTreeSet::new();
        for entry in &known.all {
            let implementation = &entry.implementation;
            if entry.reason.trim().is_empty() {
                bail!("{file}: an entry for {implementation} has no reason");
            }
            for case in &entry.cases {
                if !cases.iter().any(|known| is_in(known, case)) {
                    bail!("{file}: {implementation}: there is no case {case:?}");
                }
                if !seen.insert((implementation, case)) {
                    bail!("{file}: {implementation}: case {case:?} is listed twice");
                }
            }
        }
        Ok(known)
    }

    /// Turns known failures into deviations, and known deviations that pass into failures.
    ///
    /// # Errors
    /// When there is no entry for the implementation.
    pub fn apply(&self, implementation: &str, judged: &mut [Judged]) -> Result<()> {
        let is_its = |entry: &&Deviation| entry.implementation == implementation;
        ensure!(
            self.all.iter().any(|entry| is_its(&entry)),
            "{FILE}: there is no entry for the implementation {implementation:?}"
        );
        for entry in self.all.iter().filter(is_its) {
            for name in &entry.cases {
                let its = judged.iter_mut().filter(|one| is_in(&one.name, name));
                let mut its: Vec<_> = its.collect();
                // Some cases of a rule may pass, but not all.
                let fails = its.iter().any(|one| one.is_failure());
                for one in &mut its {
                    let verdict = std::mem::replace(&mut one.verdict, Verdict::Pass);
                    one.verdict = known(verdict, &entry.reason, fails);
                }
            }
        }
        Ok(())
    }
}

fn known(verdict: Verdict, reason: &str, fails: bool) -> Verdict {
    match verdict {
        Verdict::Pass if !fails => Verdict::failure(vec![format!(
            "passes, but {FILE} lists it as a deviation; remove the entry"
        )]),
        Verdict::Fail { faults, .. } => Verdict::Deviation {
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

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn judged(name: &str, verdict: Verdict) -> Judged {
        Judged {
            suite: "server",
            name: name.to_owned(),
            title: String::new(),
            proves: Vec::new(),
            verdict,
            exchanges: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    fn fail() -> Verdict {
        Verdict::failure(vec!["wrong".to_owned()])
    }

    #[test]
    fn a_known_failure_is_a_deviation_and_an_unexpected_pass_a_failure() {
        let known = KnownDeviations::parse("f", FILE_TEXT, &names(&["a", "b", "c"])).unwrap();
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
        let cases = names(&["a"]);
        for (text, says) in [
            (FILE_TEXT.to_owned(), "no case \"b\""),
            (
                FILE_TEXT.replace(r#""a", "b", "c""#, r#""a""#).repeat(2),
                "twice",
            ),
            (FILE_TEXT.replace("because", " "), "no reason"),
            (FILE_TEXT.replace("reason", "why"), "why"),
        ] {
            let error = KnownDeviations::parse("f", &text, &cases).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains(says), "{error}");
        }
    }
}
