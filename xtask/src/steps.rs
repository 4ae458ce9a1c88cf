//! Steps that run one after the other, and a summary of how each ended.

use std::time::{Duration, Instant};

use crate::failure::{Failure, Failures, Outcome};

/// A name, and what to do with what the steps work on.
pub(crate) type Step<C> = (&'static str, fn(&C) -> Result<Outcome, Failures>);

/// How a step ended, and how long it took.
struct Ended {
    step: &'static str,
    time: Duration,
    result: Result<Outcome, Failures>,
}

/// Runs every step, the later ones also after a failure, and tells at the end how each ended.
pub(crate) fn run<C>(context: &C, steps: &[Step<C>]) -> Result<(), Failures> {
    let ended: Vec<Ended> = steps.iter().map(|step| end(context, step)).collect();
    eprintln!("\n=== summary");
    for Ended { step, time, result } in &ended {
        let verdict = match result {
            Ok(Outcome::Passed) => "passed".to_owned(),
            Ok(Outcome::Skipped(reason)) => format!("skipped: {reason}"),
            Err(_) => "FAILED".to_owned(),
        };
        eprintln!("{step:<24} {:>7.1} s  {verdict}", time.as_secs_f64());
    }
    let failed = ended.iter().filter(|ended| ended.result.is_err());
    let failures = failed.map(|ended| Failure::file(ended.step, "failed, see above"));
    Failures::unless_empty(failures.collect())
}

fn end<C>(context: &C, (step, run): &Step<C>) -> Ended {
    eprintln!("\n=== {step}");
    let start = Instant::now();
    let result = run(context);
    if let Err(failures) = &result {
        eprint!("{failures}");
    }
    Ended {
        step,
        time: start.elapsed(),
        result,
    }
}
