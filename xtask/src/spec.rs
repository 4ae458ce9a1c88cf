//! `cargo xtask spec`: does the contract say what the vendor's page says?

use std::fs;
use std::path::Path;

use crate::contract::{CONTRACT, Contract};
use crate::described::{self, Described};
use crate::deviations::Deviations;
use crate::facts::{self, Difference, said};
use crate::failure::{Failure, Failures};
use crate::page;
use crate::reference::{REFERENCE, Reference};

/// Compares every row of the page's operation, every other operation and every named deviation.
pub(crate) fn contract(root: &Path) -> Result<(), Failures> {
    let contract = Contract::load(root)?;
    let page = Reference::load(root)?;
    let deviations = Deviations::load(root)?;
    let rows = described::page_operation(&contract, &page);
    let others = described::other_operations(&contract, &page);

    let mut differences = facts::differences(&page.facts(), &rows.facts);
    let mut failures = unnamed(&contract, &rows, &differences, &deviations);
    let added = facts::differences(&facts::Facts::new(), &others.facts);
    failures.extend(unnamed(&contract, &others, &added, &deviations));
    differences.extend(added);
    failures.extend(deviations.unused(&differences));
    Failures::unless_empty(failures)?;

    let (facts, named) = (page.facts().len(), deviations.count());
    eprintln!("{CONTRACT} agrees with {REFERENCE}: {facts} facts, {named} named deviations");
    Ok(())
}

/// Compares the rows of the page's operation, which is all that generating needs: an operation of
/// somebody's own is no row of the page.
pub(crate) fn rows(root: &Path, contract: &Contract) -> Result<(), Failures> {
    let page = Reference::load(root)?;
    let rows = described::page_operation(contract, &page);
    let differences = facts::differences(&page.facts(), &rows.facts);
    Failures::unless_empty(unnamed(
        contract,
        &rows,
        &differences,
        &Deviations::load(root)?,
    ))
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
            let cause = format!("{place}: the page says {left}, the contract {right}");
            match described.pointer(place) {
                Some(pointer) => contract.fault(pointer, cause),
                None => Failure::file(CONTRACT, cause),
            }
        })
        .collect()
}

/// Compares the text of the vendor's page with the reference, both ways.
pub(crate) fn page(root: &Path, file: &Path) -> Result<(), Failures> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).map_err(|error| Failure::file(&name, error))?;
    let page = page::parse(&name, &text)?.facts_and_layout();
    let reference = Reference::load(root)?.facts_and_layout();
    let differences = facts::differences(&page, &reference);
    let failures = differences.iter().map(|Difference { place, left, right }| {
        let (left, right) = (said(left.as_ref()), said(right.as_ref()));
        Failure::place(
            REFERENCE,
            place,
            format_args!("the page says {left}, the reference {right}"),
        )
    });
    Failures::unless_empty(failures.collect())?;
    eprintln!("{REFERENCE} agrees with {name}: {} facts", page.len());
    Ok(())
}
