//! Tests decisions about results without a service: `cargo test -p dms-kafka --example unit_test`
#![allow(clippy::print_stdout, reason = "an example")]

use dms_kafka::{Deletion, Error, ErrorKind, Outcome, test_util};

/// The code under test: whether a job that deletes before offsets runs again.
fn is_repeated(result: Result<Deletion, Error>) -> bool {
    match result.and_then(Deletion::into_result) {
        Ok(_) => false,
        // Repeating a deletion before an offset deletes nothing more.
        Err(error) if error.outcome() == Outcome::Unknown => true,
        Err(error) => error.is_retryable(),
    }
}

fn main() {
    let broken = test_util::error(ErrorKind::Connection, Outcome::Unknown);
    println!("after a broken connection: {}", is_repeated(Err(broken)));
}

#[cfg(test)]
mod tests {
    use dms_kafka::DeletionTarget;

    use super::*;

    #[test]
    fn a_job_is_repeated_only_if_that_can_help() {
        let rows = [
            (0, DeletionTarget::Everything),
            (1, DeletionTarget::Everything),
        ];
        let partitions = |code| {
            let [first, second] = rows.map(|(partition, target)| (partition, target));
            test_util::deletion([(first.0, first.1, Ok(())), (second.0, second.1, code)])
        };
        let status =
            |status| test_util::response(rows, status, r#"{"error_code":"X","error_msg":"m"}"#);
        for (name, result, expected) in [
            ("all deleted", partitions(Ok(())), false),
            ("late replica", partitions(Err("7")), true),
            ("compacted topic", partitions(Err("44")), false),
            ("flow control", status(429), true),
            ("no permission", status(403), false),
        ] {
            assert_eq!(is_repeated(result), expected, "{name}");
        }
    }
}
