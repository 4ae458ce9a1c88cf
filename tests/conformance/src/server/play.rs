//! Plays random requests against the service, and compares it with the model after each.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use http::StatusCode;
use serde_json::Value;

use super::case::Step;
use super::commands;
use super::model::{self, Commits, GROUPS, Model, TOPICS};
use super::random::{Call, Difference, RandomRequest, search};
use crate::contract::is_topic;
use crate::report::{Verdict, shown, shown_up_to};
use crate::values::{Topic, Values};
use crate::wire::Response;

/// For random requests, and each shorter sequence after a difference.
const TIME: Duration = Duration::from_secs(10);
/// A command may contain two bodies.
const LONGEST_COMMAND: usize = 10_000;
impl super::Server<'_> {
    /// Plays random requests, and shows the shortest sequence that shows a difference.
    pub(super) async fn random(&self, count: usize) -> Result<Verdict> {
        let found = search(self.seed, count, async |requests| self.play(requests).await).await?;
        let Some(Difference {
            faults,
            commands,
            exchanges,
            ..
        }) = found
        else {
            return Ok(Verdict::of(Vec::new()));
        };
        self.wire.exchanges.replace(exchanges);
        let faults = faults.iter().map(|one| shown(one, &self.credentials));
        let note = format!(
            "seed {}; the shortest sequence that was found, as commands:",
            self.seed
        );
        let prelude = commands::prelude(&self.values)?;
        let commands = [note].into_iter().chain(prelude).chain(commands);
        let commands = commands.map(|one| shown_up_to(&one, &self.credentials, LONGEST_COMMAND));
        Ok(Verdict::of(faults.chain(commands).collect()))
    }

    async fn play(&self, requests: &[RandomRequest]) -> Result<Option<Difference>> {
        let topic = self.topic().await?.context(super::LISTS_NO_LONGER)?;
        let mut before = Some(topic.clone());
        let values = self.values.with_topic(&topic);
        let mut model = self.model(values.clone(), topic).await?;
        self.wire.exchanges.replace(Vec::new());
        let begin = Instant::now();
        let mut commands = Vec::new();
        for (at, request) in requests.iter().enumerate() {
            if begin.elapsed() > TIME {
                break;
            }
            let Some(step) = model.step(request) else {
                continue;
            };
            let built = super::request::build(&step, &values, &self.credentials)?;
            let sent = [(&step, &step.expect, built)];
            let mut faults = self.judged(&sent, &values, &mut before).await?;
            commands.push(commands::shell(&step, &values, self.wire.endpoint())?);
            if let Call::FindTime(_, _, oldest_first) = request.call
                && request.mistake.is_none()
                && faults.is_empty()
            {
                let found = self.find_time(&step, &values, oldest_first, &mut commands);
                faults = found.await?;
            }
            if !faults.is_empty() {
                return Ok(Some(Difference {
                    at,
                    faults,
                    commands,
                    exchanges: self.wire.exchanges.replace(Vec::new()),
                }));
            }
            if let Some(topic) = &before {
                model.partitions.clone_from(&topic.partitions);
            }
        }
        Ok(None)
    }

    /// Finds the record of a step again, by its time.
    async fn find_time(
        &self,
        step: &Step,
        values: &Values,
        oldest_first: Option<bool>,
        commands: &mut Vec<String>,
    ) -> Result<Vec<String>> {
        let found = json(&self.read(step, values).await?);
        let record = &found["messages"][0];
        let Some(time) = record["timestamp"].as_i64() else {
            return Ok(Vec::new());
        };
        let step = model::find_time(time, oldest_first);
        commands.push(commands::shell(&step, values, self.wire.endpoint())?);
        let request = super::request::build(&step, values, &self.credentials)?;
        let (response, mut faults) = self.exchange(&step, &step.expect, request, values).await?;
        let body = json(&response);
        let records = body["messages"].as_array().cloned().unwrap_or_default();
        if let Some(oldest_first) = oldest_first {
            faults.extend(order_fault(&records, time, oldest_first));
            return Ok(faults);
        }
        if records.iter().any(|one| one["timestamp"] != time) {
            faults.push(format!("there are records of another time than {time}"));
        }
        let is_it = |one: &Value| {
            ["partition", "message_offset"]
                .iter()
                .all(|name| one[name] == record[name])
        };
        let all_shown = body["total"].as_i64() <= Some(model::LARGEST_PAGE);
        if all_shown && !records.iter().any(is_it) {
            faults.push(format!("the record is not among those of its time {time}"));
        }
        Ok(faults)
    }

    /// What the service has. The model leaves out what the service does not list.
    async fn model(&self, values: Values, topic: Topic) -> Result<Model> {
        let first = topic.partitions.first().map_or(0, |one| one.partition);
        let mut model = Model::new(values.clone(), topic);
        let topics = self.list(TOPICS, "topics", &values).await?;
        model.topics = topics.map(|items| {
            let item =
                |one: &Value| Some((one["name"].as_str()?.to_owned(), one["partition"].as_i64()?));
            items.iter().filter_map(item).collect()
        });
        if let Some(groups) = self.list(GROUPS, "groups", &values).await? {
            let names = groups.iter().filter_map(|one| one["group_id"].as_str());
            let mut groups = Vec::new();
            for name in names {
                // Others need an encoding.
                let commits = if is_topic(name) {
                    self.commits(name, &values).await?
                } else {
                    Vec::new()
                };
                groups.push((name.to_owned(), commits));
            }
            model.groups = Some(groups);
        }
        let edge = format!(
            "/v2/<project_id>/instances/<instance_id>/management/topics/<topic>/partitions/{first}/beginning-message"
        );
        model.finds = self.read(&Step::get(&edge, ""), &values).await?.status == StatusCode::OK
            && self.read(&model::find_time(0, None), &values).await?.status == StatusCode::OK;
        Ok(model)
    }

    async fn commits(&self, group: &str, values: &Values) -> Result<Commits> {
        let path = model::committed_path(group);
        let items = self
            .list(&path, "group_message_offsets", values)
            .await?
            .unwrap_or_default();
        let commit = |one: &Value| {
            let partition = i32::try_from(one["partition"].as_i64()?).ok()?;
            Some((partition, one["message_current_offset"].as_i64()?))
        };
        Ok(items.iter().filter_map(commit).collect())
    }

    /// All items of a listing; `None` if the service does not have it.
    async fn list(&self, path: &str, list: &str, values: &Values) -> Result<Option<Vec<Value>>> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let query = format!(
                "topic=<topic>&limit={}&offset={}",
                model::LARGEST_PAGE,
                all.len()
            );
            let response = self.read(&Step::get(path, &query), values).await?;
            if response.status != StatusCode::OK {
                return Ok(None);
            }
            let items = json(&response)[list]
                .as_array()
                .cloned()
                .unwrap_or_default();
            if items.is_empty() {
                return Ok(Some(all));
            }
            all.extend(items);
        }
    }

    async fn read(&self, step: &Step, values: &Values) -> Result<Response> {
        self.wire
            .send(super::request::build(step, values, &self.credentials)?)
            .await
    }
}

/// Whether there are older records, or those of a partition are in another order.
fn order_fault(records: &[Value], time: i64, oldest_first: bool) -> Option<String> {
    let number = |record: &Value, name: &str| record[name].as_i64();
    if records
        .iter()
        .any(|one| number(one, "timestamp") < Some(time))
    {
        return Some(format!("there are records that are older than {time}"));
    }
    let is_ordered = |pair: &[Value]| {
        let is_later = number(&pair[0], "message_offset") < number(&pair[1], "message_offset");
        pair[0]["partition"] != pair[1]["partition"] || is_later == oldest_first
    };
    let fault = || format!("the records of a partition are not in the order of asc={oldest_first}");
    (!records.windows(2).all(is_ordered)).then(fault)
}

fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_default()
}
