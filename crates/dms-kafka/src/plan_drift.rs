//! Refuses a plan if it would delete something else than it shows.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::call;
use crate::config::Config;
use crate::consumer_groups;
use crate::error::Error;
use crate::error_kind::PlanProblem;
use crate::ids::PartitionId;
use crate::list;
use crate::plan_content::{GroupLoss, GroupPosition, Losses, PlanContent, PlannedPartition};

pub(crate) fn check_expiry(plan: &PlanContent) -> Result<(), Error> {
    let expires_at = plan.expires_at;
    if Timestamp::now() < expires_at {
        return Ok(());
    }
    let message = format!("the plan expired at {expires_at}: make a new plan");
    Err(Error::plan(PlanProblem::Expired, message))
}

/// Compares the plan with the service, the topic and the consumer groups as they are now.
pub(crate) async fn check(config: &Config, plan: &PlanContent) -> Result<(), Error> {
    check_service(config, plan).await?;
    check_topic(config, plan).await?;
    // Before the partitions, as when the plan was made.
    let groups = match &plan.losses {
        Losses::Known(_) => consumer_groups::all(config, &plan.instance_id, &plan.topic).await?,
        Losses::Unknown(_) => Vec::new(),
    };
    let now = partitions_now(config, plan).await?;
    let now = groups.into_iter().map(|group| GroupLoss::new(group, &now));
    check_losses(&plan.losses, now)
}

async fn check_service(config: &Config, plan: &PlanContent) -> Result<(), Error> {
    let identity = config
        .identity(call::after(config.settings.call_timeout))
        .await?;
    let planned = (plan.endpoint.as_str(), plan.project_id.as_str());
    let now = (config.service_name.as_str(), identity.project_id.as_str());
    if planned == now {
        return Ok(());
    }
    let message = format!(
        "the plan is for project {} of {}, not for project {} of {}",
        planned.1, planned.0, now.1, now.0
    );
    Err(Error::plan(PlanProblem::OtherService, message))
}

async fn check_topic(config: &Config, plan: &PlanContent) -> Result<(), Error> {
    let Some(planned) = plan.topic_created_at else {
        return Ok(());
    };
    let topics = list::topics(config, &plan.instance_id).await?;
    let topic = &plan.topic;
    match topics.get(topic) {
        Some(Some(now)) if *now == planned => Ok(()),
        Some(_) => Err(other_topic(plan)),
        None => {
            let message = format!("topic {topic} does not exist any more");
            Err(Error::plan(PlanProblem::UnknownTopic, message))
        }
    }
}

fn other_topic(plan: &PlanContent) -> Error {
    let topic = &plan.topic;
    let message = format!(
        "topic {topic} was created again, or its offsets moved back, after the plan was made"
    );
    Error::plan(PlanProblem::OtherTopic, message)
}

/// Returns what the plan would delete now. Producers and retention may have moved the ends and the starts upwards.
async fn partitions_now(
    config: &Config,
    plan: &PlanContent,
) -> Result<Vec<PlannedPartition>, Error> {
    let logs = list::partitions(config, &plan.instance_id, &plan.topic, None).await?;
    let logs: BTreeMap<_, _> = logs.into_iter().map(|log| (log.partition(), log)).collect();
    let mut now = Vec::new();
    for planned in &plan.partitions {
        let log = logs.get(&planned.partition());
        let log = log.ok_or_else(|| other_topic(plan))?;
        if log.start_offset() < planned.start() || log.end_offset() < planned.end() {
            return Err(other_topic(plan));
        }
        if planned.records() > 0 && log.start_offset() > planned.before() {
            let message = format!(
                "records up to offset {} of partition {} were deleted after the plan was made, beyond the planned offset {}",
                log.start_offset(),
                planned.partition(),
                planned.before()
            );
            return Err(Error::plan(PlanProblem::StartOffsetPassed, message));
        }
        now.push(PlannedPartition::new(log, planned.before()));
    }
    Ok(now)
}

fn check_losses(planned: &Losses, now: impl Iterator<Item = GroupLoss>) -> Result<(), Error> {
    let lost = |loss: &GroupLoss| -> BTreeMap<PartitionId, i64> {
        let positions = loss.positions().iter();
        positions.map(|at| (at.partition(), at.lost())).collect()
    };
    let planned: BTreeMap<_, _> = planned
        .groups()
        .unwrap_or_default()
        .iter()
        .map(|loss| (loss.group(), lost(loss)))
        .collect();
    for loss in now {
        let shown = planned.get(loss.group());
        let grew = |at: &&GroupPosition| {
            at.lost()
                > shown
                    .and_then(|lost| lost.get(&at.partition()))
                    .copied()
                    .unwrap_or(0)
        };
        if let Some(at) = loss.positions().iter().find(grew) {
            let message = format!(
                "the consumer group {:?} would lose {} unread records of partition {}, more than the plan shows: make a new plan",
                loss.group(),
                at.lost(),
                at.partition()
            );
            return Err(Error::plan(PlanProblem::LossesGrew, message));
        }
    }
    Ok(())
}
