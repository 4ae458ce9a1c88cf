//! What Prometheus is told, all of it about this process alone.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::backend::{DeletedRecords, KafkaErrorCode};

/// The counters behind `/metrics`.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<OperationLabel, Histogram>,
    pub(crate) in_flight: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) authentication_failures: Counter,
    pub(crate) audit_failures: Counter,
    partitions: Family<ErrorCodeLabel, Counter>,
    records: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorCodeLabel {
    error_code: i16,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("dms_kafka_gateway"),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 2.0, 16))
            }),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
            authentication_failures: Counter::default(),
            audit_failures: Counter::default(),
            partitions: Family::default(),
            records: Counter::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "requests",
            "Requests answered; status 499 is a client that hung up before its answer",
            self.requests.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "Time from the head of a request to its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        registry.register(
            "requests_in_flight",
            "Requests being worked on",
            self.in_flight.clone(),
        );
        registry.register("connections", "Connections open", self.connections.clone());
        registry.register(
            "authentication_failures",
            "Requests refused because they were not signed, or wrongly",
            self.authentication_failures.clone(),
        );
        registry.register(
            "audit_failures",
            "Lines that could not be written to the audit log",
            self.audit_failures.clone(),
        );
        registry.register(
            "partitions",
            "Partitions that deletions asked for, by Kafka's error code; 0 is a success",
            self.partitions.clone(),
        );
        registry.register(
            "records_deleted",
            "Records deleted, as far as the backend knows how many there were",
            self.records.clone(),
        );
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, operation: &'static str, status: u16, seconds: f64) {
        self.requests
            .get_or_create(&RequestLabels { operation, status })
            .inc();
        self.durations
            .get_or_create(&OperationLabel { operation })
            .observe(seconds);
    }

    /// Counts what a deletion did.
    pub(crate) fn deleted(&self, rows: &[DeletedRecords]) {
        for row in rows {
            let error_code = row.outcome.map_or_else(KafkaErrorCode::value, |_| 0);
            self.partitions
                .get_or_create(&ErrorCodeLabel { error_code })
                .inc();
            self.records.inc_by(row.records.unwrap_or(0));
        }
    }

    /// All of it, in the `OpenMetrics` text format.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
