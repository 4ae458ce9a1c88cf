use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use dms_kafka_client::{self as raw, Attempt, types};
use futures_util::FutureExt;

use crate::answer::RawResult;
use crate::call::{self, Effect, Operation};
use crate::client::Client;
use crate::deletion::{Deletion, DeletionTarget, History, ReportedItem, Word};
use crate::error::Error;
use crate::identity::Project;
use crate::ids::{InstanceId, Offset, PartitionId, TopicName};
use crate::text::fit;

/// The service's limit on a request body, in bytes.
const MAX_BODY: usize = 12_000_000;
/// -1 on the wire stands for the end of the partition.
const EVERYTHING: i64 = -1;
/// What a project is called that is looked up when the first request is sent.
const PROJECT_TO_BE_FOUND: &str = "{project_id}";
/// Results and codes are kept up to this many characters; real ones are words and numbers.
const SHOWN_WORD: usize = 128;
const OPERATION: Operation = Operation {
    name: "DeleteKafkaTopicMessages",
    method: "POST",
};

/// A deletion that is being put together; nothing is sent before [`send`](Self::send).
///
/// Each partition is named once: with [`before`](Self::before) or with [`everything`](Self::everything).
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use dms_kafka::DeletionTarget;
/// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000).start().await.unwrap();
/// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
/// #     .credentials(gateway.credentials()).build().unwrap();
///
/// let mut request = client.delete_messages(gateway.instance_id(), "orders").everything(2);
/// for (partition, offset) in [(0, 400), (1, 7)] {
///     request = request.target(partition, DeletionTarget::Before(offset));
/// }
/// request.send().await?.into_result()?;
///
/// // A negative offset is refused before anything is sent.
/// let request = client.delete_messages(gateway.instance_id(), "orders").before(0, -1);
/// assert_eq!(request.send().await.unwrap_err().attempts(), 0);
/// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is deleted until send() is awaited"]
pub struct DeleteMessages {
    client: Client,
    instance_id: String,
    topic: String,
    targets: Vec<(i32, DeletionTarget)>,
}

impl DeleteMessages {
    pub(crate) fn new(client: Client, instance_id: String, topic: String) -> Self {
        Self {
            client,
            instance_id,
            topic,
            targets: Vec::new(),
        }
    }

    /// Deletes every record of `partition` below `offset`; the record at `offset` stays.
    ///
    /// Both count from 0; a negative number is refused by [`send`](Self::send). Repeating such a deletion
    /// changes nothing, so it is retried freely.
    #[inline]
    pub fn before(self, partition: i32, offset: i64) -> Self {
        self.target(partition, DeletionTarget::Before(offset))
    }

    /// Deletes all records that `partition` holds when the request arrives.
    ///
    /// Repeating it deletes what has been written since, so it is retried only while nothing can have
    /// reached the service.
    pub fn everything(self, partition: i32) -> Self {
        self.target(partition, DeletionTarget::Everything)
    }

    /// Adds one partition with its target, for callers that have targets as data.
    #[inline]
    pub fn target(mut self, partition: i32, target: DeletionTarget) -> Self {
        self.targets.push((partition, target));
        self
    }

    pub(crate) fn with_targets(self, targets: Vec<(i32, DeletionTarget)>) -> Self {
        Self { targets, ..self }
    }

    /// The request that [`send`](Self::send) would send, for a dry run. Nothing is sent.
    ///
    /// ```
    /// # use dms_kafka::{Client, auth::Credentials};
    /// let client = Client::builder()
    ///     .endpoint("https://example.com")
    ///     .project_id("project")
    ///     .credentials(Credentials::new("access-key", "secret-key")?)
    ///     .build()?;
    /// let request = client.delete_messages("instance", "orders").before(0, 400).to_request()?;
    /// assert_eq!(
    ///     request.url(),
    ///     "https://example.com/v2/project/kafka/instances/instance/topics/orders/messages/delete"
    /// );
    /// assert_eq!(request.body(), r#"{"partitions":[{"offset":400,"partition":0}]}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) in the cases in which `send` refuses the input.
    pub fn to_request(&self) -> Result<PreparedRequest, Error> {
        let request = self.checked()?;
        let config = self.client.config();
        let attempt = Attempt::without_sending();
        let client = raw::Client::new_with_client(
            config.endpoint.base(),
            config.http.clone(),
            attempt.clone(),
        );
        let project_id = config.project.name().unwrap_or(PROJECT_TO_BE_FOUND);
        // Such a call waits for nothing.
        let result = request.send(client, project_id).now_or_never();
        match (attempt.take_request(), result) {
            (Some(request), _) => Ok(PreparedRequest::new(&request)),
            (None, Some(Err(error))) => Err(Error::invalid_input(error.to_string())),
            (None, _) => Err(Error::invalid_input("the request cannot be built")),
        }
    }

