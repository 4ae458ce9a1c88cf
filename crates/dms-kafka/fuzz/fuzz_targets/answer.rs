//! Any bytes as the body of a 200: a partition looks deleted only when the answer says so once and clearly.
#![no_main]

use std::collections::BTreeMap;

use dms_kafka::{DeletionTarget, ErrorKind, Outcome, internals};
use http::Response;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

const ASKED: [(i32, DeletionTarget); 3] = [
    (0, DeletionTarget::Before(400)),
    (1, DeletionTarget::Everything),
    (i32::MAX, DeletionTarget::Before(i64::MAX)),
];

fuzz_target!(|body: &[u8]| {
    let deletion = match internals::judge(&ASKED, Response::new(body.to_vec()), "canary-token") {
        Ok(deletion) => deletion,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidAnswer);
            assert_eq!(error.outcome(), Outcome::Unknown);
            return;
        }
    };
    assert_eq!(deletion.partitions().len(), ASKED.len());
    let items = items(body);
    for row in deletion.partitions().iter().filter(|row| row.is_deleted()) {
        let about: Vec<_> = items
            .iter()
            .filter(|item| field(item, "partition") == row.partition())
            .collect();
        assert!(about.len() == 1 && is_success(about[0]), "{about:?}");
    }
    let whole = items.len() == ASKED.len() && deletion.failures().count() == 0;
    assert_eq!(deletion.into_result().is_ok(), whole);
});

/// Fields as they stand in the text: what nobody reads may be a number beyond all types.
type Object = BTreeMap<String, Box<RawValue>>;

/// The answer's items, read without any type of the client.
fn items(body: &[u8]) -> Vec<Object> {
    let answer: Object = serde_json::from_slice(body).expect("a trusted answer is an object");
    let items = answer
        .get("partitions")
        .map(|list| serde_json::from_str(list.get()));
    items.map_or_else(Vec::new, |items| items.expect("its list holds objects"))
}

fn field(item: &Object, name: &str) -> Value {
    let text = item.get(name).map(|value| value.get());
    text.map_or(Value::Null, |text| {
        serde_json::from_str(text).expect("a decoded field")
    })
}

fn is_success(item: &Object) -> bool {
    let code = field(item, "error_code");
    field(item, "result") == "success" && (code.is_null() || code == "0" || code == 0)
}
