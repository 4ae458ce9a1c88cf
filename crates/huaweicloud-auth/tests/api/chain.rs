//! The chain of sources, case by case: see `tests/chain/*.yaml`.
//!
//! `home` is the files of the home folder, which `${HOME}` in variables and files stands for; `\u{fffd}` in a file stands for a
//! byte that is not Unicode. What must stay secret contains `canary`.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::SystemTime};

use crate::support::{
    layers,
    recorded::{Exchange, Recorded},
};
use huaweicloud_auth::{
    ChainProvider, Credentials, ProvideCredentials, ProviderContext, ProviderError,
    ProviderErrorKind, Region,
};
use serde::Deserialize;

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
    credentials: Option<ExpectedCredentials>,
    error: Option<ExpectedError>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedError {
    kind: Kind,
    contains: Vec<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
struct ExpectedCredentials {
    provider: String,
    access_key: Option<String>,
    secret_key: Option<String>,
    security_token: Option<String>,
    expires_at: Option<String>,
    project_id: Option<String>,
    domain_id: Option<String>,
    iam_endpoint: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Kind {
    NotFound,
    Invalid,
    Unavailable,
}

#[tokio::test]
async fn every_case_ends_as_expected() {
    let families = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chain");
    let mut count = 0;
    for family in fs::read_dir(families).unwrap() {
        let cases = fs::read_to_string(family.unwrap().path()).unwrap();
        let cases: BTreeMap<String, Case> = yaml_serde::from_str(&cases).unwrap();
        count += cases.len();
        for (name, case) in cases {
            println!("{name}");
            run(&name, case).await;
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
    credentials: Option<ExpectedCredentials>,
    error: Option<ExpectedError>,
) {
    let shown = format!("{result:?}");
    assert!(!shown.contains("canary"), "{name}: {shown}");
    match (result, credentials, error) {
        (Ok(provided), Some(expected), None) => {
            assert_eq!(ExpectedCredentials::from(&provided), expected, "{name}");
        }
        (Err(error), None, Some(expected)) => {
            let message = layers(&error).join(": ");
            assert!(!message.contains("canary"), "{name}: {message}");
            assert_eq!(Kind::from(error.kind()), expected.kind, "{name}: {message}");
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

impl From<ProviderErrorKind> for Kind {
    fn from(kind: ProviderErrorKind) -> Self {
        match kind {
            ProviderErrorKind::NotFound => Self::NotFound,
            ProviderErrorKind::Invalid => Self::Invalid,
            ProviderErrorKind::Unavailable => Self::Unavailable,
            other => panic!("a new kind: {other:?}"),
        }
    }
}

impl From<&Credentials> for ExpectedCredentials {
    fn from(credentials: &Credentials) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            provider: credentials.provider_name().to_owned(),
            access_key: owned(credentials.access_key()),
            secret_key: owned(credentials.secret_key()),
            security_token: owned(credentials.security_token()),
            expires_at: credentials.expires_at().map(rfc_3339),
            project_id: owned(credentials.project_id()),
            domain_id: owned(credentials.domain_id()),
            iam_endpoint: owned(credentials.iam_endpoint()),
        }
    }
}

fn rfc_3339(time: SystemTime) -> String {
    let timestamp = jiff::Timestamp::try_from(time).unwrap();
    timestamp.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