    /// Sends the deletion and judges the answer.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput), before anything is sent: an identifier that breaks its
    /// rule, a negative number, no partition or one named twice, a body above 12 MB. Any other
    /// [`ErrorKind`](crate::ErrorKind) from the call itself; failed partitions are no error here but in
    /// [`Deletion::into_result`].
    pub async fn send(self) -> Result<Deletion, Error> {
        let request = Arc::new(self.checked()?);
        let repeatable = self
            .targets
            .iter()
            .all(|(_, target)| *target != DeletionTarget::Everything);
        let effect = if repeatable {
            Effect::DeletesWhatIsNamed
        } else {
            Effect::DeletesEverything
        };
        let config = self.client.config();
        let deadline = call::after(config.call_timeout);
        let send = move |client, project: Arc<Project>| {
            let request = Arc::clone(&request);
            async move { request.send(client, project.id.as_str()).await }
        };
        let answer = call::run(config, deadline, OPERATION, effect, send).await?;
        let secret = call::secret(&answer.credentials);
        Ok(judge(&self.targets, answer.value, secret, answer.history))
    }

    fn checked(&self) -> Result<Checked, Error> {
        Ok(Checked {
            instance_id: InstanceId::new(self.instance_id.as_str())?,
            topic: TopicName::new(self.topic.as_str())?,
            body: request_body(&self.targets)?,
        })
    }
}

/// What the generated method takes.
struct Checked {
    instance_id: InstanceId,
    topic: TopicName,
    body: types::DeleteKafkaMessageRequestBody,
}

impl Checked {
    async fn send(
        &self,
        client: raw::Client,
        project_id: &str,
    ) -> RawResult<types::DeleteKafkaTopicMessagesResponse> {
        let (instance_id, topic) = (self.instance_id.as_str(), self.topic.as_str());
        client
            .delete_kafka_topic_messages(project_id, instance_id, topic, &self.body)
            .await
    }
}

/// A request as it would be sent, without the headers that authenticate it; made by
/// [`DeleteMessages::to_request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedRequest {
    method: String,
    url: String,
    body: String,
}

impl PreparedRequest {
    fn new(request: &reqwest::Request) -> Self {
        let body = request.body().and_then(reqwest::Body::as_bytes);
        Self {
            method: request.method().to_string(),
            // No identifier and no host name holds the escaped form.
            url: request
                .url()
                .as_str()
                .replace("%7Bproject_id%7D", PROJECT_TO_BE_FOUND),
            body: String::from_utf8_lossy(body.unwrap_or_default()).into_owned(),
        }
    }

    /// The HTTP method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The URL. `{project_id}` stands in it for a project that the first call would look up.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The body: JSON, byte by byte as it would be sent.
    pub fn body(&self) -> &str {
        &self.body
    }
}

pub(crate) fn judge(
    requested: &[(i32, DeletionTarget)],
    answer: types::DeleteKafkaTopicMessagesResponse,
    secret: Option<&str>,
    history: History,
) -> Deletion {
    let reported = answer.partitions.into_iter();
    let reported = reported.map(|item| reported_item(item, secret));
    Deletion::judge(requested, reported, history)
}

fn request_body(
    targets: &[(i32, DeletionTarget)],
) -> Result<types::DeleteKafkaMessageRequestBody, Error> {
    if targets.is_empty() {
        return Err(Error::invalid_input(
            "no partition is named: add before(partition, offset) or everything(partition)",
        ));
    }
    let mut partitions = Vec::with_capacity(targets.len());
    for &(partition, target) in targets {
        let partition = PartitionId::new(partition)?.get();
        let offset = match target {
            DeletionTarget::Before(offset) => Offset::new(offset)?.get(),
            DeletionTarget::Everything => EVERYTHING,
        };
        partitions.push(types::PartitionOffsetEntity {
            partition: Some(partition),
            offset: Some(offset),
        });
    }
    check_named_once(targets)?;
    let body = types::DeleteKafkaMessageRequestBody { partitions };
    check_size(&body)?;
    Ok(body)
}

/// Partitions mostly come in ascending order, which needs no set.
fn check_named_once(targets: &[(i32, DeletionTarget)]) -> Result<(), Error> {
    if targets.is_sorted_by(|one, next| one.0 < next.0) {
        return Ok(());
    }
    let mut seen = HashSet::with_capacity(targets.len());
    match targets.iter().find(|target| !seen.insert(target.0)) {
        None => Ok(()),
        Some((partition, _)) => Err(Error::invalid_input(format!(
            "partition {partition} is named twice: name each partition once"
        ))),
    }
}

/// Refuses a body above the service's limit; small requests are not measured.
fn check_size(body: &types::DeleteKafkaMessageRequestBody) -> Result<(), Error> {
    const LONGEST_ITEM: usize = r#"{"offset":9223372036854775807,"partition":2147483647},"#.len();
    if body.partitions.len() < MAX_BODY / LONGEST_ITEM {
        return Ok(());
    }
    let size = serde_json::to_vec(body)
        .map_err(|error| {
            Error::invalid_input("the request cannot be written as JSON").with_source(error)
        })?
        .len();
    if size <= MAX_BODY {
        return Ok(());
    }
    Err(Error::invalid_input(format!(
        "the request has {size} bytes and the service takes {MAX_BODY}: name fewer partitions per call"
    )))
}

fn reported_item(item: types::PartitionResp, secret: Option<&str>) -> ReportedItem {
    let showable = |word: Word| match word {
        Cow::Owned(word) => Cow::Owned(fit(word, secret, SHOWN_WORD)),
        known @ Cow::Borrowed(_) => known,
    };
    ReportedItem {
        partition: item.partition,
        result: item.result.map(|result| showable(result.into_text())),
        error_code: item.error_code.map(|code| showable(code.into_text())),
    }
}
