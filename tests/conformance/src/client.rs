//! The client suite: a client is asked for a deletion, a recording server answers, and both what it sent
//! and what it made of the answer are judged.

use std::fmt;

use dms_kafka::auth::Credentials;
use dms_kafka::auth::verification::{Authorization, Verifier};
use dms_kafka::{Client, DeletionTarget, RetryPolicy, raw};
use huaweicloud_auth::signing::{Payload, RequestTarget, SigningRequest};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::case::{Case, Partition};
use crate::contract::{Contract, DELETE};

const ACCESS_KEY: &str = "CONFORMANCEACCESSKEY";
const SECRET_KEY: &str = "conformance-secret-key-never-on-the-wire";

/// The client that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The bare generated client.
    Raw,
    /// The facade.
    Facade,
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Raw, Self::Facade];
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Facade => "facade",
        })
    }
}

/// Runs one case; the answer is what is wrong, empty when nothing is.
pub async fn run(contract: &Contract, case: &Case, subject: Subject) -> Vec<String> {
    let server = MockServer::start().await;
    let content_type = case
        .answer
        .content_type
        .as_deref()
        .unwrap_or("application/json");
    let answer = ResponseTemplate::new(case.answer.status)
        .insert_header("X-Request-Id", "conformance-request")
        .set_body_raw(case.answer.body.clone(), content_type);
    Mock::given(any()).respond_with(answer).mount(&server).await;

    let mut faults = answer_faults(contract, case);
    faults.extend(match subject {
        Subject::Raw => call_raw(case, &server.uri()).await,
        Subject::Facade => call_facade(case, &server.uri()).await,
    });
    let requests = server.received_requests().await.unwrap_or_default();
    match &requests[..] {
        [request] => faults.extend(request_faults(contract, case, request)),
        _ => faults.push(format!(
            "{} requests were sent instead of one",
            requests.len()
        )),
    }
    faults
}

/// The case's own answer must hold by the contract unless it says that it does not.
fn answer_faults(contract: &Contract, case: &Case) -> Vec<String> {
    let schema = if case.answer.status == 200 {
        "DeleteKafkaTopicMessagesResponse"
    } else {
        "ErrorResponse"
    };
    let broken = match serde_json::from_str(&case.answer.body) {
        Ok(body) => contract.faults(schema, &body),
        Err(error) => vec![format!("the answer is not JSON: {error}")],
    };
    match (broken.is_empty(), case.answer.breaks_contract) {
        (true, true) => {
            vec!["the case says that its answer breaks the contract, but it does not".to_owned()]
        }
        (false, false) => broken,
        _ => Vec::new(),
    }
}

/// What is wrong with the request, by the contract and by the case.
fn request_faults(contract: &Contract, case: &Case, request: &Request) -> Vec<String> {
    let mut faults = Vec::new();
    let path = request.url.path();
    if contract.operation(request.method.as_str(), path) != Some(DELETE) {
        faults.push(format!("{} {path} is not {DELETE}", request.method));
    }
    if path != case.request.path {
        faults.push(format!("path {path} instead of {}", case.request.path));
    }
    if request.url.query().is_some() {
        faults.push("a query string".to_owned());
    }
    faults.extend(body_faults(contract, case, &request.body));
    faults.extend(header_faults(request));
    faults
}

fn body_faults(contract: &Contract, case: &Case, body: &[u8]) -> Vec<String> {
    let sent: serde_json::Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return vec![format!("the body is not JSON: {error}")],
    };
    let mut faults = contract.faults("DeleteKafkaMessageRequestBody", &sent);
    match serde_json::from_str::<serde_json::Value>(&case.request.body) {
        Ok(wanted) if wanted == sent => {}
        Ok(wanted) => faults.push(format!("body {sent} instead of {wanted}")),
        Err(error) => faults.push(format!("the case's body is not JSON: {error}")),
    }
    faults
}

