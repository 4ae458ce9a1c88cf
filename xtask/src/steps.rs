//! Runs steps one after the other and prints a summary.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use xshell::Shell;

use crate::failure::{self, Skipped};

/// A name and a function, which gets the options of the command.
pub(crate) type Step<C> = (&'static str, fn(&Shell, &C) -> Result<()>);

/// Runs the steps of these names, or all, even after a failure, and prints the result of each at the end.
pub(crate) fn run<C>(sh: &Shell, options: &C, steps: &[Step<C>], names: &[String]) -> Result<()> {
    let exists = |name: &&String| steps.iter().any(|(step, _)| step == *name);
    if let Some(unknown) = names.iter().find(|name| !exists(name)) {
        let steps: Vec<_> = steps.iter().map(|(step, _)| *step).collect();
        bail!(
            "{unknown:?} is unknown; the names are: {}",
            steps.join("; ")
        );
    }
    let mut ended = Vec::new();
    for (step, run) in steps {
        if !names.is_empty() && !names.iter().any(|name| name == step) {
            continue;
        }
        eprintln!("\n=== {step}");
        let start = Instant::now();
        let verdict = match failure::unless_skipped(run(sh, options)) {
            Ok(Ok(())) => Ok("passed".to_owned()),
            Ok(Err(Skipped(reason))) => Ok(format!("skipped: {reason}")),
            Err(error) => {
                eprintln!("error: {error:#}");
                Err(error.context(*step))
            }
        };
        ended.push((step, start.elapsed(), verdict));
    }
    eprintln!("\n=== summary");
    for (step, time, verdict) in &ended {
        let verdict = verdict.as_deref().unwrap_or("FAILED");
        eprintln!(
            "{step:<24} {:>7.1} s  {verdict}",
            Duration::as_secs_f64(time)
        );
    }
    // Again, because a log is often cut in its middle.
    let failures = ended.into_iter().filter_map(|(.., verdict)| verdict.err());
    failure::unless_empty(failures.collect())
}
