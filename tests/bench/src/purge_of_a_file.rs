//! `dms-kafka purge` of a file with a million rows.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::Result;
use crate::cold_start::dms_kafka;
use crate::peers::Cost;
use crate::processes::{Server, read};
use crate::results::FilePurge;
use crate::root;
use crate::server::{INSTANCE, Kind};
use crate::statistics::Spread;

const TOPICS: usize = 100_000;
const PARTITIONS: usize = 10;

/// Purges the file three times against a server that answers at once.
pub(crate) fn measure(cli: &Path) -> Result<FilePurge> {
    let rows = root().join("target/bench/rows.ndjson");
    write_rows(&rows)?;
    let server = Server::start(Kind::Fast, Some(0))?;
    let mut ready = server.ready.clone();
    ready.instance_id = format!("{INSTANCE}10");
    let mut costs = Vec::new();
    for _ in 0..3 {
        let mut command = dms_kafka("purge", cli, &ready)?;
        command
            .arg("--offsets-file")
            .arg(&rows)
            .args(["--yes", "--concurrency=64"]);
        costs.push(read::<Cost>(&mut command)?);
    }
    fs::remove_file(&rows)?;
    let count = TOPICS * PARTITIONS;
    #[expect(clippy::cast_precision_loss, reason = "a million")]
    let rate = |cost: &Cost| count as f64 / cost.wall;
    Ok(FilePurge {
        rows: count,
        rows_per_second: Spread::of(costs.iter().map(rate).collect()),
        peak_rss: costs.iter().map(|cost| cost.peak_rss).max().unwrap_or(0),
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
