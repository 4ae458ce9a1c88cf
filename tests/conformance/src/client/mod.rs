//! The client suite: a client is asked for a deletion, a recording server answers, and both what it sent and what it
//! made of the answer are judged.

mod case;
mod subject;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures_util::{StreamExt as _, stream};
use tokio::task::unconstrained;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

pub use case::Case;
use case::{Expect, Request, Subject};
use subject::{Made, call, credentials};

use crate::contract::Contract;
use crate::judge;
use crate::proxy::{Behaviour, Proxy};
use crate::report::{Judged, Verdict};
use crate::script::Script;
use crate::values::{Target, Values};
use crate::wire;

/// How many cases run at a time: most of the time of a case is waiting.
const AT_A_TIME: usize = 8;

/// Runs every case for every client that can be asked for it; with `proxy` behind one that may make the client faulty.
pub async fn run_all(
    contract: &Contract,
    cases: &[Case],
    proxy: Option<&Behaviour>,
) -> Vec<Judged> {
    let runs = cases.iter().flat_map(|case| {
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
    let faults = faults.unwrap_or_else(|error| vec![format!("the case cannot be run: {error:#}")]);
    Judged {
        suite: "client",
        name: case.verdict_name(subject),
        title: case.title.clone(),
        proves: case.proves.clone(),
        verdict: Verdict::of(faults),
        elapsed: begin.elapsed(),
    }
}

/// Runs one case, and returns what is wrong.
async fn run(
    contract: &Contract,
    case: &Case,
    subject: Subject,
    proxy: Option<&Behaviour>,
) -> Result<Vec<String>> {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(Script::new(&case.answers)?)
        .mount(&server)
        .await;
    let begin = Instant::now();
    let made = ask(&server.uri(), case, subject, proxy).await?;
    let elapsed = begin.elapsed();

    let mut faults = answer_faults(contract, case);
    faults.extend(made_faults(&case.expect, subject, &made, elapsed));
    let requests = server.received_requests().await.unwrap_or_default();
    let wanted = case.request.as_ref().map_or(0, |request| request.times);
    if requests.len() != wanted {
        faults.push(format!(
            "{} requests were sent instead of {wanted}",
            requests.len()
        ));
    }
    if let Some(wanted) = &case.request {
        let credentials = credentials(case.given.credentials)?;
        for request in requests {
            let request = recorded(request);
            faults.extend(judge::faults(contract, &request, &credentials));
            faults.extend(request_faults(wanted, &request));
        }
    }
    faults.dedup();
    Ok(faults)
}

/// Asks the client for what the case gives, behind a proxy that makes it faulty when there is a fault.
async fn ask(
    endpoint: &str,
    case: &Case,
    subject: Subject,
    proxy: Option<&Behaviour>,
) -> Result<Made> {
    let given = &case.given;
    let Some(behaviour) = proxy else {
        return call(subject, endpoint, given).await;
    };
    let target = Target::new(&given.project_id, &given.instance_id, &given.topic);
    let values = Values::new(&target, "");
    let credentials = credentials(given.credentials)?;
    let proxy = Proxy::start(endpoint, credentials, &values, behaviour).await?;
    let made = call(subject, &proxy.endpoint(), given).await?;
    proxy.finish().await?;
    match proxy.errors().pop() {
        None => Ok(made),
        Some(error) => bail!(error),
    }
}

impl Respond for Script {
    fn respond(&self, _: &wiremock::Request) -> ResponseTemplate {
        let Some(response) = self.next() else {
            return ResponseTemplate::new(500);
        };
        let template = ResponseTemplate::new(response.status)
            .insert_header("X-Request-Id", "conformance-request")
            .set_body_bytes(response.body);
        let headers = response.headers.iter();
        headers.fold(template, |template, (name, value)| {
            template.insert_header(name, value)
        })
    }
}

fn recorded(request: wiremock::Request) -> wire::Request {
    wire::Request {
        method: request.method,
        path: request.url.path().to_owned(),
        query: request.url.query().unwrap_or_default().to_owned(),
        headers: request.headers,
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
        let sent = sent.text(name).unwrap_or("absent");
        faults.extend(difference(name, wanted, sent));
    }
    faults
}

/// What is wrong with what the client made of the answer.
fn made_faults(expect: &Expect, subject: Subject, made: &Made, elapsed: Duration) -> Vec<String> {
    if subject == Subject::Raw {
        let word = |decoded: bool| if decoded { "decoded" } else { "not decoded" };
        let fault = difference("answer", word(expect.raw_decodes), word(made.decoded));
        return fault.into_iter().collect();
    }
    let statuses = [&expect.statuses, &made.statuses].map(|statuses| statuses.join(", "));
    let mut faults = Vec::new();
    for (what, wanted, made) in [
        ("error", &expect.error, &made.error),
        ("code", &expect.code, &made.code),
        ("outcome", &expect.outcome, &made.outcome),
        ("statuses", &statuses[0], &statuses[1]),
    ] {
        faults.extend(difference(what, wanted, made));
    }
    if elapsed < Duration::from_millis(expect.takes_ms) {
        faults.push(format!(
            "took {elapsed:?} instead of at least {} ms",
            expect.takes_ms
        ));
    }
    faults
}

fn difference(what: &str, wanted: &str, found: &str) -> Option<String> {
    (wanted != found).then(|| format!("{what} is {found:?} instead of {wanted:?}"))
}
