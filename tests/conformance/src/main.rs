//! `dms-kafka-conformance`: runs the suites and prints a verdict for each case.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks through the terminal"
)]

mod arguments;
mod modes;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::Arguments;
use dms_kafka_conformance::text::with_causes;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match modes::run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", with_causes(&*error));
            ExitCode::from(2)
        }
    }
}
