//! The bodies of the fuzz targets. `cargo test` runs them on the seeds.

use std::path::Path;

use dms_kafka::{DeletionTarget, PartitionId};
use serde_json::{Map, Value};

use super::failures_file::write_rows;
use super::journal::{Expected, JournalHeader, replay};
use super::offsets_file::read_rows;
use super::rows::{RowState, RowStates, Rows};

/// Any bytes as an offsets file: if it is valid, its rows survive being written as a failures file.
pub(crate) fn offsets(input: &[u8]) {
    let Ok((layout, rows)) = read_rows(input) else {
        return;
    };
    let mut written = Vec::new();
    write_rows(&mut written, layout, &rows, &RowStates::new(rows.len())).unwrap();
    let (layout_again, rows_again) = read_rows(&*written).unwrap();
    assert_eq!(layout_again, layout);
    assert!(values(&rows).eq(values(&rows_again)));
    rows.first_duplicate();
}

fn values(rows: &Rows) -> impl Iterator<Item = (&str, i32, i64)> {
    rows.iter().map(|row| {
        let partition = row.partition.get();
        (row.topic.as_str(), partition, row.target.to_api_offset())
    })
}

/// Any bytes as a journal of four rows, of which the odd ones delete everything. If it is valid, each row whose outcome is
/// unknown is sent again, unless it deletes everything.
pub(crate) fn journal(input: &[u8]) {
    let mut rows = Rows::default();
    for partition in 0..4 {
        let target = match partition % 2 {
            0 => DeletionTarget::before(7).unwrap(),
            _ => DeletionTarget::Everything,
        };
        let partition = PartitionId::new(partition).unwrap();
        rows.push("t", partition, target).unwrap();
    }
    let Some((length, states)) = replayed(input, &rows) else {
        return;
    };
    let whole = &input[..length];
    assert!(whole.is_empty() || whole.ends_with(b"\n"));
    assert_eq!(replayed(whole, &rows), Some((length, states.clone())));
    for (row, state) in states.into_iter().enumerate() {
        let is_unknown = is_unknown(whole, row);
        assert_eq!(state.is_unknown(), is_unknown, "row {row}: {state:?}");
        let is_everything = row % 2 == 1;
        if is_unknown {
            assert_eq!(
                state.is_to_be_sent(),
                !is_everything,
                "row {row}: {state:?}"
            );
        }
    }
}

fn replayed(input: &[u8], rows: &Rows) -> Option<(usize, Vec<RowState>)> {
    let expected = Expected {
        header: JournalHeader::new("00", 4, "https://localhost", Some("p"), "i"),
        rows,
        allow_other_endpoint: true,
    };
    let states = RowStates::new(rows.len());
    let length = replay(Path::new("journal"), input, &expected, &states).ok()?;
    let states = states.all().clone();
    Some((usize::try_from(length).unwrap(), states))
}

/// Whether the outcome of a row is unknown after these lines: an intent has no result, or only a deletion can end it.
fn is_unknown(lines: &[u8], row: usize) -> bool {
    const ORDER: [&str; 6] = [
        "intent", "deleted", "failed", "refused", "unknown", "undone",
    ];
    let (mut is_unknown, mut is_in_flight) = (false, false);
    let lines = lines.split(|byte| *byte == b'\n').skip(1);
    for line in lines.filter(|line| !line.is_empty()) {
        let entry: Map<String, Value> = serde_json::from_slice(line).unwrap();
        for word in ORDER {
            let rows = entry.get(word).and_then(Value::as_array);
            let times = rows.map_or(0, |rows| {
                rows.iter().filter(|number| **number == row).count()
            });
            for _ in 0..times {
                is_unknown |= word == "unknown" || (word == "intent" && is_in_flight);
                is_unknown &= word != "deleted";
                is_in_flight = word == "intent";
            }
        }
    }
    is_unknown || is_in_flight
}

#[cfg(test)]
#[test]
fn the_targets_accept_their_seeds() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
    for (name, target) in [("offsets", offsets as fn(&[u8])), ("journal", journal)] {
        let mut count = 0;
        for seed in std::fs::read_dir(seeds.join(name)).unwrap() {
            target(&std::fs::read(seed.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 3, "{name}");
    }
}
