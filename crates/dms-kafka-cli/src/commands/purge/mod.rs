//! `dms-kafka purge`: many deletions, from a file.

mod concurrency;
mod durable_file;
mod failures_file;
#[cfg(test)]
#[path = "../../../tests/fuzz/targets.rs"]
mod fuzz_targets;
mod journal;
mod offsets_file;
mod preview;
mod progress;
mod report;
mod rows;
mod sender;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::File;
use std::mem;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use dms_kafka::{CircuitBreaker, ProjectId};
use futures_util::StreamExt as _;

use crate::confirm;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::new_file::NewFile;
use crate::paths::real_path;
use crate::service::{self, Service};
use crate::service_settings::ServiceSettings;
use crate::settings::{Resolved, up_to};
use crate::stderr;
use crate::stdout;
use concurrency::Concurrency;
use journal::{Expected, Journal, JournalHeader};
use offsets_file::OffsetsFile;
use progress::Progress;
use report::{PurgeFormat, PurgeReport};
use rows::{RowCounts, RowState, RowStates, Rows};
use sender::{RequestSender, StopReasons};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Purge {
    #[command(flatten)]
    pub(crate) service: Resolved<ServiceSettings>,

    /// File with partitions and offsets, or - for standard input: the JSON of kafka-delete-records.sh, or one row such as
    /// {"topic":"orders","partition":0,"offset":400} on each line; the offset -1 deletes all records
    #[arg(long, value_name = "FILE", help_heading = "Deletion")]
    pub(crate) offsets_file: PathBuf,

    /// Allow rows with the offset -1, which delete all records of a partition
    #[arg(long, help_heading = "Safety")]
    pub(crate) allow_everything: bool,

    /// Number of requests in flight; if omitted, it doubles while the rows per second rise by more than 10 %, and halves when
    /// the service throttles, fails or times out
    #[arg(long, value_name = "N", conflicts_with = "max_concurrency", allow_negative_numbers = true, value_parser = up_to::<500, NonZeroUsize>, help_heading = "Limits")]
    pub(crate) concurrency: Option<NonZeroUsize>,

    /// Maximum number of requests in flight without --concurrency
    #[arg(long, value_name = "N", default_value = "64", allow_negative_numbers = true, value_parser = up_to::<500, NonZeroUsize>, help_heading = "Limits")]
    pub(crate) max_concurrency: NonZeroUsize,

    /// Maximum number of partitions in a request; 10 if omitted, and 1,000 with --kafka
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = up_to::<10_000, NonZeroUsize>, help_heading = "Limits")]
    pub(crate) partitions_per_request: Option<NonZeroUsize>,

    /// Stop sending after N rows have failed; no limit if omitted
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = up_to::<{ u64::MAX }, NonZeroU64>, help_heading = "Limits")]
    pub(crate) max_failures: Option<NonZeroU64>,

    /// Pause sending when N requests in a row fail because the service is down or out of reach
    #[arg(long, value_name = "N", default_value = "10", allow_negative_numbers = true, value_parser = up_to::<1_000_000, NonZeroU32>, help_heading = "Limits")]
    pub(crate) pause_after: NonZeroU32,

    /// Length of the first pause; each further one is twice as long, up to 30 seconds
    #[arg(long, value_name = "SECONDS", default_value = "1", allow_negative_numbers = true, value_parser = seconds, help_heading = "Limits")]
    pub(crate) pause: Duration,

    /// Stop when sending was paused for this long in total
    #[arg(long, value_name = "SECONDS", default_value = "60", allow_negative_numbers = true, value_parser = seconds, help_heading = "Limits")]
    pub(crate) give_up_after: Duration,

    /// Record each finished row in this file, and skip the rows that it records
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "embedded",
        help_heading = "Recovery"
    )]
    pub(crate) journal: Option<PathBuf>,

    /// Continue a journal that was written for another endpoint of the same instance
    #[arg(long, requires = "journal", help_heading = "Recovery")]
    pub(crate) allow_other_endpoint: bool,

    /// At the end, however the purge ends, write the rows that were not deleted to this new file, in the format of the
    /// offsets file
    #[arg(long, value_name = "FILE", help_heading = "Recovery")]
    pub(crate) failures_file: Option<PathBuf>,

    /// Replace the failures file if it exists
    #[arg(long, requires = "failures_file", help_heading = "Recovery")]
    pub(crate) overwrite: bool,

    /// Seconds between progress lines if standard error is not a terminal
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "10",
        allow_negative_numbers = true, value_parser = up_to::<86_400, NonZeroU32>,
        help_heading = "Output"
    )]
    pub(crate) progress_every: NonZeroU32,

    /// Delete without asking for confirmation
    #[arg(long, short, help_heading = "Safety")]
    pub(crate) yes: bool,

    /// Name of the profile, which a protected profile needs besides --yes
    #[arg(long, value_name = "PROFILE", help_heading = "Safety")]
    pub(crate) confirm: Option<String>,

    /// Print the requests and do not send them
    #[arg(long, help_heading = "Safety")]
    pub(crate) dry_run: bool,

    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = PurgeFormat::Table, help_heading = "Output")]
    pub(crate) output: PurgeFormat,
}

