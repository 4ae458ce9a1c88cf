//! The service that a command talks to.

use dms_kafka::{
    Client, ClientBuilder, DeletionTarget, Error, ErrorKind, InstanceId, PartitionInfo, ProjectId,
};
use dms_kafka_gateway::Gateway;
use serde_json::{Value, json};

use crate::arguments::Service;
use crate::exit::Failure;
use crate::place::Place;
use crate::setting::Setting;
use crate::stderr;

const EMBEDDED_PARTITIONS: u32 = 3;
const EMBEDDED_RECORDS: u64 = 1000;
/// The last partition that can be shown: the API lists no more than 10,000.
const EMBEDDED_MAX_PARTITION: u32 = 9_999;
/// What a project is called that is looked up when the first request is sent.
const PROJECT_TO_BE_FOUND: &str = "{project_id}";

/// A client with the instance it is to talk about.
pub(crate) struct Target {
    pub(crate) client: Client,
    pub(crate) endpoint: String,
    /// `None` when it is looked up.
    project_id: Option<String>,
    pub(crate) instance_id: String,
    /// Serves as long as it is held.
    _gateway: Option<Gateway>,
}

/// What the service says of a topic's partitions.
pub(crate) enum Listing {
    Partitions(Vec<PartitionInfo>),
    NoSuchTopic,
    /// The service lacks this call, or it failed: that costs a preview, never a deletion.
    NotOffered,
}

impl Listing {
    pub(crate) fn partitions(self) -> Option<Vec<PartitionInfo>> {
        match self {
            Self::Partitions(partitions) => Some(partitions),
            Self::NoSuchTopic | Self::NotOffered => None,
        }
    }
}

impl Target {
    /// The service that the arguments and the environment name. `topics`, each with its highest partition, are what an
    /// embedded gateway is made with; `json` is the form of warnings.
    pub(crate) async fn choose<'a>(
        service: &Service,
        json: bool,
        topics: impl IntoIterator<Item = (&'a str, i32)>,
    ) -> Result<Self, Failure> {
        if service.embedded {
            return Self::embedded(topics).await;
        }
        let place = Place::find(service)?;
        let project = Setting::optional(
            service.project_id.as_ref(),
            "--project-id",
            "HUAWEICLOUD_SDK_PROJECT_ID",
        )?;
        let instance = Setting::required(
            service.instance_id.as_ref(),
            "--instance-id",
            "DMS_KAFKA_INSTANCE_ID",
        )?;
        InstanceId::new(instance.value.as_str()).map_err(Failure::usage)?;
        let mut builder = place.tell(Client::builder());
        if let Some(project) = &project {
            ProjectId::new(project.value.as_str()).map_err(Failure::usage)?;
            builder = builder.project_id(&project.value);
        }
        builder = with_certificates(builder, service)?;
        let client = build(builder, service.allow_plaintext_http, json)
            .map_err(|error| place.explain(error))?;
        tracing::info!("endpoint {} from {}", client.endpoint(), place.source());
        if let Some(project) = &project {
            tracing::info!("project {} from {}", project.value, project.source);
        }
        tracing::info!("instance {} from {}", instance.value, instance.source);
        Ok(Self {
            endpoint: client.endpoint().to_owned(),
            client,
            project_id: project.map(|project| project.value),
            instance_id: instance.value,
            _gateway: None,
        })
    }

