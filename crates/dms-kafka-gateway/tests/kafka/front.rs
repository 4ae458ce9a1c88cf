//! A gateway in front of the brokers.

use std::time::Duration;

use dms_kafka_gateway::{Config, Service};
use reqwest::Method;

use crate::{
    brokers::Brokers,
    deletion_table::{TestedGateway, deletion_of},
    support::{Response, credentials, execute, request, sign, url_at},
    topics::Topics,
};

pub(crate) const PROJECT: &str = "project";
pub(crate) const INSTANCE: &str = "instance";
pub(crate) const ACCESS_KEY: &str = "AK";
pub(crate) const SECRET_KEY: &str = "sk";
pub(crate) const SECRET_KEY_ENV: &str = "DMS_KAFKA_TEST_SECRET_KEY";

/// Environment variables with a password of the user `gateway`, and with another text.
pub(crate) const PASSWORDS: [(&str, &str); 2] =
    [("RIGHT", "gateway-password"), ("WRONG", "another-password")];

/// A running gateway, and the topics behind it.
pub(crate) struct Front {
    pub(crate) service: Service,
    pub(crate) topics: Topics,
}

impl Front {
    /// A gateway with the default timeout for Kafka.
    pub(crate) async fn of(brokers: &Brokers) -> Self {
        Self::with_timeout(brokers, 30.0).await
    }

    /// A gateway with this timeout for Kafka.
    pub(crate) async fn with_timeout(brokers: &Brokers, seconds: f64) -> Self {
        Self {
            service: serve(&brokers.bootstrap_servers, seconds).await,
            topics: Topics::of(brokers),
        }
    }

    /// Deletes, and returns each row's `error_code`.
    pub(crate) async fn codes(&self, topic: &str, rows: &[(i32, i64)]) -> Vec<String> {
        let response = delete(&self.service, topic, rows).await;
        assert_eq!(response.status, 200, "{response:?}");
        let answered = response.body["partitions"].as_array().expect("rows");
        let code = |row: &serde_json::Value| row["error_code"].as_str().expect("text").to_owned();
        answered.iter().map(code).collect()
    }

    pub(crate) async fn partitions(&self, topic: &str) -> Response {
        let operation = "partitions?limit=50";
        send(&self.service, Method::GET, INSTANCE, topic, operation, "").await
    }
}

impl TestedGateway for Front {
    async fn delete(&self, topic: &str, body: String) -> Response {
        send(
            &self.service,
            Method::POST,
            INSTANCE,
            topic,
            "messages/delete",
            &body,
        )
        .await
    }

    async fn append(&self, topic: &str, partition: i32, records: u64) {
        self.topics.append(topic, partition, records);
    }

    async fn offsets(&self, topic: &str, partition: i32) -> (i64, i64) {
        self.topics.offsets(topic, partition)
    }
}

/// The configuration of a gateway in front of these servers, with more lines at its beginning.
pub(crate) fn config(bootstrap_servers: &str, seconds: f64, more: &str) -> String {
    format!(
        r#"
        listen = "127.0.0.1:0"
        limits.backend_seconds = {seconds:?}
        {more}
        [[access_key]]
        access_key = "{ACCESS_KEY}"
        secret_key = {{ env = "{SECRET_KEY_ENV}" }}
        [[instance]]
        id = "{INSTANCE}"
        project_id = "{PROJECT}"
        [instance.kafka]
        "bootstrap.servers" = "{bootstrap_servers}"
        "#
    )
}

/// More lines of a configuration, for servers that require a password; `variable` is its environment variable.
pub(crate) fn sasl(variable: &str) -> String {
    format!(
        r#"
        "security.protocol" = "SASL_PLAINTEXT"
        "sasl.mechanisms" = "PLAIN"
        "sasl.username" = "gateway"
        "sasl.password" = {{ env = "{variable}" }}
        "#
    )
}

/// A gateway in this process, in front of these servers.
pub(crate) async fn serve(bootstrap_servers: &str, seconds: f64) -> Service {
    start(&config(bootstrap_servers, seconds, "")).await
}

/// A gateway in this process with this configuration.
pub(crate) async fn start(config: &str) -> Service {
    let config = Config::from_toml(config).expect("a configuration");
    let variables = [(SECRET_KEY_ENV, SECRET_KEY)].into_iter().chain(PASSWORDS);
    let environment = |name: &str| {
        let mut variables = variables.clone();
        variables
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.to_owned())
    };
    let checked = config.check(&environment);
    let checked = checked.expect("a valid configuration");
    checked.start().await.expect("a service")
}

/// Deletes these rows through a gateway.
pub(crate) async fn delete(service: &Service, topic: &str, rows: &[(i32, i64)]) -> Response {
    let (operation, body) = ("messages/delete", deletion_of(rows));
    send(service, Method::POST, INSTANCE, topic, operation, &body).await
}

/// The response of `/readyz`.
pub(crate) async fn ready(service: &Service) -> Response {
    let url = format!("{}/readyz", service.endpoint());
    execute(request(Method::GET, &url, "")).await
}

/// Sends a signed request.
pub(crate) async fn send(
    service: &Service,
    method: Method,
    instance: &str,
    topic: &str,
    operation: &str,
    body: &str,
) -> Response {
    let url = url_at(service.endpoint(), [PROJECT, instance, topic], operation);
    let request = request(method, &url, body);
    let request = sign(request, &credentials(ACCESS_KEY, SECRET_KEY));
    let response = tokio::time::timeout(Duration::from_secs(90), execute(request));
    response.await.expect("a response in time")
}
