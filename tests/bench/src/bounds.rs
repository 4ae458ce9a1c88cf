//! What the product promises, and what was measured.

use std::fmt::Write as _;

use crate::Result;
use crate::kafka_cost::KafkaCost;
use crate::peers::Peer;
use crate::report::Measured;
use crate::results::{PeerRow, Results};

/// One promise.
struct Promise {
    what: &'static str,
    bound: &'static str,
    measured: String,
    holds: Option<bool>,
}

/// What a measured value must be.
#[derive(Clone, Copy)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

use Limit::{AtLeast, AtMost};

impl Promise {
    fn new(
        what: &'static str,
        bound: &'static str,
        limit: Limit,
        value: Option<f64>,
        unit: &str,
    ) -> Self {
        let digits = if value.is_some_and(|value| value >= 100.0) {
            0
        } else {
            2
        };
        let shown = value.map(|value| format!("{value:.digits$}{unit}"));
        Self {
            what,
            bound,
            measured: shown.unwrap_or_else(|| "not measured".to_owned()),
            holds: value.map(|value| match limit {
                AtMost(most) => value <= most,
                AtLeast(least) => value >= least,
            }),
        }
    }
}

/// The table of promises.
pub(crate) fn table(measured: &Measured) -> Result<String> {
    let mut text = String::from("| what | bound | measured | |\n|---|---|---|---|\n");
    let promises = client(measured)
        .into_iter()
        .chain(command(&measured.results));
    for promise in promises.chain(others(measured)) {
        let verdict = match promise.holds {
            Some(true) => "holds",
            Some(false) => "**does not hold**",
            None => "",
        };
        let Promise {
            what,
            bound,
            measured,
            ..
        } = promise;
        writeln!(text, "| {what} | {bound} | {measured} | {verdict} |")?;
    }
    Ok(text)
}

fn client(measured: &Measured) -> [Promise; 5] {
    let results = &measured.results;
    let against = |partitions| Some(facade(results, partitions, 1)?.cpu_ratio.median);
    let rate = facade(results, 1, 64).map(|row| row.rate_ratio.median);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 instructions")]
    let instructions = measured.instructions.map(|count| count as f64 / 1000.0);
    [
        Promise::new(
            "CPU time per call through the facade, against reqwest posting the same bytes unsigned",
            "<= 1.25x",
            AtMost(1.25),
            against(1),
            "x",
        ),
        Promise::new(
            "thousands of instructions per call, user space, SHA-256 in software",
            "<= 160",
            AtMost(160.0),
            instructions,
            "",
        ),
        Promise::new(
            "64 in flight, one thread: calls per second against reqwest",
            ">= 0.85x",
            AtLeast(0.85),
            rate,
            "x",
        ),
        Promise::new(
            "100,000 partitions in a request: CPU time against reqwest with `serde_json`",
            "<= 1.2x",
            AtMost(1.2),
            against(100_000),
            "x",
        ),
        Promise::new(
            "growth from 10,000 to 100,000 partitions, against ten times",
            "<= 1.15x",
            AtMost(1.15),
            results.growth.as_ref().map(|growth| growth.median),
            "x",
        ),
    ]
}

fn command(results: &Results) -> [Promise; 4] {
    let start = &results.cold_start;
    let file = results.purge_of_a_file.as_ref();
    let rate = file
        .zip(facade(results, 10, 64))
        .map(|(file, row)| file.rows_per_second.median / row.calls_per_second.median / 10.0);
    [
        Promise::new(
            "`dms-kafka delete` over loopback, start to end of the process",
            "<= 10 ms",
            AtMost(10.0),
            Some(start.wall_millis.median),
            " ms",
        ),
        Promise::new(
            "its peak memory",
            "<= 8 MB",
            AtMost(8.0),
            Some(megabytes(start.peak_rss)),
            " MB",
        ),
        Promise::new(
            "`dms-kafka purge` of a file of 1,000,000 rows: peak memory",
            "<= 64 MB",
            AtMost(64.0),
            file.map(|file| megabytes(file.peak_rss)),
            " MB",
        ),
        Promise::new(
            "its rows per second against the facade's",
            ">= 0.8x",
            AtLeast(0.8),
            rate,
            "x",
        ),
    ]
}

fn others(measured: &Measured) -> [Promise; 5] {
    let results = &measured.results;
    let gateway = results.gateway.iter().find(|row| row.server == "gateway");
    #[expect(clippy::cast_precision_loss, reason = "a count of crates")]
    let added = measured
        .build
        .as_ref()
        .map(|build| build.added.len() as f64);
    [
        Promise::new(
            "signing, small body",
            "<= 2.5 us",
            AtMost(2.5),
            Some(results.signing.small_micros.median),
            " us",
        ),
        Promise::new(
            "signing 1 MiB, against its bare SHA-256",
            "<= 1.1x",
            AtMost(1.1),
            Some(results.signing.mebibyte_ratio.median),
            "x",
        ),
        Promise::new(
            "gateway in memory, signatures verified: requests per CPU second against an axum route that does nothing",
            ">= 0.6x",
            AtLeast(0.6),
            gateway.map(|row| row.ratio.median),
            "x",
        ),
        Promise::new(
            "gateway in front of Kafka: added to the same deletion made directly, at the median",
            "<= 1 ms",
            AtMost(1.0),
            measured.kafka.as_ref().map(KafkaCost::added),
            " ms",
        ),
        Promise::new(
            "crates that the facade adds to reqwest with rustls",
            "<= 40",
            AtMost(40.0),
            added,
            "",
        ),
    ]
}

fn facade(results: &Results, partitions: usize, in_flight: usize) -> Option<&PeerRow> {
    let workload = results.workload(partitions, in_flight)?;
    workload.peer(Peer::Facade.name())
}

#[expect(clippy::cast_precision_loss, reason = "KiB of one process")]
pub(crate) fn megabytes(kibibytes: i64) -> f64 {
    kibibytes as f64 / 1024.0
}
