//! The client suite: a client is asked for a deletion, a recording server answers, and both what it sent and what it
//! made of the answer are judged.

mod case;
mod subject;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Method};
use tokio::task::unconstrained;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

pub use case::{Answer, Case, Expect, Given, Kind, Partition, Request, Subject};
use subject::{Made, call, credentials};

use crate::contract::Contract;
use crate::judge;
use crate::proxy::{Behaviour, Proxy};
use crate::report::{Judged, Verdict};
use crate::values::{Target, Values};
use crate::wire;

/// How many cases run at a time: most of the time of a case is waiting.
const AT_A_TIME: usize = 8;

/// Runs every case for every client that can be asked for it; with `proxy` behind one that may make the client faulty.
pub async fn run_all(
    contract: &Contract,
    cases: impl IntoIterator<Item = &Case>,
    proxy: Option<&Behaviour>,
) -> Vec<Judged> {
    let runs = cases.into_iter().flat_map(|case| {
        let subjects = case.clients.iter();
        let judged = subjects.map(move |subject| judge(contract, case, *subject, proxy));
        // A mock server blocks while it is dropped, and would wait for ever once the task has used up its time.
        judged.map(unconstrained)
    });
    stream::iter(runs).buffered(AT_A_TIME).collect().await
}

async fn judge(
    contract: &Contract,
    case: &Case,
    subject: Subject,
    proxy: Option<&Behaviour>,
) -> Judged {
    let begin = Instant::now();
    let faults = run(contract, case, subject, proxy).await;
    Judged {
        suite: "client",
        name: case.verdict_name(subject),
        title: case.title.clone(),
        proves: case.proves.clone(),
        verdict: Verdict::of(faults),
        elapsed: begin.elapsed(),
    }
}

/// Runs one case; the answer is what is wrong, empty when nothing is.
pub async fn run(
    contract: &Contract,
    case: &Case,
    subject: Subject,
    proxy: Option<&Behaviour>,
) -> Vec<String> {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(Script::new(&case.answers))
        .mount(&server)
        .await;
    let begin = Instant::now();
    let made = ask(&server.uri(), case, subject, proxy).await;
    let elapsed = begin.elapsed();

    let mut faults = answer_faults(contract, case);
    match made {
        Ok(made) => faults.extend(made_faults(&case.expect, subject, &made, elapsed)),
        Err(error) => faults.push(format!("the client cannot be run: {error}")),
    }
    let requests = server.received_requests().await.unwrap_or_default();
    let wanted = case.request.as_ref().map_or(0, |request| request.times);
    if requests.len() != wanted {
        faults.push(format!(
            "{} requests were sent instead of {wanted}",
            requests.len()
        ));
    }
    if let (Some(wanted), Ok(credentials)) = (&case.request, credentials(case.given.credentials)) {
        for request in requests {
            let request = recorded(request);
            faults.extend(judge::faults(contract, &request, &credentials));
            faults.extend(request_faults(wanted, &request));
        }
    }
    faults.dedup();
    faults
}

/// Asks the client for what the case gives, behind a proxy that makes it faulty when there is a fault.
async fn ask(
    endpoint: &str,
    case: &Case,
    subject: Subject,
    proxy: Option<&Behaviour>,
) -> Result<Made, Box<dyn std::error::Error>> {
    let Some(behaviour) = proxy else {
        return call(subject, endpoint, &case.given).await;
    };
    let given = &case.given;
    let target = Target {
        project_id: given.project_id.clone(),
        instance_id: given.instance_id.clone(),
        topic: given.topic.clone(),
    };
    let values = Values::new(&target, "");
    let proxy = Proxy::start(
        endpoint,
        credentials(given.credentials)?,
        &values,
        behaviour,
    )
    .await?;
    let made = call(subject, &proxy.endpoint(), given).await?;
    proxy.finish().await?;
    match proxy.errors().pop() {
        None => Ok(made),
        Some(error) => Err(error.into()),
    }
}

/// Answers one after the other, the last one again and again.
struct Script {
    answers: Vec<ResponseTemplate>,
    next: AtomicUsize,
}

impl Script {
    fn new(answers: &[Answer]) -> Self {
        Self {
            answers: answers.iter().map(template).collect(),
            next: AtomicUsize::new(0),
        }
    }
}

