//! `dms-kafka purge`: deletions by the thousand, from a file.

mod check;
mod failures;
mod feed;
mod journal;
mod plan;
mod progress;
mod report;
mod rows;
mod run;
mod source;
mod states;
mod verdict;

use std::cell::RefCell;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;

use crate::arguments::Purge;
use crate::confirm;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::stdout;
use crate::target::Target;
use check::Checked;
use failures::FailuresFile;
use journal::{Header, Journal};
use progress::Progress;
use report::Report;
use run::{Run, Stop};
use source::Source;
use states::{Counts, States};

pub(crate) async fn purge(arguments: Box<Purge>) -> Result<Exit, Failure> {
    if !arguments.dry_run {
        can_ask(&arguments)?;
    }
    let source = Source::open(&arguments.offsets_file)?;
    let checked = check::check(&source, arguments.allow_everything)?;
    let topics = checked
        .topics
        .iter()
        .map(|(name, topic)| (name.as_str(), topic.highest_partition));
    let target = Target::choose(&arguments.service, topics).await?;
    if arguments.dry_run {
        return dry_run(&arguments, &target, &source, &checked).await;
    }
    let job = Job {
        arguments: &arguments,
        target: &target,
        source: &source,
        checked: &checked,
        states: States::new(checked.rows),
    };
    job.run().await
}

/// A purge whose file was found good.
struct Job<'a> {
    arguments: &'a Purge,
    target: &'a Target,
    source: &'a Source,
    checked: &'a Checked,
    states: States,
}

impl Job<'_> {
    async fn run(&self) -> Result<Exit, Failure> {
        let arguments = self.arguments;
        let journal = self.open_journal()?;
        let failures_file = arguments
            .failures_file
            .as_deref()
            .map(FailuresFile::create)
            .transpose()?;
        self.target.tell_credentials().await;
        self.confirm().await?;
        let mut report = Report::new(arguments.output);
        self.settle_intents(journal.as_ref(), &mut report)?;
        let progress = Progress::new(
            self.checked.rows,
            self.states.counts().finished(),
            arguments.output.is_json(),
        );
        let (feed, rows) = feed::start(self.source, self.checked, &self.states)?;
        let mut interrupts = Interrupts::listen().map_err(Failure::usage)?;
        let run = Run {
            states: &self.states,
            journal: journal.as_ref(),
            progress: &progress,
            concurrency: arguments.concurrency.get(),
            max_failures: arguments.max_failures.map(std::num::NonZeroU64::get),
            tick: Duration::from_secs(arguments.progress_every.get()),
            stop: RefCell::new(None),
        };
        let purge = self.purge_settings();
        let stop = run
            .send_all(purge, rows, &mut report, &mut interrupts)
            .await;
        progress.end();
        let mut troubles = Vec::new();
        if let Err(error) = feed.end() {
            troubles.push(format!("{}: {error}", self.source.name()));
        }
        if let Some(Err(error)) = journal.map(Journal::close) {
            troubles.push(format!("the journal cannot be written: {error}"));
        }
        let wrote =
            failures_file.map(|file| file.write(self.source, self.checked.layout, &self.states));
        if let Some(Err(error)) = wrote {
            troubles.push(format!("the failures file cannot be written: {error}"));
        }
        self.conclude(&report, &progress, stop.as_ref(), &troubles)
    }

    fn open_journal(&self) -> Result<Option<Journal>, Failure> {
        let Some(path) = &self.arguments.journal else {
            return Ok(None);
        };
        let header = Header::new(
            &self.checked.sha256,
            self.checked.rows,
            &self.target.endpoint,
            &self.target.instance_id,
        );
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
            eprint!("{plan}");
            return Ok(());
        }
        confirm::ask(&plan, word(self.checked))
    }

    /// Deletions of everything that an earlier run has begun are told, not repeated.
    fn settle_intents(
        &self,
        journal: Option<&Journal>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let Some(journal) = journal else {
            return Ok(());
        };
        let begun = journal::settle_intents(journal, &self.states).map_err(|error| {
            Failure::usage(format!(
                "the journal cannot be written: {error}; nothing was sent"
            ))
        })?;
        if begun.is_empty() {
            return Ok(());
        }
        let mut number = 0;
        let reader = self
            .source
            .reader()
            .map_err(|error| check::unreadable(self.source, &error))?;
        rows::read(reader, &mut |row| {
            let was_begun = begun.binary_search(&number).is_ok();
            number += 1;
            if was_begun {
                return report
                    .add_unknown(&row.topic, row.partition)
                    .map_err(|error| error.to_string());
            }
            Ok(())
        })
        .map(drop)
        .map_err(Failure::unshown)
    }

    fn purge_settings(&self) -> dms_kafka::Purge {
        settings(self.arguments, self.target)
    }

    /// Says what was done and how to go on, and chooses the exit code.
    fn conclude(
        &self,
        report: &Report,
        progress: &Progress,
        stop: Option<&Stop>,
        troubles: &[String],
    ) -> Result<Exit, Failure> {
        let counts = self.states.counts();
        let shown = report.finish(self.checked.rows, &counts);
        let exit = exit_code(&counts, report.unexpected());
        let (exit, why) = match stop {
            None => (exit, None),
            Some(stop) => (stop.exit(exit, &counts), Some(stop.why())),
        };
        if let Some(Stop::Hopeless { json, .. }) = stop
            && self.arguments.output.is_json()
        {
            progress.say(&json.to_string());
        }
        for text in why.iter().chain(troubles) {
            progress.note(text);
        }
        if counts.waiting + counts.under_way > 0 {
            progress.note(&self.how_to_go_on(&counts));
        }
        shown.map_err(Failure::unshown)?;
        Ok(if troubles.is_empty() {
            exit
        } else {
            Exit::Unknown
        })
    }

    fn how_to_go_on(&self, counts: &Counts) -> String {
        let done = format!(
            "{} of {} rows are deleted, {} were not sent",
            counts.deleted, self.checked.rows, counts.waiting
        );
        let next = match (&self.arguments.journal, &self.arguments.failures_file) {
            (Some(journal), _) => format!(
                "to go on, give the same command again: what {} records is not sent again",
                journal.display()
            ),
            (None, Some(failures)) => format!("to go on, give --offsets-file {}", failures.display()),
            (None, None) => "to go on, give the same command again: to delete below an offset twice does no harm. \
                             With --journal, no row would be sent twice"
                .to_owned(),
        };
        format!("{done}; {next}")
    }
}

