//! TLS and passwords: what brokers accept and refuse.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use reqwest::Method;
use tempfile::TempDir;

use crate::{
    brokers::Brokers,
    command,
    front::config,
    kafka_flag::{dms_kafka, kill_and_resume_purge},
    process::Gateway,
    reads::a_day_ago,
    support::{execute, request},
    topics::Topics,
};

const LOOPBACK: &str = "127.0.0.1";

/// Far less than the 30 seconds that a gateway gives its cluster.
const QUICK: Duration = Duration::from_secs(10);

const SCRAM: &str = r#"
"security.protocol" = "SASL_SSL"
"ssl.ca.location" = "$FOLDER/ca.pem"
"sasl.mechanisms" = "SCRAM-SHA-512"
"sasl.username" = "gateway"
"sasl.password" = { env = "RIGHT" }
"#;

const TLS: &str = r#"
"security.protocol" = "SSL"
"ssl.ca.location" = "$FOLDER/ca.pem"
"#;

const MTLS: &str = r#"
"security.protocol" = "SSL"
"ssl.ca.location" = "$FOLDER/ca.pem"
"ssl.certificate.location" = "$FOLDER/client.pem"
"ssl.key.location" = "$FOLDER/client.pem"
"#;

fn ca(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a CA")
}

/// A folder of certificates: of two CAs, and with their private keys, of the listeners and of clients.
fn certificates() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: String| {
        fs::write(folder.path().join(name).with_extension("pem"), text).expect("a file");
    };
    let (right, other) = (ca("right"), ca("other"));
    write("ca", right.pem());
    write("other_ca", other.pem());
    for (name, of, host, year) in [
        ("scram", &right, LOOPBACK, 2100),
        ("mtls", &right, LOOPBACK, 2100),
        ("expired", &right, LOOPBACK, 2020),
        ("other_host", &right, "kafka.example.com", 2100),
        ("client", &right, "client", 2100),
        ("expired_client", &right, "client", 2020),
        ("client_of_other_ca", &other, "client", 2100),
    ] {
        let mut params = CertificateParams::new([host.to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, of).expect("a certificate");
        write(name, key.serialize_pem() + &signed.pem());
    }
    folder
}

/// Runs the command, and returns its exit code and output, which has no secret.
fn run(line: &str) -> (i32, String) {
    let output = dms_kafka(line)
        .output()
        .expect("the program dms-kafka runs");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_no_secret(&text);
    (output.status.code().expect("an exit code"), text)
}

