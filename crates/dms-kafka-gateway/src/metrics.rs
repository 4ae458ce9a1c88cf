//! Metrics of this process, for Prometheus.

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Metric, Registry, Unit},
};

use crate::backend::{BackendMetrics, DeletedRecords};

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
    pub(crate) connections_refused: Counter,
    partitions: Family<ErrorCodeLabel, Counter>,
    records: Counter,
    pub(crate) backend: BackendMetrics,
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
        let mut registry = Registry::with_prefix("dms_kafka_gateway");
        let new_histogram: fn() -> Histogram =
            || Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let durations = Family::new_with_constructor(new_histogram);
        registry.register_with_unit(
            "request_duration",
            "Time from the head of a request to its response",
            Unit::Seconds,
            durations.clone(),
        );
        let deletions = new_histogram();
        registry.register_with_unit(
            "kafka_deletion_duration",
            "Time from sending a deletion to a Kafka broker, for one or more requests, to its response",
            Unit::Seconds,
            deletions.clone(),
        );
        let r = &mut registry;
        Self {
            requests: registered(
                r,
                "requests",
                "Requests by status; 499: the client closed the connection before the response",
            ),
            durations,
            in_flight: registered(r, "requests_in_flight", "Requests being processed"),
            connections: registered(r, "connections", "Open connections"),
            authentication_failures: registered(
                r,
                "authentication_failures",
                "Requests refused because their signature or token was missing or invalid",
            ),
            connections_refused: registered(
                r,
                "connections_refused",
                "Connections closed because their peer had its share, with a request on each",
            ),
            audit_failures: registered(
                r,
                "audit_failures",
                "Lines that could not be written to the audit log",
            ),
            partitions: registered(
                r,
                "partitions",
                "Partitions in requests for deletion, by Kafka's error code; 0 is a success",
            ),
            records: registered(
                r,
                "records_deleted",
                "Records deleted, if the backend knows their number",
            ),
            backend: BackendMetrics {
                deletions,
                nudges: registered(r, "kafka_nudges", "Records appended to nudge topics"),
            },
            registry,
        }
    }

    pub(crate) fn count_request(&self, operation: &'static str, status: u16, seconds: f64) {
        self.requests
            .get_or_create(&RequestLabels { operation, status })
            .inc();
        self.durations
            .get_or_create(&OperationLabel { operation })
            .observe(seconds);
    }

    pub(crate) fn count_rows(&self, rows: &[DeletedRecords]) {
        // A look-up for each row would take longer than the deletion.
        for rows in rows.chunk_by(|one, next| one.error_code() == next.error_code()) {
            let error_code = rows[0].error_code();
            let partitions = self
                .partitions
                .get_or_create(&ErrorCodeLabel { error_code });
            partitions.inc_by(rows.len() as u64);
            self.records
                .inc_by(rows.iter().filter_map(|row| row.records).sum());
        }
    }

    /// All metrics in the `OpenMetrics` text format.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn registered<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}
