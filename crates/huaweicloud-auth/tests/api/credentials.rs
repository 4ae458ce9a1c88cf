//! Credentials: what they accept and what they show.

use std::time::SystemTime;

use huaweicloud_auth::{
    Credentials, Environment, EnvironmentProvider, ProvideCredentials, ProviderError,
};

use crate::support::key_pair;

#[test]
fn unusable_values_are_refused_without_showing_them() {
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
fn clones_share_and_changes_do_not_leak_into_them() {
    let first = key_pair();
    let second = first.clone().with_expires_at(SystemTime::UNIX_EPOCH);
    assert_eq!(first.expires_at(), None);
    assert_eq!(second.expires_at(), Some(SystemTime::UNIX_EPOCH));
    assert_eq!(second.secret_key(), Some("SecretKey"));
    assert_eq!((second.auth_token(), second.is_token()), (None, false));
}

#[tokio::test]
async fn fixed_credentials_provide_themselves() {
    let token = Credentials::token("TOKEN").unwrap();
    let provided = token.provide_credentials().await.unwrap();
    assert_eq!(provided.auth_token(), Some("TOKEN"));
    assert!(provided.is_token());
    assert_eq!((provided.access_key(), provided.secret_key()), (None, None));
}

#[test]
fn a_whole_environment_is_read() {
    let credentials = environment(&[
        ("HUAWEICLOUD_SDK_AK", "AccessKey"),
        ("HUAWEICLOUD_SDK_SK", "SecretKey"),
        ("HUAWEICLOUD_SDK_SECURITY_TOKEN", "TOKEN"),
        ("HUAWEICLOUD_SDK_PROJECT_ID", "project"),
        ("HUAWEICLOUD_SDK_DOMAIN_ID", "domain"),
    ])
    .unwrap();
    assert_eq!(credentials.access_key(), Some("AccessKey"));
    assert_eq!(credentials.secret_key(), Some("SecretKey"));
    assert_eq!(credentials.security_token(), Some("TOKEN"));
    assert_eq!(credentials.project_id(), Some("project"));
    assert_eq!(credentials.domain_id(), Some("domain"));
    assert_eq!(credentials.provider_name(), "environment");
}

#[test]
fn nothing_is_not_the_same_as_half() {
    let nothing = [
        environment(&[]),
        environment(&[
            ("HUAWEICLOUD_SDK_AK", ""),
            ("HUAWEICLOUD_SDK_PROJECT_ID", "project"),
        ]),
    ];
    for result in nothing {
        let error = result.unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }
    let half = [
        (vec![("HUAWEICLOUD_SDK_AK", "canary")], "HUAWEICLOUD_SDK_SK"),
        (vec![("HUAWEICLOUD_SDK_SK", "canary")], "HUAWEICLOUD_SDK_AK"),
        (
            vec![("HUAWEICLOUD_SDK_SECURITY_TOKEN", "canary")],
            "HUAWEICLOUD_SDK_AK",
        ),
        (
            vec![
                ("HUAWEICLOUD_SDK_AK", "A"),
                ("HUAWEICLOUD_SDK_SK", "canary\n"),
            ],
            "secret key",
        ),
    ];
    for (variables, named) in half {
        let error = environment(&variables).unwrap_err();
        assert!(error.is_invalid(), "{error}");
        assert!(error.to_string().starts_with("environment: "), "{error}");
        assert!(error.to_string().contains(named), "{error}");
        assert!(!format!("{error:?}").contains("canary"));
    }
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

fn environment(variables: &[(&str, &str)]) -> Result<Credentials, ProviderError> {
    EnvironmentProvider::new(variables.iter().copied().collect()).credentials()
}
