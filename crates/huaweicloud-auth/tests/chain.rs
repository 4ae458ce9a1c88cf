//! The chain of sources, case by case: see `tests/chain/*/case.json`, with the home folder beside it.
//!
//! `${HOME}` in variables and files stands for the home folder of the case. What must stay secret contains `canary`.
#![cfg(feature = "providers")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the helpers of tests, too, fail by panicking, after they said where they are"
)]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use huaweicloud_auth::{
    ChainProvider, Credentials, ProvideCredentials, ProviderContext, ProviderError,
    ProviderErrorKind, Region,
};
use serde::Deserialize;
use support::{
    layers,
    recorded::{Exchange, Recorded},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "description")]
    _description: String,
    environment: BTreeMap<String, String>,
    region: Option<String>,
    http: Vec<Exchange>,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Credentials(ExpectedCredentials),
    Error { kind: Kind, contains: Vec<String> },
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
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chain");
    let mut count = 0;
    for case in fs::read_dir(cases).unwrap() {
        run(&case.unwrap().path()).await;
        count += 1;
    }
    assert!(count > 80, "{count} cases");
}

async fn run(folder: &Path) {
    let name = folder.file_name().unwrap().to_string_lossy();
    println!("{name}");
    let case: Case = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
    let home = tempfile::tempdir().unwrap();
    copy_home(&folder.join("home"), home.path(), home.path());
    let transport = Arc::new(Recorded::new(case.http));
    let in_home = |text: &str| text.replace("${HOME}", home.path().to_str().unwrap());
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
    check(&name, result, case.expected);
    assert_eq!(
        transport.remaining(),
        0,
        "{name}: requests that were not sent"
    );
}

fn check(name: &str, result: Result<Credentials, ProviderError>, expected: Expected) {
    let shown = format!("{result:?}");
    assert!(!shown.contains("canary"), "{name}: {shown}");
    match (result, expected) {
        (Ok(credentials), Expected::Credentials(expected)) => {
            assert_eq!(ExpectedCredentials::from(&credentials), expected, "{name}");
        }
        (Err(error), Expected::Error { kind, contains }) => {
            let message = layers(&error).join(": ");
            assert!(!message.contains("canary"), "{name}: {message}");
            assert_eq!(Kind::from(error.kind()), kind, "{name}: {message}");
            for part in contains {
                assert!(
                    message.contains(&part),
                    "{name}: {part:?} is not in {message:?}"
                );
            }
        }
        (result, _) => panic!("{name}: {result:?}"),
    }
}

fn copy_home(from: &Path, to: &Path, home: &Path) {
    let Ok(entries) = fs::read_dir(from) else {
        return;
    };
    for entry in entries {
        let entry: PathBuf = entry.unwrap().path();
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            fs::create_dir(&target).unwrap();
            copy_home(&entry, &target, home);
        } else {
            let bytes = fs::read(&entry).unwrap();
            match String::from_utf8(bytes) {
                Ok(text) => fs::write(target, text.replace("${HOME}", home.to_str().unwrap())),
                Err(not_text) => fs::write(target, not_text.into_bytes()),
            }
            .unwrap();
        }
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
