//! A service with a topic and consumer groups, whose operations can be made to fail.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::deleted;

/// The topic `orders`: start and end of each partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    pub(crate) partitions: Vec<(i64, i64)>,
    /// Groups, and the committed offset of each partition.
    pub(crate) groups: BTreeMap<&'static str, Vec<(i32, i64)>>,
    /// The times of the records of each partition, from its start on; `None` is an offset without a record.
    pub(crate) times: Vec<Vec<Option<i64>>>,
    /// Whether `start_time` excludes the records of that time.
    pub(crate) excludes_start_time: bool,
    /// The last part of a path, and the status that it gets.
    pub(crate) refused: Vec<(&'static str, u16)>,
    /// The last part of a path, and its response.
    pub(crate) answered: Vec<(&'static str, Value)>,
    /// The last part of a path that gets no response for an hour.
    pub(crate) delayed: Option<&'static str>,
}

impl Service {
    pub(crate) fn new(partitions: &[(i64, i64)]) -> Self {
        Self {
            partitions: partitions.to_vec(),
            ..Self::default()
        }
    }

    /// One partition, with records of these times.
    pub(crate) fn with_times(start: i64, times: &[Option<i64>]) -> Self {
        let end = start + i64::try_from(times.len()).unwrap();
        Self {
            times: vec![times.to_vec()],
            ..Self::new(&[(start, end)])
        }
    }

    /// Partition, offset and time of each record.
    fn records(&self) -> impl Iterator<Item = (i32, i64, i64)> {
        let partitions = (0..).zip(&self.partitions).zip(&self.times);
        partitions.flat_map(|((partition, (start, _)), times)| {
            let offsets = (*start..).zip(times);
            offsets.filter_map(move |(offset, time)| Some((partition, offset, (*time)?)))
        })
    }

    /// The record at the start or end of a partition.
    fn edge(&self, path: &[&str], is_oldest: bool) -> ResponseTemplate {
        let asked: i32 = path[path.len() - 2].parse().unwrap();
        let mut records = self.records().filter(|(of, _, _)| *of == asked);
        let found = if is_oldest {
            records.next()
        } else {
            records.last()
        };
        let body = match found {
            Some((_, offset, time)) => {
                json!({"topic": "orders", "partition": asked, "offset": offset, "timestamp": time})
            }
            None => json!({"topic": "orders", "partition": asked}),
        };
        ResponseTemplate::new(200).set_body_json(body)
    }

    fn messages(&self, query: &BTreeMap<String, String>) -> ResponseTemplate {
        let number = |name: &str| query.get(name).map(|text| text.parse::<i64>().unwrap());
        let message = |(partition, offset, time)| json!({"topic": "orders", "partition": partition, "message_offset": offset, "timestamp": time, "value": "canary"});
        let (total, page): (usize, Vec<Value>) = if let Some(start) = number("start_time") {
            let (page, limit) = (number("offset").unwrap(), number("limit").unwrap());
            let start = start + i64::from(self.excludes_start_time);
            let asked = start..=number("end_time").unwrap();
            let all: Vec<Value> = self
                .records()
                .filter(|(_, _, time)| asked.contains(time))
                .map(message)
                .collect();
            let page = all.iter().skip(usize::try_from(page * limit).unwrap());
            (
                all.len(),
                page.take(usize::try_from(limit).unwrap())
                    .cloned()
                    .collect(),
            )
        } else {
            let asked = number("message_offset").unwrap();
            let of = number("partition").unwrap();
            let found = self
                .records()
                .find(|(partition, offset, _)| i64::from(*partition) == of && *offset >= asked)
                .map(message);
            (1, found.into_iter().collect())
        };
        ResponseTemplate::new(200).set_body_json(json!({"total": total, "messages": page}))
    }

    pub(crate) fn group(mut self, name: &'static str, committed: &[(i32, i64)]) -> Self {
        self.groups.insert(name, committed.to_vec());
        self
    }

    pub(crate) fn refuse(mut self, operation: &'static str, status: u16) -> Self {
        self.refused.push((operation, status));
        self
    }

    pub(crate) fn answer(mut self, operation: &'static str, response: Value) -> Self {
        self.answered.push((operation, response));
        self
    }

    pub(crate) async fn start(self) -> MockServer {
        let server = MockServer::start().await;
        Mock::given(any())
            .respond_with(move |request: &Request| self.respond(request))
            .mount(&server)
            .await;
        server
    }

    fn respond(&self, request: &Request) -> ResponseTemplate {
        let path: Vec<&str> = request.url.path_segments().unwrap().collect();
        let last = path[path.len() - 1];
        if let Some((_, status)) = self.refused.iter().find(|refused| refused.0 == last) {
            let body = json!({"error_code": "DMS.00400000", "error_msg": "refused by the test"});
            return ResponseTemplate::new(*status).set_body_json(body);
        }
        if let Some((_, response)) = self.answered.iter().find(|answered| answered.0 == last) {
            return ResponseTemplate::new(200).set_body_json(response);
        }
        if self.delayed == Some(last) {
            return ResponseTemplate::new(200).set_delay(Duration::from_secs(3600));
        }
        let query: BTreeMap<String, String> = request.url.query_pairs().into_owned().collect();
        let number = |name: &str| query.get(name).map(|text| text.parse::<usize>().unwrap());
        let (skip, limit) = (number("offset").unwrap_or(0), number("limit").unwrap_or(10));
        let page = |name: &str, items: Vec<Value>| {
            let total = items.len();
            let page: Vec<Value> = items.into_iter().skip(skip).take(limit).collect();
            ResponseTemplate::new(200).set_body_json(json!({"total": total, name: page}))
        };
        match last {
            "partitions" if path[path.len() - 2] != "orders" => ResponseTemplate::new(404)
                .set_body_json(json!({"error_code": "DMS.00404001", "error_msg": "no topic"})),
            "partitions" => page(
                "partitions",
                self.partitions
                    .iter()
                    .enumerate()
                    .map(|(at, (start, end))| {
                        json!({"partition": at, "start_offset": start, "last_offset": end})
                    })
                    .collect(),
            ),
            "messages" => self.messages(&query),
            "beginning-message" => self.edge(&path, true),
            "end-message" => self.edge(&path, false),
            "topics" => page("topics", vec![json!({"name": "orders", "created_at": 7})]),
            "groups" => page(
                "groups",
                self.groups
                    .iter()
                    .filter(|(name, _)| query.get("group").is_none_or(|text| name.contains(text)))
                    .map(|(name, _)| json!({"group_id": name, "state": "EMPTY"}))
                    .collect(),
            ),
            "message-offset" => page(
                "group_message_offsets",
                self.groups[path[path.len() - 2]]
                    .iter()
                    .map(|(partition, offset)| {
                        json!({"topic": "orders", "partition": partition, "message_current_offset": offset})
                    })
                    .collect(),
            ),
            "delete" => {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                let partitions = body["partitions"].as_array().unwrap().iter();
                let partitions = partitions.map(|item| item["partition"].as_i64().unwrap());
                let partitions: Vec<i32> =
                    partitions.map(|number| i32::try_from(number).unwrap()).collect();
                deleted(&partitions)
            }
            _ => ResponseTemplate::new(404),
        }
    }
}

/// The `[partition, offset]` pairs of all deletions that the server received.
pub(crate) async fn deletions(server: &MockServer) -> Vec<Vec<(i64, i64)>> {
    let requests = super::requests(server).await;
    let deletions = requests.iter().filter(|request| request.method == "POST");
    let body = |request: &Request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let items = body["partitions"].as_array().unwrap().iter();
        let pair = |item: &Value| {
            (
                item["partition"].as_i64().unwrap(),
                item["offset"].as_i64().unwrap(),
            )
        };
        items.map(pair).collect()
    };
    deletions.map(body).collect()
}
