//! What goes into reports. They are passed on and read at terminals, so nothing in them may be secret or control one.

use huaweicloud_auth::{Credentials, text};

/// The parts of `credentials` that nobody else may see.
pub(crate) fn secrets(credentials: &Credentials) -> impl Iterator<Item = &str> {
    let secrets = [credentials.secret_key(), credentials.security_token()];
    secrets.into_iter().flatten()
}

/// `text` as a report shows it: in one line, without secrets and control characters, at most 500 characters.
pub fn shown(text: &str, credentials: &Credentials) -> String {
    const LIMIT: usize = 500;
    let secrets: Vec<_> = secrets(credentials).collect();
    text::sanitize(text, &secrets, LIMIT).into_owned()
}

/// The error with everything that led to it, which its own text leaves out.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        text = format!("{text}: {one}");
        cause = one.source();
    }
    text
}
