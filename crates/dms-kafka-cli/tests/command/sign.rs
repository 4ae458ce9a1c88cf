//! `dms-kafka sign`, compared with published signatures.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{Run as _, assert_stderr, command, stderr, stdout};
use serde::Deserialize;
use serde_json::{Value, json};

const DATE: &str = "20260102T030405Z";
const URL: &str = "https://dms.example.com/v2/p/kafka/instances/i/topics/orders/messages/delete";

/// One published signature with its stages.
#[derive(Deserialize)]
struct Vector {
    name: String,
    access_key: String,
    secret_key: String,
    method: String,
    path_on_the_wire: String,
    query: Vec<(String, String)>,
    signed_headers: Vec<(String, String)>,
    body: String,
    x_sdk_date: String,
    canonical_request: String,
    canonical_request_sha256: String,
    string_to_sign: String,
    signature: String,
    authorization: String,
}

fn vectors() -> Vec<Vector> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Vector>,
    }
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../huaweicloud-auth/tests/vectors/signature-vectors.json"
    );
    // The package is tested without the vectors, which belong to another crate.
    let Ok(text) = std::fs::read_to_string(path) else {
        return Vec::new();
    };
    let file: File = serde_json::from_str(&text).unwrap();
    assert!(!file.cases.is_empty());
    file.cases
}

impl Vector {
    fn names(&self) -> String {
        let names: Vec<&str> = self
            .signed_headers
            .iter()
            .map(|(name, _)| &**name)
            .collect();
        names.join(";")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.signed_headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The command for the request of this vector.
    fn sign(&self) -> Command {
        let host = self.header("host").unwrap_or("host.example.com");
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("?{}", query.join("&"))
        };
        let mut command = sign(&self.access_key, &self.secret_key);
        command.args([
            "-X",
            &self.method,
            "--date",
            &self.x_sdk_date,
            "--output",
            "json",
        ]);
        let said_elsewhere = ["host", "x-sdk-date"];
        for (name, value) in self
            .signed_headers
            .iter()
            .filter(|(name, _)| !said_elsewhere.contains(&&**name))
        {
            command.args(["-H", &format!("{name}: {value}")]);
        }
        command.args(["--data", &self.body]);
        command.arg(format!("https://{host}{}{query}", self.path_on_the_wire));
        command
    }
}

fn sign(access_key: &str, secret_key: &str) -> Command {
    let mut command = command();
    command
        .arg("sign")
        .env("HUAWEICLOUD_SDK_AK", access_key)
        .env("HUAWEICLOUD_SDK_SK", secret_key);
    command
}

#[test]
fn stages_equal_those_of_published_signatures() {
    for vector in vectors() {
        let output = vector
            .sign()
            .args(["--signed-headers", &vector.names()])
            .ends_with(0);
        let shown: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let token = vector.header("x-security-token").unwrap_or_default();
        let canonical_request = vector.canonical_request.replace(
            &format!("x-security-token:{token}\n"),
            "x-security-token:<redacted>\n",
        );
        for (stage, expected) in [
            ("canonical_request", &canonical_request),
            ("canonical_request_sha256", &vector.canonical_request_sha256),
            ("string_to_sign", &vector.string_to_sign),
            ("signature", &vector.signature),
            ("authorization", &vector.authorization),
        ] {
            assert_eq!(shown[stage], json!(expected), "{}: {stage}", vector.name);
        }
        assert!(
            !stdout(&output).contains(&vector.secret_key),
            "{}",
            vector.name
        );
    }
}

#[test]
fn compare_accepts_published_signatures_and_rejects_wrong_ones() {
    for vector in vectors() {
        let right = vector
            .sign()
            .args(["--compare", &vector.authorization])
            .ends_with(0);
        let shown: Value = serde_json::from_str(&stdout(&right)).unwrap();
        assert_eq!(shown["comparison"]["matches"], true, "{}", vector.name);
        let (rest, last) = vector
            .authorization
            .split_at(vector.authorization.len() - 1);
        let other = if last == "0" { "1" } else { "0" };
        let wrong = vector
            .sign()
            .args(["--compare", &format!("{rest}{other}")])
            .ends_with(1);
        let shown: Value = serde_json::from_str(&stdout(&wrong)).unwrap();
        assert_eq!(
            shown["comparison"],
            json!({"matches": false, "same_access_key": true, "same_signature": false})
        );
    }
}

