//! The read-only operations, compared with what a Kafka client sees.

use std::time::{Duration, Instant};

use rdkafka::{consumer::BaseConsumer, producer::Producer as _};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    brokers::Brokers,
    front::{ACCESS_KEY, Front, INSTANCE, PROJECT, SECRET_KEY},
    support::{Response, credentials, execute, request, sign},
};

impl Front {
    /// Sends a signed GET request.
    pub(crate) async fn get(&self, path: &str) -> Response {
        let url = self.service.endpoint().to_owned() + path;
        let request = request(Method::GET, &url, "");
        execute(sign(request, &credentials(ACCESS_KEY, SECRET_KEY))).await
    }

    /// An operation of the instance.
    async fn read(&self, operation: &str) -> Response {
        self.get(&format!("/v2/{PROJECT}/instances/{INSTANCE}/{operation}"))
            .await
    }

    async fn group_offsets(&self, group: &str, topic: &str) -> Response {
        let path = format!("groups/{group}/message-offset?topic={topic}&limit=50");
        self.get(&format!("/v2/kafka/{PROJECT}/instances/{INSTANCE}/{path}"))
            .await
    }

    /// The states of the groups whose names contain a text.
    pub(crate) async fn groups(&self, containing: &str) -> Result<Vec<(String, String)>, Response> {
        let response = self
            .read(&format!("groups?limit=50&group={containing}"))
            .await;
        if response.status != 200 {
            return Err(response);
        }
        let groups = response.body["groups"].as_array().expect("a list");
        assert_eq!(response.body["total"], groups.len(), "one page");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let group = |group: &Value| (text(&group["group_id"]), text(&group["state"]));
        Ok(groups.iter().map(group).collect())
    }

    async fn time_offsets(&self, topic: &str, time: i64) -> Vec<i64> {
        let path = format!("topics/{topic}/partitions?limit=50&timestamp={time}");
        let path = format!("/v2/{PROJECT}/kafka/instances/{INSTANCE}/{path}");
        let response = self.get(&path).await;
        assert_eq!(response.status, 200, "{response:?}");
        let partitions = response.body["partitions"].as_array().expect("a list");
        let offset = |row: &Value| row["timestamp_offset"].as_i64().expect("an offset");
        partitions.iter().map(offset).collect()
    }
}

/// A name that no other test uses.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", Uuid::new_v4().simple())
}

/// A day ago: older records would be removed at once, records in the future refused.
pub(crate) fn a_day_ago() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("a time after 1970").as_millis();
    i64::try_from(now).expect("a time") - 24 * 3600 * 1000
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_listed_with_partitions_and_replicas() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    front.topics.commit_something().await;
    let topic = front.topics.create(3, 1, "delete").await;
    let mut found = Vec::new();
    loop {
        let page = front
            .read(&format!("topics?limit=50&offset={}", found.len()))
            .await;
        let topics = page.body["topics"].as_array().expect("a list");
        found.extend(topics.iter().cloned());
        if found.len()
            >= usize::try_from(page.body["total"].as_u64().expect("a number")).expect("few")
        {
            break;
        }
    }
    let expected =
        json!({"name": topic, "partition": 3, "replication": brokers.count, "topic_type": 0});
    assert!(found.contains(&expected), "{found:?}");
    let internal = found.iter().find(|it| it["name"] == "__consumer_offsets");
    assert_eq!(internal.expect("the topic of commits")["topic_type"], 1);
}

