//! Journals that are incomplete, of another purge, locked or full.

use std::fs;

use serde_json::Value;

use crate::resume::{Rows, none_sent_again, recorded};
use crate::support::{
    Audited, Folder, Run as _, assert_stderr, at, listener, stderr, stdout, through_shell,
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
            "the endpoint http://127.0.0.1:9",
        ),
        (
            good.replace("\"instance_id\":\"i\"", "\"instance_id\":\"j\""),
            &offsets,
            "the instance j",
        ),
        (
            good.replace("\"version\":1", "\"version\":9"),
            &offsets,
            "another version",
        ),
        ("precious notes".to_owned(), &offsets, "is not a journal"),
        ("precious notes\n".to_owned(), &offsets, "is not a journal"),
        (good.clone() + "[]\n", &offsets, "line 4 is not valid"),
        (
            good.clone() + "{\"deleted\":[2]}\n",
            &offsets,
            "line 4 is not valid",
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
    let arguments =
        format!("--allow-everything --journal {journal} --failures-file {left} --output");
    let purge = |form| gateway.purge(&offsets, &format!("{arguments} {form}"));
    purge("json").ends_with(0);
    let finished = fs::read_to_string(&journal).unwrap();
    let header = finished.split_inclusive('\n').next().unwrap();
    let interrupted = format!("{header}{{\"intent\":[0]}}\n");
    let full_output = "exec \"$0\" \"$@\" > /dev/full";
    let full_journal = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    for (form, line, cause, recorded) in [
        ("ndjson", full_output, "standard output", true),
        ("json", full_output, "standard output", true),
        ("ndjson", full_journal, "the journal", false),
        ("json", full_journal, "the journal", false),
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
        let kept = fs::read_to_string(&journal).unwrap();
        assert_eq!(kept.contains("{\"unknown\":[0]}\n"), recorded, "{kept}");
    }
    gateway.requested();
}
