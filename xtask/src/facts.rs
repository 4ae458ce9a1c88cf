//! What a document says about the operation, one small fact at a time.

use std::collections::{BTreeMap, BTreeSet};

/// Facts by place: `PartitionOffsetEntity.offset.type` is `Integer`.
#[derive(Debug, Default)]
pub(crate) struct Facts(BTreeMap<String, Fact>);

#[derive(Debug)]
struct Fact {
    value: String,
    /// The JSON pointer to what says so, where the document has such pointers.
    pointer: String,
}

/// A place where two documents say different things, or where only one says anything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) place: String,
    pub(crate) left: Option<String>,
    pub(crate) right: Option<String>,
    /// Where the right document says so.
    pub(crate) pointer: Option<String>,
}

impl Facts {
    pub(crate) fn add(&mut self, place: impl Into<String>, value: impl Into<String>) {
        self.add_at(place, value, "");
    }

    /// Whether the place is a new one.
    pub(crate) fn add_at(
        &mut self,
        place: impl Into<String>,
        value: impl Into<String>,
        pointer: &str,
    ) -> bool {
        let (value, pointer) = (value.into(), pointer.to_owned());
        self.0
            .insert(place.into(), Fact { value, pointer })
            .is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every difference from another document, in order of place.
    pub(crate) fn differences(&self, other: &Self) -> Vec<Difference> {
        let places: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let value = |fact: &Fact| fact.value.clone();
        let compared = places.into_iter().map(|place| Difference {
            place: place.clone(),
            left: self.0.get(place).map(value),
            right: other.0.get(place).map(value),
            pointer: other.0.get(place).map(|fact| fact.pointer.clone()),
        });
        compared.filter(|found| found.left != found.right).collect()
    }
}

/// What one of the two documents says at a place, for people.
pub(crate) fn said(value: Option<&String>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
}

#[cfg(test)]
mod tests {
    use super::{Difference, Facts};

    #[test]
    fn changed_missing_and_added_facts_are_differences() {
        let facts = |pairs: &[(&str, &str)]| {
            let mut facts = Facts::default();
            for (place, value) in pairs {
                facts.add_at(*place, *value, "/at");
            }
            facts
        };
        let left = facts(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let right = facts(&[("a", "1"), ("b", "4"), ("d", "5")]);
        let difference = |place: &str, left: Option<&str>, right: Option<&str>| Difference {
            place: place.to_owned(),
            left: left.map(str::to_owned),
            right: right.map(str::to_owned),
            pointer: right.map(|_| "/at".to_owned()),
        };
        assert_eq!(
            left.differences(&right),
            [
                difference("b", Some("2"), Some("4")),
                difference("c", Some("3"), None),
                difference("d", None, Some("5")),
            ]
        );
    }
}
