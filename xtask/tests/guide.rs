//! The parts of the contract that the guide shows are in the contract, and give the names that it uses.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::{CONTRACT, Checkout, GENERATED};

const GUIDE: &str = include_str!("../../docs/adding-an-operation.md");

/// The code in a language.
fn code(language: &str) -> Vec<&str> {
    let fence = format!("```{language}\n");
    let parts = GUIDE.split(fence.as_str()).skip(1);
    parts
        .map(|part| part.split("```").next().unwrap())
        .collect()
}

#[test]
fn the_operation_of_the_guide_is_that_of_the_contract() {
    let checkout = Checkout::new();
    let [path, schema] = code("yaml")[..].try_into().unwrap();
    let deviation = code("toml")[0];
    for (file, part) in [
        (CONTRACT, path),
        (CONTRACT, schema),
        ("openapi/deviations.toml", deviation),
    ] {
        let part = format!("\n{part}");
        assert!(checkout.read(file).contains(&part), "{file} has not:{part}");
    }
    for name in ["show_partition_beginning_message", "PartitionMessage"] {
        assert!(
            checkout.read(GENERATED).contains(name) && GUIDE.contains(name),
            "{name}"
        );
    }
}
