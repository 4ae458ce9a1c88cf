//! `cargo xtask spec`: does the contract say what the vendor's page says?

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use xshell::Shell;

use crate::contract::{CONTRACT, Contract};
use crate::described::{self, Described};
use crate::deviations::{DEVIATIONS, Deviations};
use crate::facts::{self, Difference, Facts, said};
use crate::failure;
use crate::lint;
use crate::page;
use crate::reference::{REFERENCE, Reference};
use anyhow::{Error as Failure, Result};

/// Compare the contract with the facts of the vendor's page.
#[derive(Debug, Args)]
pub(crate) struct Spec {
    /// Text of the vendor's page, to compare the recorded facts with.
    #[arg(long, value_name = "FILE", env = "DMS_KAFKA_PAGE")]
    page: Option<PathBuf>,

    /// Run Spectral and Redocly too, which needs Node.js.
    #[arg(long)]
    lint: bool,
}

impl Spec {
    pub(crate) fn run(&self, sh: &Shell) -> Result<()> {
        contract(sh)?;
        failure::tell("page", page(sh, self.page.as_deref()))?;
        if self.lint {
            failure::tell("lint", lint::run(sh))?;
        }
        Ok(())
    }
}

/// Compares every row of the page's operation, every other operation and every named deviation.
pub(crate) fn contract(sh: &Shell) -> Result<()> {
    let root = &sh.current_dir();
    let contract = Contract::load(root)?;
    let page = Reference::load(root)?;
    let deviations = Deviations::load(root)?;

    let described = described::page_operation(&contract, &page);
    let mut differences = row_differences(&page, &described);
    let mut failures = unnamed(&contract, &described, &differences, &deviations);

    let described = described::other_operations(&contract, &page);
    let others = facts::differences(&Facts::new(), &described.facts);
    failures.extend(unnamed(&contract, &described, &others, &deviations));

    differences.extend(others);
    failures.extend(deviations.unused(&differences));
    failure::unless_empty(failures)?;

    let (facts, named) = (page.facts().len(), deviations.count());
    eprintln!("{CONTRACT} agrees with {REFERENCE}: {facts} facts, {named} named deviations");
    Ok(())
}

/// Compares the rows of the page's operation, which is all that generating needs: an operation of
/// somebody's own is no row of the page. One message says enough there.
pub(crate) fn rows(root: &Path, contract: &Contract) -> Result<()> {
    let page = Reference::load(root)?;
    let described = described::page_operation(contract, &page);
    let differences = row_differences(&page, &described);
    let failures = unnamed(contract, &described, &differences, &Deviations::load(root)?);
    failures.into_iter().next().map_or(Ok(()), Err)
}

/// Without the operation itself there are no rows to speak of.
fn row_differences(page: &Reference, described: &Described) -> Vec<Difference> {
    let mut differences = facts::differences(&page.facts(), &described.facts);
    if described.facts.is_empty() {
        differences.retain(|difference| difference.place == "operation");
    }
    differences
}

fn unnamed(
    contract: &Contract,
    described: &Described,
    differences: &[Difference],
    deviations: &Deviations,
) -> Vec<Failure> {
    differences
        .iter()
        .filter(|difference| !deviations.name(difference))
        .map(|difference| {
            let Difference { place, left, right } = difference;
            let (left, right) = (said(left.as_ref()), said(right.as_ref()));
            let cause = format!(
                "{place}: the page says {left}, the contract {right}; \
                 correct the contract, or name the difference in {DEVIATIONS}"
            );
            match described.pointer(place) {
                Some(pointer) => contract.fault(pointer, cause),
                None => failure::file(CONTRACT, cause),
            }
        })
        .collect()
}

/// Compares the text of the vendor's page with the reference, both ways.
pub(crate) fn page(sh: &Shell, file: Option<&Path>) -> Result<()> {
    let Some(file) = file else {
        let reason = "its text is the vendor's; give --page FILE or DMS_KAFKA_PAGE";
        return failure::skip(reason);
    };
    let name = file.display().to_string();
    let text = fs::read_to_string(file).map_err(|error| failure::file(&name, error))?;
    let page = page::parse(&name, &text)?.facts_and_layout();
    let reference = Reference::load(&sh.current_dir())?.facts_and_layout();
    let differences = facts::differences(&page, &reference);
    let failures = differences.iter().map(|Difference { place, left, right }| {
        let (left, right) = (said(left.as_ref()), said(right.as_ref()));
        failure::place(
            REFERENCE,
            place,
            format_args!("the page says {left}, the reference {right}"),
        )
    });
    failure::unless_empty(failures.collect())?;
    eprintln!("{REFERENCE} agrees with {name}: {} facts", page.len());
    Ok(())
}
