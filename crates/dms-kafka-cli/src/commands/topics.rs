//! `dms-kafka topics` and `dms-kafka topic`.

use clap::Args;
use dms_kafka::TopicName;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupts;
use crate::output::{self, Format, PageFormat, number};
use crate::page;
use crate::screen;
use crate::service::Service;
use crate::service_settings::ServiceSettings;
use crate::settings::Resolved;
use crate::stderr;
use crate::stdout;
use crate::topic_pattern::TopicPattern;
use crate::view::TopicView;

/// The service lists what a group has committed by topic, so that this needs a request for each topic and group.
const MOST_WITH_GROUPS: usize = 20;
const CONCURRENCY: usize = 4;

#[derive(Debug, Args)]
pub(crate) struct Topics {
    /// Only topics with such a name, in which * is any number of characters and ? is one
    #[arg(value_name = "GLOB", default_value = "*", value_parser = TopicPattern::new)]
    pub(crate) pattern: TopicPattern,

    #[command(flatten)]
    pub(crate) service: Resolved<ServiceSettings>,

    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Table, help_heading = "Output")]
    pub(crate) output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct Topic {
    /// Name of the topic
    #[arg(value_name = "NAME")]
    pub(crate) name: TopicName,

    #[command(flatten)]
    pub(crate) service: Resolved<ServiceSettings>,

    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = PageFormat::Table, help_heading = "Output")]
    pub(crate) output: PageFormat,
}

/// The documented JSON of `topics`.
#[derive(Serialize)]
struct TopicsReport {
    topics: Vec<TopicRow>,
}

#[derive(Serialize)]
struct TopicRow {
    topic: String,
    partitions: usize,
    records: i64,
    /// Names of groups with a committed offset in the topic; null if they were not read.
    groups: Option<Vec<String>>,
}

impl From<TopicView> for TopicRow {
    fn from(view: TopicView) -> Self {
        let groups = view.losses.groups.as_ref();
        Self {
            partitions: view.partitions.len(),
            records: view.total(),
            groups: groups.map(|groups| groups.iter().map(|group| group.group.clone()).collect()),
            topic: view.topic,
        }
    }
}

pub(crate) async fn topics(arguments: Box<Topics>) -> Result<Exit, Failure> {
    let json = arguments.output.is_json();
    let service = Service::new(&arguments.service.0, json, []).await?;
    let topics = Interrupts::listen()?.or(rows(&arguments, &service)).await?;
    if json {
        stdout::print(&output::json_line(&TopicsReport { topics }))?;
        return Ok(Exit::Done);
    }
    let mut table = output::table(&["topic", "partitions", "records, up to", "consumer groups"]);
    for row in &topics {
        let groups = row.groups.as_ref();
        table.add_row([
            row.topic.clone(),
            row.partitions.to_string(),
            number(Some(row.records)),
            groups.map_or_else(|| "-".to_owned(), |groups| groups.len().to_string()),
        ]);
    }
    stdout::print_coloured(&output::coloured_lines(&table, std::iter::empty()))?;
    if topics.len() > MOST_WITH_GROUPS {
        stderr::note(
            &format!(
                "consumer groups are listed for at most {MOST_WITH_GROUPS} topics: name fewer"
            ),
            json,
        );
    }
    Ok(Exit::Done)
}

async fn rows(arguments: &Topics, service: &Service) -> Result<Vec<TopicRow>, Failure> {
    let topics = service.topics(&arguments.pattern).await?;
    if topics.len() <= MOST_WITH_GROUPS {
        let Some(first) = topics.first() else {
            return Ok(Vec::new());
        };
        let plan = service.client.plan_deletion(&service.instance_id, first);
        let plan = plan.before_offset(0).with_consumer_groups();
        let plans = service.resolve_all(plan, &topics).await?;
        let views = plans.iter().map(TopicView::of_topic);
        return Ok(views.map(TopicRow::from).collect());
    }
    let rows = stream::iter(topics).map(|topic| async move {
        let partitions = service
            .client
            .list_partitions(&service.instance_id, &topic)
            .await?;
        let records = partitions.iter().map(dms_kafka::PartitionInfo::records);
        Ok(TopicRow {
            topic: topic.to_string(),
            partitions: partitions.len(),
            records: records.fold(0, i64::saturating_add),
            groups: None,
        })
    });
    let rows = rows.buffered(CONCURRENCY).try_collect();
    service.wait("list the partitions", rows).await
}

pub(crate) async fn topic(arguments: Box<Topic>) -> Result<Exit, Failure> {
    let json = arguments.output.is_json();
    let topic = &arguments.name;
    let service = Service::new(&arguments.service.0, json, [(topic, 0)]).await?;
    let plan = arguments.output.add_to(service.to_hold(topic));
    let plan = Interrupts::listen()?
        .or(service.resolve(plan, topic))
        .await?;
    let view = TopicView::of_topic(&plan);
    match arguments.output {
        PageFormat::Table => stdout::print_coloured(&screen::topic(&view, stdout::width()))?,
        PageFormat::Json => stdout::print(&output::json_line(&view))?,
        PageFormat::Html => stdout::print(&page::page(&view, &plan, None)?)?,
    }
    Ok(Exit::Done)
}
