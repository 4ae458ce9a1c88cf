//! Journals that are incomplete, of another purge, locked or full.

use std::fs;
use std::sync::mpsc;

use serde_json::Value;

use crate::resume::{Rows, none_sent_again, recorded};
use crate::support::{
    Audited, Folder, Reply, Run as _, Scripted, assert_counts, assert_stderr, at,
    endpoint_of_nothing, json_lines, listener, rows, stderr, stdout, through_shell,
};

const TWO_ROWS: Rows = Rows {
    topics: 2,
    partitions: 1,
    everything: 0,
};

#[test]
fn an_incomplete_last_line_is_removed() {
    let folder = Folder::new(&TWO_ROWS.document());
    let mut gateway = Audited::start(&folder.path(""), 2, 1, "");
    let (offsets, journal) = (folder.path("offsets"), folder.path("journal"));
    gateway
        .purge(&offsets, &format!("--journal {journal}"))
        .ends_with(0);
    assert_eq!(gateway.requested().len(), 2);
    let whole = fs::read_to_string(&journal).unwrap();
    let header = whole.split_inclusive('\n').next().unwrap();
    // Truncated anywhere, also in the header: rows that are not recorded are sent, and the journal is complete again.
    for (kept, sent) in [
        (0, 2),
        (header.len() / 2, 2),
        (header.len(), 2),
        (header.len() + 3, 2),
        (whole.len() - 1, 1),
        (whole.len(), 0),
    ] {
        fs::write(&journal, &whole[..kept]).unwrap();
        gateway
            .purge(&offsets, &format!("--journal {journal}"))
            .ends_with(0);
        assert_eq!(gateway.requested().len(), sent, "{kept}");
        assert_eq!(recorded(&journal).len(), 2, "{kept}");
    }
}

#[test]
fn a_journal_of_another_purge_is_refused() {
    let folder = Folder::new(&TWO_ROWS.document());
    let mut gateway = Audited::start(&folder.path(""), 2, 1, "");
    let (offsets, journal) = (folder.path("offsets"), folder.path("journal"));
    gateway
        .purge(&offsets, &format!("--journal {journal}"))
        .ends_with(0);
    gateway.requested();
    let good = fs::read_to_string(&journal).unwrap();
    fs::write(folder.path("other"), TWO_ROWS.document() + " ").unwrap();
    let other = folder.path("other");
    let endpoint = gateway.endpoint();
    for (content, offsets, word) in [
        (good.clone(), &other, "another offsets file"),
        (
            good.replace(endpoint, "http://127.0.0.1:9"),
            &offsets,
            "written for the endpoint http://127.0.0.1:9: if ",
        ),
        (
            good.replace("\"project_id\":\"p\"", "\"project_id\":\"q\""),
            &offsets,
            "the project q",
        ),
        (
            good.replace("\"project_id\":\"p\",", ""),
            &offsets,
            "another version",
        ),
        (
            good.replace("\"instance_id\":\"i\"", "\"instance_id\":\"j\""),
            &offsets,
            "the instance j",
        ),
        (
            good.replace("\"version\":2", "\"version\":9"),
            &offsets,
            "another version",
        ),
        ("precious notes".to_owned(), &offsets, "is not a journal"),
        ("precious notes\n".to_owned(), &offsets, "is not a journal"),
        (good.clone() + "[]\n", &offsets, "line 6 is not valid"),
        (
            good.clone() + "{\"deleted\":[2]}\n",
            &offsets,
            "line 6 is not valid",
        ),
    ] {
        fs::write(&journal, &content).unwrap();
        let output = gateway
            .purge(offsets, &format!("--journal {journal}"))
            .ends_with(2);
        assert_stderr(&output, word);
        assert_eq!(
            fs::read_to_string(&journal).unwrap(),
            content,
            "the file was touched"
        );
    }
    assert_eq!(gateway.requested(), []);
}

/// They would overwrite each other.
#[test]
#[cfg(unix)]
fn a_journal_in_the_file_of_the_results_is_refused() {
    let folder = Folder::new(&TWO_ROWS.document());
    let (offsets, journal) = (folder.path("offsets"), folder.path("journal"));
    let (service, purge) = (endpoint_of_nothing(), format!("--offsets-file {offsets}"));
    for (name, stream) in [
        ("/dev/stdout", "1"),
        ("/dev/stderr", "2"),
        (journal.as_str(), "1"),
        (journal.as_str(), "2"),
    ] {
        let inner = at(&service, &format!("purge --yes {purge} --journal {name}"));
        let line = format!("exec \"$0\" \"$@\" {stream}>'{journal}'");
        through_shell(&line, &inner).ends_with(2);
        let written = fs::read_to_string(&journal).unwrap();
        // The message.
        let expected = usize::from(stream == "2");
        assert_eq!(written.lines().count(), expected, "{name}: {written}");
    }
}

