//! Credentials providers outside the standard chain.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::support::recorded::Recorded;
use huaweicloud_auth::{
    CachedProvider, ChainProvider, Credentials, Environment, ProfileProvider, ProvideCredentials,
    ProvideCredentialsFuture, ProviderContext, ProviderError,
};
use serde_json::json;

#[tokio::test]
async fn credentials_for_global_services_have_a_section() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".huaweicloud")).unwrap();
    let profile =
        "[basic]\nak = BASIC\nsk = secret\n[global]\nak = GLOBAL\nsk = secret\ndomain_id = d\n";
    fs::write(home.path().join(".huaweicloud/credentials"), profile).unwrap();
    // The home directory of the environment, as in a process.
    let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let environment = Environment::from_iter([(variable, home.path())]);
    let context = ProviderContext::new(Arc::new(Recorded::from_json(json!([]))))
        .with_environment(environment);
    let provider = ProfileProvider::new(&context);
    let basic = provider.provide_credentials().await.unwrap();
    assert_eq!(
        (basic.access_key(), basic.domain_id()),
        (Some("BASIC"), None)
    );
    let global = provider
        .for_global_services()
        .provide_credentials()
        .await
        .unwrap();
    assert_eq!(
        (global.access_key(), global.domain_id()),
        (Some("GLOBAL"), Some("d"))
    );
}

/// Has no credentials, and counts calls of `invalidate`.
#[derive(Debug, Default)]
struct Nothing {
    refused: AtomicUsize,
}

impl ProvideCredentials for Nothing {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        Box::pin(async { Err(ProviderError::not_found("mine: nothing")) })
    }

    fn invalidate(&self, _: &Credentials) {
        self.refused.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_chain_accepts_other_providers() {
    let mine = Arc::new(Nothing::default());
    let key = Arc::new(Credentials::new("KEY", "secret").unwrap());
    let chain = ChainProvider::new([mine.clone() as Arc<dyn ProvideCredentials>, key]);
    let provider = CachedProvider::new(chain);
    let credentials = provider.provide_credentials().await.unwrap();
    assert_eq!(credentials.access_key(), Some("KEY"));
    provider.invalidate(&credentials);
    assert_eq!(mine.refused.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_error_of_a_chain_lists_every_provider() {
    let mine = Arc::new(Nothing::default()) as Arc<dyn ProvideCredentials>;
    let error = ChainProvider::new([mine.clone(), mine])
        .provide_credentials()
        .await
        .unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(
        error.to_string(),
        "no credentials found:\n  mine: nothing\n  mine: nothing"
    );
}
