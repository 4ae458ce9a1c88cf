//! Self-signed certificates, and plain HTTP.

use std::fs;

use serde_json::Value;

use crate::support::{Folder, Run as _, Served, assert_stderr, at, dms_kafka, stderr, words};

#[test]
fn a_self_signed_certificate_is_trusted_with_ca_cert() {
    let folder = Folder::new("");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = folder.path("certificate.pem");
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(folder.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let config = format!(
        "listen = '127.0.0.1:0'\ntls = {{ certificate_chain_file = '{certificate}', private_key_file = '{}' }}\n\
         access_key = [{{ access_key = 'AK', secret_key = {{ env = 'GATEWAY_SK' }} }}]\n\
         instance = [{{ id = 'i', project_id = 'p', \
         memory.topics = [{{ name = 'orders', partitions = 1, records = 10 }}] }}]\n",
        folder.path("key.pem")
    );
    fs::write(folder.path("gateway.toml"), config).unwrap();
    let serve = format!("serve --config {}", folder.path("gateway.toml"));
    let served = Served::ready(dms_kafka(&serve).env("GATEWAY_SK", "SK"));
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