impl Respond for Script {
    fn respond(&self, _: &wiremock::Request) -> ResponseTemplate {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        let answer = self.answers.get(next).or(self.answers.last());
        answer
            .cloned()
            .unwrap_or_else(|| ResponseTemplate::new(500))
    }
}

fn template(answer: &Answer) -> ResponseTemplate {
    let media = answer
        .headers
        .get("content-type")
        .map_or("application/json", String::as_str);
    let template = ResponseTemplate::new(answer.status)
        .insert_header("X-Request-Id", "conformance-request")
        .set_body_raw(answer.body.clone(), media);
    let others = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "content-type");
    others.fold(template, |template, (name, value)| {
        template.insert_header(name.as_str(), value.as_str())
    })
}

fn recorded(request: wiremock::Request) -> wire::Request {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        headers.append(name.clone(), value.clone());
    }
    wire::Request {
        method: Method::clone(&request.method),
        path: request.url.path().to_owned(),
        query: request.url.query().unwrap_or_default().to_owned(),
        headers,
        body: request.body,
    }
}

/// The case's own answers must hold by the contract unless they say that they do not.
fn answer_faults(contract: &Contract, case: &Case) -> Vec<String> {
    let mut faults = Vec::new();
    for answer in &case.answers {
        let schema = match answer.status {
            200 => "DeleteKafkaTopicMessagesResponse",
            _ => "ErrorResponse",
        };
        let broken = match serde_json::from_str(&answer.body) {
            Ok(body) => contract.faults(schema, &body),
            Err(error) => vec![format!("the answer is not JSON: {error}")],
        };
        match (broken.is_empty(), answer.breaks_contract) {
            (true, true) => faults.push(
                "the case says that its answer breaks the contract, but it does not".to_owned(),
            ),
            (false, false) => faults.extend(broken),
            _ => {}
        }
    }
    faults
}

/// What is wrong with a request by the case.
fn request_faults(wanted: &Request, sent: &wire::Request) -> Vec<String> {
    let mut faults = Vec::new();
    if sent.path != wanted.path {
        faults.push(format!("path {} instead of {}", sent.path, wanted.path));
    }
    let parse = serde_json::from_slice::<serde_json::Value>;
    match (parse(&sent.body), parse(wanted.body.as_bytes())) {
        (Ok(sent), Ok(wanted)) if sent == wanted => {}
        (Ok(sent), Ok(wanted)) => faults.push(format!("body {sent} instead of {wanted}")),
        (_, Err(error)) => faults.push(format!("the case's body is not JSON: {error}")),
        // The contract has its say about that.
        (Err(_), _) => {}
    }
    for (name, wanted) in &wanted.headers {
        let sent = sent.headers.get(name).and_then(|value| value.to_str().ok());
        faults.extend(difference(name, Some(wanted), sent));
    }
    faults
}

/// What is wrong with what the client made of the answer.
fn made_faults(expect: &Expect, subject: Subject, made: &Made, elapsed: Duration) -> Vec<String> {
    if subject == Subject::Raw {
        let decoded = |whether: bool| if whether { "decoded" } else { "not decoded" };
        let (made, expected) = (decoded(made.decoded), decoded(expect.raw_decodes));
        return difference("the answer was", Some(expected), Some(made))
            .into_iter()
            .collect();
    }
    let mut faults = Vec::new();
    faults.extend(difference(
        "error",
        expect.error.as_deref(),
        made.error.as_deref(),
    ));
    faults.extend(difference(
        "code",
        expect.code.as_deref(),
        made.code.as_deref(),
    ));
    faults.extend(difference(
        "outcome",
        Some(&expect.outcome),
        Some(&made.outcome),
    ));
    if expect.statuses != made.statuses {
        faults.push(format!(
            "statuses {:?} instead of {:?}",
            made.statuses, expect.statuses
        ));
    }
    if elapsed < Duration::from_millis(expect.takes_ms) {
        faults.push(format!(
            "took {elapsed:?} instead of at least {} ms",
            expect.takes_ms
        ));
    }
    faults
}

fn difference(what: &str, wanted: Option<&str>, found: Option<&str>) -> Option<String> {
    (wanted != found).then(|| format!("{what} {} instead of {}", said(found), said(wanted)))
}

fn said(value: Option<&str>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("{value:?}"))
}
