//! Runs the cases of the standard chain in `tests/chain/*.yaml`.
//!
//! `home` lists the files of the home directory, which replaces `${HOME}` in variables and files. `\u{fffd}` in a file is replaced
//! by a byte that is not UTF-8. Secrets contain `canary`.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::SystemTime};

use crate::support::{
    layers,
    recorded::{Exchange, Recorded},
};
use huaweicloud_auth::{
    ChainProvider, Credentials, ProvideCredentials, ProviderContext, ProviderError, Region,
};
use serde::Deserialize;
use yaml_serde::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    home: BTreeMap<String, String>,
    region: Option<String>,
    #[serde(default)]
    http: Vec<Exchange>,
    credentials: Option<BTreeMap<String, String>>,
    error: Option<ExpectedError>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedError {
    /// The variant of `ProviderErrorKind`.
    kind: String,
    contains: Vec<String>,
}

#[tokio::test]
async fn every_case_has_the_expected_result() {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chain");
    let mut count = 0;
    for family in fs::read_dir(families).unwrap() {
        let cases = fs::read_to_string(family.unwrap().path()).unwrap();
        let mut cases: BTreeMap<String, Value> = yaml_serde::from_str(&cases).unwrap();
        cases.remove("shared");
        count += cases.len();
        for (name, case) in cases {
            println!("{name}");
            run(&name, yaml_serde::from_value(case).unwrap()).await;
        }
    }
    assert!(count > 80, "{count} cases");
}

async fn run(name: &str, case: Case) {
    let home = tempfile::tempdir().unwrap();
    let in_home = |text: &str| text.replace("${HOME}", home.path().to_str().unwrap());
    for (path, text) in &case.home {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = in_home(text);
        let parts: Vec<_> = text.split('\u{fffd}').map(str::as_bytes).collect();
        fs::write(path, parts.join(&0xff)).unwrap();
    }
    let transport = Arc::new(Recorded::new(case.http));
    let mut context = ProviderContext::new(transport.clone())
        .with_environment(
            case.environment
                .iter()
                .map(|(name, value)| (name, in_home(value)))
                .collect(),
        )
        .with_home(home.path());
    if let Some(region) = &case.region {
        context = context.with_region(Region::new(region).unwrap());
    }
    let result = ChainProvider::standard(&context)
        .provide_credentials()
        .await;
    check(name, result, case.credentials, case.error);
    assert_eq!(
        transport.remaining(),
        0,
        "{name}: requests that were not sent"
    );
}

fn check(
    name: &str,
    result: Result<Credentials, ProviderError>,
    credentials: Option<BTreeMap<String, String>>,
    error: Option<ExpectedError>,
) {
    let shown = format!("{result:?}");
    assert!(!shown.contains("canary"), "{name}: {shown}");
    match (result, credentials, error) {
        (Ok(provided), Some(expected), None) => {
            assert_eq!(parts(&provided), expected, "{name}");
        }
        (Err(error), None, Some(expected)) => {
            let message = layers(&error).join(": ");
            assert!(!message.contains("canary"), "{name}: {message}");
            assert_eq!(
                format!("{:?}", error.kind()),
                expected.kind,
                "{name}: {message}"
            );
            for part in expected.contains {
                assert!(
                    message.contains(&part),
                    "{name}: {part:?} is not in {message:?}"
                );
            }
        }
        (result, ..) => panic!("{name}: {result:?}"),
    }
}

fn parts(credentials: &Credentials) -> BTreeMap<String, String> {
    let expires_at = credentials.expires_at().map(rfc_3339);
    let parts = [
        ("provider", Some(credentials.provider_name())),
        ("access_key", credentials.access_key()),
        ("secret_key", credentials.secret_key()),
        ("security_token", credentials.security_token()),
        ("expires_at", expires_at.as_deref()),
        ("project_id", credentials.project_id()),
        ("domain_id", credentials.domain_id()),
        ("iam_endpoint", credentials.iam_endpoint()),
    ];
    let parts = parts.into_iter();
    parts
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect()
}

fn rfc_3339(time: SystemTime) -> String {
    let timestamp = jiff::Timestamp::try_from(time).unwrap();
    timestamp.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