/// A request gets its rows from this many consecutive rows of the file.
const WINDOW: usize = 10_000;

/// A length of time with fractions, more than zero.
fn seconds(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(86_400);
    let seconds = text.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|length| !length.is_zero() && *length <= LONGEST)
        .ok_or_else(|| {
            format!(
                "expected more than 0 and at most {} seconds, such as 0.5",
                LONGEST.as_secs()
            )
        })
}

pub(crate) async fn purge(arguments: Box<Purge>) -> Result<Exit, Failure> {
    if !arguments.dry_run {
        check_confirmation(&arguments)?;
    }
    let (file, rows) = OffsetsFile::read(
        &arguments.offsets_file,
        arguments.allow_everything,
        arguments.journal.is_some(),
    )?;
    let json = arguments.output.is_json();
    let service = Service::new(&arguments.service.0, json, rows.topics()).await?;
    let job = PurgeJob {
        states: RowStates::new(rows.len()),
        arguments: &arguments,
        service: &service,
        file,
        rows: Arc::new(rows),
    };
    if arguments.dry_run {
        job.dry_run().await
    } else {
        job.run().await
    }
}

/// Standard input cannot provide both the rows and the confirmation.
fn check_confirmation(arguments: &Purge) -> Result<(), Failure> {
    if !arguments.yes && arguments.offsets_file == Path::new("-") {
        return Err(Failure::usage(
            "rows from standard input cannot be confirmed: add --yes, or use a file; nothing was deleted",
        ));
    }
    confirm::check_possible(
        arguments.yes,
        arguments.confirm.as_deref(),
        &arguments.service.0.profile,
    )
}

/// A purge with a valid offsets file.
struct PurgeJob<'a> {
    arguments: &'a Purge,
    service: &'a Service,
    file: OffsetsFile,
    rows: Arc<Rows>,
    states: RowStates,
}

