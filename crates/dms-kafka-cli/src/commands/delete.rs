//! `dms-kafka delete`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args};
use dms_kafka::{DeleteMessages, DeletionTarget, Offset, Outcome, PartitionId, Plan, TopicName};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use super::deletion_report::{SentRequests, Targets, show};
use super::plan::read_plan;
use crate::confirm;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output::{self, Format};
use crate::screen;
use crate::selectors::{self, Selectors};
use crate::service::{self, Partitions, Service};
use crate::service_settings::ServiceSettings;
use crate::settings::Resolved;
use crate::stderr;
use crate::stdout;
use crate::view::TopicView;

/// For the start offsets that prove the result.
const AFTER_TIMEOUT: Duration = Duration::from_secs(5);
/// Requests of a plan that are in flight.
const CONCURRENCY: usize = 4;

#[derive(Debug, Args)]
#[command(
    override_usage = "\
dms-kafka delete [OPTIONS] --topic <NAME> <SELECTOR>...
       dms-kafka delete [OPTIONS] --topic <NAME> <--partition <P:OFFSET>|--everything <P>>...
       dms-kafka delete [OPTIONS] --plan <FILE>",
    group = ArgGroup::new("what").required(true).multiple(true).args(["partition", "everything", "plan"]).args(selectors::cuts()),
)]
pub(crate) struct Delete {
    #[command(flatten)]
    pub(crate) service: Resolved<ServiceSettings>,

    /// Topic to delete from
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "plan",
        help_heading = "Deletion"
    )]
    pub(crate) topic: Option<TopicName>,

    /// Delete the records of partition P before OFFSET; repeatable
    #[arg(long, value_name = "P:OFFSET", allow_hyphen_values = true, conflicts_with_all = selectors::ALL, value_parser = before_offset, help_heading = "Deletion")]
    pub(crate) partition: Vec<(PartitionId, DeletionTarget)>,

    /// Delete all records of partition P; repeatable
    #[arg(long, value_name = "P", allow_hyphen_values = true, conflicts_with_all = selectors::ALL, value_parser = partition_id, help_heading = "Deletion")]
    pub(crate) everything: Vec<PartitionId>,

    /// Execute this plan, which 'dms-kafka plan --out' wrote, as it was shown
    #[arg(long, value_name = "FILE", conflicts_with_all = ["topic", "partition", "everything"], conflicts_with_all = selectors::ALL, help_heading = "Deletion")]
    pub(crate) plan: Option<PathBuf>,

    /// Refuse the plan unless it has this SHA-256 digest, which was approved
    // `requires` does not apply to a flag that conflicts with one that is present.
    #[arg(long, value_name = "HEX", requires = "plan", conflicts_with_all = ["topic", "partition", "everything"], value_parser = digest, help_heading = "Deletion")]
    pub(crate) digest: Option<String>,

    #[command(flatten)]
    pub(crate) selectors: Resolved<Selectors>,

    /// Delete nothing if a consumer group loses unread records, or if that is not known
    #[arg(long, help_heading = "Safety")]
    pub(crate) refuse_unread_loss: bool,

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
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Table, help_heading = "Output")]
    pub(crate) output: Format,
}

impl Delete {
    /// The explicit targets, sorted by partition.
    fn targets(&self) -> Result<Targets, String> {
        let everything = self.everything.iter();
        let everything = everything.map(|partition| (*partition, DeletionTarget::Everything));
        let mut targets: Vec<_> = self.partition.iter().copied().chain(everything).collect();
        targets.sort_by_key(|(partition, _)| *partition);
        match targets.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(format!(
                "--partition, --everything: partition {} is given twice: give each partition once",
                pair[0].0
            )),
            None => Ok(targets),
        }
    }
}

fn before_offset(text: &str) -> Result<(PartitionId, DeletionTarget), String> {
    let Some((partition, offset)) = text.split_once(':') else {
        return Err("expected P:OFFSET, such as 0:400".to_owned());
    };
    let offset: i64 = offset
        .parse()
        .map_err(|_| format!("offset {offset:?} is not a number from 0 to 9223372036854775807"))?;
    let offset = Offset::new(offset).map_err(
        |_| "offsets start at 0; to delete all records of a partition use --everything P",
    )?;
    Ok((partition_id(partition)?, DeletionTarget::Before(offset)))
}

fn partition_id(text: &str) -> Result<PartitionId, String> {
    text.parse()
        .ok()
        .and_then(|partition| PartitionId::new(partition).ok())
        .ok_or_else(|| format!("partition {text:?} is not a number from 0 to 2147483647"))
}

fn digest(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("expected the 64 hexadecimal digits that 'dms-kafka plan' shows".to_owned())
}

