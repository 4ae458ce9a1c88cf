//! The command `dms-kafka`: deletes Kafka messages, and serves the API for it.

mod arguments;
mod commands;
mod confirm;
mod connection;
mod credentials;
mod exit;
mod help;
mod interrupt;
mod new_file;
mod output;
mod page;
mod paths;
mod profile;
mod screen;
mod selectors;
mod service;
mod service_settings;
mod settings;
mod stderr;
mod stdout;
mod topic_pattern;
mod view;

use std::ffi::OsString;
use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};
use exit::{Exit, Failure};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> ExitCode {
    let parsed = Arguments::command().try_get_matches();
    let arguments = match parsed.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => return print_help_or_usage_error(&error),
    };
    let json = arguments.command.is_json();
    let is_service = matches!(arguments.command, Command::Serve(_));
    log_to_stderr(arguments.verbose, json, is_service);
    match run(arguments.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report("error", json);
            failure.exit().into()
        }
    }
}

fn run(command: Command) -> Result<Exit, Failure> {
    let mut runtime = match command {
        // A large request body must not block other requests.
        Command::Serve(_) => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| Failure::input(format!("cannot start: {error}")))?;
    #[cfg(unix)]
    interrupt::make_file_size_limit_an_error(&runtime)?;
    let ended = match command {
        Command::Delete(delete) => runtime.block_on(commands::delete(delete)),
        Command::Topics(topics) => runtime.block_on(commands::topics(topics)),
        Command::Topic(topic) => runtime.block_on(commands::topic(topic)),
        Command::Plan(plan) => runtime.block_on(commands::plan(plan)),
        Command::Purge(purge) => runtime.block_on(commands::purge(purge)),
        Command::Serve(serve) => runtime.block_on(commands::serve(serve.0)),
        Command::Sign(sign) => runtime.block_on(commands::sign(sign)),
        Command::Regions(regions) => commands::regions(&regions),
        Command::Completions(completions) => {
            commands::completions(&completions, Arguments::command())
        }
        Command::Man(man) => {
            // `help` has no page.
            commands::man(&man, Arguments::command().disable_help_subcommand(true))
        }
    };
    // Dropping the runtime would wait for a running name lookup.
    runtime.shutdown_background();
    ended
}

/// Prints help to standard output and usage errors to standard error, as JSON if the results would be JSON.
fn print_help_or_usage_error(error: &clap::Error) -> ExitCode {
    let json = asks_for_json();
    if !error.use_stderr() {
        return match stdout::print_coloured(&error.render().ansi().to_string()) {
            Ok(()) => Exit::Done.into(),
            Err(failure) => {
                failure.report("error", json);
                failure.exit().into()
            }
        };
    }
    let message = || in_one_line(&error.render().to_string());
    let failure = match error.kind() {
        ErrorKind::Io => Failure::input(message()),
        _ => Failure::usage(message()),
    };
    if json {
        failure.report("error", true);
    } else {
        // `error.exit()` would panic if standard error is closed.
        let _ = error.print();
    }
    failure.exit().into()
}

/// A message of clap in one line: without usage, and with its tips after semicolons.
fn in_one_line(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let end = ["\n\nUsage:", "\n\nFor more information"]
        .iter()
        .filter_map(|end| text.find(end))
        .min();
    let parts = text[..end.unwrap_or(text.len())].split("\n\n");
    let parts = parts.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    parts.collect::<Vec<_>>().join("; ")
}

/// Searches the words for the output format. With `ignore_errors`, clap would return only those flags that it found before
/// the first error.
fn asks_for_json() -> bool {
    let words: Vec<OsString> = std::env::args_os().collect();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    words.iter().enumerate().any(|(index, word)| {
        let value = match word
            .strip_prefix("--output")
            .or_else(|| after_short_output(word))
        {
            None => return false,
            Some("") => words.get(index + 1).map_or("", AsRef::as_ref),
            Some(value) => value.strip_prefix('=').unwrap_or(value),
        };
        matches!(value, "json" | "ndjson")
    })
}

/// What follows `-o`, possibly after other short flags, as in `-yo`.
fn after_short_output(word: &str) -> Option<&str> {
    let flags = word.strip_prefix('-')?;
    flags.trim_start_matches(['v', 'y']).strip_prefix('o')
}

/// The libraries that the project uses log only warnings: with `--verbose`, and in a service, whose log programs read.
fn log_to_stderr(verbosity: u8, json: bool, is_service: bool) {
    let level = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let of_libraries = if verbosity > 0 || is_service {
        LevelFilter::WARN
    } else {
        LevelFilter::OFF
    };
    let targets = Targets::new()
        .with_default(of_libraries)
        .with_target("dms_kafka", level)
        .with_target("huaweicloud_auth", level);
    let log = tracing_subscriber::fmt::layer()
        .with_writer(|| stderr::StderrWriter)
        .with_ansi(stderr::has_colours())
        .with_target(false)
        // They are printed with `eprintln!`, which panics if standard error is closed.
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(targets);
    if json || is_service {
        registry.with(log.json()).init();
    } else {
        registry.with(log).init();
    }
}
