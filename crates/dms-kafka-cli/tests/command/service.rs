//! Endpoint, region and project from flags and environment.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Command;

use crate::support::{Folder, Run as _, Served, assert_stderr, dms_kafka, listener};

/// `delete` in a region whose endpoint is in the environment.
fn in_a_region(served: &Served) -> Command {
    let mut delete = dms_kafka("delete -v --region my-own-1 --topic orders --partition 0:1 --yes");
    delete
        .args(["--instance-id", served.text("instance_id")])
        .env(
            "HUAWEICLOUD_SDK_REGION_KAFKA_MY_OWN_1",
            served.text("endpoint"),
        )
        .env("HUAWEICLOUD_SDK_AK", served.text("access_key"))
        .env("HUAWEICLOUD_SDK_SK", served.text("secret_key"));
    delete
}

#[test]
fn a_region_sets_the_endpoint() {
    let served = Served::start();
    let output = in_a_region(&served)
        .args(["--project-id", served.text("project_id")])
        .ends_with(0);
    assert_stderr(
        &output,
        &format!(
            "endpoint {} from the region my-own-1 (--region)",
            served.text("endpoint")
        ),
    );
}

#[test]
fn flags_override_the_environment() {
    let served = Served::start();
    let project = ["--project-id", served.text("project_id")];
    let output = in_a_region(&served)
        .args(project)
        .env("DMS_KAFKA_ENDPOINT", "https://192.0.2.1")
        .env("HUAWEICLOUD_SDK_PROJECT_ID", "another")
        .env("DMS_KAFKA_INSTANCE_ID", "another")
        .ends_with(0);
    assert_stderr(&output, "from the region my-own-1 (--region)");
    let output = in_a_region(&served)
        .args(project)
        .args(["--endpoint", served.text("endpoint")])
        .env("HUAWEICLOUD_SDK_REGION_KAFKA_MY_OWN_1", "https://192.0.2.1")
        .ends_with(0);
    assert_stderr(&output, "from --endpoint");
}

/// IAM has one project.
#[test]
fn the_project_of_the_region_is_looked_up() {
    let served = Served::start();
    let (iam, endpoint) = listener();
    let body = format!(
        r#"{{"projects":[{{"id":"{}","name":"my-own-1"}}]}}"#,
        served.text("project_id")
    );
    let answering = std::thread::spawn(move || {
        let (connection, _) = iam.accept().unwrap();
        let mut lines = BufReader::new(&connection).lines();
        let request = lines.next().unwrap().unwrap();
        while !lines.next().unwrap().unwrap().is_empty() {}
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        (&connection).write_all((head + &body).as_bytes()).unwrap();
        request
    });
    let output = in_a_region(&served)
        .env("HUAWEICLOUD_SDK_IAM_ENDPOINT", endpoint)
        .ends_with(0);
    assert_stderr(
        &output,
        &format!(
            "project {} from the credentials or looked up",
            served.text("project_id")
        ),
    );
    assert!(answering.join().unwrap().contains("name=my-own-1"));
}

#[test]
fn a_regions_file_that_cannot_be_read_is_failed_input() {
    let folder = Folder::new("kafka: [");
    let delete = "delete --region ap-southeast-1 --instance-id i --topic t --partition 0:1 --yes";
    for line in ["regions", delete] {
        for (code, name, words) in [
            (5, "", "cannot be read: Is a directory"),
            (5, "none", "cannot be read: No such file"),
            (2, "offsets", "is not a map of services"),
        ] {
            let output = dms_kafka(line)
                .args(["--output", "json"])
                .env("HUAWEICLOUD_SDK_REGIONS_FILE", folder.path(name))
                .ends_with(code);
            assert_stderr(&output, words);
            let kind = if code == 5 { "input" } else { "invalid_input" };
            assert_stderr(&output, &format!("\"kind\":\"{kind}\""));
        }
    }
}

#[test]
fn flags_for_different_services_exclude_each_other() {
    for (flags, expected) in [
        (
            "--embedded --kafka b:1",
            "--embedded cannot be used with --kafka",
        ),
        (
            "--embedded --profile p",
            "--embedded cannot be used with --profile",
        ),
        (
            "--embedded --ca-cert f",
            "--embedded cannot be used with --ca-cert",
        ),
        (
            "--kafka b:1 --endpoint https://x",
            "--kafka cannot be used with --endpoint",
        ),
        (
            "--kafka b:1 --instance-id i",
            "--kafka cannot be used with --instance-id",
        ),
        (
            "--kafka-config f --region r",
            "--kafka-config cannot be used with --region",
        ),
        (
            "--kafka b:1 --embedded",
            "--embedded cannot be used with --kafka",
        ),
        (
            "--kafka b:1,,b:2",
            "expected HOST:PORT,..., such as broker-1:9092",
        ),
    ] {
        let delete = format!("delete --topic orders --partition 0:1 --yes {flags}");
        assert_stderr(&dms_kafka(&delete).ends_with(2), expected);
    }
}

/// A variable for another service is ignored.
#[test]
#[cfg(not(feature = "kafka"))]
fn a_program_without_kafka_says_how_to_get_one_with_it() {
    for (flag, output) in [("--kafka b:1", "table"), ("--kafka-config f", "json")] {
        let delete = format!("delete --topic t --partition 0:1 --yes -o {output} {flag}");
        let refused = dms_kafka(&delete)
            .env("DMS_KAFKA_ENDPOINT", "https://192.0.2.1")
            .ends_with(2);
        let source = flag.split(' ').next().unwrap();
        assert_stderr(
            &refused,
            &format!("{source}: this program was built without Kafka"),
        );
        assert_stderr(&refused, "--features kafka-tls");
    }
}
