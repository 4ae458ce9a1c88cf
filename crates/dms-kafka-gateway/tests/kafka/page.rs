//! The page of a plan, while a consumer group reads the topic.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use serde_json::Value;

use crate::{brokers::Brokers, command, reads::unique, topics::Topics};

/// Far longer than a group needs to start.
const LONG: Duration = Duration::from_secs(60);

/// The standard output of `dms-kafka plan` for a topic.
fn plan(brokers: &Brokers, topic: &str, format: &str) -> String {
    let mut command = command::program();
    command.args(["plan", "--topic", topic, "--before-offset", "50"]);
    command.args(["--kafka", &brokers.bootstrap_servers, "--output", format]);
    let output = command.output().expect("the program dms-kafka runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_plan_has_the_numbers_of_its_json_while_a_group_reads() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create(2, 100, "delete").await;
    let group = unique("group");
    topics.commit(&group, &topic, &[(0, 30), (1, 90)]);
    let consumer = topics.consumer(&group);
    consumer.subscribe(&[&topic]).expect("a subscription");
    let deadline = Instant::now() + LONG;
    while !matches!(consumer.poll(Duration::from_millis(100)), Some(Ok(_))) {
        assert!(Instant::now() < deadline, "the group reads nothing");
    }

    let json: Value = serde_json::from_str(&plan(&brokers, &topic, "json")).expect("JSON");
    let page = plan(&brokers, &topic, "html");
    let json = &json["plans"][0];
    let groups = json["losses"]["groups"].as_array().expect("the groups");
    let of_group = groups.iter().find(|of| of["group"] == *group);
    let of_group = of_group.expect("the group");
    assert_eq!(
        (&of_group["state"], &of_group["unread"], &of_group["lost"]),
        (&"STABLE".into(), &80.into(), &20.into())
    );
    let cells = "<td>STABLE</td><td>80</td><td>20</td><td>2 of 2</td>";
    let row = format!(r#"<th scope="row" class="name">{group}</th>{cells}"#);
    assert!(page.contains(&row), "{row}\n{page}");
    for partition in json["partitions"].as_array().expect("partitions") {
        let cell = |offset: &str, time: &str| {
            let time = partition[time].as_str().expect("a time");
            let time = time[..19].replace('T', " ");
            format!("<td>{}<small>{time}</small></td>", partition[offset])
        };
        let cells = [
            format!("<td>{}</td><td>50%</td>", partition["records"]),
            cell("start", "oldest_time"),
            cell("before", "first_kept_time"),
            cell("end", "newest_time"),
        ];
        let cells = cells.concat();
        assert!(page.contains(&cells), "{cells}\n{page}");
    }
    drop(consumer);
    println!("the page has the numbers of the JSON; the group is STABLE and loses 20 records");
}
