//! The table of Kafka's rules, with Apache Kafka.

use crate::{brokers::Brokers, deletion_table::table, front::Front};

#[tokio::test(flavor = "multi_thread")]
async fn kafka_deletes_by_the_shared_table() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    front.topics.commit_something().await;
    let cases = table();
    for case in &cases {
        let topic = if case.create {
            let policy = case.cleanup_policy.as_deref().unwrap_or("delete");
            let topic = front.topics.create(case.partitions, case.records, policy);
            topic.await
        } else {
            case.topic_or("").to_owned()
        };
        case.run(&topic, &front).await;
        println!("case: {}", case.name);
    }
    assert!(
        !front.topics.exists("no-such-topic"),
        "a deletion created it"
    );
    println!("{} cases of the shared table", cases.len());
}