#[test]
fn the_body_comes_from_the_argument_a_file_or_standard_input() {
    let body = "{\"partitions\":[{\"partition\":0,\"offset\":1}]}\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body.json");
    std::fs::write(&file, body).unwrap();
    let at_file = format!("@{}", file.display());
    let outputs = [body, &at_file, "@-"].map(|data| {
        let mut process = sign("AccessKey", "SecretKey")
            .args(["--date", DATE, "--data", data, URL])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        // A command that does not read it may have ended already.
        let _ = stdin.write_all(body.as_bytes());
        drop(stdin);
        stdout(&process.wait_with_output().unwrap())
    });
    assert!(
        outputs[0].starts_with("Canonical request\nPOST\n"),
        "{}",
        outputs[0]
    );
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0], outputs[2]);
}

#[test]
fn secrets_are_never_printed() {
    let secrets = [
        "canary-secret-key",
        "canary-security-token",
        "canary-auth-token",
        "canary-cookie",
    ];
    for (format, verbosity) in [("table", "-vv"), ("json", "-vv")] {
        let output = sign("AccessKey", secrets[0])
            .env("HUAWEICLOUD_SDK_SECURITY_TOKEN", secrets[1])
            .args([
                verbosity,
                "--output",
                format,
                "-H",
                "X-Auth-Token: canary-auth-token",
            ])
            .args(["-H", "Cookie: canary-cookie", "--date", DATE])
            .args([
                "--signed-headers",
                "cookie;host;x-auth-token;x-sdk-date;x-security-token",
                URL,
            ])
            .ends_with(0);
        assert!(
            stdout(&output).contains("x-security-token:<redacted>"),
            "{}",
            stdout(&output)
        );
        for secret in secrets {
            let shown = stdout(&output) + &stderr(&output);
            assert!(!shown.contains(secret), "{secret} is in {shown}");
        }
    }
}

/// Arguments, and a word of the message. Exit code 2, but 5 for a file that cannot be read.
const REFUSED: &[(&[&str], &str)] = &[
    (&["ftp://host/x"], "not an http or https URL"),
    (&["https://user:canary-password@host/x"], "user name"),
    (&["https://host/a b"], "percent-encoded"),
    (&["-H", "Authorization: canary-password", URL], "--compare"),
    (&["-H", "no colon", URL], "NAME: VALUE"),
    (&["-X", "BAD METHOD", URL], "BAD METHOD"),
    (&["--date", "2026-01-02", URL], "YYYYMMDDTHHMMSSZ"),
    (
        &["--date", DATE, "-H", "X-Sdk-Date: 20260102T030405Z", URL],
        "twice",
    ),
    (&["--signed-headers", "x-sdk-date;host", URL], "ascending"),
    (&["--signed-headers", "host;x-absent", URL], "x-absent"),
    (
        &["--compare", "Basic canary-password", "--date", DATE, URL],
        "--compare",
    ),
    (
        &[
            "--compare",
            "SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=00",
            URL,
        ],
        "--date",
    ),
    (&["--data", "@no/such/file", URL], "no/such/file"),
];

#[test]
fn invalid_input_is_refused_without_printing_secrets() {
    for (arguments, word) in REFUSED {
        let code = if *word == "no/such/file" { 5 } else { 2 };
        let output = sign("AccessKey", "SecretKey")
            .args(*arguments)
            .ends_with(code);
        assert_stderr(&output, word);
        assert!(
            !stderr(&output).contains("canary-password"),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn missing_credentials_are_reported() {
    let output = command()
        .args(["sign", "--output", "json", URL])
        .ends_with(2);
    let printed: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(
        (&printed["kind"], &printed["outcome"]),
        (&json!("credentials"), &json!("not_applied"))
    );
}

#[test]
fn the_metadata_service_is_not_asked_for_a_loopback_url() {
    let output = command()
        .args(["sign", "http://127.0.0.1:8080/v2"])
        .env_remove("HUAWEICLOUD_SDK_METADATA")
        .ends_with(2);
    assert_stderr(
        &output,
        "metadata: not asked, because the URL has a loopback address",
    );
}
