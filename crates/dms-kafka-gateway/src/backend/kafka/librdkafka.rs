//! Properties of librdkafka's clients, and their log.

use std::{sync::Arc, thread, time::Duration};

use huaweicloud_auth::text;
use rdkafka::{
    ClientConfig, ClientContext,
    client::{Client, DefaultClientContext},
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, ConsumerContext},
    error::KafkaError,
    types::{RDKafkaConfRes, RDKafkaErrorCode, RDKafkaType},
};
use tokio::sync::watch;

use crate::error::Error;

/// How often the thread that writes log lines checks whether it is still needed.
const LOG_POLL: Duration = Duration::from_millis(250);

pub(super) type Reader = BaseConsumer<LogContext>;

/// Polls the reader's queue of log lines until the reader is dropped.
pub(super) fn write_log(reader: &Arc<Reader>) -> std::io::Result<()> {
    let reader = Arc::downgrade(reader);
    let writer = thread::Builder::new().name("librdkafka log".to_owned());
    writer
        .spawn(move || {
            while let Some(reader) = reader.upgrade() {
                // It reads no topic: polling only passes log lines to the context.
                drop(reader.poll(LOG_POLL));
            }
        })
        .map(drop)
}

/// The most characters of a message of librdkafka in the log.
const MAX_LOG_MESSAGE: usize = 2000;

/// Writes librdkafka's log lines about one instance's cluster to the gateway's log.
#[derive(Clone)]
pub(super) struct LogContext {
    pub(super) instance: String,
    #[cfg(feature = "kafka-tls")]
    pub(super) config: ClientConfig,
    pub(super) refused: watch::Sender<Option<String>>,
}

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let instance = &*self.instance;
        // It may quote a broker.
        let reason = &*text::sanitize(message, &[], MAX_LOG_MESSAGE);
        match level {
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(instance, facility, reason, "librdkafka");
            }
            RDKafkaLogLevel::Debug => {
                tracing::debug!(instance, facility, reason, "librdkafka");
            }
            _ => tracing::warn!(instance, facility, reason, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // librdkafka also logs it, through `log`.
        let reason = &*text::sanitize(reason, &[], MAX_LOG_MESSAGE);
        tracing::debug!(instance = &*self.instance, %error, reason, "librdkafka");
        let is_refusal = matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)
        );
        let refused = self.mismatch(reason);
        let refused = refused.or_else(|| is_refusal.then(|| reason.to_owned()));
        if refused.is_some() {
            self.refused.send_replace(refused);
        }
    }
}

impl LogContext {
    #[cfg(feature = "kafka-tls")]
    fn mismatch(&self, reason: &str) -> Option<String> {
        super::listener::mismatch(&self.config, reason)
    }

    #[cfg(not(feature = "kafka-tls"))]
    #[expect(clippy::unused_self, reason = "the other one uses it")]
    fn mismatch(&self, _: &str) -> Option<String> {
        None
    }
}

impl ConsumerContext for LogContext {}

/// Lets librdkafka check the properties and certificates without connecting.
pub(super) fn check(instance: &str, config: &ClientConfig) -> Result<(), Error> {
    let mut config = config.clone();
    config.remove("bootstrap.servers");
    config.set_log_level(RDKafkaLogLevel::Emerg);
    // An `AdminClient` would need 100 ms to stop its thread.
    let native = config.create_native_config();
    let client = native.and_then(|native| {
        Client::new(
            &config,
            native,
            RDKafkaType::RD_KAFKA_PRODUCER,
            DefaultClientContext,
        )
    });
    client.map(drop).map_err(|error| refused(instance, error))
}

const NEEDS_TLS: &str = "librdkafka does not accept this value; TLS, and SASL mechanisms other than PLAIN, need a program that was built with the feature kafka-tls";

/// Whether a property may have been refused because the program was built without TLS.
fn needs_tls(property: &str) -> bool {
    let names = ["security.protocol", "sasl.mechanisms", "sasl.mechanism"];
    !cfg!(feature = "kafka-tls") && (names.contains(&property) || property.starts_with("ssl."))
}

/// Names the property, but not its value, which may be a secret.
fn refused(instance: &str, error: KafkaError) -> Error {
    let setting = format!("kafka of instance {instance:?}:");
    match error {
        KafkaError::ClientConfig(result, _, property, _) => {
            let rule = match result {
                RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN => "librdkafka has no such property",
                _ if needs_tls(&property) => NEEDS_TLS,
                _ => "librdkafka does not accept this value",
            };
            Error::invalid_setting(&setting, &property, rule)
        }
        error => {
            let rule = if cfg!(feature = "kafka-tls") {
                "librdkafka refuses them"
            } else {
                NEEDS_TLS
            };
            Error::refused_setting(&setting, "properties", rule, error)
        }
    }
}
