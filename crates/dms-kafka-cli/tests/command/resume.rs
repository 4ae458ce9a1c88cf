//! Purges that are killed and resumed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Audited, Folder, RECORDS, Run as _, assert_counts, ended_with, stdout};

/// One row for each partition of each topic; the topics alternate, as in an unsorted file.
pub(crate) struct Rows {
    pub(crate) topics: u32,
    pub(crate) partitions: u32,
    /// The interval between rows that delete everything; 0 for no such rows.
    pub(crate) everything: u64,
}

impl Rows {
    pub(crate) fn count(&self) -> u64 {
        u64::from(self.topics) * u64::from(self.partitions)
    }

    fn row(&self, number: u64) -> (u32, i32, i64) {
        let topic = u32::try_from(number % u64::from(self.topics)).unwrap();
        let partition = i32::try_from(number / u64::from(self.topics)).unwrap();
        let offset = match self.everything {
            every if every > 0 && number.is_multiple_of(every) => -1,
            _ => 1 + i64::try_from(number * 31 % 997).unwrap(),
        };
        (topic, partition, offset)
    }

    fn number(&self, topic: u32, partition: i32) -> u64 {
        u64::from(topic) + u64::try_from(partition).unwrap() * u64::from(self.topics)
    }

    /// The rows in the format of `kafka-delete-records.sh`.
    pub(crate) fn document(&self) -> String {
        let mut text = "{\"version\":1,\"partitions\":[".to_owned();
        for number in 0..self.count() {
            let (topic, partition, offset) = self.row(number);
            let comma = if number == 0 { "" } else { "," };
            write!(
                text,
                "{comma}\n{{\"topic\":\"t{topic}\",\"partition\":{partition},\"offset\":{offset}}}"
            )
            .unwrap();
        }
        text + "]}\n"
    }

    /// The start offset of each partition after the purge.
    pub(crate) fn starts(&self) -> Vec<Vec<i64>> {
        let start = |topic, partition| match self.row(self.number(topic, partition)).2 {
            -1 => RECORDS,
            offset => offset,
        };
        let partitions = i32::try_from(self.partitions).unwrap();
        (0..self.topics)
            .map(|topic| {
                (0..partitions)
                    .map(|partition| start(topic, partition))
                    .collect()
            })
            .collect()
    }
}

/// The state of each finished row in the journal, by row number.
pub(crate) fn recorded(journal: &str) -> HashMap<u64, String> {
    let text = fs::read_to_string(journal).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut recorded = HashMap::new();
    for line in whole.lines().skip(1) {
        let entry: Value = serde_json::from_str(line).unwrap();
        for (state, rows) in entry.as_object().unwrap() {
            if !["intent", "undone"].contains(&state.as_str()) {
                let rows = rows.as_array().unwrap().iter();
                recorded.extend(rows.map(|row| (row.as_u64().unwrap(), state.clone())));
            }
        }
    }
    recorded
}

fn length(path: &str) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// The peak memory of the process in KiB, on Linux.
fn peak_memory(process: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or_default()
}

