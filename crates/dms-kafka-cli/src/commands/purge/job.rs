//! One purge from its question to its end.

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dms_kafka::PurgeTarget;
use futures_util::Stream;

use super::check::{self, Checked};
use super::conclusion::Conclusion;
use super::failures::FailuresFile;
use super::feed::{self, Feed};
use super::journal::{self, Journal};
use super::plan;
use super::progress::Progress;
use super::report::Report;
use super::rows;
use super::run::Run;
use super::source::Source;
use super::states::{RowState, States};
use super::stop::Stops;
use crate::arguments::Purge;
use crate::confirm;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::stderr;
use crate::target::Target;

/// A purge whose file was found good.
pub(super) struct Job<'a> {
    pub(super) arguments: &'a Purge,
    pub(super) target: &'a Target,
    pub(super) source: &'a Source,
    pub(super) checked: &'a Checked,
    pub(super) states: States,
}

impl Job<'_> {
    pub(super) async fn run(&self) -> Result<Exit, Failure> {
        let arguments = self.arguments;
        self.check_names()?;
        let journal = self.open_journal()?;
        let failures_file = arguments
            .failures_file
            .as_deref()
            .map(FailuresFile::create)
            .transpose()?;
        self.target.tell_identity().await;
        self.confirm().await?;
        let mut report = Report::new(arguments.output);
        self.settle_intents(journal.as_ref(), &mut report)?;
        let progress = Progress::new(
            self.checked.rows,
            self.states.counts().finished(),
            arguments.output.is_json(),
        );
        let (feed, rows) = feed::start(self.source, self.checked, &self.states)?;
        let stops = self
            .send(rows, journal.as_ref(), &progress, &mut report)
            .await?;
        progress.end();
        let conclusion = Conclusion {
            arguments,
            total: self.checked.rows,
            everything: self.checked.everything,
            counts: self.states.counts(),
            stops,
            troubles: self.close(feed, journal, failures_file),
        };
        conclusion.tell(&report, &progress)
    }

    async fn send(
        &self,
        rows: impl Stream<Item = PurgeTarget> + Send + 'static,
        journal: Option<&Journal>,
        progress: &Progress,
        report: &mut Report,
    ) -> Result<Stops, Failure> {
        let arguments = self.arguments;
        let mut interrupts = Interrupts::listen().map_err(Failure::usage)?;
        let run = Run {
            states: &self.states,
            journal,
            progress,
            concurrency: arguments.concurrency.get(),
            max_failures: arguments.max_failures.map(NonZeroU64::get),
            tick: Duration::from_secs(arguments.progress_every.get().into()),
            before: self.states.counts(),
            stops: RefCell::default(),
        };
        let purge = super::settings(arguments, self.target);
        Ok(run.send_all(purge, rows, report, &mut interrupts).await)
    }

    /// Brings everything to the disk; says what went wrong with that.
    fn close(
        &self,
        feed: Feed,
        journal: Option<Journal>,
        failures_file: Option<FailuresFile>,
    ) -> Vec<String> {
        let read = feed
            .end()
            .err()
            .map(|error| format!("{}: {error}", self.source.name()));
        let recorded = journal.and_then(|journal| journal.close().err());
        let recorded = recorded.map(|error| format!("the journal cannot be written: {error}"));
        let layout = self.checked.layout;
        let left =
            failures_file.and_then(|file| file.write(self.source, layout, &self.states).err());
        let left = left.map(|error| format!("the failures file cannot be written: {error}"));
        [read, recorded, left].into_iter().flatten().collect()
    }

    /// The failures file takes the place of what had its name: that must be neither of the others.
    fn check_names(&self) -> Result<(), Failure> {
        let arguments = self.arguments;
        let Some(failures) = &arguments.failures_file else {
            return Ok(());
        };
        let others = [Some(&arguments.offsets_file), arguments.journal.as_ref()];
        let failures = real_path(failures);
        let is_same = |other: &PathBuf| failures.is_some() && real_path(other) == failures;
        if let Some(other) = others.into_iter().flatten().find(|other| is_same(other)) {
            return Err(Failure::usage(format!(
                "--failures-file would replace {}: name another file; nothing was sent",
                other.display()
            )));
        }
        Ok(())
    }

    fn open_journal(&self) -> Result<Option<Journal>, Failure> {
        let Some(path) = &self.arguments.journal else {
            return Ok(None);
        };
        let header = super::header(self.target, self.checked);
        Journal::open(path, &header, &self.states).map(Some)
    }

    /// Shows what will go, and asks.
    async fn confirm(&self) -> Result<(), Failure> {
        if self.arguments.yes && self.arguments.output.is_json() {
            return Ok(());
        }
        let plan = plan::table(self.target, self.source, self.checked).await?;
        let already = self.states.counts().finished();
        let note = if already > 0 {
            format!("{already} of the rows are in the journal: they are not sent again\n")
        } else {
            String::new()
        };
        let plan = format!("These records will be lost, for good:\n{plan}{note}");
        if self.arguments.yes {
            stderr::text(&plan);
            return Ok(());
        }
        confirm::ask(&plan, word(self.checked))
    }

    /// Deletions of everything that earlier runs may have carried out are told each time, as no failures file names them,
    /// and not repeated.
    fn settle_intents(
        &self,
        journal: Option<&Journal>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let Some(journal) = journal else {
            return Ok(());
        };
        journal::settle_intents(journal, &self.states).map_err(|error| {
            Failure::usage(format!(
                "the journal cannot be written: {error}; nothing was sent"
            ))
        })?;
        let unknown = self.states.rows_in(RowState::Unknown);
        if unknown.is_empty() {
            return Ok(());
        }
        let mut number = 0;
        let reader = self
            .source
            .reader()
            .map_err(|error| check::unreadable(self.source, &error))?;
        rows::read(reader, &mut |row| {
            let is_unknown = unknown.binary_search(&number).is_ok();
            number += 1;
            if is_unknown && row.is_everything() {
                return report
                    .add_unknown(&row.topic, row.partition)
                    .map_err(|error| error.to_string());
            }
            Ok(())
        })
        .map(drop)
        .map_err(Failure::unshown)
    }
}

/// Without links and detours, for a file that is yet to be made too; `None` when not even its folder is there.
fn real_path(path: &Path) -> Option<PathBuf> {
    if let Ok(path) = path.canonicalize() {
        return Some(path);
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

/// What to type: the topic's name where a topic loses everything.
fn word(checked: &Checked) -> &str {
    let mut topics = checked
        .topics
        .iter()
        .filter(|(_, topic)| topic.everything > 0);
    match (topics.next(), topics.next()) {
        (None, _) if checked.everything == 0 => "yes",
        (Some((topic, _)), None) if !checked.has_more_topics => topic,
        _ => "everything",
    }
}