pub(crate) async fn delete(arguments: Box<Delete>) -> Result<Exit, Failure> {
    let explicit = arguments.targets().map_err(Failure::usage)?;
    if !arguments.dry_run {
        confirm::check_possible(
            arguments.yes,
            arguments.confirm.as_deref(),
            &arguments.service.0.profile,
        )?;
    }
    let highest = explicit.last().map_or_else(
        || arguments.selectors.0.highest_partition(),
        |(partition, _)| partition.get(),
    );
    let topics = arguments.topic.iter().map(|topic| (topic, highest));
    let service = Service::new(&arguments.service.0, arguments.output.is_json(), topics).await?;
    let mut interrupts = Interrupts::listen()?.with_hangup()?;
    let prepared = interrupts.or(Prepared::new(&arguments, &service, explicit));
    let prepared = prepared.await?;
    if let Some(view) = prepared
        .view
        .as_ref()
        .filter(|_| arguments.refuse_unread_loss)
    {
        confirm::refuse_unread_loss(view)?;
    }
    if arguments.dry_run {
        prepared.dry_run(&service, arguments.output.is_json())
    } else {
        prepared.delete(&arguments, &service, interrupts).await
    }
}

/// A deletion that was validated and previewed, but not confirmed.
struct Prepared {
    topic: TopicName,
    targets: Targets,
    /// One request for explicit targets, and requests of limited size for a plan.
    per_request: usize,
    /// `None` without a preview.
    view: Option<TopicView>,
    plan: Option<Plan>,
}

impl Prepared {
    /// Reads what is needed to show what the deletion does. Sends nothing that changes records.
    async fn new(
        arguments: &Delete,
        service: &Service,
        explicit: Targets,
    ) -> Result<Self, Failure> {
        if !explicit.is_empty() {
            return Self::explicit(arguments, service, explicit).await;
        }
        let (plan, held) = match (&arguments.plan, &arguments.topic) {
            (Some(path), _) => {
                let plan = read_plan(service, path.clone()).await?;
                check_digest(&plan, arguments.digest.as_deref(), path)?;
                let held = service.check_and_hold(&plan).await?;
                (plan, Some(held))
            }
            (None, Some(topic)) => {
                let plan = service.client.plan_deletion(&service.instance_id, topic);
                let plan = arguments.selectors.0.add_to(plan);
                (service.resolve(plan, topic).await?, None)
            }
            (None, None) => return Err(Failure::usage("--topic is missing")),
        };
        let targets = plan.targets().map(|row| (row.partition, row.target));
        let targets: Targets = targets.collect();
        let mut view = TopicView::of_plan(&plan, arguments.selectors.0.is_whole_topic());
        // Some of the records of a stored plan may be gone.
        if let Some(held) = held {
            view = TopicView {
                is_exact: view.is_exact,
                warnings: view.warnings,
                ..TopicView::of_targets(&held, &targets)
            };
        }
        Ok(Self {
            topic: plan.topic().clone(),
            targets,
            per_request: service.partitions_per_request(),
            view: Some(view),
            plan: Some(plan),
        })
    }

    async fn explicit(
        arguments: &Delete,
        service: &Service,
        targets: Targets,
    ) -> Result<Self, Failure> {
        let Some(topic) = arguments.topic.clone() else {
            return Err(Failure::usage("--topic is missing"));
        };
        let is_script = arguments.yes && arguments.output.is_json();
        let refuses = arguments.refuse_unread_loss;
        let held = if refuses || !(is_script || arguments.dry_run) {
            match service.held(&topic).await {
                Ok(held) => Some(held),
                Err(failure) if refuses => return Err(failure),
                Err(failure) => {
                    let everything = !arguments.everything.is_empty();
                    service.without_preview(failure, arguments.yes, everything)?;
                    None
                }
            }
        } else {
            None
        };
        Ok(Self {
            view: held.map(|held| TopicView::of_targets(&held, &targets)),
            topic,
            per_request: targets.len(),
            targets,
            plan: None,
        })
    }

    fn requests(&self, service: &Service) -> Vec<DeleteRequest> {
        let requests = self.targets.chunks(self.per_request.max(1)).map(|targets| {
            let mut messages = service
                .client
                .delete_messages(&service.instance_id, &self.topic);
            for &(partition, target) in targets {
                messages = messages.target(partition, target);
            }
            DeleteRequest {
                targets: targets.to_vec(),
                messages,
            }
        });
        requests.collect()
    }

    fn dry_run(&self, service: &Service, json: bool) -> Result<Exit, Failure> {
        for request in self.requests(service) {
            let request = request.messages.to_request().map_err(Failure::call)?;
            stdout::print(&service::request_text(&request, json))?;
        }
        let note = match self.view {
            None => "Nothing was sent.",
            Some(_) => "No deletion was sent.",
        };
        stderr::note(note, json);
        Ok(Exit::Done)
    }

