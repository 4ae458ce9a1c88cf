//! `dms-kafka purge`: many deletions, from a file.

mod durable_file;
mod failures_file;
mod journal;
mod offsets_file;
mod paths;
mod preview;
mod progress;
mod report;
mod rows;
mod sender;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;

use crate::confirm;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::service::{self, Service, ServiceSettings};
use crate::settings::{Resolved, up_to};
use crate::stderr;
use crate::stdout;
use failures_file::FailuresFile;
use journal::{Journal, JournalHeader};
use offsets_file::OffsetsFile;
use paths::real_path;
use progress::Progress;
use report::{PurgeFormat, PurgeReport};
use rows::{RowCounts, RowState, RowStates, Rows};
use sender::{RequestSender, StopReasons};

#[derive(Debug, Args)]
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

    /// Maximum number of requests in flight
    #[arg(long, value_name = "N", default_value = "4", allow_negative_numbers = true, value_parser = up_to::<500, NonZeroUsize>, help_heading = "Limits")]
    pub(crate) concurrency: NonZeroUsize,

    /// Maximum number of partitions in a request
    #[arg(long, value_name = "N", default_value = "10", allow_negative_numbers = true, value_parser = up_to::<10_000, NonZeroUsize>, help_heading = "Limits")]
    pub(crate) partitions_per_request: NonZeroUsize,

    /// Stop sending after N rows have failed; no limit if omitted
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = up_to::<{ u64::MAX }, NonZeroU64>, help_heading = "Limits")]
    pub(crate) max_failures: Option<NonZeroU64>,

    /// Record each finished row in this file, and skip the rows that it records
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "embedded",
        help_heading = "Recovery"
    )]
    pub(crate) journal: Option<PathBuf>,

    /// At the end, write the rows that were not deleted to this file, in the format of the offsets file
    #[arg(long, value_name = "FILE", help_heading = "Recovery")]
    pub(crate) failures_file: Option<PathBuf>,

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

    /// Print the requests and do not send them
    #[arg(long, help_heading = "Safety")]
    pub(crate) dry_run: bool,

    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = PurgeFormat::Table, help_heading = "Output")]
    pub(crate) output: PurgeFormat,
}

/// A request gets its rows from this many consecutive rows of the file.
const WINDOW: usize = 10_000;

