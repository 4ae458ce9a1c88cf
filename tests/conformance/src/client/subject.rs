//! The clients that are judged, and what they make of an answer.

use std::fmt;
use std::time::Duration;

use dms_kafka::auth::{Credentials, ProviderError};
use dms_kafka::{Client, Outcome, RetryPolicy, raw};
use http::HeaderValue;
use serde::{Deserialize, Serialize};

use super::case::{Given, Kind};

const ACCESS_KEY: &str = "CONFORMANCEACCESSKEY";
const SECRET_KEY: &str = "conformance-secret-key-never-on-the-wire";
const SECURITY_TOKEN: &str = "conformance-security-token";
const TOKEN: &str = "conformance-token";

/// The client that is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The bare generated client.
    Raw,
    /// The facade.
    Facade,
}

impl Subject {
    /// All of them.
    pub fn all() -> Vec<Self> {
        vec![Self::Raw, Self::Facade]
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Facade => "facade",
        })
    }
}

/// What a client is asked to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Task {
    /// Which client.
    pub subject: Subject,
    /// Where the service answers.
    pub endpoint: String,
    /// What is asked for.
    pub given: Given,
}

/// What a client made of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Made {
    /// The kind of error, when the call failed.
    pub error: Option<String>,
    /// The service's code in the error.
    pub code: Option<String>,
    /// What the client says of the records.
    pub outcome: String,
    /// What it says of each partition.
    pub statuses: Vec<String>,
    /// The bare client: whether it returned a value.
    pub decoded: bool,
}

/// The credentials that tasks are done with.
///
/// # Errors
/// None in practice: the keys are fixed and hold by the rules.
pub fn credentials(kind: Kind) -> Result<Credentials, ProviderError> {
    match kind {
        Kind::Key => Credentials::new(ACCESS_KEY, SECRET_KEY),
        Kind::TemporaryKey => {
            Credentials::new(ACCESS_KEY, SECRET_KEY)?.with_security_token(SECURITY_TOKEN)
        }
        Kind::Token => Credentials::token(TOKEN),
    }
}

/// Does a task in this process.
///
/// # Errors
/// When the client cannot even be made.
pub async fn perform(task: &Task) -> Result<Made, Box<dyn std::error::Error>> {
    match task.subject {
        Subject::Raw => call_raw(task).await,
        Subject::Facade => call_facade(task).await,
    }
}

async fn call_facade(task: &Task) -> Result<Made, Box<dyn std::error::Error>> {
    let given = &task.given;
    let retry = RetryPolicy::default()
        .with_max_attempts(given.retries + 1)
        .with_base(Duration::from_millis(1));
    let client = Client::builder()
        .endpoint(&task.endpoint)
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

async fn call_raw(task: &Task) -> Result<Made, Box<dyn std::error::Error>> {
    let given = &task.given;
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let attempt = raw::Attempt::new(credentials(given.credentials)?)
        .with_project_id(HeaderValue::from_str(&given.project_id)?);
    let client = raw::Client::new_with_client(&task.endpoint, http, attempt);
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
