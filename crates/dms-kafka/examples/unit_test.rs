//! Tests decisions about results and plans without a service: `cargo test -p dms-kafka --example unit_test`
//!
//! ```toml
//! [dev-dependencies]
//! dms-kafka = { version = "0.1", features = ["test-util"] }
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use dms_kafka::{Deletion, DeletionTarget, Error, ErrorKind, Outcome, Plan, test_util};

/// The code under test: whether a job sends its deletion of these partitions again.
fn is_repeated(rows: &[(i32, DeletionTarget)], result: Result<Deletion, Error>) -> bool {
    let Err(error) = result.and_then(Deletion::into_result) else {
        return false;
    };
    match error.outcome() {
        Outcome::NotApplied => error.is_retryable(),
        // Repeating a deletion before an offset deletes nothing more. One of everything also deletes what was written since.
        Outcome::Unknown => !rows.iter().any(|(_, target)| target.is_everything()),
        _ => false,
    }
}

/// The code under test: whether a consumer group loses unread records, or this is not known.
fn needs_approval(plan: &Plan) -> bool {
    plan.may_lose_unread()
}

fn main() -> Result<(), Error> {
    for target in [DeletionTarget::before(400)?, DeletionTarget::Everything] {
        let broken = test_util::error(ErrorKind::Connection, Outcome::Unknown);
        let repeated = is_repeated(&[(0, target)], Err(broken));
        println!("{target:?}, after a broken connection: repeated: {repeated}");
    }
    let plan = test_util::plan(
        "orders",
        [(test_util::partition_info(0, 0..1000)?, 400)],
        None,
    )?;
    println!(
        "{} records, losses unknown: needs approval: {}",
        plan.records(),
        needs_approval(&plan)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_repeated_only_if_that_can_help_and_deletes_nothing_more() {
        let before = DeletionTarget::before(400).unwrap();
        let everything = DeletionTarget::Everything;
        for (name, target, repeated_if_unknown) in [
            ("before an offset", before, true),
            ("everything", everything, false),
        ] {
            let rows = [(0, before), (1, target)];
            let second = |result| test_util::deletion([(0, before, Ok(())), (1, target, result)]);
            let status =
                |status| test_util::response(rows, status, r#"{"error_code":"X","error_msg":"m"}"#);
            let broken = test_util::error(ErrorKind::Connection, Outcome::Unknown);
            for (case, result, expected) in [
                ("all deleted", second(Ok(())), false),
                ("late replica", second(Err("7")), repeated_if_unknown),
                ("broken connection", Err(broken), repeated_if_unknown),
                ("compacted topic", second(Err("44")), false),
                ("flow control", status(429), true),
                ("no permission", status(403), false),
            ] {
                assert_eq!(is_repeated(&rows, result), expected, "{name}, {case}");
            }
        }
    }

    #[test]
    fn a_plan_that_takes_unread_records_needs_approval() {
        let partition = test_util::partition_info(0, 0..1000).unwrap();
        for (name, groups, expected) in [
            ("a group at 399", Some((0, 399)), true),
            ("a group at 400", Some((0, 400)), false),
            ("a group beyond the end", Some((0, 1001)), true),
            ("a group without a committed offset", Some((1, 400)), true),
            ("unknown groups", None, true),
        ] {
            let commits = groups.map(|commit| [commit]);
            let groups = commits.as_ref().map(|commits| [("billing", &commits[..])]);
            let groups = groups.as_ref().map(|groups| &groups[..]);
            let plan = test_util::plan("orders", [(partition, 400)], groups).unwrap();
            assert_eq!(needs_approval(&plan), expected, "{name}");
        }
    }
}
