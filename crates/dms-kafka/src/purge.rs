//! Deletions by the thousand: rows in, requests of one topic each, results as they come.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};

use crate::config::Config;
use crate::delete::{DeleteMessages, PreparedRequest};
use crate::deletion::Deletion;
use crate::error::Error;
use crate::ids::{InstanceId, InvalidId, PartitionId, TopicName, validated};
use crate::partition::DeletionTarget;

/// The console deletes from no more partitions at once.
const PARTITIONS_PER_REQUEST: usize = 10;
const CONCURRENCY: usize = 4;
const WINDOW: usize = 1000;
const LARGEST_WINDOW: usize = 1_000_000;

/// One row of a [`Purge`]: a partition of a topic, and what to delete in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PurgeTarget {
    /// The topic's name.
    pub topic: TopicName,
    /// The partition's number.
    pub partition: PartitionId,
    /// What to delete in it.
    pub target: DeletionTarget,
    /// The caller's own number of the row, such as its place in a file. It is never sent; requests and results give
    /// it back.
    pub row: u64,
}

impl PurgeTarget {
    /// A row from its three parts, with the number 0.
    ///
    /// # Errors
    /// [`InvalidId`] when the topic or the partition breaks its rule.
    pub fn new(
        topic: impl TryInto<TopicName, Error: Into<InvalidId>>,
        partition: impl TryInto<PartitionId, Error: Into<InvalidId>>,
        target: DeletionTarget,
    ) -> Result<Self, InvalidId> {
        Ok(Self {
            topic: validated(topic)?,
            partition: validated(partition)?,
            target,
            row: 0,
        })
    }

    /// Gives the row a number of the caller's.
    #[must_use]
    pub fn with_row(mut self, row: u64) -> Self {
        self.row = row;
        self
    }
}

/// Any number of deletions over any topics of an instance; made by [`Client::purge`](crate::Client::purge).
///
/// Rows are gathered by topic within a window, cut into requests and sent a few at a time. Absolute offsets
/// and [`Everything`](DeletionTarget::Everything) go in separate requests, so that the former are retried
/// freely. No order is kept between requests. Memory is bounded by window and concurrency, not by the number
/// of rows.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use dms_kafka::{DeletionTarget, PurgeTarget};
/// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000).topic("bills", 2, 500).start().await.unwrap();
/// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
/// #     .credentials(gateway.credentials()).build().unwrap();
///
/// let mut rows = Vec::new();
/// for (topic, partition, offset) in [("orders", 0, 400), ("bills", 1, 10), ("orders", 2, 7)] {
///     rows.push(PurgeTarget::new(topic, partition, DeletionTarget::before(offset)?)?);
/// }
/// let mut results = client.purge(gateway.instance_id()).run(rows);
/// while let Some(result) = results.next().await {
///     let topic = result.topic().to_owned();
///     println!("{topic}: {}", result.into_deletion()?);
/// }
/// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is deleted until the results of run() are awaited"]
pub struct Purge {
    config: Arc<Config>,
    instance_id: Result<InstanceId, InvalidId>,
    partitions_per_request: usize,
    concurrency: usize,
    window: usize,
}

impl Purge {
    pub(crate) fn new(config: Arc<Config>, instance_id: Result<InstanceId, InvalidId>) -> Self {
        Self {
            config,
            instance_id,
            partitions_per_request: PARTITIONS_PER_REQUEST,
            concurrency: CONCURRENCY,
            window: WINDOW,
        }
    }

    /// How many partitions one request names at most. Default: 10; 0 counts as 1.
    pub fn with_partitions_per_request(mut self, partitions: usize) -> Self {
        self.partitions_per_request = partitions.max(1);
        self
    }