impl PurgeJob<'_> {
    /// Prints each request.
    async fn dry_run(&self) -> Result<Exit, Failure> {
        let json = self.arguments.output.is_json();
        if let Some(journal) = &self.arguments.journal {
            Journal::read_states(journal, &self.expected(None), &self.states)?;
        }
        let rows = rows::waiting(&self.rows, &self.states);
        let mut requests = pin!(self.settings().requests(rows));
        while let Some(request) = requests.next().await {
            let request = request.to_request().map_err(Failure::call)?;
            stdout::print(&service::request_text(&request, json))?;
        }
        stderr::note("Nothing was sent.", json);
        Ok(Exit::Done)
    }

    async fn run(&self) -> Result<Exit, Failure> {
        let arguments = self.arguments;
        self.check_failures_file()?;
        let failures_file = match &arguments.failures_file {
            Some(path) => Some(NewFile::create(
                "--failures-file",
                path,
                arguments.overwrite,
            )?),
            None => None,
        };
        let mut interrupts = Interrupts::listen()?.with_hangup()?;
        let journal = match &arguments.journal {
            Some(path) => match interrupts.or(self.project_id()).await {
                Ok(project_id) => {
                    let expected = self.expected(Some(project_id.as_str()));
                    Some(Journal::open(path, &expected, &self.states)?)
                }
                Err(failure) => {
                    Journal::read_states(path, &self.expected(None), &self.states)?;
                    return self.end_early(None, failures_file, failure);
                }
            },
            None => None,
        };
        if let Err(failure) = interrupts.or(self.begin()).await {
            return self.end_early(journal, failures_file, failure);
        }
        let mut report = PurgeReport::new(arguments.output);
        let reasons = StopReasons {
            output: self
                .report_unknown(&mut report, |state| state == RowState::Unknown)
                .err(),
            ..StopReasons::default()
        };
        let before = self.states.counts();
        let progress = Progress::new(
            self.rows.len() as u64,
            before.finished(),
            arguments.output.is_json(),
        );
        let sender = RequestSender {
            states: &self.states,
            journal: journal.as_ref(),
            progress: &progress,
            max_failures: arguments.max_failures.map(NonZeroU64::get),
            before,
            tick: Duration::from_secs(arguments.progress_every.get().into()),
            reasons: RefCell::new(reasons),
        };
        let breaker = CircuitBreaker::new()
            .with_failures(arguments.pause_after.get())
            .with_first_pause(arguments.pause)
            .with_limit(arguments.give_up_after);
        let concurrency = Concurrency::new(
            arguments.concurrency.map(NonZeroUsize::get),
            arguments.max_concurrency.get(),
            Instant::now(),
        );
        let rows = rows::waiting(&self.rows, &self.states);
        let requests = self.settings().requests(rows);
        let mut reasons = sender
            .send_all(requests, concurrency, breaker, &mut report, &mut interrupts)
            .await;
        progress.end();
        let has_no_result = |state| state != RowState::Unknown;
        let reported = self.report_unknown(&mut report, has_no_result);
        reasons.output = reasons.output.or(reported.err());
        let file_failures = self.close(journal, failures_file);
        Ok(self.conclude(reasons, file_failures, &report))
    }

    /// Completes the files although nothing was sent. A file that cannot be written decides about the exit code, unless the
    /// purge was interrupted.
    fn end_early(
        &self,
        journal: Option<Journal>,
        failures_file: Option<NewFile>,
        failure: Failure,
    ) -> Result<Exit, Failure> {
        let mut last = failure;
        for mut failure in self.close(journal, failures_file) {
            if last.exit() != Exit::Interrupted {
                mem::swap(&mut failure, &mut last);
            }
            failure.report("error", self.arguments.output.is_json());
        }
        Err(last)
    }

    /// What happens before the first request.
    async fn begin(&self) -> Result<(), Failure> {
        self.service.log_identity().await;
        self.confirm().await?;
        self.file.check_unchanged()
    }

    async fn project_id(&self) -> Result<ProjectId, Failure> {
        let project_id = self.service.client.project_id().await;
        project_id.map_err(Failure::call)
    }

    fn settings(&self) -> dms_kafka::Purge {
        let per_request = self.arguments.partitions_per_request;
        let per_request = per_request.map(NonZeroUsize::get);
        self.service
            .client
            .purge(&self.service.instance_id)
            .with_partitions_per_request(
                per_request.unwrap_or_else(|| self.service.partitions_per_request()),
            )
            .with_window(WINDOW)
    }

    /// What the journal must belong to.
    fn expected(&self, project_id: Option<&str>) -> Expected<'_> {
        Expected {
            header: JournalHeader::new(
                self.file.sha256.as_deref().unwrap_or_default(),
                self.rows.len() as u64,
                self.service.client.service_name(),
                project_id,
                self.service.instance_id.as_str(),
            ),
            rows: &self.rows,
            allow_other_endpoint: self.arguments.allow_other_endpoint,
        }
    }

    /// Refuses a failures file that would replace the offsets file or the journal.
    fn check_failures_file(&self) -> Result<(), Failure> {
        let arguments = self.arguments;
        let Some(failures) = arguments.failures_file.as_deref().and_then(real_path) else {
            return Ok(());
        };
        let others = [Some(&arguments.offsets_file), arguments.journal.as_ref()];
        let is_same = |other: &&PathBuf| real_path(other).as_ref() == Some(&failures);
        match others.into_iter().flatten().find(is_same) {
            Some(other) => Err(Failure::usage(format!(
                "--failures-file would replace {}: use another file; nothing was deleted",
                other.display()
            ))),
            None => Ok(()),
        }
    }

    /// Shows what will be deleted and asks for confirmation, unless no row is to be sent.
    async fn confirm(&self) -> Result<(), Failure> {
        if self.arguments.yes && self.arguments.output.is_json() {
            return Ok(());
        }
        let (rows, yes) = (&self.rows, self.arguments.yes);
        let Some(preview) = preview::preview(self.service, rows, &self.states, yes).await? else {
            return Ok(());
        };
        let mut text = format!(
            "{}\nRecords that will be deleted permanently:\n{}",
            self.service.identity().await,
            preview.text
        );
        let already = self.states.counts().finished();
        if already > 0 {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{already} of the rows are recorded in the journal and will not be sent"
            );
        }
        if yes {
            stderr::text(&text);
            return Ok(());
        }
        confirm::ask(&text, preview.word).await
    }

    /// Reports rows whose outcome is unknown after earlier runs or an interruption: they have no result in this run.
    fn report_unknown(
        &self,
        report: &mut PurgeReport,
        wanted: impl Fn(RowState) -> bool,
    ) -> Result<(), Failure> {
        let states = self.states.all();
        let unknown = |state: RowState| state.is_unknown() && wanted(state);
        let rows = self.rows.in_state(&states, unknown);
        report.add_unknown(rows.map(|(row, _)| row))
    }

    /// Completes journal and failures file; returns what failed.
    fn close(&self, journal: Option<Journal>, failures_file: Option<NewFile>) -> Vec<Failure> {
        let journal = journal
            .and_then(|journal| journal.close().err())
            .map(|error| format!("the journal cannot be written: {error}"));
        let failures = failures_file
            .and_then(|file| {
                let write = |file: &File| {
                    failures_file::write_rows(file, self.file.layout, &self.rows, &self.states)
                };
                file.write(write).err()
            })
            .map(|error| format!("the failures file cannot be written: {error}"));
        [journal, failures]
            .into_iter()
            .flatten()
            .map(Failure::output)
            .collect()
    }

    /// Reports the results, why the purge stopped and how to continue.
    fn conclude(
        &self,
        reasons: StopReasons,
        file_failures: Vec<Failure>,
        report: &PurgeReport,
    ) -> Exit {
        let json = self.arguments.output.is_json();
        let counts = self.states.counts();
        let shown = report.finish(self.rows.len() as u64, &counts);
        match reasons.interrupts {
            0 => {}
            1 => stderr::note("interrupted", json),
            _ => stderr::note(
                "interrupted: the outcome of the requests in flight is unknown",
                json,
            ),
        }
        if reasons.too_many_failures {
            stderr::note("stopped: --max-failures was reached", json);
        }
        if let Some(fatal) = &reasons.fatal {
            fatal.report("stopped", json);
        }
        let failures_file = self.arguments.failures_file.as_deref();
        let failures_file = failures_file.filter(|_| file_failures.is_empty());
        let outcome = counts.outcome();
        // If the results could not be written, their end cannot be written either.
        let output = reasons.output.or(shown.err());
        let stopped = [reasons.journal, output].into_iter().flatten();
        let mut output_failed = false;
        for (failure, word) in stopped
            .map(|failure| (failure, "stopped"))
            .chain(file_failures.into_iter().map(|failure| (failure, "error")))
        {
            failure.with_outcome(outcome).report(word, json);
            output_failed = true;
        }
        if let Some(next) = self.next_step(&counts, failures_file) {
            stderr::note(&next, json);
        }
        let nothing_was_sent = counts.finished() == counts.retryable;
        let fatal = reasons.fatal.map(|failure| failure.exit());
        if reasons.interrupts > 0 {
            Exit::Interrupted
        } else if counts.all_unknown() > 0 {
            Exit::Unknown
        } else if output_failed {
            Exit::InputOutput
        } else if let Some(exit @ (Exit::Usage | Exit::InputOutput)) = fatal
            && nothing_was_sent
        {
            exit
        } else if counts.requests_failed() > 0 || fatal.is_some() {
            Exit::NotApplied
        } else if counts.failed + report.unexpected() > 0 {
            Exit::SomeFailed
        } else {
            Exit::Done
        }
    }

    /// How to continue; `None` if no row is left to send.
    fn next_step(&self, counts: &RowCounts, failures_file: Option<&Path>) -> Option<String> {
        let states = self.states.all();
        let is_final = |state| {
            matches!(
                state,
                RowState::Deleted | RowState::Failed | RowState::Refused
            )
        };
        let mut rows = self.rows.in_state(&states, |state| !is_final(state));
        rows.find(|(row, state)| state.is_left(row))?;
        let done = format!(
            "{} of {} rows were deleted, {} were not sent or had no effect",
            counts.deleted,
            self.rows.len(),
            counts.waiting + counts.retryable
        );
        let next = match (&self.arguments.journal, failures_file) {
            (Some(journal), failures_file) => {
                let overwrite = match failures_file {
                    Some(_) if !self.arguments.overwrite => " with --overwrite",
                    _ => "",
                };
                format!(
                    "to continue, run the same command again{overwrite}: rows that {} records as finished are not sent again",
                    journal.display()
                )
            }
            (None, Some(failures)) => format!("to continue, use --offsets-file {}", failures.display()),
            (None, None) if self.rows.first_of_everything().is_some() => {
                "to continue, remove the finished rows from the file: deleting all records again would delete newer \
                 records too. With --journal no row is sent twice"
                    .to_owned()
            }
            (None, None) => "to continue, run the same command again: deleting before the same offset again has no effect"
                .to_owned(),
        };
        Some(format!("{done}; {next}"))
    }
}
