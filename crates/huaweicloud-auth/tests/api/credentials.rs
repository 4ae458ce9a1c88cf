//! Credentials: what they accept and what they show.

use std::time::SystemTime;

use huaweicloud_auth::{
    Credentials, Environment, EnvironmentProvider, ProvideCredentials, ProviderError,
};

use crate::support::key_pair;

#[test]
fn errors_do_not_show_invalid_values() {
    let too_odd = ["", " canary", "canary\n", "can\u{0}ary", "canary\u{a0}"];
    for secret in too_odd {
        refused(Credentials::new("AccessKey", secret), "secret key");
    }
    for value in too_odd.into_iter().chain(["can ary", "canarÿ"]) {
        refused(Credentials::new(value, "SecretKey"), "access key");
        refused(Credentials::token(value), "authentication token");
        refused(key_pair().with_security_token(value), "security token");
    }
    refused(Credentials::new("can,ary", "SecretKey"), "access key");
    refused(
        Credentials::token("t")
            .unwrap()
            .with_security_token("canary"),
        "security token",
    );
}

fn refused(result: Result<Credentials, ProviderError>, what: &str) {
    let error = result.unwrap_err();
    assert!(error.is_invalid());
    let shown = format!("{error} {error:?}");
    assert!(shown.contains(what), "{shown}");
    let values = shown.replace("candidates: []", "");
    assert!(!values.contains("can"), "{shown}");
}

#[test]
fn debug_shows_the_end_of_the_access_key_and_the_provider() {
    let secret = Credentials::new("ACCESSKEY1234", "canary-secret")
        .unwrap()
        .with_security_token("canary-token")
        .unwrap()
        .with_project_id("canary-project")
        .with_provider_name("profile");
    assert_eq!(
        format!("{secret:?}"),
        r#"Credentials { access_key: "…1234", provider: "profile" }"#
    );
    let short = Credentials::new("SHORT12", "canary").unwrap();
    assert_eq!(
        format!("{short:?}"),
        r#"Credentials { access_key: "…", provider: "static" }"#
    );
    let token = Credentials::token("canary").unwrap();
    assert_eq!(
        format!("{token:?}"),
        r#"Credentials { access_key: "none", provider: "static" }"#
    );
}

#[test]
fn changes_do_not_affect_clones() {
    let first = key_pair();
    let second = first.clone().with_expires_at(SystemTime::UNIX_EPOCH);
    assert_eq!(first.expires_at(), None);
    assert_eq!(second.expires_at(), Some(SystemTime::UNIX_EPOCH));
    assert_eq!(second.secret_key(), Some("SecretKey"));
    assert_eq!((second.auth_token(), second.is_token()), (None, false));
}

#[tokio::test]
async fn credentials_provide_themselves() {
    let token = Credentials::token("TOKEN").unwrap();
    let provided = token.provide_credentials().await.unwrap();
    assert_eq!(provided.auth_token(), Some("TOKEN"));
    assert!(provided.is_token());
    assert_eq!((provided.access_key(), provided.secret_key()), (None, None));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_named() {
    use std::os::unix::ffi::OsStringExt;
    let value = std::ffi::OsString::from_vec(vec![0xff]);
    let environment = Environment::from_iter([("HUAWEICLOUD_SDK_AK", value)]);
    let error = EnvironmentProvider::new(environment)
        .credentials()
        .unwrap_err();
    assert!(error.is_invalid());
    assert!(error.to_string().contains("HUAWEICLOUD_SDK_AK"), "{error}");
}