fn assert_no_secret(text: &str) {
    for secret in ["gateway-password", "another-password", "PRIVATE KEY"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

/// The configuration of a gateway and the file for `--kafka-config`, both with the same properties.
fn files(folder: &Path, servers: &str, properties: &str) -> (String, String) {
    let path = |name: &str| folder.join(name).display().to_string();
    let properties = properties.replace("$FOLDER", &folder.display().to_string());
    let (gateway, kafka) = (path("gateway.toml"), path("kafka.toml"));
    fs::write(&gateway, config(servers, 30.0, "") + &properties).expect("a file");
    let servers = format!("\"bootstrap.servers\" = \"{servers}\"\n");
    fs::write(&kafka, servers + &properties).expect("a file");
    (gateway, kafka)
}

#[tokio::test(flavor = "multi_thread")]
async fn scram_and_client_certificates_are_accepted() {
    let folder = certificates();
    let Some(brokers) = Brokers::with_tls(folder.path()).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create(2, 10, "delete").await;
    let scram_256 = SCRAM.replace("512", "256");
    let accepted = [("SCRAM", SCRAM), ("SCRAM", &*scram_256), ("MTLS", MTLS)];
    for (offset, (listener, properties)) in (1..).zip(accepted) {
        let servers = brokers.servers(listener, LOOPBACK);
        let (gateway, kafka) = files(folder.path(), &servers, properties);
        let check = format!("serve --config {gateway} --check-config --connect {topic}");
        let (code, text) = run(&check);
        assert_eq!(code, 0, "{text}");
        let delete = format!("delete --kafka-config {kafka} --topic {topic} --yes");
        let (code, text) = run(&format!("{delete} --partition 0:{offset}"));
        assert_eq!(code, 0, "{text}");
        let gateway = Gateway::with_config(&fs::read_to_string(&gateway).expect("a file"));
        assert_eq!(ready(&gateway).await.status, 200);
        let ended = command::delete(
            &gateway.endpoint,
            &topic,
            &format!("--partition 1:{offset}"),
        );
        assert_eq!(ended.exit_code, 0);
        gateway.ask_to_stop();
        gateway.wait();
        let starts = [0, 1].map(|partition| topics.offsets(&topic, partition));
        assert_eq!(starts, [(offset, 10); 2]);
        println!("{listener}: {starts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_works_with_tls_and_a_password() {
    let folder = certificates();
    let Some(brokers) = Brokers::with_tls(folder.path()).await else {
        return;
    };
    let topics = Topics::of(&brokers);
    let topic = topics.create(1, 0, "delete").await;
    let day = 24 * 3600 * 1000;
    let a_day_ago = a_day_ago();
    topics.append_at(&topic, &[vec![a_day_ago, a_day_ago, a_day_ago + day]]);
    let (_, kafka) = files(folder.path(), &brokers.servers("SCRAM", LOOPBACK), SCRAM);
    let cluster = format!("--kafka-config {kafka}");
    for (line, words) in [
        ("topics".to_owned(), &*topic),
        (format!("topic {topic}"), "0"),
        (format!("plan --topic {topic} --older-than 12h"), &topic),
    ] {
        let (code, text) = run(&format!("{line} {cluster}"));
        assert_eq!(code, 0, "{line}: {text}");
        assert!(text.contains(words), "{line}: {text}");
    }
    assert_eq!(topics.offsets(&topic, 0), (0, 3));
    let (code, text) = run(&format!(
        "delete --topic {topic} --older-than 12h --yes {cluster}"
    ));
    assert_eq!(code, 0, "{text}");
    assert_eq!(topics.offsets(&topic, 0), (2, 3));
    kill_and_resume_purge(&topics, &cluster, &cluster).await;
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::too_many_lines, reason = "a table")]
async fn each_refusal_is_quick_and_names_its_cause() {
    let folder = certificates();
    let Some(brokers) = Brokers::with_tls(folder.path()).await else {
        return;
    };
    let scram = |from, to| SCRAM.replace(from, to);
    let mtls = |client| MTLS.replace("client.pem", client);
    let plaintext = "\"security.protocol\" = \"PLAINTEXT\"\n";
    let sasl_plaintext = scram("SASL_SSL", "SASL_PLAINTEXT").replace("\"ssl", "#");
    let [ip, name] = [LOOPBACK, "localhost"];
    for (what, listener, host, properties, words) in [
        (
            "another CA",
            "SCRAM",
            ip,
            scram("ca.pem", "other_ca.pem"),
            "not signed by a CA",
        ),
        ("expired", "EXPIRED", ip, TLS.to_owned(), "has expired"),
        (
            "another host",
            "OTHER_HOST",
            ip,
            TLS.to_owned(),
            "for another host",
        ),
        (
            "another host name",
            "SCRAM",
            name,
            SCRAM.to_owned(),
            "for another host",
        ),
        (
            "wrong password",
            "SCRAM",
            ip,
            scram("RIGHT", "WRONG"),
            "invalid credentials",
        ),
        (
            "unknown user",
            "SCRAM",
            ip,
            scram("\"gateway\"", "\"other\""),
            "invalid credentials",
        ),
        (
            "another mechanism",
            "SCRAM",
            ip,
            scram("SCRAM-SHA-512", "PLAIN"),
            "SASL mechanism",
        ),
        (
            "no client certificate",
            "MTLS",
            ip,
            TLS.to_owned(),
            "is not set (ssl/tls alert",
        ),
        (
            "expired client",
            "MTLS",
            ip,
            mtls("expired_client.pem"),
            "refuses the certificate",
        ),
        (
            "client of another CA",
            "MTLS",
            ip,
            mtls("client_of_other_ca.pem"),
            "refuses the certificate",
        ),
        (
            "PLAINTEXT to SSL",
            "EXPIRED",
            ip,
            plaintext.to_owned(),
            "uses SSL, but",
        ),
        (
            "PLAINTEXT to SSL with client certificates",
            "MTLS",
            ip,
            plaintext.to_owned(),
            "uses SSL, but",
        ),
        (
            "PLAINTEXT to SASL_SSL",
            "SCRAM",
            ip,
            plaintext.to_owned(),
            "uses SASL_SSL, but",
        ),
        (
            "SASL_PLAINTEXT to SASL_SSL",
            "SCRAM",
            ip,
            sasl_plaintext.clone(),
            "uses SASL_SSL, but",
        ),
        (
            "PLAINTEXT to SASL_PLAINTEXT",
            "SASL",
            ip,
            plaintext.to_owned(),
            "uses SASL_PLAINTEXT, but",
        ),
        (
            "SASL_PLAINTEXT to PLAINTEXT",
            "PLAINTEXT",
            ip,
            sasl_plaintext,
            "uses PLAINTEXT, but",
        ),
        (
            "SSL to PLAINTEXT",
            "PLAINTEXT",
            ip,
            TLS.to_owned(),
            "uses PLAINTEXT, but",
        ),
        (
            "SSL to SASL_SSL",
            "SCRAM",
            ip,
            TLS.to_owned(),
            "uses SASL_SSL, but",
        ),
        (
            "SASL_SSL to SSL",
            "EXPIRED",
            ip,
            SCRAM.to_owned(),
            "uses SSL, but",
        ),
    ] {
        let servers = brokers.servers(listener, host);
        let (gateway, kafka) = files(folder.path(), &servers, &properties);
        let check = format!("serve --config {gateway} --check-config --connect");
        let delete = format!("delete --kafka-config {kafka} --topic t --partition 0:1 --yes");
        let mut times = Vec::new();
        for line in [check, delete] {
            let started = Instant::now();
            let (code, text) = run(&line);
            times.push(started.elapsed());
            assert_ne!(code, 0, "{what}: {text}");
            let error = text.lines().last().expect("an error");
            assert!(error.contains(words), "{what}: {text}");
        }
        let gateway = Gateway::with_config(&fs::read_to_string(&gateway).expect("a file"));
        let started = Instant::now();
        let response = ready(&gateway).await;
        response.assert_refused(503, "DMS.111501025");
        assert!(
            response.error_msg().contains("refuses the gateway"),
            "{what}: {response:?}"
        );
        times.push(started.elapsed());
        let started = Instant::now();
        let ended = command::delete(&gateway.endpoint, "t", "--partition 0:1");
        times.push(started.elapsed());
        let message = ended.error["message"].as_str().expect("text");
        assert!(message.contains("refuses the gateway"), "{what}: {message}");
        assert_eq!(ended.error["outcome"], "not_applied", "{what}: {message}");
        println!("{what}: {times:?}");
        assert!(times.iter().all(|time| *time < QUICK), "{what}: {times:?}");
        gateway.ask_to_stop();
        let log: Vec<String> = gateway.wait().iter().map(ToString::to_string).collect();
        assert!(
            log.iter()
                .any(|line| line.contains("refuses the gateway") && line.contains(words)),
            "{what}: {log:#?}"
        );
        assert_no_secret(&log.concat());
    }
}

async fn ready(gateway: &Gateway) -> crate::support::Response {
    execute(request(
        Method::GET,
        &format!("{}/readyz", gateway.endpoint),
        "",
    ))
    .await
}
