//! Unit tests of code that handles results, without a service: enable the feature `test-util` in `dev-dependencies`.
//!
//! ```toml
//! [dev-dependencies]
//! dms-kafka = { version = "0.1", features = ["test-util"] }
//! ```

use dms_kafka::{Deletion, DeletionTarget, Error, ErrorKind, Outcome, Plan, test_util};

/// What a job does after a deletion.
#[derive(Debug, PartialEq)]
enum Next {
    Done,
    Retry(Vec<i32>),
    Stop(String),
}

fn next(result: Result<Deletion, Error>) -> Next {
    match result.and_then(Deletion::into_result) {
        Ok(_) => Next::Done,
        // Offsets can be sent again, whatever happened to the first request.
        Err(error) if error.outcome() == Outcome::Unknown || error.is_retryable() => {
            let failed = error.deletion().into_iter().flat_map(Deletion::failures);
            Next::Retry(failed.map(|failure| failure.partition().get()).collect())
        }
        Err(error) => Next::Stop(error.to_string()),
    }
}

fn needs_approval(plan: &Plan) -> bool {
    plan.losses().records() != Some(0)
}

fn main() -> Result<(), Error> {
    partitions_that_may_have_failed_are_sent_again()?;
    a_plan_that_takes_unread_records_needs_approval()
}

// In your crate, these functions are tests.

fn partitions_that_may_have_failed_are_sent_again() -> Result<(), Error> {
    let targets = [
        (0, DeletionTarget::before(400)?),
        (1, DeletionTarget::before(7)?),
    ];
    let deletion = |of_partition_1| {
        test_util::deletion([(0, targets[0].1, Ok(())), (1, targets[1].1, of_partition_1)])
    };
    assert_eq!(next(deletion(Ok(()))), Next::Done);
    assert_eq!(next(deletion(Err("7"))), Next::Retry(vec![1]));
    assert!(matches!(next(deletion(Err("44"))), Next::Stop(_)));

    let busy = r#"{"error_code":"DMS.10240407","error_msg":"slow down"}"#;
    assert_eq!(
        next(test_util::response(targets, 429, busy)),
        Next::Retry(vec![])
    );
    let broken = test_util::error(ErrorKind::Connection, Outcome::Unknown);
    assert_eq!(next(Err(broken)), Next::Retry(vec![]));
    Ok(())
}

fn a_plan_that_takes_unread_records_needs_approval() -> Result<(), Error> {
    let partition = test_util::partition_info(0, 0..1000)?;
    let plan = |committed: &[(i32, i64)]| {
        test_util::plan(
            "orders",
            [(partition, 400)],
            Some(&[("billing", committed)]),
        )
    };
    assert!(needs_approval(&plan(&[(0, 399)])?));
    assert!(!needs_approval(&plan(&[(0, 400)])?));
    let with_unknown_losses = test_util::plan("orders", [(partition, 400)], None)?;
    assert!(needs_approval(&with_unknown_losses));
    Ok(())
}
