//! Patches of seeded faults that no longer fit the code.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::process::Command;

use support::Checkout;

const CODE: &str = "fn answer() -> u32 {\n    42\n}\n";
const PATCH: &str = "\
Answers something else.
Caught by: none

--- a/code.rs
+++ b/code.rs
@@ -1,3 +1,3 @@
 fn answer() -> u32 {
-    41
+    43
 }
";

#[test]
fn a_patch_that_does_not_apply_is_named() {
    let checkout = Checkout::new();
    let git = Command::new("git")
        .arg("init")
        .arg("--quiet")
        .arg(checkout.path())
        .status();
    assert!(git.is_ok_and(|status| status.success()), "needs git");
    checkout.write("code.rs", CODE);
    let patch = "tests/conformance/faults/server/answers-something-else.patch";
    let file = checkout.path().join(patch);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    checkout.write(patch, PATCH);
    let mut command = checkout.command(&["conformance", "--faults"]);
    let run = support::run(command.env_remove("CARGO_TARGET_DIR"));
    assert!(!run.success);
    let said = format!("{patch}: does not apply any more");
    assert!(run.stderr.contains(&said), "{}", run.stderr);
    // What the patch is to be made again in.
    let stage = checkout.path().join("target/faults/stage/code.rs");
    assert_eq!(std::fs::read_to_string(stage).unwrap(), CODE);
}
