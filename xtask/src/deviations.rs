//! `openapi/deviations.toml`: where the contract says something else than the page, and why.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use crate::facts::{Difference, said};
use crate::failure;
use anyhow::{Error as Failure, Result};

/// The file, relative to the root of the checkout.
pub(crate) const DEVIATIONS: &str = "openapi/deviations.toml";

/// The named deviations of the contract.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deviations {
    #[serde(rename = "deviation", default)]
    all: Vec<Deviation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    place: String,
    /// What the page says there; absent when it says nothing.
    page: Option<String>,
    /// What the contract says there; absent when it says nothing.
    contract: Option<String>,
    reason: String,
}

impl Deviations {
    /// Reads the file of a checkout.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let deviations: Self = failure::read_toml(root, DEVIATIONS)?;
        let mut places = BTreeSet::new();
        for deviation in &deviations.all {
            if deviation.reason.trim().is_empty() {
                return Err(failure::place(
                    DEVIATIONS,
                    &deviation.place,
                    "no reason given",
                ));
            }
            if !places.insert(&deviation.place) {
                return Err(failure::place(DEVIATIONS, &deviation.place, "named twice"));
            }
        }
        Ok(deviations)
    }

    pub(crate) fn count(&self) -> usize {
        self.all.len()
    }

    /// Whether this very difference is named. An entry for other values at the same place is not enough.
    pub(crate) fn name(&self, difference: &Difference) -> bool {
        self.all.iter().any(|deviation| deviation.is(difference))
    }

    /// One message for each entry that names no difference.
    pub(crate) fn unused(&self, differences: &[Difference]) -> Vec<Failure> {
        self.all
            .iter()
            .filter(|deviation| {
                !differences
                    .iter()
                    .any(|difference| deviation.is(difference))
            })
            .map(|deviation| {
                let cause = format_args!(
                    "no such difference: page {}, contract {}; remove or correct the entry",
                    said(deviation.page.as_ref()),
                    said(deviation.contract.as_ref()),
                )
                .to_string();
                failure::place(DEVIATIONS, &deviation.place, cause)
            })
            .collect()
    }
}

impl Deviation {
    fn is(&self, difference: &Difference) -> bool {
        self.place == difference.place
            && self.page == difference.left
            && self.contract == difference.right
    }
}