    async fn delete(
        self,
        arguments: &Delete,
        service: &Service,
        mut interrupts: Interrupts,
    ) -> Result<Exit, Failure> {
        let json = arguments.output.is_json();
        interrupts.or(self.confirm(arguments, service)).await?;
        let reader = stdout::check_reader();
        reader.map_err(|failure| failure.with_outcome(Some(Outcome::NotApplied)))?;
        let what = format!("waiting for {} to delete", service.client.service_name());
        let sending = send(self.requests(service), &mut interrupts, json);
        let (results, mut was_interrupted) = stderr::show_wait(&what, sending).await?;
        let is_responding = results.ended.iter().all(|(_, sent)| sent.is_ok());
        let after = tokio::select! {
            after = self.after(service, is_responding) => after,
            () = interrupts.next() => {
                was_interrupted = true;
                None
            }
        };
        let shown = show(
            arguments.output,
            self.view.as_ref(),
            results,
            after.as_ref(),
        );
        match shown {
            Ok(()) if was_interrupted => Ok(Exit::Interrupted),
            Ok(()) => Ok(Exit::Done),
            Err(failure) if was_interrupted => Err(Failure::AfterInterrupt(Box::new(failure))),
            Err(failure) => Err(failure),
        }
    }

    /// Shows what will be deleted and asks for confirmation.
    async fn confirm(&self, arguments: &Delete, service: &Service) -> Result<(), Failure> {
        service.log_identity().await;
        let Some(view) = &self.view else {
            return Ok(());
        };
        if self.targets.is_empty() || (arguments.yes && arguments.output.is_json()) {
            for warning in &view.warnings {
                stderr::warn(&output::printable(warning), arguments.output.is_json());
            }
            return Ok(());
        }
        let mut text = format!(
            "{}\nRecords of topic {} that will be deleted permanently:\n{}",
            service.identity().await,
            self.topic,
            screen::deletion(view, stderr::width())
        );
        if let Some(plan) = &self.plan {
            text.push_str(&super::plan::identity(plan));
        }
        if arguments.yes {
            stderr::text(&text);
            return Ok(());
        }
        confirm::ask(&text, confirm::word(view)).await?;
        match &self.plan {
            // The topic may have changed during the question.
            Some(plan) => service.check_plan(plan).await,
            None => Ok(()),
        }
    }

    /// The partitions after the deletion. A failure here must not hide or delay the result of the deletion.
    async fn after(&self, service: &Service, is_responding: bool) -> Option<Partitions> {
        if !is_responding || self.view.is_none() || self.targets.is_empty() {
            return None;
        }
        let listed = timeout(AFTER_TIMEOUT, service.partitions(&self.topic)).await;
        listed.ok()?.ok()
    }
}

fn check_digest(plan: &Plan, expected: Option<&str>, path: &Path) -> Result<(), Failure> {
    match expected {
        Some(expected) if expected != plan.digest() => Err(Failure::usage(format!(
            "--digest: the plan in {} has the digest {}: it is not the one that was approved; nothing was deleted",
            path.display(),
            plan.digest()
        ))),
        _ => Ok(()),
    }
}

struct DeleteRequest {
    targets: Targets,
    messages: DeleteMessages,
}

/// Sends the requests and waits for their ends, also after one interrupt. After an interrupt or a failed request, no further
/// one is sent. The flag says whether there was an interrupt.
async fn send(
    requests: Vec<DeleteRequest>,
    interrupts: &mut Interrupts,
    json: bool,
) -> Result<(SentRequests, bool), Failure> {
    let mut waiting = requests.into_iter();
    let mut in_flight = FuturesUnordered::new();
    let mut results = SentRequests::default();
    let (mut is_stopping, mut was_interrupted) = (false, false);
    loop {
        while !is_stopping && in_flight.len() < CONCURRENCY {
            let Some(DeleteRequest { targets, messages }) = waiting.next() else {
                break;
            };
            in_flight.push(async { (targets, messages.send().await) });
        }
        if in_flight.is_empty() {
            break;
        }
        tokio::select! {
            Some((targets, sent)) = in_flight.next() => {
                is_stopping |= sent.is_err();
                results.ended.push((targets, sent));
            }
            () = interrupts.next() => {
                if was_interrupted {
                    return Err(Failure::Interrupted);
                }
                is_stopping = true;
                was_interrupted = true;
                stderr::note("stopping: waiting for the response; interrupt again to exit without it", json);
            }
        }
    }
    results.not_sent = waiting.flat_map(|request| request.targets).collect();
    Ok((results, was_interrupted))
}