    /// How many requests are under way at once. Default: 4; 0 counts as 1.
    pub fn with_concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }

    /// Within how many rows those of one topic are gathered. Default: 1,000; from 1 to 1,000,000.
    pub fn with_window(mut self, rows: usize) -> Self {
        self.window = rows.clamp(1, LARGEST_WINDOW);
        self
    }

    /// Deletes what the rows name. Nothing is sent before the results are asked for.
    pub fn run<I>(self, rows: I) -> PurgeResults
    where
        I: IntoIterator<Item = PurgeTarget>,
        I::IntoIter: Send + 'static,
    {
        self.run_stream(stream::iter(rows))
    }

    /// As [`run`](Self::run), for rows that arrive over time. What is there is sent without waiting for a full
    /// window.
    pub fn run_stream(
        self,
        rows: impl Stream<Item = PurgeTarget> + Send + 'static,
    ) -> PurgeResults {
        let concurrency = self.concurrency;
        let results = self
            .requests(rows)
            .map(PurgeRequest::send)
            .buffer_unordered(concurrency)
            .boxed();
        PurgeResults { results }
    }

    /// The requests that [`run_stream`](Self::run_stream) would send, for callers that must do something before or
    /// after each of them, or stop between two.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use dms_kafka::{DeletionTarget, PurgeTarget};
    /// use futures_util::{StreamExt, stream};
    /// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000).start().await.unwrap();
    /// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
    /// #     .credentials(gateway.credentials()).build().unwrap();
    ///
    /// let target = DeletionTarget::before(400)?;
    /// let rows: Result<Vec<_>, _> = (0..3).map(|partition| PurgeTarget::new("orders", partition, target)).collect();
    /// let mut results = client
    ///     .purge(gateway.instance_id())
    ///     .requests(stream::iter(rows?))
    ///     .map(|request| async {
    ///         println!("{}: {} partitions", request.topic(), request.targets().len());
    ///         request.send().await
    ///     })
    ///     .buffer_unordered(4);
    /// while let Some(result) = results.next().await {
    ///     result.into_deletion()?.into_result()?;
    /// }
    /// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
    /// ```
    pub fn requests(
        self,
        rows: impl Stream<Item = PurgeTarget> + Send + 'static,
    ) -> impl Stream<Item = PurgeRequest> + Send + 'static {
        rows.ready_chunks(self.window)
            .flat_map(move |rows| stream::iter(self.cut(rows)))
    }

    /// Cuts rows into requests of one topic and one kind of target, in the order of their first rows.
    ///
    /// A partition that is named again goes into a request of its own.
    fn cut(&self, rows: Vec<PurgeTarget>) -> Vec<PurgeRequest> {
        let mut requests: Vec<PurgeRequest> = Vec::new();
        let mut open: HashMap<(TopicName, bool), usize> = HashMap::new();
        let mut named: HashSet<(usize, PartitionId)> = HashSet::new();
        // Rows of one topic mostly stand together: then the request is that of the row before.
        let mut last = None;
        for row in rows {
            let everything = row.target.is_everything();
            let of_last = last.filter(|&at: &usize| {
                requests[at].topic == row.topic && requests[at].deletes_everything() == everything
            });
            let at = of_last
                .or_else(|| open.get(&(row.topic.clone(), everything)).copied())
                .filter(|&at| requests[at].targets.len() < self.partitions_per_request)
                .filter(|&at| named.insert((at, row.partition)));
            let at = at.unwrap_or_else(|| {
                let at = requests.len();
                open.insert((row.topic.clone(), everything), at);
                named.insert((at, row.partition));
                requests.push(PurgeRequest {
                    config: Arc::clone(&self.config),
                    instance_id: self.instance_id.clone(),
                    topic: row.topic,
                    targets: Vec::new(),
                    rows: Vec::new(),
                });
                at
            });
            requests[at].targets.push((row.partition, row.target));
            requests[at].rows.push(row.row);
            last = Some(at);
        }
        requests
    }
}

