//! librdkafka's log lines, among the gateway's own.

use rdkafka::{
    ClientContext, config::RDKafkaLogLevel, consumer::ConsumerContext, error::KafkaError,
};

/// Writes what librdkafka has to say about the cluster of one instance.
pub(super) struct LogContext {
    pub(super) instance: String,
}

impl ClientContext for LogContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let instance = &*self.instance;
        match level {
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(instance, facility, message, "librdkafka");
            }
            RDKafkaLogLevel::Debug => {
                tracing::debug!(instance, facility, message, "librdkafka");
            }
            _ => tracing::warn!(instance, facility, message, "librdkafka"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // The log has a line about it already.
        tracing::debug!(instance = &*self.instance, %error, reason, "librdkafka");
    }
}

impl ConsumerContext for LogContext {}
