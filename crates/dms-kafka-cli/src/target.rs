//! The service that a command talks to.

use dms_kafka::{Client, DeletionTarget, InstanceId};
use dms_kafka_gateway::Gateway;

use crate::arguments::Delete;
use crate::exit::Failure;

const EMBEDDED_PARTITIONS: u32 = 3;
const EMBEDDED_RECORDS: u64 = 1000;
/// The last partition that can be shown: the API lists no more than 10,000.
const EMBEDDED_MAX_PARTITION: u32 = 9_999;

/// A client with the instance it is to talk about.
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) endpoint: String,
    pub(crate) project_id: String,
    pub(crate) instance_id: String,
    /// Serves as long as it is held.
    _gateway: Option<Gateway>,
}

impl Target {
    pub(crate) async fn choose(
        arguments: &Delete,
        topic: &str,
        targets: &[(i32, DeletionTarget)],
    ) -> Result<Self, Failure> {
        if arguments.embedded {
            return Self::embedded(topic, targets).await;
        }
        let endpoint = given(
            arguments.endpoint.as_ref(),
            "--endpoint",
            "DMS_KAFKA_ENDPOINT",
        )?;
        let project_id = given(
            arguments.project_id.as_ref(),
            "--project-id",
            "HUAWEICLOUD_SDK_PROJECT_ID",
        )?;
        let instance_id = given(
            arguments.instance_id.as_ref(),
            "--instance-id",
            "DMS_KAFKA_INSTANCE_ID",
        )?;
        InstanceId::new(instance_id.as_str()).map_err(Failure::usage)?;
        let mut builder = Client::builder()
            .endpoint(&endpoint)
            .project_id(&project_id);
        if arguments.allow_plaintext_http {
            eprintln!("warning: plaintext HTTP is allowed; others may read what is sent");
            builder = builder.allow_plaintext_http();
        }
        let client = builder.build().map_err(Failure::call)?;
        Ok(Self {
            client,
            endpoint,
            project_id,
            instance_id,
            _gateway: None,
        })
    }

    /// Starts a gateway on a free loopback port, with a key made for this run.
    async fn embedded(topic: &str, targets: &[(i32, DeletionTarget)]) -> Result<Self, Failure> {
        let highest = targets
            .iter()
            .map(|(partition, _)| partition.unsigned_abs())
            .max()
            .unwrap_or_default();
        if highest > EMBEDDED_MAX_PARTITION {
            return Err(Failure::usage(format!(
                "partition {highest} is beyond {EMBEDDED_MAX_PARTITION}, the last that --embedded makes"
            )));
        }
        let partitions = EMBEDDED_PARTITIONS.max(highest + 1);
        let gateway = Gateway::memory()
            .topic(topic, partitions, EMBEDDED_RECORDS)
            .start()
            .await
            .map_err(Failure::usage)?;
        let client = Client::builder()
            .endpoint(gateway.endpoint())
            .project_id(gateway.project_id())
            .credentials(gateway.credentials())
            .build()
            .map_err(Failure::call)?;
        Ok(Self {
            client,
            endpoint: gateway.endpoint().to_owned(),
            project_id: gateway.project_id().to_owned(),
            instance_id: gateway.instance_id().to_owned(),
            _gateway: Some(gateway),
        })
    }
}

/// The flag's value, or the environment's.
fn given(typed: Option<&String>, flag: &str, variable: &str) -> Result<String, Failure> {
    let value = typed.cloned().or_else(|| std::env::var(variable).ok());
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        Failure::usage(format!(
            "{flag} is missing: give it, or set {variable}; to try without a service use --embedded"
        ))
    })
}
