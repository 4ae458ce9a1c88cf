use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use dms_kafka_client::types;

use crate::call::{self, Effect, Operation};
use crate::client::Client;
use crate::deletion::{Deletion, DeletionTarget, History, ReportedItem, Word};
use crate::error::Error;
use crate::ids::{InstanceId, Offset, PartitionId, TopicName};
use crate::text::fit;

/// The service's limit on a request body, in bytes.
const MAX_BODY: usize = 12_000_000;
/// -1 on the wire stands for the end of the partition.
const EVERYTHING: i64 = -1;
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

    /// Sends the deletion and judges the answer.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput), before anything is sent: an identifier that breaks its
    /// rule, a negative number, no partition or one named twice, a body above 12 MB. Any other
    /// [`ErrorKind`](crate::ErrorKind) from the call itself; failed partitions are no error here but in
    /// [`Deletion::into_result`].
    pub async fn send(self) -> Result<Deletion, Error> {
        let instance_id = InstanceId::new(self.instance_id)?;
        let topic = TopicName::new(self.topic)?;
        let body = request_body(&self.targets)?;
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
        let request = Arc::new((instance_id, topic, body));
        let deadline = call::after(config.call_timeout);
        let answer = call::run(
            config,
            deadline,
            OPERATION,
            effect,
            move |client, project| {
                let request = Arc::clone(&request);
                async move {
                    let (instance_id, topic, body) = &*request;
                    client
                        .delete_kafka_topic_messages(
                            project.id.as_str(),
                            instance_id.as_str(),
                            topic.as_str(),
                            body,
                        )
                        .await
                }
            },
        )
        .await?;
        let secret = call::secret(&answer.credentials);
        Ok(judge(&self.targets, answer.value, secret, answer.history))
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
