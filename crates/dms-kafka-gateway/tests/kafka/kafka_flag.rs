//! `dms-kafka --kafka`: the command without a gateway that was started beforehand.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{brokers::Brokers, command, topics::Topics};

/// Far longer than a command of these tests takes.
const LONG: Duration = Duration::from_secs(60);

/// The command with a line of arguments, without settings from the environment.
pub(crate) fn dms_kafka(line: &str) -> Command {
    let mut command = command::program();
    command.args(line.split(' ')).stdin(Stdio::null());
    command
}

/// Runs the command, which must end with this exit code, and prints it.
pub(crate) fn run(command: &mut Command, code: i32) -> Output {
    let output = command.output().expect("the program dms-kafka runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}: {stderr}");
    output
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with an offsets file: one row before `offset` for each partition, and all records of the first one.
fn offsets_file(topic: &str, partitions: i32, offset: i64) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = String::new();
    for partition in 0..partitions {
        let offset = if partition == 0 { -1 } else { offset };
        writeln!(
            text,
            r#"{{"topic":"{topic}","partition":{partition},"offset":{offset}}}"#
        )
        .expect("text");
    }
    fs::write(folder.path().join("offsets"), text).expect("a file");
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_needs_only_the_bootstrap_servers() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create(3, 100, "delete").await;
    let delete = format!(
        "delete --kafka {} --topic {topic} --yes",
        brokers.bootstrap_servers
    );
    let output = run(
        &mut dms_kafka(&format!("{delete} --partition 0:40 --everything 2")),
        0,
    );
    let shown = stderr(&output);
    for words in [
        &*brokers.bootstrap_servers,
        "from --kafka\n",
        "the id of the cluster",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("127.0.0.1:0"), "{shown}");
    let starts: Vec<_> = (0..3)
        .map(|partition| topics.offsets(&topic, partition))
        .collect();
    assert_eq!(starts, [(40, 100), (0, 100), (100, 100)]);
    println!("delete --kafka: {starts:?}");
    run(
        &mut dms_kafka(&format!("{delete} --partition 0:101 -o json")),
        1,
    );
    let unknown = delete.replace(&topic, "no-such-topic");
    run(&mut dms_kafka(&format!("{unknown} --partition 0:1")), 3);
    assert!(!topics.exists("no-such-topic"), "a deletion created it");
}

/// A purge that is killed after some requests.
fn kill_in_the_middle(mut purge: Child, journal: &Path) {
    let deadline = Instant::now() + LONG;
    let has_result = || fs::read_to_string(journal).is_ok_and(|text| text.contains("deleted"));
    while !has_result() {
        assert!(Instant::now() < deadline, "no result was recorded");
        std::thread::sleep(Duration::from_millis(1));
    }
    purge.kill().expect("SIGKILL");
    purge.wait().expect("an end");
}

/// The port of the gateway in the process, and the servers that are named, are others in the second run.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_was_killed_is_resumed_in_another_process() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let first = format!("--kafka {}", brokers.bootstrap_servers);
    let second = first.replacen("127.0.0.1", "localhost", 1);
    assert_ne!(first, second);
    kill_and_resume_purge(&Topics::of(&brokers), &first, &second).await;
}

