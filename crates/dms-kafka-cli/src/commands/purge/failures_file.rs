//! The failures file: the rows that were not deleted, in the format of the offsets file.

use std::io::{self, BufWriter, Write};

use super::offsets_file::Layout;
use super::rows::{RowStates, Rows};

/// Writes the rows that are not known to be deleted. It leaves out deletions of all records with unknown outcome:
/// repeating them would delete newer records.
pub(super) fn write_rows(
    file: impl Write,
    layout: Layout,
    rows: &Rows,
    states: &RowStates,
) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    let (before, between, after) = match layout {
        Layout::Document => ("{\"partitions\":[\n", ",\n", "],\"version\":1}\n"),
        Layout::Lines => ("", "\n", ""),
    };
    file.write_all(before.as_bytes())?;
    let mut separator = "";
    for (row, state) in rows.iter().zip(states.all().iter()) {
        if state.is_left(&row) {
            // Topic names contain no character that JSON escapes.
            write!(
                file,
                r#"{separator}{{"topic":"{}","partition":{},"offset":{}}}"#,
                row.topic,
                row.partition,
                row.target.to_api_offset()
            )?;
            separator = between;
        }
    }
    if !separator.is_empty() {
        file.write_all(b"\n")?;
    }
    file.write_all(after.as_bytes())?;
    file.flush()
}
