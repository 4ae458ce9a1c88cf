//! The parts of the contract that the guide shows are in the contract, and its code compiles in the facade.

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

#[test]
fn the_code_of_the_guide_compiles_in_the_facade_without_warnings() {
    let checkout = Checkout::with_crates();
    checkout.add_facade();
    let [file, of_client] = code("rust,ignore")[..].try_into().unwrap();
    checkout.write("crates/dms-kafka/src/first_record.rs", file);
    let is_import = |line: &&str| line.starts_with("use ");
    let imports: Vec<&str> = of_client.lines().filter(is_import).collect();
    let method: Vec<&str> = of_client.lines().filter(|line| !is_import(line)).collect();
    for (file, before, added) in [
        ("lib.rs", "mod list;", "mod first_record;"),
        (
            "lib.rs",
            "pub use list::",
            "pub use first_record::FirstRecord;",
        ),
        ("client.rs", "use crate::list::", &imports.join("\n")),
        (
            "client.rs",
            "    /// Returns the endpoint",
            &method.join("\n"),
        ),
    ] {
        let code = format!("{added}\n{before}");
        checkout.edit(&format!("crates/dms-kafka/src/{file}"), before, &code);
    }
    checkout.cargo(&["clippy", "--package=dms-kafka", "--", "-Dwarnings"]);
}
