//! Deletes from many partitions and topics: groups rows into requests, and returns a result for each request.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_core::stream::BoxStream;
use futures_util::stream::{FuturesUnordered, Peekable};
use futures_util::{FutureExt, StreamExt, stream};

use crate::call_settings::call_settings;
use crate::circuit_breaker::CircuitBreaker;
use crate::config::Config;
use crate::delete::{DeleteMessages, PreparedRequest};
use crate::deletion::Deletion;
use crate::error::Error;
use crate::ids::{InstanceId, InvalidId, PartitionId, TopicName, validated};
use crate::outcome::Outcome;
use crate::partition::DeletionTarget;
use crate::retry::RetryPolicy;

/// The limit of the vendor's console.
const PARTITIONS_PER_REQUEST: usize = 10;
const CONCURRENCY: usize = 4;
const WINDOW: usize = 1000;
const LARGEST_WINDOW: usize = 1_000_000;

/// One row of a [`Purge`]: a partition and its deletion target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PurgeTarget {
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: PartitionId,
    /// The deletion target.
    pub target: DeletionTarget,
    /// A number that the caller chooses, such as the line of a file. It is not sent. Requests and results return it.
    pub row: u64,
}

impl PurgeTarget {
    /// Creates a row with the number 0.
    ///
    /// # Errors
    /// [`InvalidId`] if the topic or the partition is invalid.
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

    /// Sets the number of the row.
    #[must_use]
    pub fn with_row(mut self, row: u64) -> Self {
        self.row = row;
        self
    }
}

/// Any number of deletions in any topics of an instance. Created by [`Client::purge`](crate::Client::purge).
///
/// Rows of one topic within a window are grouped into requests, and several requests are sent at the same time. Offsets
/// and [`Everything`](DeletionTarget::Everything) are sent in separate requests, so that deletions before an offset can
/// be retried. Requests have no order. Memory depends on window and concurrency, not on the number of rows.
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
#[must_use = "nothing is sent until the results of run() are awaited"]
pub struct Purge {
    config: Arc<Config>,
    instance_id: Result<InstanceId, InvalidId>,
    partitions_per_request: usize,
    concurrency: usize,
    window: usize,
    breaker: Option<CircuitBreaker>,
}

impl Purge {
    pub(crate) fn new(config: Arc<Config>, instance_id: Result<InstanceId, InvalidId>) -> Self {
        Self {
            config,
            instance_id,
            partitions_per_request: PARTITIONS_PER_REQUEST,
            concurrency: CONCURRENCY,
            window: WINDOW,
            breaker: None,
        }
    }

    /// Sets the maximum number of partitions in one request. Default: 10; 0 counts as 1.
    pub fn with_partitions_per_request(mut self, partitions: usize) -> Self {
        self.partitions_per_request = partitions.max(1);
        self
    }

