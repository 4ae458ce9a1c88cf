//! Reports are passed on, so what a faulty client or service has repeated of a secret must not stand in them.

use huaweicloud_auth::Credentials;

/// The parts of `credentials` that nobody else may see.
pub(crate) fn secrets(credentials: &Credentials) -> impl Iterator<Item = &str> {
    let secrets = [credentials.secret_key(), credentials.security_token()];
    secrets.into_iter().flatten()
}

/// `text` as a report shows it: in one line, `<redacted>` in place of each secret, control characters escaped, at most
/// 500 characters. A terminal would obey what it is sent, and a service may answer with megabytes.
pub fn shown(text: &str, credentials: &Credentials) -> String {
    const LONGEST: usize = 500;
    let redacted = secrets(credentials).fold(text.to_owned(), |text, secret| {
        text.replace(secret, "<redacted>")
    });
    let mut line = String::new();
    for (place, character) in redacted.chars().enumerate() {
        if place == LONGEST {
            line.push('…');
            break;
        }
        if character.is_control() {
            line.extend(character.escape_debug());
        } else {
            line.push(character);
        }
    }
    line
}