/// Kills a purge and resumes it; `first` and `second` are the flags that name the cluster in each run.
pub(crate) async fn kill_and_resume_purge(topics: &Topics, first: &str, second: &str) {
    const PARTITIONS: i32 = 500;
    let topic = topics.create(PARTITIONS.unsigned_abs(), 0, "delete").await;
    for partition in [0, 1, PARTITIONS - 1] {
        topics.append(&topic, partition, 10);
    }
    // Deleting before 0 succeeds in an empty partition.
    let folder = offsets_file(&topic, PARTITIONS, 0);
    let (offsets, journal) = (folder.path().join("offsets"), folder.path().join("journal"));
    let mut text = fs::read_to_string(&offsets).expect("a file");
    for partition in [1, PARTITIONS - 1] {
        let row = format!(r#""partition":{partition},"offset":0"#);
        text = text.replace(&row, &format!(r#""partition":{partition},"offset":4"#));
    }
    fs::write(&offsets, text).expect("a file");
    let purge = |cluster: &str| {
        let purge = "purge --yes -o json --allow-everything --concurrency 1";
        let mut purge = dms_kafka(&format!("{purge} {cluster}"));
        purge.arg("--offsets-file").arg(&offsets);
        purge.arg("--journal").arg(&journal);
        purge
    };
    let mut killed = purge(first);
    let killed = killed.stdout(Stdio::null()).stderr(Stdio::null());
    kill_in_the_middle(killed.spawn().expect("a process"), &journal);
    let recorded = fs::read_to_string(&journal).expect("a journal");
    assert!(
        recorded.contains(r#""endpoint":"kafka","project_id":"kafka""#),
        "{recorded}"
    );
    let output = run(&mut purge(second), 0);
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(summary["deleted"], PARTITIONS, "{summary}");
    let starts = [0, 1, PARTITIONS - 1].map(|partition| topics.offsets(&topic, partition));
    assert_eq!(starts, [(10, 10), (4, 10), (4, 10)]);
    let before = recorded.matches("deleted").count();
    println!("killed after {before} requests; the second run completed {PARTITIONS} rows");
    // Another cluster or instance.
    let other = recorded.replacen("\"instance_id\":\"", "\"instance_id\":\"x", 1);
    fs::write(&journal, other).expect("a file");
    let refused = stderr(&run(&mut purge(second), 2));
    assert!(refused.contains("belongs to the instance x"), "{refused}");
}

/// The gateway of each process has another port.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_executed_by_another_process() {
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create(2, 10, "delete").await;
    let folder = tempfile::tempdir().expect("a folder");
    let plan = folder.path().join("plan.json").display().to_string();
    let with_kafka = |line: &str| {
        let mut command = dms_kafka(line);
        command.args(["--kafka", &brokers.bootstrap_servers]);
        command
    };
    let listed = run(&mut with_kafka("topics -o json"), 0);
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&topic));
    run(&mut with_kafka(&format!("topic {topic}")), 0);
    run(
        &mut with_kafka(&format!("plan --topic {topic} --keep-last 4 --out {plan}")),
        0,
    );
    topics.append(&topic, 0, 5);
    run(&mut with_kafka(&format!("delete --plan {plan} --yes")), 0);
    let starts = [0, 1].map(|partition| topics.offsets(&topic, partition));
    assert_eq!(starts, [(6, 15), (6, 10)]);
    // All records are younger.
    run(
        &mut with_kafka(&format!("delete --topic {topic} --older-than 7d --yes")),
        0,
    );
    assert_eq!(topics.offsets(&topic, 1), (6, 10));
    println!("plan, delete --plan and --older-than through --kafka: {starts:?}");
}

/// Kafka's script ends with 0 even if partitions failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_deletes_what_kafka_delete_records_deletes() {
    const PARTITIONS: i32 = 30;
    let Some(brokers) = Brokers::take(&[1, 3]).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let mut starts = Vec::new();
    for by_script in [true, false] {
        let topic = topics.create(PARTITIONS.unsigned_abs(), 10, "delete").await;
        // All records, an offset beyond the end, and every offset up to the end.
        let offset = |partition| match partition {
            0 => -1,
            1 => 11,
            _ => partition % 11,
        };
        let row = |partition| json!({"topic": topic, "partition": partition, "offset": offset(partition)});
        let rows: Vec<Value> = (0..PARTITIONS).map(row).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let offsets = folder.path().join("offsets");
        let document = json!({"partitions": rows, "version": 1});
        fs::write(&offsets, document.to_string()).expect("a file");
        let started = Instant::now();
        if by_script {
            brokers.delete_records(&offsets);
        } else {
            let mut purge = dms_kafka("purge --yes -o json --allow-everything");
            purge.args(["--kafka", &brokers.bootstrap_servers]);
            let output = run(purge.arg("--offsets-file").arg(&offsets), 1);
            let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(summary["failed"], 1, "{summary}");
            assert_eq!(summary["failures"][0]["error_code"], "1", "{summary}");
        }
        println!("script: {by_script}: {:?}", started.elapsed());
        let offsets_now = (0..PARTITIONS).map(|partition| topics.offsets(&topic, partition));
        starts.push(offsets_now.collect::<Vec<_>>());
    }
    assert_eq!(starts[0], starts[1]);
    assert_eq!(starts[1][..4], [(10, 10), (0, 10), (2, 10), (3, 10)]);
}

