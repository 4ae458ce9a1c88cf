//! The parts that the guide adds to the contract are valid, and give the names that it uses.

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
fn the_operation_of_the_guide_is_generated() {
    let checkout = Checkout::new();
    let ([path, schema], [deviation, _]) = (
        code("yaml")[..].try_into().unwrap(),
        code("toml")[..].try_into().unwrap(),
    );
    checkout.edit(CONTRACT, "\npaths:\n", &format!("\npaths:\n{path}\n"));
    checkout.edit(
        CONTRACT,
        "\n  schemas:\n",
        &format!("\n  schemas:\n{schema}\n"),
    );
    let file = "openapi/deviations.toml";
    checkout.write(file, &format!("{}\n{deviation}", checkout.read(file)));
    for command in ["spec", "generate"] {
        let run = checkout.xtask(&[command]);
        assert!(run.success, "{}", run.stderr);
    }
    for name in ["show_partition_beginning_message", "PartitionMessage"] {
        assert!(
            checkout.read(GENERATED).contains(name) && GUIDE.contains(name),
            "{name}"
        );
    }
}
