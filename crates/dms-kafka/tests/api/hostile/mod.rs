//! The client against a misbehaving server. The cases are in `cases.toml`.

mod case;
mod server;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::support::{NoCredentials, chain};
use case::{Case, Expected, Lacking};
use dms_kafka::auth::{Credentials, ProvideCredentials};
use dms_kafka::{Client, Deletion, Error, Outcome, RetryPolicy};
use futures_util::{StreamExt, stream};
use server::Server;

const SECURITY_TOKEN: &str = "canary-security-token/with=signs";

#[tokio::test]
async fn every_case_ends_as_expected() {
    let cases = case::load();
    // A client for https needs TLS.
    let possible = cases
        .iter()
        .filter(|case| cfg!(feature = "rustls") || !case.https);
    let faults: Vec<String> = stream::iter(possible.map(run))
        .buffer_unordered(16)
        .collect::<Vec<_>>()
        .await
        .concat();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn there_are_at_least_60_cases_without_duplicates() {
    let cases = case::load();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let names: HashSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "repeated name");
    let setups: HashSet<String> = cases.iter().map(Case::setup).collect();
    assert_eq!(setups.len(), cases.len(), "repeated case");
}

/// The rows of `src/outcome.md` with their outcomes.
fn documented() -> BTreeMap<u32, String> {
    include_str!("../../../src/outcome.md")
        .lines()
        .filter_map(|line| {
            let mut cells = line.trim_matches('|').split('|').map(str::trim);
            let row = cells.next()?.parse().ok()?;
            Some((row, cells.next_back()?.replace('`', "")))
        })
        .collect()
}

#[test]
fn each_documented_outcome_has_a_case_and_no_case_contradicts_it() {
    let documented = documented();
    assert!(documented.len() > 10);
    let mut shown = HashSet::new();
    for case in case::load() {
        assert_eq!(
            case.row.is_some(),
            case.expect.kind.is_some(),
            "{}",
            case.name
        );
        let Some(row) = case.row else { continue };
        shown.insert(row);
        let outcome = match case.expect.outcome.as_deref() {
            None => "NotApplied",
            Some("partial") => "Partial",
            Some("unknown") => "Unknown",
            Some(other) => panic!("unknown outcome {other}"),
        };
        let says = &documented[&row];
        assert!(
            says == outcome || says == "that of the status",
            "{}",
            case.name
        );
    }
    let unshown = documented.keys().filter(|row| !shown.contains(row));
    assert_eq!(unshown.count(), 0, "{shown:?}");
}

async fn run(case: &Case) -> Vec<String> {
    let server = Server::start(case.server.clone()).await;
    let result = delete(case, &server).await;
    let mut faults = differences(&case.expect, &result);
    if server.requests() != case.requests() {
        faults.push(format!("{} requests were received", server.requests()));
    }
    let shown = match &result {
        Ok(deletion) => format!("{deletion}"),
        Err(error) => format!("{error}\n      body: {:?}", error.body()),
    };
    faults
        .into_iter()
        .map(|fault| format!("{}: {fault}\n      {shown}", case.name))
        .collect()
}

async fn delete(case: &Case, server: &Server) -> Result<Deletion, Error> {
    let scheme = if case.https { "https" } else { "http" };
    let (_closed, closed_port) = server::closed_port();
    let port = if case.lacks == Some(Lacking::Server) {
        closed_port
    } else {
        server.port()
    };
    let host = case.host.as_deref().unwrap_or("127.0.0.1");
    let credentials: Arc<dyn ProvideCredentials> = if case.lacks == Some(Lacking::Credentials) {
        Arc::new(NoCredentials)
    } else {
        let credentials = Credentials::new("access-key", "secret-key").unwrap();
        Arc::new(credentials.with_security_token(SECURITY_TOKEN).unwrap())
    };
    let client = Client::builder()
        .endpoint(format!("{scheme}://{host}:{port}"))
        .project_id("project")
        .credentials(credentials)
        .with_connect_timeout(case.connect_timeout())
        .with_attempt_timeout(case.attempt_timeout())
        .with_call_timeout(case.call_timeout())
        .with_response_limit(case.response_limit.unwrap_or(1 << 20))
        .with_retry(RetryPolicy::default().with_base(Duration::from_millis(1)))
        .build()
        .unwrap();
    let request = client
        .delete_messages("instance", &*case.topic)
        .before(0, 400);
    let more = 2..2 + case.more_partitions;
    let request = more.fold(request, |request, partition| {
        request.before(partition, i64::MAX)
    });
    let request = if case.everything {
        request.everything(1)
    } else {
        request.before(1, 500)
    };
    let deletion = request.send().await?;
    deletion.clone().into_result()?;
    Ok(deletion)
}

/// The differences from the expectation.
fn differences(expected: &Expected, result: &Result<Deletion, Error>) -> Vec<String> {
    let error = match (result, &expected.kind) {
        (Ok(_), None) => return Vec::new(),
        (Ok(_), Some(kind)) => return vec![format!("the deletion succeeded, expected {kind}")],
        (Err(error), _) => error,
    };
    let text = |text: Option<&str>| text.map(str::to_owned);
    let outcome = error.outcome();
    let found = Expected {
        kind: text(Some(error.kind().as_str())),
        outcome: text((outcome != Outcome::NotApplied).then(|| outcome.as_str())),
        attempts: error.attempts(),
        code: text(error.code()),
        status: expected.status.and(error.status()),
        request_id: expected.request_id.as_ref().and(text(error.request_id())),
        retry_after: expected
            .retry_after
            .and(error.retry_after().map(|wait| wait.as_secs())),
        authorization: expected
            .authorization
            .as_ref()
            .and(text(error.encoded_authorization_message())),
        ..expected.clone()
    };
    let mut faults = Vec::new();
    if found != *expected {
        faults.push(format!("got {found:?}, expected {expected:?}"));
    }
    if let Some(body) = &expected.body
        && !error.body().is_some_and(|shown| shown.contains(body))
    {
        faults.push(format!("the body does not contain {body:?}"));
    }
    let shown = chain(error);
    for text in expected.shows.iter().filter(|text| !shown.contains(*text)) {
        faults.push(format!("the text does not contain {text:?}"));
    }
    faults.extend(broken_rules(error));
    faults
}

/// The rules that every error must follow.
fn broken_rules(error: &Error) -> Vec<String> {
    let shown = error.to_string();
    let everything = format!("{} {error:?} {error:#?} {:?}", chain(error), error.body());
    let rules = [
        (everything.contains("canary"), "the security token is shown"),
        (
            shown.chars().any(char::is_control),
            "the text contains a control character",
        ),
        (
            shown.len() > 8192 || error.body().is_some_and(|body| body.len() > 32 * 1024),
            "the text is too long",
        ),
    ];
    let broken = rules.into_iter().filter(|(broken, _)| *broken);
    broken.map(|(_, rule)| rule.to_owned()).collect()
}
