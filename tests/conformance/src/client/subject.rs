//! The clients that are judged, and what they make of an answer.

use std::time::Duration;

use dms_kafka::auth::{Credentials, ProviderError};
use dms_kafka::{Client, Outcome, RetryPolicy, raw};
use http::HeaderValue;

use super::case::{Given, Kind, Subject};

const ACCESS_KEY: &str = "CONFORMANCEACCESSKEY";
const SECRET_KEY: &str = "conformance-secret-key-never-on-the-wire";
const SECURITY_TOKEN: &str = "conformance-security-token";
const TOKEN: &str = "conformance-token";

/// What a client made of the answer.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// The kind of error, when the call failed.
    pub(super) error: Option<String>,
    /// The service's code in the error.
    pub(super) code: Option<String>,
    /// What the client says of the records.
    pub(super) outcome: String,
    /// What it says of each partition.
    pub(super) statuses: Vec<String>,
    /// The bare client: whether it returned a value.
    pub(super) decoded: bool,
}

/// The credentials that tasks are done with.
///
/// # Errors
/// None in practice: the keys are fixed and hold by the rules.
pub(super) fn credentials(kind: Kind) -> Result<Credentials, ProviderError> {
    match kind {
        Kind::Key => Credentials::new(ACCESS_KEY, SECRET_KEY),
        Kind::TemporaryKey => {
            Credentials::new(ACCESS_KEY, SECRET_KEY)?.with_security_token(SECURITY_TOKEN)
        }
        Kind::Token => Credentials::token(TOKEN),
    }
}

/// Asks a client for a deletion.
///
/// # Errors
/// When the client cannot even be made.
pub(super) async fn call(
    subject: Subject,
    endpoint: &str,
    given: &Given,
) -> Result<Made, Box<dyn std::error::Error>> {
    match subject {
        Subject::Raw => call_raw(endpoint, given).await,
        Subject::Facade => call_facade(endpoint, given).await,
    }
}

async fn call_facade(endpoint: &str, given: &Given) -> Result<Made, Box<dyn std::error::Error>> {
    let retry = RetryPolicy::default()
        .with_max_attempts(given.retries + 1)
        .with_base(Duration::from_millis(1));
    let client = Client::builder()
        .endpoint(endpoint)
        .project_id(&given.project_id)
        .credentials(credentials(given.credentials)?)
        .with_retry(retry)
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => return Ok(failed(&error)),
    };
    let mut request = client.delete_messages(&given.instance_id, &given.topic);
    for partition in &given.partitions {
        request = match partition.before {
            Some(offset) => request.before(partition.partition, offset),
            None => request.everything(partition.partition),
        };
    }
    Ok(match request.send().await {
        Ok(deletion) => {
            let rows = deletion.partitions().iter();
            let statuses = rows.map(|row| row.status().as_str().to_owned()).collect();
            let outcome = match deletion.into_result() {
                Ok(_) => "applied",
                Err(error) => name(error.outcome()),
            };
            Made {
                statuses,
                outcome: outcome.to_owned(),
                ..Made::default()
            }
        }
        Err(error) => failed(&error),
    })
}

fn failed(error: &dms_kafka::Error) -> Made {
    Made {
        error: Some(error.kind().as_str().to_owned()),
        code: error.code().map(str::to_owned),
        outcome: name(error.outcome()).to_owned(),
        ..Made::default()
    }
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotApplied => "not_applied",
        Outcome::Partial => "partial",
        _ => "unknown",
    }
}

async fn call_raw(endpoint: &str, given: &Given) -> Result<Made, Box<dyn std::error::Error>> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // The services of client cases speak plain HTTP.
        .tls_certs_only([])
        .build()?;
    let attempt = raw::Attempt::new(credentials(given.credentials)?)
        .with_project_id(HeaderValue::from_str(&given.project_id)?);
    let client = raw::Client::new_with_client(endpoint, http, attempt);
    let partitions = given.partitions.iter();
    let body = raw::types::DeleteKafkaMessageRequestBody {
        partitions: partitions
            .map(|partition| raw::types::PartitionOffsetEntity {
                partition: Some(partition.partition),
                offset: Some(partition.before.unwrap_or(-1)),
            })
            .collect(),
    };
    let result = client
        .delete_kafka_topic_messages(&given.project_id, &given.instance_id, &given.topic, &body)
        .await;
    Ok(Made {
        decoded: result.is_ok(),
        ..Made::default()
    })
}
