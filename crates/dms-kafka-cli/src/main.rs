//! The command `dms-kafka`: deletes Kafka messages, and serves the API that deletes them.
#![expect(
    clippy::print_stderr,
    reason = "a command speaks to people through standard error"
)]

mod arguments;
mod commands;
mod confirm;
mod credentials;
mod exit;
mod interrupt;
mod output;
mod setting;
mod stdout;
mod target;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log_to_stderr(arguments.verbose);
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return exit::Exit::Usage.into();
        }
    };
    let (json, result) = match arguments.command {
        Command::Delete(delete) => (
            delete.output.is_json(),
            runtime.block_on(commands::delete(delete)),
        ),
        Command::Purge(purge) => (
            purge.output.is_json(),
            runtime.block_on(commands::purge(purge)),
        ),
        Command::Serve(serve) => (false, runtime.block_on(commands::serve(serve))),
        Command::Sign(sign) => (
            sign.output.is_json(),
            runtime.block_on(commands::sign(sign)),
        ),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report(json);
            failure.exit().into()
        }
    }
}

fn log_to_stderr(verbosity: u8) {
    let level = match verbosity {
        0 => tracing_subscriber::filter::LevelFilter::WARN,
        1 => tracing_subscriber::filter::LevelFilter::INFO,
        _ => tracing_subscriber::filter::LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
