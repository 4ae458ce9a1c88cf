//! What the product promises, and what was measured.

use std::fmt::Write as _;

use crate::Result;
use crate::peers::Peer;
use crate::report::Measured;
use crate::results::{PeerRow, Results};
use crate::statistics::Spread;

/// One promise.
pub(crate) struct Promise {
    pub(crate) what: &'static str,
    limit: Limit,
    unit: &'static str,
    measured: Option<Spread>,
    /// Why it cannot hold, and what it would take.
    pub(crate) why: Option<&'static str>,
}

/// What a measured value must be.
#[derive(Clone, Copy)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

use Limit::{AtLeast, AtMost};

/// How a promise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    /// Some of the middle half of the rounds keep to the bound, others do not.
    TooClose,
    TooNoisy,
    Broken,
    NotMeasured,
}

impl Promise {
    pub(crate) fn verdict(&self) -> Verdict {
        let Some(measured) = &self.measured else {
            return Verdict::NotMeasured;
        };
        let kept = |value: f64| match self.limit {
            AtMost(most) => value <= most,
            AtLeast(least) => value >= least,
        };
        let all_keep = kept(measured.min) && kept(measured.max);
        match measured.quartiles.map(kept) {
            _ if all_keep => Verdict::Holds,
            _ if measured.is_noisy() => Verdict::TooNoisy,
            [true, true] => Verdict::Holds,
            [false, false] => Verdict::Broken,
            _ => Verdict::TooClose,
        }
    }
}

/// The table of promises.
pub(crate) fn table(promises: &[Promise]) -> Result<String> {
    let mut text = String::from("| what | bound | measured | |\n|---|---|---|---|\n");
    for promise in promises {
        let verdict = match promise.verdict() {
            Verdict::Holds => "holds",
            Verdict::TooClose => "too close to judge",
            Verdict::TooNoisy => "too noisy to judge",
            Verdict::Broken => "**does not hold**",
            Verdict::NotMeasured => "",
        };
        let Promise {
            what, limit, unit, ..
        } = promise;
        let bound = match limit {
            AtMost(most) => format!("<= {most}{unit}"),
            AtLeast(least) => format!(">= {least}{unit}"),
        };
        let measured = promise
            .measured
            .map_or("not measured".to_owned(), |spread| {
                format!("{spread}{unit}")
            });
        writeln!(text, "| {what} | {bound} | {measured} | {verdict} |")?;
    }
    Ok(text)
}

/// Everything that is promised.
pub(crate) fn promises(measured: &Measured) -> Vec<Promise> {
    let results = &measured.results;
    let promises = client(measured).into_iter().chain(command(results));
    promises.chain(others(measured)).collect()
}

fn client(measured: &Measured) -> [Promise; 5] {
    let results = &measured.results;
    let cost = |partitions| Some(facade(results, partitions, 1)?.cpu_ratio);
    [
        Promise {
            what: "CPU time per call through the facade, against reqwest posting the same bytes unsigned",
            limit: AtMost(1.25),
            unit: "x",
            measured: cost(1),
            why: Some(include_str!("../why/each-call.md")),
        },
        Promise {
            what: "instructions per call, user space, SHA-256 in software",
            limit: AtMost(160_000.0),
            unit: "",
            measured: measured.instructions("facade, 1 partition"),
            why: None,
        },
        Promise {
            what: "64 in flight, one thread: calls per second against reqwest",
            limit: AtLeast(0.85),
            unit: "x",
            measured: facade(results, 1, 64).map(|row| row.rate_ratio),
            why: Some(include_str!("../why/each-call.md")),
        },
        Promise {
            what: "100,000 partitions in a request: CPU time against reqwest with `serde_json`",
            limit: AtMost(1.2),
            unit: "x",
            measured: cost(100_000),
            why: Some(include_str!("../why/growth.md")),
        },
        Promise {
            what: "growth of CPU time from 10,000 to 100,000 partitions, against ten times",
            limit: AtMost(1.15),
            unit: "x",
            measured: Some(results.growth),
            why: Some(include_str!("../why/growth.md")),
        },
    ]
}

fn command(results: &Results) -> [Promise; 4] {
    let start = &results.cold_start;
    let file = &results.purge_of_a_file;
    [
        Promise {
            what: "`dms-kafka delete` over loopback, start to end of the process",
            limit: AtMost(10.0),
            unit: " ms",
            measured: Some(start.wall_millis),
            why: None,
        },
        Promise {
            what: "its peak memory",
            limit: AtMost(8.0),
            unit: " MB",
            measured: Some(start.peak_rss.divided_by(1024.0)),
            why: None,
        },
        Promise {
            what: "`dms-kafka purge` of a file of 1,000,000 rows: peak memory",
            limit: AtMost(64.0),
            unit: " MB",
            measured: Some(Spread::exactly(megabytes(file.peak_rss))),
            why: None,
        },
        Promise {
            what: "its rows per second against the facade's",
            limit: AtLeast(0.8),
            unit: "x",
            measured: Some(file.against_the_facade),
            why: Some(include_str!("../why/purge.md")),
        },
    ]
}

fn others(measured: &Measured) -> [Promise; 5] {
    let results = &measured.results;
    let gateway = results.gateway.iter().find(|row| row.server == "gateway");
    #[expect(clippy::cast_precision_loss, reason = "a count of crates")]
    let added = |build: &crate::build_cost::BuildCost| Spread::exactly(build.added.len() as f64);
    [
        Promise {
            what: "signing, small body",
            limit: AtMost(2.5),
            unit: " us",
            measured: Some(results.signing.small_micros),
            why: None,
        },
        Promise {
            what: "signing 1 MiB, against its bare SHA-256",
            limit: AtMost(1.1),
            unit: "x",
            measured: Some(results.signing.mebibyte_ratio),
            why: None,
        },
        Promise {
            what: "gateway in memory, signatures verified: requests per CPU second against an axum route that does nothing",
            limit: AtLeast(0.6),
            unit: "x",
            measured: gateway.map(|row| row.ratio),
            why: Some(include_str!("../why/gateway.md")),
        },
        Promise {
            what: "gateway in front of Kafka: added to the same deletion made directly, at the median",
            limit: AtMost(1.0),
            unit: " ms",
            measured: measured.kafka.as_ref().map(|cost| cost.added),
            why: None,
        },
        Promise {
            what: "crates that the facade adds to reqwest with rustls",
            limit: AtMost(40.0),
            unit: "",
            measured: measured.build.as_ref().map(added),
            why: None,
        },
    ]
}

fn facade(results: &Results, partitions: usize, in_flight: usize) -> Option<&PeerRow> {
    let workload = results.workload(partitions, in_flight)?;
    workload.peer(Peer::Facade.name())
}

/// KiB as MB of 1,048,576 bytes.
#[expect(clippy::cast_precision_loss, reason = "KiB of one process")]
pub(crate) fn megabytes(kibibytes: i64) -> f64 {
    kibibytes as f64 / 1024.0
}
