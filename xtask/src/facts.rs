//! What a document says about the operation, as a table of facts.

use std::collections::{BTreeMap, BTreeSet};

/// Facts by place: `PartitionOffsetEntity.offset.type` is `Integer`.
#[derive(Debug, Default)]
pub(crate) struct Facts(BTreeMap<String, Fact>);

#[derive(Debug)]
struct Fact {
    value: String,
    /// The JSON pointer to the part of the contract that states it; empty for the page.
    pointer: String,
}

/// A place where page and contract state different things, or where only one of them states anything.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) place: String,
    pub(crate) page: Option<String>,
    pub(crate) contract: Option<String>,
    pub(crate) pointer: Option<String>,
}

impl Facts {
    /// Returns whether the place is a new one.
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