/// One request of a [`Purge`] that is yet to be sent; made by [`Purge::requests`].
#[derive(Debug)]
#[must_use = "nothing is deleted until send() is awaited"]
pub struct PurgeRequest {
    config: Arc<Config>,
    instance_id: Result<InstanceId, InvalidId>,
    topic: TopicName,
    targets: Vec<(PartitionId, DeletionTarget)>,
    rows: Vec<u64>,
}

impl PurgeRequest {
    /// The topic.
    pub fn topic(&self) -> &str {
        self.topic.as_str()
    }

    /// The partitions that the request names.
    pub fn targets(&self) -> &[(PartitionId, DeletionTarget)] {
        &self.targets
    }

    /// The numbers that the caller gave the rows, in the order of [`targets`](Self::targets).
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// Whether the request deletes everything from its partitions. Then all of its targets do, and repeating it
    /// deletes what was written since.
    pub fn deletes_everything(&self) -> bool {
        self.targets
            .first()
            .is_some_and(|(_, target)| target.is_everything())
    }

    /// The request that [`send`](Self::send) would send, for a dry run. Nothing is sent.
    ///
    /// # Errors
    /// As [`DeleteMessages::to_request`].
    pub fn to_request(&self) -> Result<PreparedRequest, Error> {
        self.call().to_request()
    }

    /// Sends the request and judges the answer.
    pub async fn send(self) -> PurgeResult {
        PurgeResult {
            result: self.call().send().await,
            request: self,
        }
    }

    fn call(&self) -> DeleteMessages {
        DeleteMessages::new(
            Arc::clone(&self.config),
            self.instance_id.clone(),
            Ok(self.topic.clone()),
            self.targets.clone(),
        )
    }
}

/// The results of a [`Purge`], one for each request, as they come.
///
/// A [`Stream`], with a [`next`](Self::next) of its own for those who need no more. Dropping it abandons the
/// requests under way, whose outcome is then unknown, and sends no other.
///
/// Requests go on only while a result is awaited, and their time-outs run all the same: who works longer on a
/// result than an attempt may take, reads results in a task of their own and hands them on.
#[must_use = "nothing is deleted until the results are awaited"]
pub struct PurgeResults {
    results: BoxStream<'static, PurgeResult>,
}

impl PurgeResults {
    /// The next result; `None` after the last. Dropping the future loses nothing: the next call goes on where
    /// it stopped.
    pub async fn next(&mut self) -> Option<PurgeResult> {
        self.results.next().await
    }
}

impl Stream for PurgeResults {
    type Item = PurgeResult;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<PurgeResult>> {
        self.results.as_mut().poll_next(context)
    }
}

impl fmt::Debug for PurgeResults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PurgeResults").finish_non_exhaustive()
    }
}

/// What became of one request of a [`Purge`].
#[derive(Debug)]
#[must_use = "a request may have failed: look at it"]
pub struct PurgeResult {
    request: PurgeRequest,
    result: Result<Deletion, Error>,
}

impl PurgeResult {
    /// The topic.
    pub fn topic(&self) -> &str {
        self.request.topic()
    }

    /// The partitions that the request named.
    pub fn targets(&self) -> &[(PartitionId, DeletionTarget)] {
        &self.request.targets
    }

    /// The numbers that the caller gave the rows ([`PurgeTarget::row`]), in the order of [`targets`](Self::targets).
    pub fn rows(&self) -> &[u64] {
        &self.request.rows
    }

    /// The judged answer.
    ///
    /// # Errors
    /// The error of the call. As with [`DeleteMessages::send`](crate::DeleteMessages::send), failed
    /// partitions are found in the [`Deletion`].
    pub fn deletion(&self) -> Result<&Deletion, &Error> {
        self.result.as_ref()
    }

    /// The judged answer, taken out.
    ///
    /// # Errors
    /// As [`deletion`](Self::deletion).
    pub fn into_deletion(self) -> Result<Deletion, Error> {
        self.result
    }
}
