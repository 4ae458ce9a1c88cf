use expect_test::expect;

use super::*;

type Read = (Layout, Vec<(String, i32, DeletionTarget)>);

/// Delivers one byte with each read, as a slow pipe may do.
struct OneByOne<'a>(&'a [u8]);

impl io::Read for OneByOne<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(1);
        self.0.read(&mut buffer[..length])
    }
}

/// The result must not depend on how many bytes each read delivers.
fn rows(text: impl AsRef<[u8]>) -> Result<Read, String> {
    let result = rows_of(text.as_ref());
    assert_eq!(rows_of(OneByOne(text.as_ref())), result);
    result
}

fn rows_of(input: impl io::Read) -> Result<Read, String> {
    match read_rows(input) {
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
fn both_layouts_give_the_same_rows() {
    let expected = || {
        vec![
            ("a".to_owned(), 0, DeletionTarget::before(400).unwrap()),
            ("b.c".to_owned(), 7, DeletionTarget::Everything),
        ]
    };
    let document = "{ \"partitions\" :\n [{\"topic\":\"a\",\"partition\":0,\"offset\":400},\n\
                    {\"offset\":-1,\"partition\":7,\"topic\":\"b.c\"}],\"version\":1}\n";
    for start in ["", "\u{feff}", "\n\n", "\u{feff} \r\n"] {
        let document = start.to_owned() + document;
        assert_eq!(
            rows(document),
            Ok((Layout::Document, expected())),
            "{start:?}"
        );
    }
    let without_version = "{\"partitions\":[]}";
    assert_eq!(rows(without_version), Ok((Layout::Document, Vec::new())));
    let lines = "\u{feff}{\"topic\":\"a\",\"partition\":0,\"offset\":400}\r\n\n\
                 {\"topic\":\"b.c\",\"partition\":7,\"offset\":-1}";
    assert_eq!(rows(lines), Ok((Layout::Lines, expected())));
    assert_eq!(rows(""), Ok((Layout::Lines, Vec::new())));
}

/// Lines have a parser of their own for plain rows.
#[test]
fn a_row_means_the_same_in_both_layouts() {
    for row in [
        r#"{"topic":"a","partition":0,"offset":0}"#,
        r#"{"topic":"a","partition":2147483647,"offset":9223372036854775807}"#,
        r#"{"topic":"a","partition":2147483648,"offset":0}"#,
        r#"{"topic":"a","partition":0,"offset":9223372036854775808}"#,
        r#"{"topic":"a","partition":0,"offset":-1}"#,
        r#"{"topic":"a","partition":0,"offset":-2}"#,
        r#"{"topic":"a","partition":-0,"offset":1}"#,
        r#"{"topic":"a","partition":+1,"offset":1}"#,
        r#"{"topic":"a","partition":01,"offset":1}"#,
        r#"{"topic":"a","partition":1,"offset":00}"#,
        r#"{"topic":"a","partition":1,"offset":1.0}"#,
        r#"{"topic":"a","partition":1,"offset":1e3}"#,
        r#"{"topic":"a","partition":1,"offset":"1"}"#,
        r#"{"topic":"a","partition":,"offset":1}"#,
        r#"{"topic":"a","partition":1,"offset":}"#,
        r#"{"topic":"a","partition":1,"offset":1 }"#,
        r#"{"topic":"a","partition":1,"offset":1}}"#,
        r#"{"topic":"a","partition":1,"offset":1,"offset":2}"#,
        r#"{"topic":"a","partition":1,"partition":2,"offset":2}"#,
        r#"{"topic":"a","topic":"b","partition":1,"offset":2}"#,
        r#"{"topic":"","partition":1,"offset":2}"#,
        r#"{"topic":"..","partition":1,"offset":2}"#,
        r#"{"topic":"a\u002eb","partition":1,"offset":2}"#,
        r#"{"topic":"a\","partition":1,"offset":2}"#,
        r#"{"topic":"ä","partition":1,"offset":2}"#,
        r#"{"topic":"a","offset":2,"partition":1}"#,
    ] {
        let all = |read: Result<Read, String>| read.map(|(_, rows)| rows).ok();
        let document = format!(r#"{{"partitions":[{row}]}}"#);
        assert_eq!(all(rows(row)), all(rows(document)), "{row}");
        let after_another = format!("{{\"topic\":\"a\",\"partition\":9,\"offset\":9}}\n{row}");
        let last = all(rows(after_another)).map(|rows| rows[1..].to_vec());
        assert_eq!(last, all(rows(row)), "{row}");
    }
}

#[test]
fn errors_name_line_column_and_rule() {
    let texts = [
        r#"{"version":2,"partitions":[]}"#,
        r#"{"version":"1","partitions":[]}"#,
        r#"{"version":1}"#,
        "{\"partitions\":[\n{\"topic\":\"a\",\"partition\":0}]}",
        "{\"partitions\":[\n{\"topic\":\"a/b\",\"partition\":0}]}",
        r#"{"partitions":[],"more":1}"#,
        r#"{"partitions":[],"partitions":[]}"#,
        r#"{"partitions":[["a",0,1]]}"#,
        r#"{"partitions":[]} x"#,
        "{\"partitions\":[\n",
        "[]",
        "not json",
        "\n{\"topic\":\"a\"\n",
        "\n{\"topic\":\"a\",\"partition\":-1,\"offset\":1}",
        r#"{"topic":"a","partition":3000000000,"offset":1}"#,
        r#"{"topic":"a","partition":0,"offset":-2}"#,
        r#"{"topic":"a","partition":0,"offset":1.5}"#,
        r#"{"topic":"a","partition":0,"offset":"1"}"#,
        r#"{"topic":"a","partition":0,"offset":9223372036854775808}"#,
        r#"{"topic":"a","topic":"b","partition":0,"offset":1}"#,
        r#"{"topic":"a","partition":0,"offset":1} {}"#,
    ];
    let errors = texts.map(|text| rows(text).unwrap_err() + "\n").concat();
    expect![[r#"
        line 1, column 13: version 2 is not supported: it must be 1
        line 1, column 15: version "1" is not supported: it must be 1
        line 1, column 13: missing field `partitions`
        line 2, column 27: missing field `offset`
        line 2, column 14: topic "a/b" is not a Kafka topic name: use 1 to 249 ASCII letters, digits, '.', '_' or '-', but not '.' or '..'
        line 1, column 24: unknown field `more`, expected `partitions` or `version`
        line 1, column 30: duplicate field `partitions`
        line 1, column 16: invalid type: sequence, expected a row such as {"topic":"orders","partition":0,"offset":400}
        line 1, column 19: not valid JSON (trailing characters): BOTH LAYOUTS
        line 2, column 1: the JSON is not complete: BOTH LAYOUTS
        line 1, column 1: this is not a row: BOTH LAYOUTS
        line 1, column 1: this is not a row: BOTH LAYOUTS
        line 2, column 12: the JSON is not complete: BOTH LAYOUTS
        line 2, column 27: partition -1 is not a whole number from 0 to 2147483647
        line 1, column 35: partition 3000000000 is not a whole number from 0 to 2147483647
        line 1, column 39: offset -2 is not a whole number from 0 to 9223372036854775807, or -1 for all records
        line 1, column 40: offset 1.5 is not a whole number from 0 to 9223372036854775807, or -1 for all records
        line 1, column 40: offset "1" is not a whole number from 0 to 9223372036854775807, or -1 for all records
        line 1, column 56: offset 9223372036854775808 is not a whole number from 0 to 9223372036854775807, or -1 for all records
        line 1, column 20: duplicate field `topic`
        line 1, column 40: not valid JSON (trailing characters): BOTH LAYOUTS
    "#]].assert_eq(&errors.replace(BOTH_LAYOUTS, "BOTH LAYOUTS"));
}

#[test]
fn a_very_long_line_is_not_read_to_its_end() {
    let error = rows("x".repeat(1 << 20)).unwrap_err();
    assert!(
        error.starts_with("line 1, column 1: the line is too long"),
        "{error}"
    );
}

#[test]
fn errors_name_the_place_of_invalid_utf_8() {
    let text = b"{\"topic\":\"a\",\"partition\":0,\"offset\":1}\n{\"topic\":\"\xff\"}\n";
    let error = rows(text).unwrap_err();
    assert_eq!(error, "line 2, column 11: not valid UTF-8");
}
