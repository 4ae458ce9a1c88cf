//! `cargo xtask spec`: compares the contract with the vendor's page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use clap::Args;
use serde::Deserialize;
use xshell::Shell;

use crate::contract::{CONTRACT, Contract};
use crate::facts::{Difference, Facts};
use crate::failure::{self, skip, unless_empty};
use crate::reference::{REFERENCE, Reference};
use crate::{contract_facts, lint, page};

/// The intended differences between contract and page, relative to the root of the checkout.
const DEVIATIONS: &str = "openapi/deviations.toml";

/// Compare the contract with the facts of the vendor's page.
#[derive(Debug, Args)]
pub(crate) struct Spec {
    /// Text of the vendor's page, to compare with the recorded facts.
    #[arg(long, value_name = "FILE", env = "DMS_KAFKA_PAGE")]
    page: Option<PathBuf>,

    /// Also run Spectral and Redocly, which need Node.js.
    #[arg(long)]
    lint: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviations {
    #[serde(rename = "deviation", default)]
    all: Vec<Deviation>,
}

/// An intended difference. Other values at the same place are not covered by it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    place: String,
    /// Absent if the page has no value at this place; likewise for `contract`.
    page: Option<String>,
    contract: Option<String>,
    reason: String,
}

impl Spec {
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        contract(sh)?;
        failure::report_skip("page", page(sh, self.page.as_deref()))?;
        if self.lint {
            failure::report_skip("lint", lint::run(sh))?;
        }
        Ok(())
    }
}

/// Compares the rows of the page's operation and every other operation, and reports deviations that are obsolete.
pub(crate) fn contract(sh: &Shell) -> Result<()> {
    let root = sh.current_dir();
    let contract = Contract::load(&root)?;
    let page = Reference::load(&root)?;
    let deviations = deviations(&root)?;

    let mut differences = row_differences(&contract, &page);
    let others = contract_facts::other_operations(&contract, &page);
    differences.extend(Facts::default().differences(&others));
    let mut failures = unnamed(&contract, &differences, &deviations);
    let obsolete = |deviation: &&Deviation| !differences.iter().any(|it| deviation.names(it));
    failures.extend(deviations.iter().filter(obsolete).map(|it| {
        let (place, page, contract) = (
            &it.place,
            quoted(it.page.as_ref()),
            quoted(it.contract.as_ref()),
        );
        anyhow!(
            "{DEVIATIONS}, {place}: no such difference: page {page}, contract {contract}; \
             remove or correct the entry"
        )
    }));
    unless_empty(failures)?;

    let (facts, named) = (page.facts().len(), deviations.len());
    eprintln!("{CONTRACT} agrees with {REFERENCE}: {facts} facts, {named} named deviations");
    Ok(())
}

/// Fails with the first difference in the page's operation. Generating accepts additional operations.
pub(crate) fn rows(root: &Path, contract: &Contract) -> Result<()> {
    let differences = row_differences(contract, &Reference::load(root)?);
    let failures = unnamed(contract, &differences, &deviations(root)?);
    failures.into_iter().next().map_or(Ok(()), Err)
}

/// If the contract lacks the operation, this is the only difference.
fn row_differences(contract: &Contract, page: &Reference) -> Vec<Difference> {
    let described = contract_facts::page_operation(contract, page);
    let mut differences = page.facts().differences(&described);
    if described.len() == 0 {
        differences.retain(|difference| difference.place == "operation");
    }
    differences
}

fn unnamed(contract: &Contract, differences: &[Difference], named: &[Deviation]) -> Vec<Error> {
    let is_unnamed = |found: &&Difference| !named.iter().any(|it| it.names(found));
    let message = |found: &Difference| {
        let cause = format!(
            "{}: the page says {}, the contract {}; \
             correct the contract, or name the difference in {DEVIATIONS}:\n\n{}",
            found.place,
            quoted(found.page.as_ref()),
            quoted(found.contract.as_ref()),
            entry(found),
        );
        match &found.pointer {
            Some(pointer) => contract.error_at(pointer, cause),
            None => anyhow!("{CONTRACT}: {cause}"),
        }
    };
    differences.iter().filter(is_unnamed).map(message).collect()
}

/// The entry that names a difference. A value that does not exist has no line.
fn entry(found: &Difference) -> String {
    let fields = [
        ("place", Some(&found.place)),
        ("page", found.page.as_ref()),
        ("contract", found.contract.as_ref()),
    ];
    let line = |(key, value): (&str, Option<&String>)| {
        value.map(|value| format!("{key} = {}\n", toml::Value::from(value.as_str())))
    };
    let lines: String = fields.into_iter().filter_map(line).collect();
    format!("[[deviation]]\n{lines}reason = \"\"")
}

fn quoted(value: Option<&String>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"))
}

/// Compares the text of the vendor's page with the reference.
pub(crate) fn page(sh: &Shell, file: Option<&Path>) -> Result<()> {
    let Some(file) = file else {
        return skip(
            "the checkout does not include the vendor's text; set --page FILE or DMS_KAFKA_PAGE",
        );
    };
    let name = file.display().to_string();
    let text = fs::read_to_string(file).with_context(|| name.clone())?;
    let lines = page::compare(&name, &text, &Reference::load(&sh.current_dir())?)?;
    eprintln!("{REFERENCE} agrees with {name}: {lines} lines");
    Ok(())
}

fn deviations(root: &Path) -> Result<Vec<Deviation>> {
    let Deviations { all } = failure::read_toml(root, DEVIATIONS)?;
    let mut places = BTreeSet::new();
    for Deviation { place, reason, .. } in &all {
        if reason.trim().is_empty() {
            bail!("{DEVIATIONS}, {place}: no reason given");
        }
        if !places.insert(place) {
            bail!("{DEVIATIONS}, {place}: listed twice");
        }
    }
    Ok(all)
}

impl Deviation {
    fn names(&self, found: &Difference) -> bool {
        self.place == found.place && self.page == found.page && self.contract == found.contract
    }
}
