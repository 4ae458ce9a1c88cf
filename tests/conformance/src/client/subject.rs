//! The clients that are judged, and the results of their calls.

use std::time::Duration;

use anyhow::Result;
use dms_kafka::auth::{Credentials, ProviderError};
use dms_kafka::{Client, RetryPolicy, raw};
use http::HeaderValue;

use super::case::{CredentialsKind, Given, GivenPartition, Subject, none};

const ACCESS_KEY: &str = "CONFORMANCEACCESSKEY";
const SECRET_KEY: &str = "conformance-secret-key-never-on-the-wire";
const SECURITY_TOKEN: &str = "conformance-security-token";
const TOKEN: &str = "conformance-token";

/// The result of a call.
#[derive(Debug, Default)]
pub(super) struct CallResult {
    pub(super) error: String,
    pub(super) code: String,
    pub(super) outcome: String,
    pub(super) statuses: Vec<String>,
    /// Whether the bare client returned a value.
    pub(super) decoded: bool,
}

/// The credentials of the cases.
pub(super) fn credentials(kind: CredentialsKind) -> Result<Credentials, ProviderError> {
    match kind {
        CredentialsKind::Key => Credentials::new(ACCESS_KEY, SECRET_KEY),
        CredentialsKind::TemporaryKey => {
            Credentials::new(ACCESS_KEY, SECRET_KEY)?.with_security_token(SECURITY_TOKEN)
        }
        CredentialsKind::Token => Credentials::token(TOKEN),
    }
}

/// Makes a deletion call. Fails only when the client cannot be built.
pub(super) async fn call(subject: Subject, endpoint: &str, given: &Given) -> Result<CallResult> {
    match subject {
        Subject::Raw => call_raw(endpoint, given).await,
        Subject::Facade => call_facade(endpoint, given).await,
    }
}

async fn call_facade(endpoint: &str, given: &Given) -> Result<CallResult> {
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
            Some(offset) if !partition.everything => request.before(partition.partition, offset),
            _ => request.everything(partition.partition),
        };
    }
    Ok(match request.send().await {
        Ok(deletion) => {
            let rows = deletion.partitions().iter();
            let statuses = rows.map(|row| row.status().as_str().to_owned()).collect();
            let outcome = match deletion.into_result() {
                Ok(_) => "applied",
                Err(error) => error.outcome().as_str(),
            };
            CallResult {
                error: none(),
                code: none(),
                statuses,
                outcome: outcome.to_owned(),
                ..CallResult::default()
            }
        }
        Err(error) => failed(&error),
    })
}

fn failed(error: &dms_kafka::Error) -> CallResult {
    CallResult {
        error: error.kind().as_str().to_owned(),
        code: error.code().unwrap_or("none").to_owned(),
        outcome: error.outcome().as_str().to_owned(),
        ..CallResult::default()
    }
}

async fn call_raw(endpoint: &str, given: &Given) -> Result<CallResult> {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        // The mock server uses plain HTTP.
        .tls_certs_only([])
        .build()?;
    let attempt = raw::Attempt::new(credentials(given.credentials)?)
        .with_project_id(HeaderValue::from_str(&given.project_id)?);
    let client = raw::Client::new_with_client(endpoint.parse()?, http, attempt);
    let partition = |one: &GivenPartition| raw::types::PartitionOffsetEntity {
        partition: Some(one.partition),
        offset: Some(one.before.unwrap_or(-1)),
    };
    let body = raw::types::DeleteKafkaMessageRequestBody {
        partitions: given.partitions.iter().map(partition).collect(),
    };
    let result = client
        .delete_kafka_topic_messages(&given.project_id, &given.instance_id, &given.topic, &body)
        .await;
    Ok(CallResult {
        decoded: result.is_ok(),
        ..CallResult::default()
    })
}
