//! The JSON of a plan, with a digest.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::error_kind::PlanProblem;
use crate::plan_content::PlanContent;

const VERSION: u32 = 1;

/// A plan as JSON.
#[derive(Serialize)]
pub(crate) struct PlanDocument<'a> {
    version: u32,
    digest: String,
    plan: &'a PlanContent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    digest: String,
    plan: PlanContent,
}

pub(crate) fn document(plan: &PlanContent) -> PlanDocument<'_> {
    PlanDocument {
        version: VERSION,
        digest: digest(plan),
        plan,
    }
}

pub(crate) fn write(plan: &PlanContent) -> String {
    json(&document(plan))
}

/// Structs, strings and numbers can always be written.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The digest covers the values, not white space.
pub(crate) fn digest(plan: &PlanContent) -> String {
    Sha256::digest(json(plan))
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

pub(crate) fn read(text: &str) -> Result<PlanContent, Error> {
    let document: Document = serde_json::from_str(text).map_err(|error| {
        Error::plan(PlanProblem::NotAPlan, "this is not the JSON of a plan").with_source(error)
    })?;
    if document.version != VERSION {
        let message = format!(
            "the plan has version {}, and this client reads version {VERSION}",
            document.version
        );
        return Err(Error::plan(PlanProblem::NotAPlan, message));
    }
    let plan = document.plan;
    if digest(&plan) != document.digest || !plan.is_consistent() {
        let message = "the plan was edited: its content and its digest differ; make a new plan";
        return Err(Error::plan(PlanProblem::Edited, message));
    }
    Ok(plan)
}
