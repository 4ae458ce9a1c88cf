//! `dms-kafka delete`.

use dms_kafka::{DeletionTarget, PartitionInfo, TopicName};

use crate::arguments::Delete;
use crate::confirm;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Report, Rows};
use crate::stdout;
use crate::target::Target;

pub(crate) async fn delete(arguments: Box<Delete>) -> Result<Exit, Failure> {
    let topic = TopicName::new(arguments.topic.as_str()).map_err(Failure::usage)?;
    let targets = targets(&arguments)?;
    let target = Target::choose(&arguments, topic.as_str(), &targets).await?;
    let before = target.partitions(topic.as_str()).await;
    let rows = Rows::new(&targets, before.as_deref());
    if arguments.dry_run {
        eprintln!(
            "Nothing was sent. Without --dry-run, topic {topic} of instance {} would lose:",
            target.instance_id
        );
        stdout::print(&rows.plan())?;
        return Ok(Exit::Done);
    }
    confirm::deletion(&topic, &rows, arguments.yes)?;
    let deletion = send(&target, topic.as_str(), &targets).await?;
    let after = match arguments.output {
        Format::Table => target.partitions(topic.as_str()).await,
        Format::Json => None,
    };
    let report = Report::new(&deletion);
    stdout::print(&match arguments.output {
        Format::Table => rows.outcome(&report, after.as_deref()),
        Format::Json => report.json(),
    })?;
    target.close().await;
    match deletion.into_result() {
        Ok(_) => Ok(Exit::Done),
        Err(error) => Err(Failure::call(error)),
    }
}

/// All targets in the order of their partitions, each named once.
fn targets(arguments: &Delete) -> Result<Vec<(i32, DeletionTarget)>, Failure> {
    let before = arguments
        .partition
        .iter()
        .map(|&(partition, offset)| (partition, DeletionTarget::Before(offset)));
    let everything = arguments
        .everything
        .iter()
        .map(|&partition| (partition, DeletionTarget::Everything));
    let mut targets: Vec<_> = before.chain(everything).collect();
    targets.sort_by_key(|(partition, _)| *partition);
    match targets.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(Failure::usage(format!(
            "partition {} is named twice: name each partition once",
            pair[0].0
        ))),
        None => Ok(targets),
    }
}

async fn send(
    target: &Target,
    topic: &str,
    targets: &[(i32, DeletionTarget)],
) -> Result<dms_kafka::Deletion, Failure> {
    let mut request = target.client.delete_messages(&target.instance_id, topic);
    for &(partition, what) in targets {
        request = request.target(partition, what);
    }
    request.send().await.map_err(Failure::call)
}

impl Target {
    /// What the partitions hold; `None` when the service does not offer to show it.
    async fn partitions(&self, topic: &str) -> Option<Vec<PartitionInfo>> {
        self.client
            .list_partitions(&self.instance_id, topic)
            .await
            .ok()
    }
}
