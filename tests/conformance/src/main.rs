//! `dms-kafka-conformance`: runs the suites and prints a verdict for each case.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks through the terminal"
)]

use std::process::ExitCode;

use dms_kafka_conformance::contract::Contract;
use dms_kafka_conformance::{case, client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<usize, Box<dyn std::error::Error>> {
    let contract = Contract::read()?;
    let mut failed = 0;
    let mut passed = 0;
    let mut verdict = |name: &str, proves: &str, faults: &[String]| {
        let word = if faults.is_empty() { "pass" } else { "FAIL" };
        println!("{word}  {name:<34}  {proves}");
        for fault in faults {
            println!("      {fault}");
        }
        *(if faults.is_empty() {
            &mut passed
        } else {
            &mut failed
        }) += 1;
    };
    verdict(
        "contract-examples",
        "Example request and response",
        &contract.example_faults(),
    );
    for case in case::read_all()? {
        for subject in client::Subject::ALL {
            let faults = client::run(&contract, &case, subject).await;
            verdict(&format!("{} ({subject})", case.name), &case.proves, &faults);
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed)
}
