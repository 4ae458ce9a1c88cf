//! Configurations: the documented example, and invalid ones.

use std::{error::Error, fs, net::TcpListener, path::Path};

use crate::support::{cases, delete_as, serve};
use dms_kafka_gateway::{Config, ErrorKind, Gateway, Limits};
use serde::Deserialize;

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dms-kafka-gateway.example.toml");
    fs::read_to_string(path).expect("the example")
}

fn environment(name: &str) -> Option<String> {
    match name {
        _ if name.starts_with("UNSET") => None,
        _ if name.starts_with("EMPTY") => Some(String::new()),
        _ => Some(name.to_lowercase()),
    }
}

#[test]
fn the_example_is_valid_and_shows_the_defaults() {
    let config = Config::from_toml(&example()).expect("a configuration");
    assert_eq!(config.limits, Limits::default());
    config.check(&environment).expect("it is valid");
}

/// A line with a space after its `#` is a comment, any other is a setting.
#[test]
fn the_commented_out_settings_of_the_example_are_valid() {
    let mut text = String::new();
    for line in example().lines() {
        let setting = line.strip_prefix('#').filter(|rest| !rest.starts_with(' '));
        text += setting.unwrap_or(line);
        text += "\n";
    }
    let config = Config::from_toml(&text).expect("a configuration");
    assert!(config.tls.is_some() && config.faults.is_some() && config.tokens.len() == 1);
    assert!(config.rate_limit.is_some() && config.lock_out.is_some() && config.audit.is_some());
}

#[test]
fn invalid_configurations() {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        name: String,
        toml: String,
        kind: String,
        says: Vec<String>,
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("empty"), "\n").expect("a file");
    for case in cases::<Case>("refused_configs.toml") {
        let path = folder.path().to_str().expect("UTF-8");
        let toml = case.toml.replace("$FOLDER", path);
        let error = match Config::from_toml(&toml) {
            Ok(config) => config.check(&environment).map(drop).expect_err(&case.name),
            Err(error) => error,
        };
        let (name, text) = (&case.name, error.to_string());
        assert_eq!(format!("{:?}", error.kind()), case.kind, "{name}: {text}");
        for word in &case.says {
            assert!(text.contains(word), "{name}: {word:?} is not in {text}");
        }
        let printed = format!("{text} {error:?}");
        assert!(!printed.contains("hidden"), "{name}: {printed}");
    }
}

#[tokio::test]
async fn errors_of_every_kind_leave_the_cause_to_their_source() {
    use ErrorKind::{Configuration, File, InvalidSetting, Listen};
    const KEYS: &str = r#"
        listen = "127.0.0.1:0"
        access_key = [{ access_key = "A,K", secret_key = { env = "SK" } }]
        instance = [{ id = "i", project_id = "p", memory = {} }]
    "#;
    let check = |toml: &str| Config::from_toml(toml)?.check(&environment);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let in_use = Gateway::memory().listen(address).start().await;
    let no_instance = "listen = '127.0.0.1:0'\nanonymous = true";
    let no_file = "no/such/file.toml";
    let unread = Config::read(Path::new(no_file));
    for (error, kind, says, has_source) in [
        (check("").err(), Configuration, "listen", false),
        (
            check(no_instance).err(),
            InvalidSetting,
            "nothing to",
            false,
        ),
        (check(KEYS).err(), InvalidSetting, "A,K", true),
        (unread.err(), File, no_file, true),
        (in_use.err(), Listen, &*address.to_string(), true),
    ] {
        let error = error.expect(says);
        assert_eq!(error.kind(), kind);
        let text = error.to_string();
        assert!(text.contains(says), "{says:?} is not in {text}");
        assert_eq!(error.source().is_some(), has_source, "{text}");
        let mut layer: &dyn Error = &error;
        while let Some(source) = layer.source() {
            let (text, cause) = (layer.to_string(), source.to_string());
            assert!(!text.contains(&cause), "{cause:?} is in {text:?} too");
            layer = source;
        }
    }
}

#[tokio::test]
async fn secrets_come_from_files_too() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("sk"), "from a file\r\n").expect("a file");
    let config = r#"
        listen = "127.0.0.1:0"
        access_key = [{ access_key = "AK", secret_key = { file = "$FOLDER/sk" } }]
        instance = [{ id = "i", project_id = "p", memory.topics = [{ name = "t", partitions = 1, records = 10 }] }]
    "#;
    let service = serve(config, folder.path()).await;
    let body = r#"{"partitions":[{"partition":0,"offset":1}]}"#;
    let response = delete_as(&service, ["p", "i", "t"], body, "AK", "from a file").await;
    assert_eq!(response.status, 200, "{response:?}");
}

/// Only librdkafka knows its properties; without it, every table `kafka` is refused.
#[test]
fn properties_that_librdkafka_refuses() {
    let refused = |property: &str| {
        let toml = format!(
            r#"
            listen = "127.0.0.1:0"
            anonymous = true
            instance = [{{ id = "i", project_id = "p", kafka = {{ "bootstrap.servers" = "127.0.0.1:9", {property} }} }}]
            "#
        );
        let config = Config::from_toml(&toml).expect("a configuration");
        let error = config.check(&environment).map(drop).expect_err(property);
        assert_eq!(error.kind(), ErrorKind::InvalidSetting);
        error.to_string()
    };
    for (property, with_kafka) in [
        (r#""no.such.property" = 1"#, "no such property"),
        (r#""security.protocol" = "hidden""#, "this value"),
        (r#""socket.timeout.ms" = -1"#, "this value"),
        #[cfg(not(feature = "kafka-tls"))]
        (r#""security.protocol" = "SASL_SSL""#, "feature kafka-tls"),
        #[cfg(not(feature = "kafka-tls"))]
        (r#""ssl.ca.location" = "/ca.pem""#, "feature kafka-tls"),
        #[cfg(not(feature = "kafka-tls"))]
        (
            r#""security.protocol" = "SASL_PLAINTEXT", "sasl.mechanisms" = "SCRAM-SHA-512", "sasl.username" = "u""#,
            "feature kafka-tls",
        ),
    ] {
        let error = refused(property);
        let without = "feature kafka";
        let expected = if cfg!(feature = "kafka") {
            with_kafka
        } else {
            without
        };
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hidden"), "{error}");
    }
}

/// Without the feature `kafka`, every table `kafka` is refused.
#[test]
fn an_anonymous_gateway_in_front_of_kafka_is_refused() {
    const CONFIG: &str = r#"
        listen = "127.0.0.1:0"
        anonymous = true
        instance = [{ id = "i", project_id = "p", kafka = { "bootstrap.servers" = "127.0.0.1:9" } }]
    "#;
    let config = Config::from_toml(CONFIG).expect("a configuration");
    let error = config.check(&environment).map(drop).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::InvalidSetting);
    let with_kafka = cfg!(feature = "kafka");
    let says = if with_kafka {
        "without authentication"
    } else {
        "feature kafka"
    };
    assert!(error.to_string().contains(says), "{error}");
}