pub(crate) async fn purge(arguments: Box<Purge>) -> Result<Exit, Failure> {
    if !arguments.dry_run {
        check_confirmation(&arguments)?;
    }
    let (file, rows) = OffsetsFile::read(
        &arguments.offsets_file,
        arguments.allow_everything,
        arguments.journal.is_some(),
    )?;
    let topics = rows
        .topics()
        .map(|topic| (&topic.name, topic.highest_partition));
    let json = arguments.output.is_json();
    let service = Service::new(&arguments.service.0, json, topics).await?;
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
    confirm::check_possible(arguments.yes)
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
            Journal::read_states(journal, &self.header(), &self.states)?;
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
        let journal = match &arguments.journal {
            Some(path) => Some(Journal::open(path, &self.header(), &self.states)?),
            None => None,
        };
        let failures_file = match &arguments.failures_file {
            Some(path) => Some(FailuresFile::create(path)?),
            None => None,
        };
        self.service.log_identity().await;
        self.confirm().await?;
        self.file.check_unchanged()?;
        let mut interrupts = Interrupts::listen()?;
        let mut report = PurgeReport::new(arguments.output);
        let reasons = self.mark_intents_unknown(journal.as_ref(), &mut report);
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
            concurrency: arguments.concurrency.get(),
            max_failures: arguments.max_failures.map(NonZeroU64::get),
            before,
            tick: Duration::from_secs(arguments.progress_every.get().into()),
            reasons: RefCell::new(reasons),
        };
        let rows = rows::waiting(&self.rows, &self.states);
        let reasons = sender
            .send_all(self.settings(), rows, &mut report, &mut interrupts)
            .await;
        progress.end();
        let file_failures = self.close(journal, failures_file);
        self.conclude(reasons, file_failures, &report)
    }

    fn settings(&self) -> dms_kafka::Purge {
        self.service
            .client
            .purge(&self.service.instance_id)
            .with_partitions_per_request(self.arguments.partitions_per_request.get())
            .with_window(WINDOW)
    }

    /// Identifies the purge in its journal.
    fn header(&self) -> JournalHeader {
        JournalHeader::new(
            self.file.sha256.as_deref().unwrap_or_default(),
            self.rows.len() as u64,
            self.service.client.endpoint(),
            self.service.instance_id.as_str(),
        )
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
                "--failures-file would replace {}: use another file; nothing was sent",
                other.display()
            ))),
            None => Ok(()),
        }
    }

    /// Shows the preview and asks for confirmation.
    async fn confirm(&self) -> Result<(), Failure> {
        if self.arguments.yes && self.arguments.output.is_json() {
            return Ok(());
        }
        let mut preview = "Records that will be deleted permanently:\n".to_owned();
        preview.push_str(&preview::table(self.service, &self.rows, self.arguments.yes).await?);
        let already = self.states.counts().finished();
        if already > 0 {
            // Writing to a string does not fail.
            let _ = writeln!(
                preview,
                "{already} of the rows are recorded in the journal and will not be sent"
            );
        }
        if self.arguments.yes {
            stderr::text(&preview);
            return Ok(());
        }
        confirm::ask(&preview, preview::word(&self.rows))
    }

    /// Reports the deletions of all records that an earlier run started and did not finish. They are not repeated, and no
    /// failures file contains them. Returns what failed: their outcome is unknown also then.
    fn mark_intents_unknown(
        &self,
        journal: Option<&Journal>,
        report: &mut PurgeReport,
    ) -> StopReasons {
        let mut reasons = StopReasons::default();
        let Some(journal) = journal else {
            return reasons;
        };
        if let Err(error) = journal.mark_intents_unknown(&self.states) {
            reasons.journal_failed(&error);
        }
        let states = self.states.all();
        let mut unknown = self
            .rows
            .iter()
            .zip(states.iter())
            .filter(|(row, state)| **state == RowState::Unknown && row.is_everything());
        let reported = unknown.try_for_each(|(row, _)| report.add_unknown(&row));
        reasons.output = reported.err();
        reasons
    }

    /// Completes journal and failures file; returns what failed.
    fn close(&self, journal: Option<Journal>, failures_file: Option<FailuresFile>) -> Vec<Failure> {
        let journal = journal
            .and_then(|journal| journal.close().err())
            .map(|error| format!("the journal cannot be written: {error}"));
        let failures = failures_file
            .and_then(|file| file.write(self.file.layout, &self.rows, &self.states).err())
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
    ) -> Result<Exit, Failure> {
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
        let has_no_failures_file = !file_failures.is_empty();
        let outcome = counts.outcome();
        let stopped = [reasons.journal, reasons.output].into_iter().flatten();
        let mut output_failed = false;
        for (failure, word) in stopped
            .map(|failure| (failure, "stopped"))
            .chain(file_failures.into_iter().map(|failure| (failure, "error")))
        {
            failure.with_outcome(outcome).report(word, json);
            output_failed = true;
        }
        if counts.waiting + counts.in_flight + counts.retryable > 0 {
            stderr::note(&self.next_step(&counts, !has_no_failures_file), json);
        }
        shown.map_err(|failure| failure.with_outcome(outcome))?;
        let nothing_was_sent = counts.finished() == counts.retryable;
        let fatal = reasons.fatal.map(|failure| failure.exit());
        Ok(if reasons.interrupts > 0 {
            Exit::Interrupted
        } else if counts.unknown + counts.in_flight > 0 {
            Exit::Unknown
        } else if output_failed {
            Exit::InputOutput
        } else if fatal == Some(Exit::Usage) && nothing_was_sent {
            Exit::Usage
        } else if counts.refused + counts.retryable > 0 {
            Exit::NotApplied
        } else if counts.failed + report.unexpected() > 0 {
            Exit::SomeFailed
        } else {
            Exit::Done
        })
    }

    fn next_step(&self, counts: &RowCounts, has_failures_file: bool) -> String {
        let done = format!(
            "{} of {} rows were deleted, {} were not sent or had no effect",
            counts.deleted,
            self.rows.len(),
            counts.waiting + counts.retryable
        );
        let failures = self.arguments.failures_file.as_ref();
        let failures = failures.filter(|_| has_failures_file);
        let next = match (&self.arguments.journal, failures) {
            (Some(journal), _) => format!(
                "to continue, run the same command again: rows that {} records are not sent again",
                journal.display()
            ),
            (None, Some(failures)) => format!("to continue, use --offsets-file {}", failures.display()),
            (None, None) if self.rows.everything() > 0 => {
                "to continue, remove the finished rows from the file: deleting all records again would delete newer \
                 records too. With --journal no row is sent twice"
                    .to_owned()
            }
            (None, None) => "to continue, run the same command again: deleting before the same offset again has no effect"
                .to_owned(),
        };
        format!("{done}; {next}")
    }
}
