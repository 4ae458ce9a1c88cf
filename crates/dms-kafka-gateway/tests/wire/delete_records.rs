//! The table of Kafka's rules, with topics in memory.

use dms_kafka_gateway::Gateway;

use crate::{
    deletion_table::{Case, TestedGateway, table},
    support::{Response, delete, start},
};

impl TestedGateway for Gateway {
    async fn delete(&self, topic: &str, body: String) -> Response {
        delete(self, topic, body).await
    }

    async fn append(&self, topic: &str, partition: i32, records: u64) {
        let appended = self.append(topic, partition, records);
        appended.expect("the partition exists");
    }

    async fn offsets(&self, topic: &str, partition: i32) -> (i64, i64) {
        let offsets = self.partition(topic, partition);
        let offsets = offsets.expect("the partition exists");
        (offsets.log_start_offset, offsets.high_watermark)
    }
}

#[tokio::test]
async fn the_memory_backend_deletes_by_kafkas_rules() {
    for case in table() {
        let topic = case.topic_or("orders");
        let gateway = gateway(&case, topic).await;
        case.run(topic, &gateway).await;
        gateway.shutdown().await;
    }
}

async fn gateway(case: &Case, topic: &str) -> Gateway {
    let gateway = Gateway::memory();
    let gateway = match (case.partitions, case.cleanup_policy.as_deref()) {
        (0, _) => gateway,
        (partitions, Some("compact")) => gateway.compacted_topic(topic, partitions, case.records),
        (partitions, _) => gateway.topic(topic, partitions, case.records),
    };
    start(gateway).await
}