fn header_faults(request: &Request) -> Vec<String> {
    let mut faults = Vec::new();
    let text = |name: &str| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    if text("content-type") != Some("application/json") {
        faults.push(format!("content-type {:?}", text("content-type")));
    }
    if text("api-version").is_some() {
        faults.push("the generator's api-version header was sent".to_owned());
    }
    let secret_shown = request.headers.values().any(|value| {
        value
            .as_bytes()
            .windows(SECRET_KEY.len())
            .any(|part| part == SECRET_KEY.as_bytes())
    });
    if secret_shown {
        faults.push("the secret key was sent".to_owned());
    }
    match text("authorization").map(Authorization::parse) {
        None => faults.push("no Authorization header".to_owned()),
        Some(Err(error)) => faults.push(format!("Authorization: {error}")),
        Some(Ok(authorization)) => faults.extend(signature_faults(&authorization, request)),
    }
    faults
}

fn signature_faults(authorization: &Authorization<'_>, request: &Request) -> Vec<String> {
    let host = request
        .headers
        .get("host")
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let signed = SigningRequest {
        target: RequestTarget {
            method: &request.method,
            host,
            path: request.url.path(),
            query: request.url.query().unwrap_or_default(),
        },
        headers: &request.headers,
        payload: Payload::Bytes(&request.body),
    };
    let mut faults = Vec::new();
    if authorization.access_key() != ACCESS_KEY {
        faults.push("signed with another access key".to_owned());
    }
    if let Err(error) = Verifier::default().verify(
        authorization,
        &signed,
        SECRET_KEY,
        std::time::SystemTime::now(),
    ) {
        faults.push(format!("signature: {error}"));
    }
    faults
}

async fn call_facade(case: &Case, endpoint: &str) -> Vec<String> {
    let client = match facade(case, endpoint) {
        Ok(client) => client,
        Err(error) => return vec![error.to_string()],
    };
    let mut request = client.delete_messages(&case.given.instance_id, &case.given.topic);
    for partition in &case.given.partitions {
        request = request.target(partition.partition, target(*partition));
    }
    match request.send().await {
        Ok(deletion) => {
            let statuses: Vec<_> = deletion
                .partitions()
                .iter()
                .map(|row| row.status().as_str())
                .collect();
            compare("error", case.expect.error.as_deref(), None)
                .into_iter()
                .chain((statuses != case.expect.statuses).then(|| {
                    format!(
                        "statuses {statuses:?} instead of {:?}",
                        case.expect.statuses
                    )
                }))
                .collect()
        }
        Err(error) => compare(
            "error",
            case.expect.error.as_deref(),
            Some(error.kind().as_str()),
        )
        .into_iter()
        .chain(compare("code", case.expect.code.as_deref(), error.code()))
        .collect(),
    }
}

fn facade(case: &Case, endpoint: &str) -> Result<Client, Box<dyn std::error::Error>> {
    Ok(Client::builder()
        .endpoint(endpoint)
        .project_id(&case.given.project_id)
        .credentials(Credentials::new(ACCESS_KEY, SECRET_KEY)?)
        .with_retry(RetryPolicy::never())
        .build()?)
}

fn target(partition: Partition) -> DeletionTarget {
    partition
        .before
        .map_or(DeletionTarget::Everything, DeletionTarget::Before)
}

fn compare(what: &str, wanted: Option<&str>, found: Option<&str>) -> Option<String> {
    (wanted != found).then(|| format!("{what} {found:?} instead of {wanted:?}"))
}

async fn call_raw(case: &Case, endpoint: &str) -> Vec<String> {
    let credentials = match Credentials::new(ACCESS_KEY, SECRET_KEY) {
        Ok(credentials) => credentials,
        Err(error) => return vec![error.to_string()],
    };
    let http = match reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
    {
        Ok(http) => http,
        Err(error) => return vec![error.to_string()],
    };
    let client = raw::Client::new_with_client(endpoint, http, raw::Attempt::new(credentials));
    let partitions =
        case.given
            .partitions
            .iter()
            .map(|partition| raw::types::PartitionOffsetEntity {
                partition: Some(partition.partition),
                offset: Some(partition.before.unwrap_or(-1)),
            });
    let body = raw::types::DeleteKafkaMessageRequestBody {
        partitions: partitions.collect(),
    };
    let given = &case.given;
    let result = client
        .delete_kafka_topic_messages(&given.project_id, &given.instance_id, &given.topic, &body)
        .await;
    match (result.is_ok(), case.expect.raw_decodes) {
        (true, false) => vec!["the answer was decoded".to_owned()],
        (false, true) => vec![format!("the answer was not decoded: {:?}", result.err())],
        _ => Vec::new(),
    }
}
