//! Certificates that no public authority has signed, and connections without any.

use std::fs;

use serde_json::Value;

use crate::folder::Folder;
use crate::support::{Served, command, stderr};

#[test]
fn a_certificate_of_ones_own_is_trusted_when_it_is_named() {
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
    let mut serve = command();
    serve
        .args(["serve", "--config", &folder.path("gateway.toml")])
        .env("GATEWAY_SK", "SK");
    let served = Served::ready(&mut serve);
    let endpoint = served.text("endpoint").replace("127.0.0.1", "localhost");
    assert!(endpoint.starts_with("https://"), "{endpoint}");
    let delete = |arguments: &[&str]| {
        command()
            .args([
                "delete",
                "--endpoint",
                &endpoint,
                "--project-id",
                "p",
                "--instance-id",
                "i",
            ])
            .args([
                "--topic",
                "orders",
                "--partition",
                "0:5",
                "--yes",
                "--output",
                "json",
            ])
            .args(arguments)
            .envs([("HUAWEICLOUD_SDK_AK", "AK"), ("HUAWEICLOUD_SDK_SK", "SK")])
            .output()
            .unwrap()
    };
    let trusted = delete(&["--ca-cert", &certificate]);
    assert_eq!(trusted.status.code(), Some(0), "{}", stderr(&trusted));
    let untrusted = delete(&[]);
    assert_eq!(untrusted.status.code(), Some(3), "{}", stderr(&untrusted));
    let told: Value = serde_json::from_str(stderr(&untrusted).lines().last().unwrap()).unwrap();
    assert_eq!(told["outcome"], "not_applied");
    let absent = delete(&["--ca-cert", "no/such/file"]);
    assert_eq!(absent.status.code(), Some(5), "{}", stderr(&absent));
    assert!(
        stderr(&absent).contains("--ca-cert no/such/file"),
        "{}",
        stderr(&absent)
    );
    let no_certificate = delete(&["--ca-cert", &folder.path("gateway.toml")]);
    assert_eq!(
        no_certificate.status.code(),
        Some(2),
        "{}",
        stderr(&no_certificate)
    );
}

#[test]
fn plaintext_beyond_this_machine_is_warned_of_each_time() {
    for (form, warning) in [
        ("table", "warning: http://192.0.2.1 is not encrypted"),
        ("json", r#"{"warning":"http://192.0.2.1 is"#),
    ] {
        for _ in 0..2 {
            let output = command()
                .args([
                    "delete",
                    "--endpoint",
                    "http://192.0.2.1",
                    "--project-id",
                    "p",
                    "--instance-id",
                    "i",
                ])
                .args([
                    "--topic",
                    "orders",
                    "--partition",
                    "0:5",
                    "--dry-run",
                    "--allow-plaintext-http",
                ])
                .args(["--output", form])
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
            assert!(stderr(&output).starts_with(warning), "{}", stderr(&output));
        }
    }
    let to_itself = command()
        .args([
            "delete",
            "--allow-plaintext-http",
            "--endpoint",
            "http://127.0.0.1:9",
            "--project-id",
            "p",
            "--instance-id",
            "i",
        ])
        .args(["--topic", "orders", "--partition", "0:5", "--dry-run"])
        .output()
        .unwrap();
    assert_eq!(to_itself.status.code(), Some(0), "{}", stderr(&to_itself));
    assert!(
        !stderr(&to_itself).contains("warning"),
        "{}",
        stderr(&to_itself)
    );
}