#[test]
fn a_journal_is_locked_by_one_process() {
    let (listener, endpoint) = listener();
    let folder = Folder::new(&TWO_ROWS.document());
    let (offsets, journal) = (folder.path("offsets"), folder.path("journal"));
    let purge = format!("purge --yes --output json --journal {journal} --offsets-file {offsets}");
    let mut first = at(&endpoint, &purge).start();
    // It has sent a request that gets no response.
    let (_connection, _) = listener.accept().unwrap();
    let second = at(&endpoint, &purge).output().unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.status.code(), Some(2), "{}", stderr(&second));
    assert_stderr(&second, "in use by another process");
}

/// A file size limit makes a write fail like a full disk.
#[test]
#[cfg(unix)]
fn a_journal_that_cannot_grow_stops_the_purge_and_loses_no_row() {
    let rows = Rows {
        topics: 10,
        partitions: 100,
        everything: 0,
    };
    let folder = Folder::new(&rows.document());
    let mut gateway = Audited::start(&folder.path(""), rows.topics, rows.partitions, "");
    let (offsets, journal) = (folder.path("offsets"), folder.path("journal"));
    let purge = gateway.purge(&offsets, &format!("--journal {journal} --output json"));
    // The limit is one block of 512 or 1024 bytes, depending on the shell. Its signal is ignored.
    let limit = "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"";
    let output = through_shell(limit, &purge).ends_with(5);
    assert_stderr(&output, "the journal cannot be written");
    let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(printed["not_sent"].as_u64().unwrap() > 0, "{printed}");
    assert!(
        fs::read_to_string(&journal).unwrap().ends_with('\n'),
        "half a line was left"
    );
    let finished = recorded(&journal);
    assert!(
        !finished.is_empty() && (finished.len() as u64) < rows.count(),
        "{}",
        finished.len()
    );
    gateway.requested();
    gateway
        .purge(&offsets, &format!("--journal {journal}"))
        .ends_with(0);
    none_sent_again(&rows, &mut gateway, &finished);
    assert_eq!(gateway.starts(), rows.starts());
}

/// The intent of an earlier run stays unknown, whatever cannot be written.
#[test]
#[cfg(target_os = "linux")]
fn an_intent_without_a_result_is_unknown_when_output_or_journal_cannot_be_written() {
    let rows = Rows {
        topics: 1,
        partitions: 2,
        everything: 2,
    };
    let folder = Folder::new(&rows.document());
    let mut gateway = Audited::start(&folder.path(""), rows.topics, rows.partitions, "");
    let (offsets, journal, left) = (
        folder.path("offsets"),
        folder.path("journal"),
        folder.path("left"),
    );
    let arguments = format!(
        "--allow-everything --journal {journal} --failures-file {left} --overwrite --output"
    );
    let purge = |form| gateway.purge(&offsets, &format!("{arguments} {form}"));
    purge("json").ends_with(0);
    let finished = fs::read_to_string(&journal).unwrap();
    let header = finished.split_inclusive('\n').next().unwrap();
    let interrupted = format!("{header}{{\"intent\":[0]}}\n");
    let full_output = "exec \"$0\" \"$@\" > /dev/full";
    let full_journal = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    for (form, line, cause) in [
        ("ndjson", full_output, "standard output"),
        ("json", full_output, "standard output"),
        ("ndjson", full_journal, "the journal"),
        ("json", full_journal, "the journal"),
    ] {
        fs::write(&journal, &interrupted).unwrap();
        let output = through_shell(line, &purge(form)).ends_with(4);
        let printed = stderr(&output);
        let error = printed
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .find(|line| line["kind"] == "output")
            .unwrap();
        assert_eq!(error["outcome"], "unknown", "{form} {cause}: {printed}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("{cause} cannot be written")),
            "{printed}"
        );
    }
    // Once, before the journal was changed.
    let requested = gateway.requested();
    let everything = requested.iter().filter(|row| row.2 == -1);
    assert_eq!(everything.count(), 1, "{requested:?}");
}

