//! `dms-kafka delete`.

use dms_kafka::{Deletion, DeletionTarget, ErrorKind, PartitionInfo, TopicName};
use serde_json::{Value, json};

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
    if arguments.dry_run {
        stdout::print(&request(&target, &topic, &targets))?;
        eprintln!("Nothing was sent.");
        return Ok(Exit::Done);
    }
    let deletion = delete_and_show(&arguments, &target, &topic, &targets).await?;
    deletion.into_result().map_err(Failure::call)?;
    Ok(Exit::Done)
}

/// Shows what will go, asks, deletes, and shows what has gone.
async fn delete_and_show(
    arguments: &Delete,
    target: &Target,
    topic: &TopicName,
    targets: &[(i32, DeletionTarget)],
) -> Result<Deletion, Failure> {
    // The state before is needed for the question and for the table, not for JSON without a question.
    let before = match (arguments.output, arguments.yes) {
        (Format::Json, true) => None,
        _ => partitions(target, topic).await?,
    };
    let rows = Rows::new(targets, before.as_deref());
    confirm::deletion(topic, &rows, arguments.yes)?;
    let mut request = target
        .client
        .delete_messages(&target.instance_id, topic.as_str());
    for &(partition, what) in targets {
        request = request.target(partition, what);
    }
    let deletion = request.send().await.map_err(Failure::call)?;
    let report = Report::new(&deletion);
    let shown = match arguments.output {
        Format::Json => report.json()?,
        // The deletion is done: that the state after cannot be had must not hide its result.
        Format::Table => rows.outcome(
            &report,
            partitions(target, topic).await.ok().flatten().as_deref(),
        ),
    };
    stdout::print(&shown)?;
    Ok(deletion)
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

/// What the partitions hold; `None` when the service does not say.
///
/// Refused credentials end the command here: each further try counts towards the lock of the key.
async fn partitions(
    target: &Target,
    topic: &TopicName,
) -> Result<Option<Vec<PartitionInfo>>, Failure> {
    match target
        .client
        .list_partitions(&target.instance_id, topic.as_str())
        .await
    {
        Ok(partitions) => Ok(Some(partitions)),
        Err(error) => match error.kind() {
            ErrorKind::InvalidInput
            | ErrorKind::Credentials
            | ErrorKind::Unauthorized
            | ErrorKind::Connect => Err(Failure::call(error)),
            _ => {
                tracing::info!(%error, "the service does not show its partitions");
                Ok(None)
            }
        },
    }
}

/// The request as it would be sent, without signature.
fn request(target: &Target, topic: &TopicName, targets: &[(i32, DeletionTarget)]) -> String {
    let partitions: Vec<Value> = targets
        .iter()
        .map(|(partition, what)| match what {
            DeletionTarget::Before(offset) => json!({"partition": partition, "offset": offset}),
            _ => json!({"partition": partition, "offset": -1}),
        })
        .collect();
    let Target {
        endpoint,
        project_id,
        instance_id,
        ..
    } = target;
    format!(
        "POST {endpoint}/v2/{project_id}/kafka/instances/{instance_id}/topics/{topic}/messages/delete\n{}\n",
        json!({"partitions": partitions})
    )
}
