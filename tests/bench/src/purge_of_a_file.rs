//! `dms-kafka purge` of a file with a million rows, beside the facade deleting as much.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::Result;
use crate::cold_start::dms_kafka;
use crate::peers::{Cost, Peer};
use crate::processes::{Server, Work, read};
use crate::results::FilePurge;
use crate::root;
use crate::server::{INSTANCE, Kind};
use crate::statistics::Spread;

const TOPICS: usize = 100_000;
const PARTITIONS: usize = 10;
const IN_FLIGHT: usize = 64;

/// Both are alone on one CPU, with the same server on the other, and delete as many partitions in as many requests.
pub(crate) fn measure(cli: &Path, rounds: usize) -> Result<FilePurge> {
    let rows = root().join("target/bench/rows.ndjson");
    write_rows(&rows)?;
    let server = Server::start(Kind::Fast, Some(0))?;
    let mut ready = server.ready.clone();
    ready.instance_id = format!("{INSTANCE}{PARTITIONS}");
    let by_the_facade = Work {
        partitions: PARTITIONS,
        in_flight: IN_FLIGHT,
        calls: TOPICS,
        warm_up: 0,
        cpu: Some(1),
    };
    let (mut of_a_file, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut command = dms_kafka("purge", cli, &ready, Some(1))?;
        command
            .arg("--offsets-file")
            .arg(&rows)
            .arg("--yes")
            .arg(format!("--concurrency={IN_FLIGHT}"));
        let purge = read::<Cost>(&mut command)?;
        let facade = by_the_facade.cost(Peer::Facade, &server.ready)?;
        ratios.push(facade.wall / purge.wall);
        of_a_file.push(purge);
    }
    fs::remove_file(&rows)?;
    let count = TOPICS * PARTITIONS;
    #[expect(clippy::cast_precision_loss, reason = "a million")]
    let rate = |cost: &Cost| count as f64 / cost.wall;
    Ok(FilePurge {
        rows: count,
        rows_per_second: Spread::of(of_a_file.iter().map(rate).collect()),
        against_the_facade: Spread::of(ratios),
        peak_rss: of_a_file
            .iter()
            .map(|cost| cost.peak_rss)
            .max()
            .unwrap_or(0),
    })
}

/// Rows of one topic stand together, ten of them in a request, as the fast server answers.
fn write_rows(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = BufWriter::new(File::create(path)?);
    for topic in 0..TOPICS {
        for partition in 0..PARTITIONS {
            writeln!(
                file,
                r#"{{"topic":"topic-{topic}","partition":{partition},"offset":1}}"#
            )?;
        }
    }
    Ok(file.flush()?)
}