    /// Starts a gateway on a free loopback port, with a key made for this run.
    async fn embedded<'a>(
        topics: impl IntoIterator<Item = (&'a str, i32)>,
    ) -> Result<Self, Failure> {
        let mut gateway = Gateway::memory();
        for (topic, highest) in topics {
            let highest = highest.unsigned_abs();
            if highest > EMBEDDED_MAX_PARTITION {
                return Err(Failure::usage(format!(
                    "partition {highest} is beyond {EMBEDDED_MAX_PARTITION}, the last that --embedded makes"
                )));
            }
            gateway = gateway.topic(
                topic,
                EMBEDDED_PARTITIONS.max(highest + 1),
                EMBEDDED_RECORDS,
            );
        }
        let gateway = gateway.start().await.map_err(Failure::usage)?;
        let client = Client::builder()
            .endpoint(gateway.endpoint())
            .project_id(gateway.project_id())
            .credentials(gateway.credentials())
            .build()
            .map_err(Failure::call)?;
        tracing::info!("endpoint {} from --embedded", gateway.endpoint());
        Ok(Self {
            client,
            endpoint: gateway.endpoint().to_owned(),
            project_id: Some(gateway.project_id().to_owned()),
            instance_id: gateway.instance_id().to_owned(),
            _gateway: Some(gateway),
        })
    }

    /// Says where credentials and project came from, for people who asked for that.
    pub(crate) async fn tell_identity(&self) {
        if !tracing::enabled!(tracing::Level::INFO) {
            return;
        }
        // A failure is told by the call that needs them.
        if let Ok(credentials) = self.client.credentials().await {
            crate::credentials::tell(&credentials);
        }
        if self.project_id.is_none()
            && let Ok(project_id) = self.client.project_id().await
        {
            tracing::info!(
                "project {project_id} is the one of the credentials, or else the region's own"
            );
        }
    }

    /// What the partitions hold.
    ///
    /// Refused credentials end the command here: each further try counts towards the lock of the key.
    pub(crate) async fn partitions(&self, topic: &str) -> Result<Listing, Failure> {
        let listed = self
            .client
            .list_partitions(self.instance_id.as_str(), topic)
            .await;
        let error = match listed {
            Ok(partitions) => return Ok(Listing::Partitions(partitions)),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::InvalidInput
            | ErrorKind::Credentials
            | ErrorKind::ProjectId
            | ErrorKind::Unauthorized
            | ErrorKind::Connect => Err(Failure::call(error)),
            ErrorKind::BadRequest => Ok(Listing::NoSuchTopic),
            _ => {
                tracing::info!(%error, "the service does not show its partitions");
                Ok(Listing::NotOffered)
            }
        }
    }

    /// A request as it would be sent, without signature: a line of JSON, or two lines for people.
    pub(crate) fn request_text(
        &self,
        topic: &str,
        targets: &[(i32, DeletionTarget)],
        json: bool,
    ) -> String {
        let partitions: Vec<Value> = targets
            .iter()
            .map(|(partition, what)| match what {
                DeletionTarget::Before(offset) => {
                    json!({"partition": partition, "offset": offset.get()})
                }
                _ => json!({"partition": partition, "offset": -1}),
            })
            .collect();
        let project_id = self.project_id.as_deref().unwrap_or(PROJECT_TO_BE_FOUND);
        let url = format!(
            "{}/v2/{project_id}/kafka/instances/{}/topics/{topic}/messages/delete",
            self.endpoint, self.instance_id
        );
        let body = json!({"partitions": partitions});
        if json {
            format!("{}\n", json!({"method": "POST", "url": url, "body": body}))
        } else {
            format!("POST {url}\n{body}\n")
        }
    }
}

/// Uses the permission for plaintext only where it is needed, and then warns.
fn build(builder: ClientBuilder, allow_plaintext: bool, json: bool) -> Result<Client, Error> {
    let encrypted = builder.clone().build();
    if encrypted.is_ok() || !allow_plaintext {
        return encrypted;
    }
    let client = builder.allow_plaintext_http().build()?;
    let warning = format!(
        "{} is not encrypted: others can read what is sent",
        client.endpoint()
    );
    stderr::warn(&warning, json);
    Ok(client)
}

fn with_certificates(builder: ClientBuilder, service: &Service) -> Result<ClientBuilder, Failure> {
    let Some(path) = &service.ca_cert else {
        return Ok(builder);
    };
    let pem = std::fs::read(path)
        .map_err(|error| Failure::input(format!("--ca-cert {}: {error}", path.display())))?;
    Ok(builder.with_root_certificates(pem))
}
