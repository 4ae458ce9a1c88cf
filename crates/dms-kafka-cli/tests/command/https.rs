//! Self-signed certificates, and plain HTTP.

use serde_json::Value;

use crate::connection::with_tls;
use crate::support::{Folder, Run as _, assert_stderr, at, stderr, words};

#[test]
fn a_self_signed_certificate_is_trusted_with_ca_cert() {
    let folder = Folder::new("");
    let (served, certificate) = with_tls(&folder, |_| ());
    let endpoint = served.text("endpoint").replace("127.0.0.1", "localhost");
    assert!(endpoint.starts_with("https://"), "{endpoint}");
    let delete = |line: &str, code| {
        let delete = "delete --topic orders --partition 0:5 --yes --output json";
        at(&endpoint, delete).args(words(line)).ends_with(code)
    };
    delete(&format!("--ca-cert {certificate}"), 0);
    let untrusted = delete("", 3);
    let printed: Value = serde_json::from_str(stderr(&untrusted).lines().last().unwrap()).unwrap();
    assert_eq!(printed["outcome"], "not_applied");
    let absent = delete("--ca-cert no/such/file", 5);
    assert_stderr(&absent, "--ca-cert no/such/file");
    delete(&format!("--ca-cert {}", folder.path("gateway.toml")), 2);
}

#[test]
fn plaintext_to_another_machine_gives_a_warning_each_time() {
    let delete = "delete --topic orders --partition 0:5 --dry-run --allow-plaintext-http";
    for (form, warning) in [
        ("table", "warning: http://192.0.2.1 is not encrypted"),
        ("json", r#"{"warning":"http://192.0.2.1 is"#),
    ] {
        for _ in 0..2 {
            let output = at("http://192.0.2.1", delete)
                .args(["--output", form])
                .ends_with(0);
            assert!(stderr(&output).starts_with(warning), "{}", stderr(&output));
        }
    }
    let to_itself = at("http://127.0.0.1:9", delete).ends_with(0);
    assert!(
        !stderr(&to_itself).contains("warning"),
        "{}",
        stderr(&to_itself)
    );
}