/// Whether there is an answer: standard input cannot give both the rows and a word.
fn can_ask(arguments: &Purge) -> Result<(), Failure> {
    if !arguments.yes && arguments.offsets_file == Path::new("-") {
        return Err(Failure::usage(
            "nobody can be asked while the rows come from standard input: nothing was deleted; give --yes to delete",
        ));
    }
    confirm::possible(arguments.yes)
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

/// The worst of what happened.
fn exit_code(counts: &Counts, unexpected: u64) -> Exit {
    if counts.unknown + counts.under_way > 0 {
        Exit::Unknown
    } else if counts.refused + counts.undone > 0 {
        Exit::NotApplied
    } else if counts.failed + unexpected > 0 {
        Exit::SomeFailed
    } else {
        Exit::Done
    }
}

fn settings(arguments: &Purge, target: &Target) -> dms_kafka::Purge {
    target
        .client
        .purge(target.instance_id.as_str())
        .with_concurrency(arguments.concurrency.get())
        .with_partitions_per_request(arguments.partitions_per_request.get())
        .with_window(feed::WINDOW)
}

/// Prints each request, as `delete --dry-run` does.
async fn dry_run(
    arguments: &Purge,
    target: &Target,
    source: &Source,
    checked: &Checked,
) -> Result<Exit, Failure> {
    let (feed, rows) = feed::start(source, checked, &States::new(checked.rows))?;
    let mut requests = pin!(settings(arguments, target).requests(rows));
    while let Some(request) = requests.next().await {
        let text = target.request_text(request.topic(), request.targets());
        stdout::print(&text).map_err(Failure::usage)?;
    }
    feed.end()
        .map_err(|error| Failure::usage(format!("{}: {error}", source.name())))?;
    eprintln!("Nothing was sent.");
    Ok(Exit::Done)
}
