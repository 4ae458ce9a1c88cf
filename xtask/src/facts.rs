//! What a document says about the operation, one small fact at a time.

use std::collections::{BTreeMap, BTreeSet};

/// Facts by place: `PartitionOffsetEntity.offset.type` is `Integer`.
pub(crate) type Facts = BTreeMap<String, String>;

/// A place where two documents say different things, or where only one says anything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) place: String,
    pub(crate) left: Option<String>,
    pub(crate) right: Option<String>,
}

/// Every difference between two documents, in order of place.
pub(crate) fn differences(left: &Facts, right: &Facts) -> Vec<Difference> {
    let places: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    places
        .into_iter()
        .filter(|place| left.get(*place) != right.get(*place))
        .map(|place| Difference {
            place: place.clone(),
            left: left.get(place).cloned(),
            right: right.get(place).cloned(),
        })
        .collect()
}

/// What one of the two documents says at a place, for people.
pub(crate) fn said(value: Option<&String>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
}

#[cfg(test)]
mod tests {
    use super::{Difference, Facts, differences};

    #[test]
    fn changed_missing_and_added_facts_are_differences() {
        let facts = |pairs: &[(&str, &str)]| -> Facts {
            pairs
                .iter()
                .map(|(place, value)| ((*place).to_owned(), (*value).to_owned()))
                .collect()
        };
        let left = facts(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let right = facts(&[("a", "1"), ("b", "4"), ("d", "5")]);
        let difference = |place: &str, left: Option<&str>, right: Option<&str>| Difference {
            place: place.to_owned(),
            left: left.map(str::to_owned),
            right: right.map(str::to_owned),
        };
        assert_eq!(
            differences(&left, &right),
            [
                difference("b", Some("2"), Some("4")),
                difference("c", Some("3"), None),
                difference("d", None, Some("5")),
            ]
        );
    }
}