    /// Sets the number of concurrent requests. Default: 4; 0 counts as 1.
    pub fn with_concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }

    /// Sets the number of rows within which the rows of a topic are grouped. Default: 1,000; from 1 to 1,000,000.
    pub fn with_window(mut self, rows: usize) -> Self {
        self.window = rows.clamp(1, LARGEST_WINDOW);
        self
    }

    /// Stops sending while the service is down. Default: every request is sent, whatever happened to the others.
    ///
    /// When the circuit breaker opens, the requests whose failures opened it are sent again later, unless they delete
    /// [`Everything`](DeletionTarget::Everything) and their outcome is unknown. Their failures are not among the results:
    /// up to that moment, failures in a row are kept back. If the circuit breaker gives up, the last results are those of the
    /// requests that it would have sent again, and rows without a result were not sent.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use std::time::Duration;
    /// use dms_kafka::{CircuitBreaker, DeletionTarget, PurgeTarget};
    /// # let gateway = dms_kafka_gateway::Gateway::memory().topic("orders", 3, 1000).start().await.unwrap();
    /// # let client = dms_kafka::Client::builder().endpoint(gateway.endpoint()).project_id(gateway.project_id())
    /// #     .credentials(gateway.credentials()).build().unwrap();
    ///
    /// let patient = CircuitBreaker::new().with_limit(Duration::from_secs(600));
    /// let rows = [PurgeTarget::new("orders", 0, DeletionTarget::before(400)?)?];
    /// let mut results = client.purge(gateway.instance_id()).with_circuit_breaker(patient).run(rows);
    /// while let Some(result) = results.next().await {
    ///     result.into_deletion()?.into_result()?;
    /// }
    /// # Ok::<(), dms_kafka::Error>(()) }).unwrap();
    /// ```
    pub fn with_circuit_breaker(mut self, breaker: CircuitBreaker) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Sends the rows. Nothing is sent until the results are awaited.
    pub fn run<I>(self, rows: I) -> PurgeResults
    where
        I: IntoIterator<Item = PurgeTarget>,
        I::IntoIter: Send + 'static,
    {
        self.run_stream(stream::iter(rows))
    }

    /// Sends a stream of rows. Rows that are ready are sent without waiting for a full window.
    pub fn run_stream(
        self,
        rows: impl Stream<Item = PurgeTarget> + Send + 'static,
    ) -> PurgeResults {
        let concurrency = self.concurrency;
        let breaker = self.breaker.clone();
        let requests = self.requests(rows);
        let results = match breaker {
            None => requests
                .map(PurgeRequest::send)
                .buffer_unordered(concurrency)
                .boxed(),
            Some(breaker) => {
                let guarded = Guarded {
                    requests: requests.boxed().peekable(),
                    concurrency,
                    breaker,
                    again: VecDeque::new(),
                    in_flight: FuturesUnordered::new(),
                    kept: Vec::new(),
                    decided: VecDeque::new(),
                };
                stream::unfold(guarded, |mut guarded| async {
                    let result = guarded.next().await?;
                    Some((result, guarded))
                })
                .boxed()
            }
        };
        PurgeResults { results }
    }

    /// Returns the requests that [`run_stream`](Self::run_stream) would send. Use it to run code before or after each
    /// request, or to stop between requests.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use dms_kafka::{DeletionTarget, PurgeTarget};
    /// use futures_util::{FutureExt, StreamExt, stream};
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
            .flat_map(move |rows| stream::iter(self.group(rows)))
    }

    /// Groups rows into requests of one topic and one kind of target, in the order of their first rows.
    ///
    /// A repeated partition goes into another request.
    fn group(&self, rows: Vec<PurgeTarget>) -> Vec<PurgeRequest> {
        let mut requests: Vec<PurgeRequest> = Vec::new();
        let mut open: HashMap<(TopicName, bool), usize> = HashMap::new();
        let mut named = NamedPartitions::default();
        // Rows of one topic are usually adjacent. Then the request of the previous row fits.
        let mut last = None;
        // Most requests have at most ten rows.
        let capacity = self.partitions_per_request.min(10);
        for row in rows {
            let everything = row.target.is_everything();
            let of_last = last.filter(|&at: &usize| {
                requests[at].topic == row.topic && requests[at].deletes_everything() == everything
            });
            let at = of_last
                .or_else(|| open.get(&(row.topic.clone(), everything)).copied())
                .filter(|&at| requests[at].targets.len() < self.partitions_per_request)
                .filter(|&at| named.insert(at, &requests[at].targets, row.partition));
            let at = at.unwrap_or_else(|| {
                let at = requests.len();
                open.insert((row.topic.clone(), everything), at);
                named.highest.push(Some(row.partition));
                requests.push(PurgeRequest {
                    config: Arc::clone(&self.config),
                    instance_id: self.instance_id.clone(),
                    topic: row.topic,
                    targets: Vec::with_capacity(capacity),
                    rows: Vec::with_capacity(capacity),
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

call_settings!(Purge, purge => Arc::make_mut(&mut purge.config).settings);

/// The partitions of the requests of a window.
#[derive(Default)]
struct NamedPartitions {
    /// For each request, its highest partition while its partitions ascend, as they usually do: no set is needed then.
    highest: Vec<Option<PartitionId>>,
    /// Request and partition, for requests whose partitions do not ascend.
    others: HashSet<(usize, PartitionId)>,
}

impl NamedPartitions {
    /// Adds a partition to request `at`, which has these targets. Returns `false` if it has the partition already.
    fn insert(
        &mut self,
        at: usize,
        targets: &[(PartitionId, DeletionTarget)],
        partition: PartitionId,
    ) -> bool {
        match &mut self.highest[at] {
            Some(highest) if *highest < partition => {
                *highest = partition;
                return true;
            }
            ascending @ Some(_) => {
                *ascending = None;
                let named = targets.iter().map(|(partition, _)| (at, *partition));
                self.others.extend(named);
            }
            None => {}
        }
        self.others.insert((at, partition))
    }
}

/// Requests that are sent under a circuit breaker.
struct Guarded {
    requests: Peekable<BoxStream<'static, PurgeRequest>>,
    concurrency: usize,
    breaker: CircuitBreaker,
    /// Failures whose requests are sent again, after all other requests.
    again: VecDeque<PurgeResult>,
    in_flight: FuturesUnordered<BoxFuture<'static, PurgeResult>>,
    /// Failures in a row, which are results unless the circuit breaker opens.
    kept: Vec<PurgeResult>,
    decided: VecDeque<PurgeResult>,
}

impl Guarded {
    async fn next(&mut self) -> Option<PurgeResult> {
        loop {
            if let Some(result) = self.decided.pop_front() {
                return Some(result);
            }
            if !self.breaker.is_open() {
                while self.in_flight.len() < self.concurrency
                    && let Some(request) = self.next_request().await
                {
                    self.in_flight.push(request.send().boxed());
                }
            } else if self.in_flight.is_empty() {
                if self.again.is_empty() && Pin::new(&mut self.requests).peek().await.is_none() {
                    return None;
                }
                let Some(pause) = self.breaker.next_pause() else {
                    self.decided.extend(self.again.drain(..));
                    self.requests = stream::empty().boxed().peekable();
                    continue;
                };
                tokio::time::sleep(pause).await;
                let request = self.next_request().await?;
                self.in_flight.push(request.send().boxed());
            }
            match self.in_flight.next().await {
                Some(result) => self.judge(result),
                None if self.kept.is_empty() => return None,
                None => self.decided.extend(self.kept.drain(..)),
            }
        }
    }

    async fn next_request(&mut self) -> Option<PurgeRequest> {
        match self.requests.next().await {
            Some(request) => Some(request),
            None => self.again.pop_front().map(|result| result.request),
        }
    }

    fn judge(&mut self, result: PurgeResult) {
        let is_down = self.breaker.record(result.deletion());
        self.kept.push(result);
        if self.breaker.is_open() {
            for result in self.kept.drain(..) {
                if result.is_repeatable() {
                    self.again.push_back(result);
                } else {
                    self.decided.push_back(result);
                }
            }
        } else if !is_down {
            self.decided.extend(self.kept.drain(..));
        }
    }
}

/// One request of a [`Purge`], not sent yet. Created by [`Purge::requests`].
#[derive(Debug)]
#[must_use = "nothing is sent until send() is awaited"]
pub struct PurgeRequest {
    pub(crate) config: Arc<Config>,
    pub(crate) instance_id: Result<InstanceId, InvalidId>,
    pub(crate) topic: TopicName,
    pub(crate) targets: Vec<(PartitionId, DeletionTarget)>,
    pub(crate) rows: Vec<u64>,
}

impl PurgeRequest {
    /// Returns the topic.
    pub fn topic(&self) -> &str {
        self.topic.as_str()
    }

    /// Returns the partitions of the request and their deletion targets.
    pub fn targets(&self) -> &[(PartitionId, DeletionTarget)] {
        &self.targets
    }

    /// Returns the numbers of the rows ([`PurgeTarget::row`]), in the order of [`targets`](Self::targets).
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// Whether all targets of the request are [`Everything`](DeletionTarget::Everything). Repeating such a request also
    /// deletes records that were written since.
    pub fn deletes_everything(&self) -> bool {
        self.targets
            .first()
            .is_some_and(|(_, target)| target.is_everything())
    }

    /// Returns the request that [`send`](Self::send) would send, for a dry run. Nothing is sent.
    ///
    /// # Errors
    /// Those of [`DeleteMessages::to_request`].
    pub fn to_request(&self) -> Result<PreparedRequest, Error> {
        self.call().to_request()
    }

    /// Sends the request.
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
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

/// The results of a [`Purge`], one for each request, in the order of completion.
///
/// It is a [`Stream`] and also has a method [`next`](Self::next). Dropping it aborts the requests in progress, whose
/// outcome is then unknown, and sends no further requests.
///
/// Requests make progress only while a result is awaited, but their timeouts continue. If handling a result can take
/// longer than the attempt timeout, read results in a separate task.
#[must_use = "nothing is sent until the results are awaited"]
pub struct PurgeResults {
    results: BoxStream<'static, PurgeResult>,
}

impl PurgeResults {
    /// Returns the next result, or `None` after the last one. Cancel safe: no result is lost if the future is dropped.
    ///
    /// # Panics
    /// In a tokio runtime without time or I/O enabled.
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

/// The result of one request of a [`Purge`].
#[derive(Debug)]
#[must_use = "the request may have failed"]
pub struct PurgeResult {
    pub(crate) request: PurgeRequest,
    pub(crate) result: Result<Deletion, Error>,
}

impl PurgeResult {
    /// Returns the topic.
    pub fn topic(&self) -> &str {
        self.request.topic()
    }

    /// Returns the partitions of the request and their deletion targets.
    pub fn targets(&self) -> &[(PartitionId, DeletionTarget)] {
        &self.request.targets
    }

    /// Returns the numbers of the rows ([`PurgeTarget::row`]), in the order of [`targets`](Self::targets).
    pub fn rows(&self) -> &[u64] {
        &self.request.rows
    }

    /// Returns the results of the partitions.
    ///
    /// # Errors
    /// The error of the call. As with [`DeleteMessages::send`], failed partitions are part of the [`Deletion`].
    pub fn deletion(&self) -> Result<&Deletion, &Error> {
        self.result.as_ref()
    }

    /// Whether sending the whole request again deletes no other records: it failed, and either it certainly had no effect, or
    /// all its targets are offsets.
    pub fn is_repeatable(&self) -> bool {
        self.result.as_ref().is_err_and(|error| {
            error.outcome() == Outcome::NotApplied || !self.request.deletes_everything()
        })
    }

    /// Returns the request, to send it again, and the results of the partitions.
    pub fn into_parts(self) -> (PurgeRequest, Result<Deletion, Error>) {
        (self.request, self.result)
    }

    /// Returns the results of the partitions by value.
    ///
    /// # Errors
    /// Those of [`deletion`](Self::deletion).
    pub fn into_deletion(self) -> Result<Deletion, Error> {
        self.result
    }
}