/// Late producers, a backfill, equal times, times from the future.
#[tokio::test(flavor = "multi_thread")]
async fn the_offset_of_a_time_is_that_of_the_first_record_that_is_not_older() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(5, 0, "delete").await;
    let base = a_day_ago();
    let logs: [&[i64]; 5] = [
        &[0, 10, 20, 30, 40, 50],
        &[0, 50, 10, 20, 30, 40],
        &[20, 30, 0, 10, 40, 35, 50],
        &[30, 30, 30, 30],
        &[],
    ];
    let times = logs.map(|log| log.iter().map(|time| base + time).collect());
    front.topics.append_at(&topic, &times);
    for time in [
        i64::MIN,
        -1,
        0,
        base,
        base + 1,
        base + 20,
        base + 31,
        base + 50,
        base + 51,
        i64::MAX,
    ] {
        let expected = logs.iter().map(|log| {
            let is_kept = |at: &&i64| base + **at >= time;
            let first = log.iter().position(|at| is_kept(&at));
            i64::try_from(first.unwrap_or(log.len())).expect("few")
        });
        let expected: Vec<i64> = expected.collect();
        assert_eq!(front.time_offsets(&topic, time).await, expected, "{time}");
    }
    // The high watermark is the end, not the last stable offset.
    let open = front.topics.append_in_transaction(&topic, 4, 2);
    assert_eq!(front.time_offsets(&topic, 1).await[4], 0);
    assert_eq!(front.time_offsets(&topic, i64::MAX).await[4], 2);
    drop(open);
    println!("the offsets of 10 times in 5 partitions");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_without_their_content() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(3, 0, "delete").await;
    let base = a_day_ago();
    let times = [0, 10, 5, 30].map(|time| base + time);
    front.topics.append_at(&topic, &[times.to_vec()]);
    let transaction = front.topics.append_in_transaction(&topic, 1, 2);
    transaction
        .commit_transaction(Duration::from_secs(30))
        .expect("a committed transaction");
    // Its last offset has no record: it is the marker of the transaction.
    front.topics.wait_for_end(&topic, 1, 3);
    assert_eq!(front.codes(&topic, &[(0, 1)]).await, ["0"]);

    for (partition, edge, expected) in [
        (0, "beginning", Some(1)),
        (0, "end", Some(3)),
        (1, "beginning", Some(0)),
        (1, "end", Some(1)),
        (2, "beginning", None),
        (2, "end", None),
    ] {
        let path = format!("management/topics/{topic}/partitions/{partition}/{edge}-message");
        let response = front.read(&path).await;
        let found = (response.status, response.body["offset"].as_i64());
        assert_eq!(found, (200, expected), "{path}: {response:?}");
    }
    let missing = format!("management/topics/{topic}/partitions/3/end-message");
    assert_eq!(front.read(&missing).await.status / 100, 4);

    let (start, end) = (base + 5, base + 30);
    for (query, total, expected) in [
        (
            "partition=0&message_offset=0".to_owned(),
            1,
            json!([[0, 1]]),
        ),
        (
            "partition=0&message_offset=2".to_owned(),
            1,
            json!([[0, 2]]),
        ),
        ("partition=1&message_offset=2".to_owned(), 0, json!([])),
        ("partition=0&message_offset=4".to_owned(), 0, json!([])),
        (
            "partition=0&message_offset=9223372036854775807".to_owned(),
            0,
            json!([]),
        ),
        (
            format!("start_time={start}&end_time={end}"),
            3,
            json!([[0, 1], [0, 2], [0, 3]]),
        ),
        (
            format!("start_time={start}&end_time={end}&asc=false&limit=2"),
            3,
            json!([[0, 3], [0, 2]]),
        ),
        (
            format!("start_time={start}&end_time={end}&offset=1&limit=2"),
            3,
            json!([[0, 3]]),
        ),
        (
            format!("start_time={start}&end_time={end}&asc=false&offset=1&limit=2"),
            3,
            json!([[0, 1]]),
        ),
        (
            format!("start_time={}", base + 20),
            3,
            json!([[0, 3], [1, 0], [1, 1]]),
        ),
        (
            format!("start_time={}&asc=false", base + 20),
            3,
            json!([[1, 1], [1, 0], [0, 3]]),
        ),
        (format!("end_time={}", base + 9), 1, json!([[0, 2]])),
        ("start_time=2&end_time=1".to_owned(), 0, json!([])),
    ] {
        let response = front.read(&format!("messages?topic={topic}&{query}")).await;
        assert_eq!(response.status, 200, "{query}: {response:?}");
        let messages = response.body["messages"].as_array().expect("a list");
        let place = |message: &Value| json!([message["partition"], message["message_offset"]]);
        let found: Vec<Value> = messages.iter().map(place).collect();
        let found = (response.body["total"].as_i64(), json!(found));
        assert_eq!(found, (Some(total), expected), "{query}");
        assert!(
            !response.body.to_string().contains("record"),
            "{response:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_listed_with_states_and_commits() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::of(&brokers).await;
    let topic = front.topics.create(3, 10, "delete").await;
    let other = front.topics.create(1, 10, "delete").await;
    let prefix = unique("group");
    let [empty, elsewhere, classic, newer] =
        ["a empty/é", "b elsewhere", "c classic", "d newer"].map(|name| format!("{prefix} {name}"));
    front.topics.commit(&empty, &topic, &[(0, 4), (2, 12)]);
    front.topics.commit(&elsewhere, &other, &[(0, 1)]);
    let members = [(&classic, "classic"), (&newer, "consumer")];
    let members = members.map(|(group, protocol)| front.topics.join(group, protocol, &topic));
    assert_eq!(front.codes(&topic, &[(0, 6)]).await, ["0"]);

    let found = front.groups(&prefix).await.expect("a list");
    let expected = [
        (&empty, "EMPTY"),
        (&elsewhere, "EMPTY"),
        (&classic, "STABLE"),
        (&newer, "UNKNOWN"),
    ];
    let expected = expected.map(|(name, state)| (name.clone(), state.to_owned()));
    assert_eq!(found, expected);
    println!(
        "states: {:?}",
        found.iter().map(|(_, state)| state).collect::<Vec<_>>()
    );
    drop::<[BaseConsumer; 2]>(members);

    let row = |partition, current, start, lag| {
        json!({"topic": topic, "partition": partition, "message_current_offset": current,
            "message_log_start_offset": start, "message_log_end_offset": 10, "lag": lag})
    };
    let encoded = |name: &str| {
        name.replace(' ', "%20")
            .replace('/', "%2F")
            .replace('é', "%C3%A9")
    };
    let response = front.group_offsets(&encoded(&empty), &topic).await;
    let expected =
        json!({"total": 2, "group_message_offsets": [row(0, 4, 6, 6), row(2, 12, 0, 0)]});
    assert_eq!((response.status, response.body), (200, expected));
    let nothing = json!({"total": 0, "group_message_offsets": []});
    for group in [&elsewhere, &classic] {
        let response = front.group_offsets(&encoded(group), &topic).await;
        assert_eq!(
            (response.status, &response.body),
            (200, &nothing),
            "{group}"
        );
    }
    for (group, topic) in [
        ("no-such-group", &*topic),
        ("a%00b", &topic),
        (&encoded(&empty), "no-such-topic"),
    ] {
        let response = front.group_offsets(group, topic).await;
        assert_eq!(response.status / 100, 4, "{response:?}");
    }
    assert!(
        front
            .groups("no-such-group")
            .await
            .expect("a list")
            .is_empty()
    );
}

/// librdkafka waits for the end of the transaction by default.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_in_an_open_transaction_does_not_hide_the_earlier_one() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let front = Front::with_timeout(&brokers, 6.0).await;
    let topic = front.topics.create(1, 10, "delete").await;
    let group = unique("group");
    front.topics.commit(&group, &topic, &[(0, 4)]);
    let open = front.topics.commit_in_transaction(&group, &topic, 0, 7);
    let response = front.group_offsets(&group, &topic).await;
    let current = &response.body["group_message_offsets"][0]["message_current_offset"];
    assert_eq!((response.status, current), (200, &json!(4)));
    open.commit_transaction(Duration::from_secs(30))
        .expect("a committed transaction");
    // The coordinator applies it after the transaction has ended.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let response = front.group_offsets(&group, &topic).await;
        let current = &response.body["group_message_offsets"][0]["message_current_offset"];
        if current == &json!(7) {
            break;
        }
        assert!(Instant::now() < deadline, "{current}");
    }
}