/// Waits until the process ends or the journal has a length; returns whether the process still runs.
fn runs_until(process: &mut Child, journal: &str, bytes: u64, peak: &mut u64) -> bool {
    let deadline = Instant::now() + Duration::from_secs(900);
    loop {
        *peak = (*peak).max(peak_memory(process));
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if length(journal) >= bytes {
            return true;
        }
        assert!(Instant::now() < deadline, "the purge makes no progress");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Kills a purge at random times and resumes it. Rows that the journal records must not be sent again, and the final state
/// must be that of an undisturbed purge. Returns the peak memory in KiB.
fn kill_and_resume(rows: &Rows, kills: u32, more: &str) -> u64 {
    let folder = Folder::new(&rows.document());
    let mut gateway = Audited::start(&folder.path(""), rows.topics, rows.partitions, "");
    let (offsets, journal) = (folder.path("offsets"), folder.path("journal"));
    let arguments = format!("--output json --journal {journal}{more}");
    let (mut peak, mut killed) = (0, 0);
    let mut finished = HashMap::new();
    // A line of the journal has about ten rows and more than sixty bytes.
    let share = rows.count() * 8 / u64::from(kills + 1);
    for _ in 0..kills {
        let mut process = gateway
            .purge(&offsets, &arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let until = length(&journal) + fastrand::u64(0..=share);
        if runs_until(&mut process, &journal, until, &mut peak) {
            process.kill().unwrap();
            killed += 1;
        }
        process.wait().unwrap();
        let sent = none_sent_again(rows, &mut gateway, &finished);
        finished = recorded(&journal);
        println!(
            "killed: {sent} rows sent in this run, {} recorded in all",
            finished.len()
        );
    }
    assert_eq!(killed, kills, "the purge ended before it was killed");
    let mut last = gateway.purge(&offsets, &arguments).start();
    runs_until(&mut last, &journal, u64::MAX, &mut peak);
    let output = ended_with(last, 0);
    assert_counts(&output, &[("deleted", rows.count())]);
    none_sent_again(rows, &mut gateway, &finished);
    assert_eq!(recorded(&journal).len() as u64, rows.count());
    assert_eq!(gateway.starts(), rows.starts());
    peak
}

/// Checks the rows that were sent since the last call, and returns their number.
pub(crate) fn none_sent_again(
    rows: &Rows,
    gateway: &mut Audited,
    finished: &HashMap<u64, String>,
) -> usize {
    let asked = gateway.requested();
    for (topic, partition, offset) in &asked {
        let number = rows.number(*topic, *partition);
        assert_eq!(
            rows.row(number).2,
            *offset,
            "topic t{topic}, partition {partition}"
        );
        assert!(
            !finished.contains_key(&number),
            "row {number} was sent again"
        );
    }
    asked.len()
}

#[test]
fn a_killed_purge_resumes_where_it_stopped() {
    let rows = Rows {
        topics: 20,
        partitions: 300,
        everything: 0,
    };
    kill_and_resume(&rows, 3, "");
}

/// `cargo test --release -p dms-kafka-cli --test command -- --ignored --nocapture a_million_rows`
#[test]
#[ignore = "takes minutes; cargo xtask nightly runs it"]
fn a_million_rows_over_a_thousand_topics_killed_ten_times() {
    let rows = Rows {
        topics: 1000,
        partitions: 1000,
        everything: 0,
    };
    let started = Instant::now();
    let peak = kill_and_resume(&rows, 10, " --concurrency 8");
    println!("peak memory {peak} KiB, {:.0?}", started.elapsed());
    assert!(peak < 64 * 1024, "{peak} KiB");
}

#[test]
fn deletions_of_everything_are_never_repeated() {
    let rows = Rows {
        topics: 40,
        partitions: 10,
        everything: 1,
    };
    let folder = Folder::new(&rows.document());
    let more = "[[faults.rule]]\nfault = { delay_seconds = 0.01 }\n";
    let mut gateway = Audited::start(&folder.path(""), rows.topics, rows.partitions, more);
    let (offsets, journal) = (folder.path("offsets"), folder.path("journal"));
    let left = folder.path("left");
    let arguments = format!(
        "--allow-everything --journal {journal} --failures-file {left} --overwrite --output ndjson --partitions-per-request 2"
    );
    let mut asked = Vec::new();
    for _ in 0..3 {
        let mut process = gateway
            .purge(&offsets, &arguments)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let until = length(&journal) + 1000;
        assert!(
            runs_until(&mut process, &journal, until, &mut 0),
            "it ended before it was killed"
        );
        process.kill().unwrap();
        process.wait().unwrap();
        asked.extend(gateway.requested());
    }
    let output = gateway.purge(&offsets, &arguments).ends_with(4);
    asked.extend(gateway.requested());
    let times = asked.iter().fold(HashMap::new(), |mut times, row| {
        *times.entry(row).or_insert(0) += 1;
        times
    });
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    let recorded = recorded(&journal);
    let starts = gateway.starts();
    let mut unknown = 0;
    for number in 0..rows.count() {
        let (topic, partition, _) = rows.row(number);
        let start = starts[topic as usize][usize::try_from(partition).unwrap()];
        match recorded.get(&number).map(String::as_str) {
            Some("deleted") => assert_eq!(start, RECORDS, "row {number}"),
            // Its intent has no result.
            None => {
                assert!(start == RECORDS || start == 0, "row {number}");
                unknown += 1;
            }
            Some(state) => panic!("row {number} is {state}"),
        }
    }
    println!("{unknown} of {} rows are unknown", rows.count());
    assert!(
        stdout(&output)
            .lines()
            .any(|line| line.contains(r#""status":"interrupted""#)),
        "{}",
        stdout(&output)
    );
    let left: Value = serde_json::from_str(&folder.read("left")).unwrap();
    assert_eq!(left["partitions"], Value::Array(Vec::new()));
    // No row is left to send. The results report the unknown rows each time the purge is resumed.
    let again = stdout(&gateway.purge(&offsets, &arguments).ends_with(4));
    assert_eq!(again.lines().count(), unknown, "{again}");
}
