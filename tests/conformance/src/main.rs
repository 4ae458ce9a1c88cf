//! `dms-kafka-conformance`: runs the suites and prints a verdict for each case.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command speaks through the terminal"
)]

mod arguments;
mod modes;
mod until_stopped;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Command};
use dms_kafka_conformance::causes::with_causes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.command {
        Some(Command::Call) => modes::call().await.map(|()| true),
        Some(Command::Serve) => modes::serve().await.map(|()| true),
        None => modes::run(&arguments).await,
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", with_causes(&*error));
            ExitCode::from(2)
        }
    }
}