/// What a purge of one row before an offset knows after each run: the reply of the service, the exit code, the outcome in the
/// results, and whether the row was sent.
type Run = (Reply, i32, Option<&'static str>, bool);

const UNKNOWN: Option<&str> = Some("unknown");
const NOT_APPLIED: Option<&str> = Some("not_applied");

#[test]
fn an_outcome_that_is_unknown_stays_so_until_the_row_is_deleted() {
    let runs: [(&str, &[Run]); 6] = [
        (
            "a later failure without effect does not make it known",
            &[
                (Reply::Close, 4, UNKNOWN, true),
                (Reply::Code(1), 4, UNKNOWN, true),
                (Reply::Status(400), 4, UNKNOWN, true),
                (Reply::Status(429), 4, UNKNOWN, true),
                (Reply::Status(403), 4, UNKNOWN, true),
                (Reply::Code(0), 0, None, true),
                (Reply::Code(0), 0, None, false),
            ],
        ),
        (
            "a deletion ends it",
            &[
                (Reply::Status(503), 4, UNKNOWN, true),
                (Reply::Code(0), 0, None, true),
            ],
        ),
        (
            "a code that passes is not final",
            &[
                (Reply::Code(6), 4, UNKNOWN, true),
                (Reply::Code(7), 4, UNKNOWN, true),
                (Reply::Code(0), 0, None, true),
            ],
        ),
        (
            "without a leader, nothing was sent, and the row is left",
            &[
                (Reply::Code(5), 3, NOT_APPLIED, true),
                (Reply::Code(0), 0, None, true),
            ],
        ),
        (
            "a code that does not pass is final",
            &[
                (Reply::Code(1), 1, NOT_APPLIED, true),
                (Reply::Code(0), 1, None, false),
            ],
        ),
        (
            "a failure that does not depend on the row is not final",
            &[
                (Reply::Status(429), 3, NOT_APPLIED, true),
                (Reply::Status(404), 3, NOT_APPLIED, true),
                (Reply::Status(401), 3, NOT_APPLIED, true),
                (Reply::Code(0), 0, None, true),
            ],
        ),
    ];
    for (name, runs) in runs {
        let folder = Folder::new("{\"topic\":\"t\",\"partition\":0,\"offset\":7}\n");
        let journal = folder.path("journal");
        for (run, (reply, code, outcome, is_sent)) in runs.iter().copied().enumerate() {
            let service = Scripted::start(move |_| reply);
            let line = format!("--output ndjson --journal {journal} --allow-other-endpoint");
            let output = service.purge(&folder.offsets, &line).output().unwrap();
            let printed = stderr(&output);
            assert_eq!(
                output.status.code(),
                Some(code),
                "{name}, run {run}: {printed}"
            );
            let results = json_lines(&stdout(&output));
            assert_eq!(
                results.first().and_then(|row| row["outcome"].as_str()),
                outcome,
                "{name}, run {run}: {results:?}"
            );
            assert_eq!(!service.topics().is_empty(), is_sent, "{name}, run {run}");
        }
    }
}

#[test]
fn a_row_in_flight_at_a_kill_is_unknown_until_it_is_deleted() {
    for (offset, is_sent_again) in [(7, true), (-1, false)] {
        let folder = Folder::new(&rows(&[("t", 0, offset)]));
        let line = format!(
            "--allow-everything --output ndjson --journal {} --allow-other-endpoint",
            folder.path("journal")
        );
        let (sent, is_sent) = mpsc::channel();
        let silent = Scripted::start(move |_| {
            let _ = sent.send(());
            Reply::Silence
        });
        let mut process = silent.purge(&folder.offsets, &line).start();
        is_sent.recv().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        // Whether the first request deleted anything is not known, whatever the second one does.
        for (reply, code) in [
            (Reply::Code(1), 4),
            (Reply::Code(0), if is_sent_again { 0 } else { 4 }),
        ] {
            let service = Scripted::start(move |_| reply);
            let output = service.purge(&folder.offsets, &line).ends_with(code);
            assert_eq!(!service.topics().is_empty(), is_sent_again, "{offset}");
            let outcome = &json_lines(&stdout(&output))[0]["outcome"];
            assert_eq!(
                outcome.as_str(),
                if code == 4 { UNKNOWN } else { None },
                "{offset}"
            );
        }
    }
}

/// The files are of a purge with version 1 of the format, which was killed: 0 is deleted, 1 failed, 2 was refused, 3 and 4
/// are unknown, 5 and 6 were in flight, 7 was undone. 4, 5 and 7 delete everything.
#[test]
fn a_journal_of_version_1_is_continued() {
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/journal/version-1");
    let folder = Folder::new(&fs::read_to_string(format!("{files}.offsets")).unwrap());
    let journal = folder.path("journal");
    fs::copy(format!("{files}.journal"), &journal).unwrap();
    let service = Scripted::start(|_| Reply::Code(0));
    let line = format!("--allow-everything --output json --journal {journal}");
    let refused = service.purge(&folder.offsets, &line).ends_with(2);
    assert_stderr(&refused, "add --allow-other-endpoint");
    let line = line + " --allow-other-endpoint";
    for is_first in [true, false] {
        let output = service.purge(&folder.offsets, &line).ends_with(4);
        let counts = [
            ("deleted", 4),
            ("failed", 1),
            ("request_failed", 1),
            ("unknown", 2),
        ];
        assert_counts(&output, &counts);
        let mut sent: Vec<_> = service
            .received()
            .into_iter()
            .map(|deletion| (deletion.topic, deletion.rows))
            .collect();
        sent.sort();
        let expected = [("busy", 0, -1), ("lost", 0, 10), ("slow", 1, 7)];
        let expected = expected
            .map(|(topic, partition, offset)| (topic.to_owned(), vec![(partition, offset)]));
        assert_eq!(
            sent,
            if is_first {
                expected.to_vec()
            } else {
                Vec::new()
            }
        );
    }
}

#[test]
#[cfg(unix)]
fn only_the_owner_can_read_journal_and_failures_file() {
    use std::os::unix::fs::PermissionsExt as _;

    let service = Scripted::start(|_| Reply::Code(1));
    let folder = Folder::new(&rows(&[("t", 0, 7)]));
    let (journal, left) = (folder.path("journal"), folder.path("left"));
    let line = format!("--output json --journal {journal} --failures-file {left}");
    service.purge(&folder.offsets, &line).ends_with(1);
    for path in [journal, left] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path}");
    }
}
