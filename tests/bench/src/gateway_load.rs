//! The gateway under load, beside an axum route that does nothing.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::load::Answered;
use crate::processes::{Server, read, this_program, value};
use crate::server::Kind;
use crate::statistics::Spread;

const SERVERS: [Kind; 3] = [Kind::Axum, Kind::Anonymous, Kind::Gateway];
const CONNECTIONS: &str = "--connections=64";

/// One kind of server over all rounds.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) server: String,
    pub(crate) requests_per_second: Spread,
    /// Microseconds of the server's CPU time for each request.
    pub(crate) cpu_micros: Spread,
    /// Requests for each second of the server's CPU time, against the bare route in the same round.
    pub(crate) ratio: Spread,
    /// KiB.
    pub(crate) peak_rss: i64,
}

struct Measured {
    rate: f64,
    cpu: f64,
    peak_rss: i64,
}

pub(crate) fn measure(rounds: usize, seconds: f64) -> Result<Vec<Row>> {
    let mut measured: Vec<Vec<Measured>> = SERVERS.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (kind, measured) in SERVERS.iter().zip(&mut measured) {
            measured.push(once(*kind, seconds)?);
        }
    }
    let bare: Vec<f64> = measured[0].iter().map(|measured| measured.cpu).collect();
    let rows = SERVERS.iter().zip(&measured).map(|(kind, measured)| Row {
        server: value(kind),
        requests_per_second: Spread::of(measured.iter().map(|measured| measured.rate).collect()),
        cpu_micros: Spread::of(measured.iter().map(|measured| measured.cpu * 1e6).collect()),
        ratio: Spread::of(
            bare.iter()
                .zip(measured)
                .map(|(bare, own)| bare / own.cpu)
                .collect(),
        ),
        peak_rss: measured
            .iter()
            .map(|measured| measured.peak_rss)
            .max()
            .unwrap_or(0),
    });
    Ok(rows.collect())
}

fn once(kind: Kind, seconds: f64) -> Result<Measured> {
    let server = Server::start(kind, Some(0))?;
    let answered: Answered = read(
        this_program("load", &[CONNECTIONS, "--cpu=1"])?
            .arg(format!("--seconds={seconds}"))
            .arg(format!("--ready={}", serde_json::to_string(&server.ready)?)),
    )?;
    let usage = server.stop()?;
    if answered.other > 0 || answered.ok == 0 {
        return Err(format!("the {} server answered {answered:?}", value(&kind)).into());
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 requests")]
    let requests = answered.ok as f64;
    Ok(Measured {
        rate: requests / answered.wall,
        cpu: usage.cpu / requests,
        peak_rss: usage.peak_rss,
    })
}
