//! Runs steps one after the other and prints a summary.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use xshell::Shell;

use crate::failure::{self, Skipped};

/// A name and a function, which gets the options of the command.
pub(crate) type Step<C> = (&'static str, fn(&Shell, &C) -> Result<()>);

/// Runs every step, even after a failure, and prints the result of each at the end.
pub(crate) fn run<C>(sh: &Shell, options: &C, steps: &[Step<C>]) -> Result<()> {
    let mut ended = Vec::new();
    for (step, run) in steps {
        eprintln!("\n=== {step}");
        let start = Instant::now();
        let result = run(sh, options);
        ended.push((step, start.elapsed(), verdict(result)));
    }
    eprintln!("\n=== summary");
    for (step, time, verdict) in &ended {
        let verdict = verdict.as_deref().unwrap_or("FAILED");
        eprintln!(
            "{step:<24} {:>7.1} s  {verdict}",
            Duration::as_secs_f64(time)
        );
    }
    let failed = ended.iter().filter(|(.., verdict)| verdict.is_none());
    failure::unless_empty(
        failed
            .map(|(step, ..)| anyhow!("{step}: failed, see above"))
            .collect(),
    )
}

/// The result of a step for the summary; `None` for a failure, which is printed at once.
fn verdict(result: Result<()>) -> Option<String> {
    match failure::unless_skipped(result) {
        Ok(Ok(())) => Some("passed".to_owned()),
        Ok(Err(Skipped(reason))) => Some(format!("skipped: {reason}")),
        Err(error) => {
            eprintln!("error: {error:#}");
            None
        }
    }
}
