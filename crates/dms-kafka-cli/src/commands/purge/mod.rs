//! `dms-kafka purge`: deletions by the thousand, from a file.

mod check;
mod conclusion;
mod failures;
mod feed;
mod job;
mod journal;
mod plan;
mod progress;
mod report;
mod rows;
mod run;
mod source;
mod states;
mod stop;
mod verdict;

use std::path::Path;
use std::pin::pin;

use futures_util::StreamExt as _;

use crate::arguments::Purge;
use crate::confirm;
use crate::exit::{Exit, Failure};
use crate::stderr;
use crate::stdout;
use crate::target::Target;
use check::Checked;
use job::Job;
use journal::{Header, Journal};
use source::Source;
use states::States;

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
    let target = Target::choose(&arguments.service, arguments.output.is_json(), topics).await?;
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

/// Whether there is an answer: standard input cannot give both the rows and a word.
fn can_ask(arguments: &Purge) -> Result<(), Failure> {
    if !arguments.yes && arguments.offsets_file == Path::new("-") {
        return Err(Failure::usage(
            "nobody can be asked while the rows come from standard input: nothing was deleted; give --yes to delete",
        ));
    }
    confirm::possible(arguments.yes)
}

fn settings(arguments: &Purge, target: &Target) -> dms_kafka::Purge {
    target
        .client
        .purge(target.instance_id.as_str())
        .with_concurrency(arguments.concurrency.get())
        .with_partitions_per_request(arguments.partitions_per_request.get())
        .with_window(feed::WINDOW)
}

/// What the journal belongs to.
fn header(target: &Target, checked: &Checked) -> Header {
    Header::new(
        &checked.sha256,
        checked.rows,
        &target.endpoint,
        &target.instance_id,
    )
}

/// Prints each request, as `delete --dry-run` does.
async fn dry_run(
    arguments: &Purge,
    target: &Target,
    source: &Source,
    checked: &Checked,
) -> Result<Exit, Failure> {
    let states = States::new(checked.rows);
    if let Some(journal) = &arguments.journal {
        Journal::look(journal, &header(target, checked), &states)?;
    }
    let (feed, rows) = feed::start(source, checked, &states)?;
    let mut requests = pin!(settings(arguments, target).requests(rows));
    while let Some(request) = requests.next().await {
        let targets = request.targets().iter();
        let targets: Vec<_> = targets
            .map(|&(partition, what)| (partition.get(), what))
            .collect();
        let text = target.request_text(request.topic(), &targets, arguments.output.is_json());
        stdout::print(&text).map_err(Failure::usage)?;
    }
    feed.end()
        .map_err(|error| Failure::usage(format!("{}: {error}", source.name())))?;
    stderr::note("Nothing was sent.", arguments.output.is_json());
    Ok(Exit::Done)
}
