//! The commands work for a contract of another service, whose operation answers 204.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;

use support::{CONTRACT, Checkout, GENERATED, workspace};

#[test]
fn another_contract_is_compared_with_its_page_generated_and_compiled() {
    let checkout = Checkout::with_crates();
    for (file, target) in [
        ("openapi.yaml", CONTRACT),
        ("reference.toml", "openapi/reference.toml"),
        ("deviations.toml", "openapi/deviations.toml"),
        ("page.txt", "page.txt"),
    ] {
        let text = fs::read_to_string(workspace().join("xtask/tests/second").join(file)).unwrap();
        checkout.write(target, &text);
    }
    let page = checkout.path().join("page.txt");
    let run = checkout.xtask(&["spec", "--page", page.to_str().unwrap()]);
    assert!(run.success, "{}", run.stderr);
    let run = checkout.xtask(&["generate"]);
    assert!(run.success, "{}", run.stderr);
    let code = checkout.read(GENERATED);
    assert!(
        code.contains("pub async fn delete_load_balancer<'a>("),
        "{code}"
    );
    assert!(
        code.contains("204u16 => Ok(ResponseValue::empty(response)),"),
        "{code}"
    );
    assert!(!code.contains("DeleteKafkaTopicMessages"));
}
