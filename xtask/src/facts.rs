//! Facts about the operation: what the page and the contract have in common, and where they differ.

use std::collections::{BTreeMap, BTreeSet};

/// Facts by place: `PartitionOffsetEntity.offset.type` is `Integer`.
#[derive(Debug, Default)]
pub(crate) struct Facts(BTreeMap<String, Fact>);

#[derive(Debug)]
struct Fact {
    value: String,
    /// The JSON pointer into the contract; empty for facts of the page.
    pointer: String,
}

/// A place at which page and contract have different values, or at which only one of them has a value.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) place: String,
    pub(crate) page: Option<String>,
    pub(crate) contract: Option<String>,
    pub(crate) pointer: Option<String>,
}

impl Facts {
    /// Returns whether the place is new.
    pub(crate) fn add(
        &mut self,
        place: impl Into<String>,
        value: impl Into<String>,
        pointer: &str,
    ) -> bool {
        let (value, pointer) = (value.into(), pointer.to_owned());
        let fact = Fact { value, pointer };
        self.0.insert(place.into(), fact).is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The differences between the facts of the page and those of the contract, in order of place.
    pub(crate) fn differences(&self, contract: &Self) -> Vec<Difference> {
        let places: BTreeSet<&String> = self.0.keys().chain(contract.0.keys()).collect();
        let value = |fact: &Fact| fact.value.clone();
        let compared = places.into_iter().map(|place| Difference {
            place: place.clone(),
            page: self.0.get(place).map(value),
            contract: contract.0.get(place).map(value),
            pointer: contract.0.get(place).map(|fact| fact.pointer.clone()),
        });
        compared
            .filter(|found| found.page != found.contract)
            .collect()
    }
}
