//! Reports are passed on, so what a faulty client or service has repeated of a secret must not stand in them.

use huaweicloud_auth::Credentials;

/// The parts of `credentials` that nobody else may see.
pub(crate) fn secrets(credentials: &Credentials) -> impl Iterator<Item = &str> {
    let secrets = [credentials.secret_key(), credentials.security_token()];
    secrets.into_iter().flatten()
}

/// `text` with `<redacted>` in place of each secret.
pub fn redacted(text: &str, credentials: &Credentials) -> String {
    secrets(credentials).fold(text.to_owned(), |text, secret| {
        text.replace(secret, "<redacted>")
    })
}
