//! The client suite: a client makes a deletion call to a mock server, and both its requests and its result are judged.

mod case;
mod subject;

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use futures_util::{StreamExt as _, stream};
use tokio::task::unconstrained;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Respond, ResponseTemplate};

pub use case::ClientCase;
use case::{ExpectedRequest, ExpectedResult, Subject};
use subject::{CallResult, call, credentials};

use crate::contract::Contract;
use crate::judge;
use crate::proxy::{Behaviour, Proxy};
use crate::report::{Judged, Verdict};
use crate::script::Script;
use crate::values::{Target, Values};
use crate::wire::{self, Exchange};

/// How many cases run at a time: cases mostly wait.
const AT_A_TIME: usize = 8;

/// Runs every case for each of its clients, with `proxy` behind a proxy that may inject a fault.
pub async fn run_all(
    contract: &Contract,
    cases: &[ClientCase],
    proxy: Option<&Behaviour>,
) -> Vec<Judged> {
    let runs = cases.iter().flat_map(|case| {
        let subjects = case.clients.iter();
        let judged = subjects.map(move |subject| judge(contract, case, *subject, proxy));
        // Dropping a mock server blocks, and would never end once tokio's budget of the task is used up.
        judged.map(unconstrained)
    });
    stream::iter(runs).buffered(AT_A_TIME).collect().await
}

async fn judge(
    contract: &Contract,
    case: &ClientCase,
    subject: Subject,
    proxy: Option<&Behaviour>,
) -> Judged {
    let begin = Instant::now();
    let mut exchanges = Vec::new();
    let faults = run(contract, case, subject, proxy, &mut exchanges).await;
    let verdict = faults.map_or_else(|error| Verdict::not_run(&error), Verdict::of);
    Judged {
        suite: "client",
        name: case.verdict_name(subject),
        title: case.title.clone(),
        proves: case.proves.clone(),
        exchanges: verdict.keeps(|| exchanges),
        verdict,
        elapsed: begin.elapsed(),
    }
}

/// Runs one case, and returns what is wrong.
async fn run(
    contract: &Contract,
    case: &ClientCase,
    subject: Subject,
    proxy: Option<&Behaviour>,
    exchanges: &mut Vec<Exchange>,
) -> Result<Vec<String>> {
    let (server, started) = (MockServer::start().await, SystemTime::now());
    Mock::given(any())
        .respond_with(Script::new(&case.responses)?)
        .mount(&server)
        .await;
    let begin = Instant::now();
    let made = ask(&server.uri(), case, subject, proxy).await?;
    let elapsed = begin.elapsed();

    let mut faults = response_faults(contract, case);
    faults.extend(made_faults(&case.expect, subject, &made, elapsed));
    let requests = server.received_requests().await.unwrap_or_default();
    let requests: Vec<_> = requests.into_iter().map(recorded).collect();
    let responses = Script::new(&case.responses)?;
    // The mock server does not tell when each one arrived.
    exchanges.extend(requests.iter().map(|request| Exchange {
        url: server.uri(),
        request: request.clone(),
        response: responses.next(),
        begin: started,
        elapsed: Duration::ZERO,
    }));
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
            let of_request = judge::faults(contract, &request, &credentials);
            faults.extend(of_request.into_iter().map(|fault| fault.text));
            faults.extend(request_faults(wanted, &request));
        }
    }
    faults.dedup();
    Ok(faults)
}

/// Makes the call of the case, with `proxy` through a proxy.
async fn ask(
    endpoint: &str,
    case: &ClientCase,
    subject: Subject,
    proxy: Option<&Behaviour>,
) -> Result<CallResult> {
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

/// The responses of the case must be valid by the contract unless they have `breaks_contract`.
fn response_faults(contract: &Contract, case: &ClientCase) -> Vec<String> {
    let mut faults = Vec::new();
    for response in &case.responses {
        let schema = match response.status {
            200 => "DeleteKafkaTopicMessagesResponse",
            _ => "ErrorResponse",
        };
        let broken = match serde_json::from_str(&response.body) {
            Ok(body) => contract.faults(schema, &body),
            Err(error) => vec![format!("the response is not JSON: {error}")],
        };
        match (broken.is_empty(), response.breaks_contract) {
            (true, true) => faults.push(
                "the response has breaks_contract, but does not break the contract".to_owned(),
            ),
            (false, false) => faults.extend(broken),
            _ => {}
        }
    }
    faults
}

/// How a request differs from that of the case.
fn request_faults(wanted: &ExpectedRequest, sent: &wire::Request) -> Vec<String> {
    let mut faults = Vec::new();
    if sent.path != wanted.path {
        faults.push(format!("path {} instead of {}", sent.path, wanted.path));
    }
    let parse = serde_json::from_slice::<serde_json::Value>;
    match (parse(&sent.body), parse(wanted.body.as_bytes())) {
        (Ok(sent), Ok(wanted)) if sent == wanted => {}
        (Ok(sent), Ok(wanted)) => faults.push(format!("body {sent} instead of {wanted}")),
        (_, Err(error)) => faults.push(format!("the case's body is not JSON: {error}")),
        // The contract reports that.
        (Err(_), _) => {}
    }
    for (name, wanted) in &wanted.headers {
        let sent = sent.text(name).unwrap_or("absent");
        faults.extend(difference(name, wanted, sent));
    }
    faults
}

/// How the result differs from that of the case.
fn made_faults(
    expect: &ExpectedResult,
    subject: Subject,
    made: &CallResult,
    elapsed: Duration,
) -> Vec<String> {
    if subject == Subject::Raw {
        let word = |decoded: bool| if decoded { "decoded" } else { "not decoded" };
        let fault = difference("response", word(expect.raw_decodes), word(made.decoded));
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