/// The suite runs these on one broker only.
mod one_broker {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_configuration_has_the_password() {
        let Some(brokers) = Brokers::take(&[1]).await else {
            return;
        };
        let topics = Topics::of(&brokers);
        let topic = topics.create(1, 10, "delete").await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("kafka.toml");
        let properties = crate::front::sasl("KAFKA_PASSWORD");
        let servers = format!(
            "\"bootstrap.servers\" = \"{}\"\n",
            brokers.servers("SASL", "127.0.0.1")
        );
        fs::write(&file, servers + &properties).expect("a file");
        let delete = format!(
            "delete --kafka-config {} --topic {topic} --yes",
            file.display()
        );
        for (password, code) in [("gateway-password", 0), ("another-password", 3)] {
            let started = Instant::now();
            let mut command = dms_kafka(&format!("{delete} --everything 0 -o json"));
            let output = run(command.env("KAFKA_PASSWORD", password), code);
            assert!(started.elapsed() < Duration::from_secs(15), "{password}");
            let shown = stderr(&output);
            assert!(!shown.contains(password), "{shown}");
            println!("{code} after {:?}: {shown}", started.elapsed());
        }
        assert_eq!(topics.offsets(&topic, 0), (10, 10));
        for (properties, code, words) in [
            ("security.protocol = \"SASL\"", 2, "a name in quotes"),
            ("\"bootstrap.servers\" = \"b:1", 2, "line 1"),
            (
                "\"bootstrap.servers\" = \"b:1\"\n\"sasl.password\" = \"the-secret\"",
                2,
                "{ env = \"NAME\" }",
            ),
            (
                "\"bootstrap.servers\" = \"b:1\"\n\"no.such.property\" = 1",
                2,
                "librdkafka has no such property",
            ),
            ("", 2, "bootstrap.servers"),
        ] {
            fs::write(&file, properties).expect("a file");
            let shown = stderr(&run(
                &mut dms_kafka(&format!("{delete} --everything 0")),
                code,
            ));
            assert!(shown.contains(words), "{properties}: {shown}");
            assert!(!shown.contains("the-secret"), "{shown}");
        }
        fs::remove_file(&file).expect("a file");
        run(&mut dms_kafka(&format!("{delete} --everything 0")), 5);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_cluster_that_cannot_be_reached_is_one_error() {
        let Some(_brokers) = Brokers::take(&[1]).await else {
            return;
        };
        let started = Instant::now();
        let delete =
            "delete --topic t --partition 0:1 --yes -o json --timeout 2 --kafka 127.0.0.1:1";
        let output = run(&mut dms_kafka(delete), 3);
        let shown = stderr(&output);
        println!("{:?}: {shown}", started.elapsed());
        let error: Value =
            serde_json::from_str(shown.lines().last().expect("a line")).expect("JSON");
        assert_eq!(error["kind"], "connect", "{shown}");
        assert_eq!(error["outcome"], "not_applied");
        let message = error["message"].as_str().expect("text");
        assert!(message.contains("127.0.0.1:1"), "{message}");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
    }
}
