//! Many concurrent requests to a gateway that stops or is killed meanwhile: the audit log agrees with the responses.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    path::Path,
};

use futures_util::{StreamExt as _, stream};
use reqwest::{Method, Request};
use serde_json::{Value, json};

use crate::support::{Response, credentials, http, io_error, request, sign, url_at};

const REQUESTS: i64 = 10_000;
const IN_FLIGHT: usize = 256;
/// The gateway is asked to stop after this many responses.
const STOP_AFTER: usize = 6_000;

pub(crate) const PARTITIONS: i32 = 16;

/// Where to send the requests: the URL, and project, instance and topic.
pub(crate) struct Load<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) ids: [&'a str; 3],
}

/// The responses that the clients got.
#[derive(Debug, Default)]
pub(crate) struct LoadResult {
    /// Deletions with a 200, by request id.
    deleted: BTreeMap<String, DeletedRow>,
    listed: usize,
    unauthorized: usize,
    /// Requests with a 503 or without a connection.
    refused: usize,
    /// Requests whose response did not arrive, and why.
    lost: Vec<reqwest::Error>,
}

/// One deletion, and the `error_code` of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DeletedRow {
    partition: i32,
    offset: i64,
    error_code: i64,
}

#[derive(Clone, Copy)]
enum Kind {
    Delete { partition: i32, offset: i64 },
    List,
    WronglySigned,
}

impl Kind {
    fn of(n: i64) -> Self {
        // Half of the requests delete.
        let nth = n / 4 * 2 + n % 4;
        let delete = Self::Delete {
            partition: i32::try_from(nth % i64::from(PARTITIONS)).expect("few partitions"),
            offset: 1 + nth / i64::from(PARTITIONS),
        };
        match n % 4 {
            0 | 1 => delete,
            2 => Self::List,
            _ => Self::WronglySigned,
        }
    }
}

impl Load<'_> {
    /// Sends all requests, and calls `stop` when some have been answered.
    pub(crate) async fn run(&self, stop: impl FnOnce()) -> LoadResult {
        let http = http();
        let requests = (0..REQUESTS).map(|n| (Kind::of(n), self.request(Kind::of(n))));
        let responses = stream::iter(requests)
            .map(|(kind, request)| send(&http, kind, request))
            .buffer_unordered(IN_FLIGHT);
        let mut responses = std::pin::pin!(responses);
        let (mut result, mut stop, mut answered) = (LoadResult::default(), Some(stop), 0);
        while let Some((kind, response)) = responses.next().await {
            result.note(kind, response);
            answered += 1;
            if answered == STOP_AFTER
                && let Some(stop) = stop.take()
            {
                stop();
            }
        }
        result
    }

    fn request(&self, kind: Kind) -> Request {
        let url = |operation| url_at(self.endpoint, self.ids, operation);
        let delete = |partition, offset| {
            let body = json!({"partitions": [{"partition": partition, "offset": offset}]});
            request(Method::POST, &url("messages/delete"), body.to_string())
        };
        let (request, secret_key) = match kind {
            Kind::Delete { partition, offset } => (delete(partition, offset), "sk"),
            Kind::List => (request(Method::GET, &url("partitions"), ""), "sk"),
            // If it deleted everything, the log start would show it.
            Kind::WronglySigned => (delete(0, -1), "wrong"),
        };
        sign(request, &credentials("AK", secret_key))
    }
}

