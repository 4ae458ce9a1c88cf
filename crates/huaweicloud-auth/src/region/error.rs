//! Why a region has no endpoint.

use crate::{CredentialsError, Region};

/// The least likeness of an id, between 0 and 1, to be worth suggesting.
const LIKENESS: f64 = 0.8;
const MAX_SUGGESTIONS: usize = 3;

/// Why a region, or the address of a service in it, cannot be told.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct RegionError {
    kind: RegionErrorKind,
    message: String,
    suggestions: Vec<Region>,
    #[source]
    source: Option<CredentialsError>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegionErrorKind {
    /// This cannot be the id of a region.
    InvalidId,
    /// The region, or the service in it, is neither known nor configured.
    Unknown,
    /// The environment or the regions file is broken.
    InvalidConfiguration,
}

impl RegionError {
    pub(super) fn invalid_id(id: &str) -> Self {
        let suggestions = nearest(&id.to_lowercase());
        let message = format!(
            "{id:?} is no region id: lower-case letters, digits and hyphens{}",
            suggest(&suggestions)
        );
        Self {
            kind: RegionErrorKind::InvalidId,
            message,
            suggestions,
            source: None,
        }
    }

    pub(super) fn unknown(service: &str, region: &Region, variable: &str) -> Self {
        let suggestions = if region.is_known() {
            Vec::new()
        } else {
            nearest(region.id())
        };
        let message = format!(
            "the endpoint of {service} in the region {region} is not known{}; to configure it, set {variable}",
            suggest(&suggestions)
        );
        Self {
            kind: RegionErrorKind::Unknown,
            message,
            suggestions,
            source: None,
        }
    }

    /// What went wrong, for code that must decide.
    pub fn kind(&self) -> RegionErrorKind {
        self.kind
    }

    /// The known regions whose ids are nearest to the one asked for, best first.
    pub fn suggestions(&self) -> &[Region] {
        &self.suggestions
    }
}

impl From<CredentialsError> for RegionError {
    fn from(error: CredentialsError) -> Self {
        Self {
            kind: RegionErrorKind::InvalidConfiguration,
            message: error.to_string(),
            suggestions: Vec::new(),
            source: Some(error),
        }
    }
}

fn suggest(suggestions: &[Region]) -> String {
    let ids: Vec<_> = suggestions.iter().map(Region::id).collect();
    if ids.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", ids.join(", "))
    }
}

fn nearest(id: &str) -> Vec<Region> {
    let mut rated: Vec<_> = Region::KNOWN
        .iter()
        .map(|region| {
            (
                strsim::normalized_damerau_levenshtein(region.id(), id),
                region,
            )
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .collect();
    rated.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    rated
        .into_iter()
        .take(MAX_SUGGESTIONS)
        .map(|(_, region)| region.clone())
        .collect()
}
