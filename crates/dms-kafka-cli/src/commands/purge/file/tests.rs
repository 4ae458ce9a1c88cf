use super::*;

type Read = (Layout, Vec<(String, i32, DeletionTarget)>);

fn rows(text: impl AsRef<[u8]>) -> Result<Read, String> {
    match read_rows(text.as_ref()) {
        Ok((layout, rows)) => {
            let rows = rows.iter();
            let rows = rows.map(|row| (row.topic.to_string(), row.partition.get(), row.target));
            Ok((layout, rows.collect()))
        }
        Err(ReadError::Invalid(message)) => Err(message),
        Err(ReadError::Io(error)) => panic!("{error}"),
    }
}

#[test]
fn both_forms_give_the_same_rows() {
    let expected = || {
        vec![
            ("a".to_owned(), 0, DeletionTarget::before(400).unwrap()),
            ("b.c".to_owned(), 7, DeletionTarget::Everything),
        ]
    };
    let document = "{ \"partitions\" :\n [{\"topic\":\"a\",\"partition\":0,\"offset\":400},\n\
                    {\"offset\":-1,\"partition\":7,\"topic\":\"b.c\"}],\"version\":1}\n";
    assert_eq!(rows(document), Ok((Layout::Document, expected())));
    let without_version = "{\"partitions\":[]}";
    assert_eq!(rows(without_version), Ok((Layout::Document, Vec::new())));
    let lines = "\u{feff}{\"topic\":\"a\",\"partition\":0,\"offset\":400}\r\n\n\
                 {\"topic\":\"b.c\",\"partition\":7,\"offset\":-1}";
    assert_eq!(rows(lines), Ok((Layout::Lines, expected())));
    assert_eq!(rows(""), Ok((Layout::Lines, Vec::new())));
}

#[test]
fn what_breaks_a_rule_is_told_with_line_and_column() {
    for (text, place, word) in [
        (
            "{\"version\":2,\"partitions\":[]}",
            "line 1, column 13: ",
            "it must be 1",
        ),
        ("{\"version\":1}", "line 1, column 13: ", "partitions"),
        (
            "{\"partitions\":[\n{\"topic\":\"a\",\"partition\":0}]}",
            "line 2, column 27: ",
            "missing field `offset`",
        ),
        (
            "{\"partitions\":[\n{\"topic\":\"a/b\",\"partition\":0}]}",
            "line 2, column 15: ",
            "\"a/b\"",
        ),
        (
            "{\"partitions\":[],\"more\":1}",
            "line 1, column 24: ",
            "unknown field `more`",
        ),
        (
            "{\"partitions\":[],\"partitions\":[]}",
            "line 1, column ",
            "duplicate field",
        ),
        (
            "{\"partitions\":[[\"a\",0,1]]}",
            "line 1, column ",
            "expected a row such as",
        ),
        (
            "{\"partitions\":[]} x",
            "line 1, column 19: ",
            "trailing characters",
        ),
        ("{\"partitions\":[\n", "line 2, column ", "EOF"),
        ("[]", "line 1, column ", "expected a row such as"),
        (
            "\n{\"topic\":\"a\",\"partition\":-1,\"offset\":1}",
            "line 2, column 27: ",
            "partition -1 is not a whole number from 0 to 2147483647",
        ),
        (
            "{\"topic\":\"a\",\"partition\":0,\"offset\":-2}",
            "line 1, column ",
            "offset -2 is not a whole number from 0 to 9223372036854775807, or -1 for all",
        ),
        (
            "{\"topic\":\"a\",\"partition\":0,\"offset\":1.5}",
            "line 1, column ",
            "offset 1.5 is not a whole number",
        ),
        (
            "{\"topic\":\"a\",\"partition\":3000000000,\"offset\":1}",
            "line 1, column ",
            "partition 3000000000 is not a whole number from 0 to 2147483647",
        ),
        (
            "{\"topic\":\"a\",\"partition\":0,\"offset\":9223372036854775808}",
            "line 1, column ",
            "offset 9223372036854775808 is not a whole number from 0 to 9223372036854775807",
        ),
        (
            "{\"topic\":\"a\",\"topic\":\"b\",\"partition\":0,\"offset\":1}",
            "line 1, column ",
            "duplicate field",
        ),
        (
            "{\"topic\":\"a\",\"partition\":0,\"offset\":1} {}",
            "line 1, column ",
            "one row such as",
        ),
        ("not json", "line 1, column ", "expected"),
        ("\n{\"topic\":\"a\"\n", "line 2, column 12: ", "EOF"),
    ] {
        let error = rows(text).unwrap_err();
        assert!(error.starts_with(place), "{text}: {error}");
        assert!(error.contains(word), "{text}: {error}");
    }
}

#[test]
fn a_line_without_end_is_not_read_to_its_end() {
    let error = rows("x".repeat(1 << 20)).unwrap_err();
    assert!(
        error.starts_with("line 1, column 1: the line is longer"),
        "{error}"
    );
}

#[test]
fn a_line_that_is_not_utf_8_is_told_with_its_place() {
    let text = b"{\"topic\":\"a\",\"partition\":0,\"offset\":1}\n{\"topic\":\"\xff\"}\n";
    let error = rows(text).unwrap_err();
    assert_eq!(error, "line 2, column 11: this is not UTF-8");
}