/// The response, or `None` when the request was not sent.
async fn send(
    http: &reqwest::Client,
    kind: Kind,
    request: Request,
) -> (Kind, reqwest::Result<Option<Response>>) {
    match http.execute(request).await {
        Ok(response) => (kind, Ok(Some(Response::read(response).await))),
        // Reset: it arrived between the last accept and the end of the listener. The audit log shows that it was not executed.
        Err(error)
            if matches!(
                io_error(&error),
                Some(ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
            ) =>
        {
            (kind, Ok(None))
        }
        Err(error) => (kind, Err(error)),
    }
}

impl LoadResult {
    fn note(&mut self, kind: Kind, response: reqwest::Result<Option<Response>>) {
        let response = match response {
            Ok(Some(response)) => response,
            Ok(None) => return self.refused += 1,
            Err(error) => return self.lost.push(error),
        };
        match (kind, response.status) {
            (_, 503) => {
                response.assert_refused(503, "DMS.111501025");
                self.refused += 1;
            }
            (Kind::WronglySigned, 401) => {
                response.assert_refused(401, "APIGW.0301");
                self.unauthorized += 1;
            }
            (Kind::List, 200) => {
                assert_eq!(response.body["total"], PARTITIONS, "{response:?}");
                self.listed += 1;
            }
            (Kind::Delete { partition, offset }, 200) => {
                let row = &response.body["partitions"][0];
                assert_eq!(row["partition"], partition, "{response:?}");
                let error_code = row["error_code"].as_str().expect("text");
                let deletion = DeletedRow {
                    partition,
                    offset,
                    error_code: error_code.parse().expect("a number"),
                };
                let id = response.header("x-request-id").expect("an id").to_owned();
                assert!(self.deleted.insert(id, deletion).is_none(), "an id twice");
            }
            _ => panic!("{response:?}"),
        }
    }

    /// The ids of the requests whose deletion was answered.
    #[allow(
        dead_code,
        reason = "only a separate process has a log to compare with"
    )]
    pub(crate) fn deleted_ids(&self) -> impl Iterator<Item = &str> {
        self.deleted.keys().map(String::as_str)
    }

    /// Compares the audit log with the responses, and returns the log start offset that each partition must have.
    pub(crate) fn assert_audited(&self, file: &Path) -> BTreeMap<i32, i64> {
        let deleted = self.deleted.len();
        let counts = [deleted, self.listed, self.unauthorized, self.refused];
        println!("responses to deletions, listings and wrong signatures, and refusals: {counts:?}");
        let mut enough = counts.iter().zip([1000, 500, 500, 500]);
        assert!(enough.all(|(count, least)| *count > least), "{counts:?}");
        let lost = self.lost.first();
        assert!(lost.is_none(), "neither a response nor a refusal: {lost:?}");
        let audit = Audit::read(file);
        let results: BTreeSet<&String> = audit.results.keys().collect();
        let intents: BTreeSet<&String> = audit.intents.keys().collect();
        assert_eq!(intents, results, "each intent has its result");
        assert_eq!(audit.results, self.deleted, "each result was answered");
        let mut starts: BTreeMap<i32, i64> = BTreeMap::new();
        for deletion in self.deleted.values() {
            assert_eq!(deletion.error_code, 0, "{deletion:?}");
            let start = starts.entry(deletion.partition).or_default();
            *start = deletion.offset.max(*start);
        }
        starts
    }

    /// Compares the audit log of a gateway that was killed with the responses and with the log starts.
    #[allow(dead_code, reason = "only a separate process can be killed")]
    pub(crate) fn assert_audited_until_killed(&self, file: &Path, starts: &BTreeMap<i32, i64>) {
        let Audit { intents, results } = Audit::read(file);
        let (answered, lost) = (self.deleted.len(), self.lost.len());
        assert!(answered > 1000 && lost > 0, "{answered} {lost}");
        for (id, deletion) in &self.deleted {
            assert_eq!(results.get(id), Some(deletion), "a response without result");
        }
        for (id, result) in &results {
            let asked = (result.partition, result.offset);
            assert_eq!(intents.get(id), Some(&asked), "a result without intent");
            let start = starts[&result.partition];
            assert_eq!(result.error_code, 0, "{result:?}");
            assert!(start >= result.offset, "{start} after {result:?}");
        }
        let asked: BTreeSet<_> = intents.values().copied().collect();
        let mut without_result = 0;
        for start in starts.iter().map(|(partition, start)| (*partition, *start)) {
            assert!(asked.contains(&start), "{start:?}: moved without an intent");
            let of_start = |row: &DeletedRow| (row.partition, row.offset) == start;
            without_result += usize::from(!results.values().any(of_start));
        }
        let (intents, results) = (intents.len(), results.len());
        println!(
            "{answered} deletions answered, {lost} responses lost; {intents} intents, {results} results; {without_result} of {} partitions were deleted from without a result",
            starts.len()
        );
    }
}

/// The audit log of deletions of one partition each.
struct Audit {
    /// Partition and offset by request id.
    intents: BTreeMap<String, (i32, i64)>,
    results: BTreeMap<String, DeletedRow>,
}

impl Audit {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect("an audit log");
        let (mut intents, mut results) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            let id = line["request_id"].as_str().expect("an id").to_owned();
            let row = &line["partitions"][0];
            let number = |name: &str| row[name].as_i64().expect("a number");
            let partition = i32::try_from(number("partition")).expect("a partition");
            let offset = number("offset");
            if line["event"] == "intent" {
                let before = intents.insert(id, (partition, offset));
                assert_eq!(before, None, "an intent twice: {line}");
                continue;
            }
            assert!(number("low_watermark") >= offset, "{line}");
            let deletion = DeletedRow {
                partition,
                offset,
                error_code: number("error_code"),
            };
            let before = results.insert(id, deletion);
            assert_eq!(before, None, "a result twice: {line}");
        }
        Self { intents, results }
    }
}
