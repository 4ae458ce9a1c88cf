//! The service that a command talks to.

use dms_kafka::{Client, DeletionTarget, InstanceId};
use dms_kafka_gateway::Gateway;

use crate::arguments::Delete;
use crate::exit::Failure;

const EMBEDDED_PARTITIONS: u32 = 3;
const EMBEDDED_RECORDS: u64 = 1000;
/// More than this in a partition number is a slip, and would fill the memory.
const EMBEDDED_MAX_PARTITION: u32 = 99_999;

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
        let required = |value: &Option<String>, flag: &str| {
            value
                .clone()
                .ok_or_else(|| Failure::usage(format!("{flag} is missing")))
        };
        let endpoint = required(&arguments.endpoint, "--endpoint")?;
        let project_id = required(&arguments.project_id, "--project-id")?;
        let instance_id = required(&arguments.instance_id, "--instance-id")?;
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
