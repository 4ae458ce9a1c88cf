//! Topics, through an ordinary Kafka client.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    metadata::MetadataPartition,
    producer::{BaseProducer, BaseRecord, Producer as _},
};
use uuid::Uuid;

use crate::brokers::Brokers;

/// Longer than any of these calls takes.
const LONG: Duration = Duration::from_secs(60);

/// An ordinary client of the cluster.
pub(crate) struct Topics {
    config: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
    consumer: BaseConsumer,
    replicas: i32,
}

impl Topics {
    pub(crate) fn of(brokers: &Brokers) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &brokers.bootstrap_servers);
        // Queries must not create a topic: the tests check that the gateway does not.
        config.set("allow.auto.create.topics", "false");
        let replicas = i32::try_from(brokers.count).expect("few brokers");
        let topics = Self {
            admin: config.create().expect("an admin client"),
            consumer: config.create().expect("a consumer"),
            config,
            replicas,
        };
        // The previous test may have killed some.
        let deadline = Instant::now() + LONG;
        while topics.brokers() < brokers.count {
            assert!(Instant::now() < deadline, "brokers are missing");
            std::thread::sleep(Duration::from_millis(100));
        }
        topics
    }

    /// The number of brokers in the cluster.
    fn brokers(&self) -> usize {
        let metadata = self.consumer.fetch_metadata(None, LONG);
        metadata.expect("metadata").brokers().len()
    }

    /// Creates a topic with a unique name, and writes `records` to each partition.
    pub(crate) async fn create(&self, partitions: u32, records: u64, policy: &str) -> String {
        let name = format!("topic-{}", Uuid::new_v4().simple());
        self.create_as(&name, partitions, records, policy).await;
        name
    }

    pub(crate) async fn create_as(&self, name: &str, partitions: u32, records: u64, policy: &str) {
        let count = i32::try_from(partitions).expect("few partitions");
        let replication = TopicReplication::Fixed(self.replicas);
        let topic = NewTopic::new(name, count, replication).set("cleanup.policy", policy);
        self.create_topic(topic, records).await;
    }

    /// Creates a topic of one partition, whose segments have the records of ten seconds and are compacted soon.
    pub(crate) async fn create_in_segments(&self, policy: &str) -> String {
        let name = format!("topic-{}", Uuid::new_v4().simple());
        let replication = TopicReplication::Fixed(self.replicas);
        let topic = NewTopic::new(&name, 1, replication)
            .set("cleanup.policy", policy)
            .set("segment.ms", "10000")
            .set("min.cleanable.dirty.ratio", "0.01");
        self.create_topic(topic, 0).await;
        name
    }

    /// Waits until compaction has removed records.
    pub(crate) fn wait_for_gaps(&self, topic: &str) {
        let deadline = Instant::now() + LONG;
        let (start, end) = self.offsets(topic, 0);
        while i64::try_from(self.read(topic, 0).len()) == Ok(end - start) {
            assert!(Instant::now() < deadline, "{topic} is not compacted");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Creates a topic whose first replica, the leader, is the given broker for each partition.
    pub(crate) async fn create_led_by(&self, replicas: &[&[i32]], records: u64) -> String {
        let name = format!("topic-{}", Uuid::new_v4().simple());
        self.create_on(&name, replicas, records, "1").await;
        name
    }

    /// The same with a name and the least number of replicas in sync.
    pub(crate) async fn create_on(
        &self,
        name: &str,
        replicas: &[&[i32]],
        records: u64,
        min_in_sync: &str,
    ) {
        let partitions = i32::try_from(replicas.len()).expect("few partitions");
        let topic = NewTopic::new(name, partitions, TopicReplication::Variable(replicas))
            .set("min.insync.replicas", min_in_sync);
        self.create_topic(topic, records).await;
    }

    async fn create_topic(&self, topic: NewTopic<'_>, records: u64) {
        let created = self.admin.create_topics([&topic], &AdminOptions::new());
        for result in created.await.expect("a response") {
            result.expect("a new topic");
        }
        if records > 0 {
            let producer: BaseProducer = self.config.create().expect("a producer");
            for partition in 0..topic.num_partitions {
                write(&producer, topic.name, partition, records);
            }
        }
    }

    pub(crate) async fn drop(&self, name: &str) {
        let dropped = self.admin.delete_topics(&[name], &AdminOptions::new());
        for result in dropped.await.expect("a response") {
            result.expect("the topic is gone");
        }
    }

    /// Gives a topic more partitions.
    pub(crate) async fn grow(&self, name: &str, partitions: usize) {
        let more = NewPartitions::new(name, partitions);
        let grown = self.admin.create_partitions([&more], &AdminOptions::new());
        for result in grown.await.expect("a response") {
            result.expect("more partitions");
        }
    }

    /// Writes records, and waits until every one is on every replica.
    pub(crate) fn append(&self, topic: &str, partition: i32, records: u64) {
        if records == 0 {
            return;
        }
        // A new producer has no outdated metadata of the topic.
        let producer: BaseProducer = self.config.create().expect("a producer");
        write(&producer, topic, partition, records);
    }

    /// Writes records with these times to the partitions from 0 on, in milliseconds since 1970, each in a batch of its own.
    pub(crate) fn append_at(&self, topic: &str, logs: &[Vec<i64>]) {
        let mut config = self.config.clone();
        config.set("batch.num.messages", "1");
        config.set("enable.idempotence", "true");
        let producer: BaseProducer = config.create().expect("a producer");
        for (partition, times) in (0..).zip(logs) {
            for time in times {
                let record = BaseRecord::to(topic).partition(partition).timestamp(*time);
                let sent = producer.send(record.key("key").payload("record"));
                sent.map_err(|(error, _)| error).expect("room for a record");
            }
        }
        producer.flush(LONG).expect("written records");
    }

    /// Writes records in a transaction that stays open until the returned producer is dropped.
    pub(crate) fn append_in_transaction(
        &self,
        topic: &str,
        partition: i32,
        records: u64,
    ) -> BaseProducer {
        let mut config = self.config.clone();
        config.set("transactional.id", Uuid::new_v4().to_string());
        let producer: BaseProducer = config.create().expect("a producer");
        producer.init_transactions(LONG).expect("a producer id");
        producer.begin_transaction().expect("a transaction");
        write(&producer, topic, partition, records);
        producer
    }

    /// Waits for a high watermark: the markers of a transaction are written after its end is confirmed.
    pub(crate) fn wait_for_end(&self, topic: &str, partition: i32, end: i64) {
        let deadline = Instant::now() + LONG;
        loop {
            let (_, found) = self.offsets(topic, partition);
            if found == end {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{topic} {partition}: {found}, not {end}"
            );
        }
    }

    /// Log start offset and high watermark.
    pub(crate) fn offsets(&self, topic: &str, partition: i32) -> (i64, i64) {
        let mut config = self.config.clone();
        config.set("isolation.level", "read_uncommitted");
        let deadline = Instant::now() + LONG;
        loop {
            // A new consumer has no outdated metadata of the topic.
            let consumer: BaseConsumer = config.create().expect("a consumer");
            match consumer.fetch_watermarks(topic, partition, Duration::from_secs(5)) {
                Ok(offsets) => return offsets,
                Err(error) => assert!(Instant::now() < deadline, "{topic} {partition}: {error}"),
            }
        }
    }

    /// The offsets of all records of a partition.
    pub(crate) fn read(&self, topic: &str, partition: i32) -> Vec<i64> {
        let records = self.read_all(topic, partition..partition + 1).remove(0);
        records.into_iter().map(|(offset, _)| offset).collect()
    }

    /// Offset and time of all records of these partitions, as a consumer reads them that does not wait for transactions.
    pub(crate) fn read_all(&self, topic: &str, partitions: Range<i32>) -> Vec<Vec<(i64, i64)>> {
        let mut config = self.config.clone();
        config.set("group.id", Uuid::new_v4().to_string());
        config.set("enable.partition.eof", "true");
        config.set("enable.auto.commit", "false");
        config.set("isolation.level", "read_uncommitted");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = TopicPartitionList::new();
        let mut records = BTreeMap::new();
        for partition in partitions {
            list.add_partition_offset(topic, partition, Offset::Beginning)
                .expect("an offset");
            records.insert(partition, Vec::new());
        }
        consumer.assign(&list).expect("an assignment");
        let mut unread: BTreeSet<i32> = records.keys().copied().collect();
        let deadline = Instant::now() + LONG;
        while !unread.is_empty() {
            assert!(Instant::now() < deadline, "the end was not reached");
            match consumer.poll(Duration::from_secs(1)) {
                Some(Ok(record)) => {
                    let time = record.timestamp().to_millis();
                    let read = records.entry(record.partition()).or_default();
                    read.push((record.offset(), time.expect("a time")));
                }
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => {
                    unread.remove(&partition);
                }
                // librdkafka tries again, such as after a connection to a broker that was killed.
                Some(Err(error)) => eprintln!("read again after: {error}"),
                None => {}
            }
        }
        records.into_values().collect()
    }

    pub(crate) fn exists(&self, topic: &str) -> bool {
        let metadata = self.consumer.fetch_metadata(None, LONG).expect("metadata");
        metadata.topics().iter().any(|found| found.name() == topic)
    }

    /// The brokers that lead the partitions of a topic.
    pub(crate) fn leaders(&self, topic: &str) -> Vec<i32> {
        let metadata = self.consumer.fetch_metadata(Some(topic), LONG);
        let metadata = metadata.expect("metadata");
        let partitions = metadata.topics()[0].partitions().iter();
        partitions.map(MetadataPartition::leader).collect()
    }

    /// Makes the cluster create `__consumer_offsets`.
    pub(crate) async fn commit_something(&self) {
        let topic = self.create(1, 1, "delete").await;
        self.commit(&Uuid::new_v4().to_string(), &topic, &[(0, 1)]);
    }

    /// Commits an offset in each of these partitions.
    pub(crate) fn commit(&self, group: &str, topic: &str, offsets: &[(i32, i64)]) {
        let consumer = self.consumer(group);
        let mut list = TopicPartitionList::new();
        for &(partition, offset) in offsets {
            list.add_partition_offset(topic, partition, Offset::Offset(offset))
                .expect("an offset");
        }
        let deadline = Instant::now() + LONG;
        while let Err(error) = consumer.commit(&list, CommitMode::Sync) {
            assert!(Instant::now() < deadline, "{error}");
        }
    }

    /// Commits an offset in a transaction that stays open until the returned producer is dropped.
    pub(crate) fn commit_in_transaction(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> BaseProducer {
        let open = self.append_in_transaction(topic, partition, 1);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset))
            .expect("an offset");
        let metadata = self.consumer(group).group_metadata().expect("a group");
        open.send_offsets_to_transaction(&list, &metadata, LONG)
            .expect("a commit");
        open
    }

    /// A member of a group, which reads a topic.
    pub(crate) fn join(&self, group: &str, protocol: &str, topic: &str) -> BaseConsumer {
        let mut config = self.config.clone();
        config.set("group.id", group);
        config.set("group.protocol", protocol);
        config.set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        consumer.subscribe(&[topic]).expect("a subscription");
        let deadline = Instant::now() + LONG;
        while consumer.assignment().expect("an assignment").count() == 0 {
            assert!(Instant::now() < deadline, "no partition was assigned");
            drop(consumer.poll(Duration::from_millis(50)));
        }
        consumer
    }

    /// A consumer of a group, which reads from the first record on and commits only when it is told to.
    pub(crate) fn consumer(&self, group: &str) -> BaseConsumer {
        let mut config = self.config.clone();
        config.set("group.id", group);
        config.set("auto.offset.reset", "earliest");
        config.set("enable.auto.commit", "false");
        config.create().expect("a consumer")
    }
}

fn write(producer: &BaseProducer, topic: &str, partition: i32, records: u64) {
    for number in 0..records {
        let (key, payload) = (number.to_string(), format!("record {number}"));
        let record = BaseRecord::to(topic).partition(partition);
        let sent = producer.send(record.key(&key).payload(&payload));
        sent.map_err(|(error, _)| error).expect("room for a record");
    }
    producer.flush(LONG).expect("written records");
}
