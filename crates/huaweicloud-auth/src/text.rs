//! Makes untrusted text safe to print: without secrets, terminal control characters or excessive length.
//!
//! ```
//! use huaweicloud_auth::text;
//!
//! let message = "token \u{1b}[1mcanary\u{1b}[0m was refused";
//! assert_eq!(text::sanitize(message, &["canary"], 26), r"token \u{1b}[1m<redacted>\u{1b}[0m was refuse…");
//! assert_eq!(text::key_hint("QTWAOYTTINDUT2QVKYUC"), "…KYUC");
//! ```

use std::borrow::Cow;

/// The text that replaces a secret.
pub const REDACTED: &str = "<redacted>";

/// What precedes the signature in an `Authorization` header. The service accepts a repeated signature for 15 minutes.
const SIGNATURE: &str = "Signature=";
/// A truncated text may end with the start of a secret. A shorter start than this is not replaced.
const REVEALING_START: usize = 8;
/// For a shorter key, the last four characters would be more than half.
const SHORTEST_HINTED_KEY: usize = 8;

/// Returns the text in one line of at most about `limit` characters. [`REDACTED`] replaces secrets and signatures.
/// Characters that control a terminal, separate lines, reorder text or are invisible are escaped.
///
/// Secrets are found in every JSON spelling (`\/`, `\u003d`), also in text that is not JSON, and when the end of the text
/// cuts them off.
pub fn sanitize<'a>(text: &'a str, secrets: &[&str], limit: usize) -> Cow<'a, str> {
    if is_harmless(text, secrets, limit) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(limit));
    let mut rest = text;
    for _ in 0..limit {
        let Some(character) = rest.chars().next() else {
            break;
        };
        if let Some(after) = after_secret(rest, secrets) {
            shown.push_str(REDACTED);
            rest = after;
        } else if let Match::Whole(after) = find(rest, SIGNATURE) {
            shown.push_str(SIGNATURE);
            rest = after.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
            if rest.len() < after.len() {
                shown.push_str(REDACTED);
            }
        } else {
            push_visible(&mut shown, character);
            rest = &rest[character.len_utf8()..];
        }
    }
    if !rest.is_empty() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// Escapes a message that may quote input, like [`sanitize`], but keeps line feeds.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    let is_kept = |character| character == '\n' || !is_unprintable(character);
    if text.chars().all(is_kept) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push(character),
            _ => push_visible(&mut shown, character),
        }
    }
    Cow::Owned(shown)
}

/// Identifies an access key by `…` and its last four characters. For a short key it returns only `…`.
pub fn key_hint(access_key: &str) -> String {
    let start = access_key.len().saturating_sub(4);
    match access_key.get(start..) {
        Some(end) if access_key.len() >= SHORTEST_HINTED_KEY => format!("…{end}"),
        _ => "…".to_owned(),
    }
}

/// Whether the text is shown as it is. Without a backslash there is only one spelling of a secret, and most texts of a response,
/// such as request ids, are so: searching all spellings takes longer than decoding them.
fn is_harmless(text: &str, secrets: &[&str], limit: usize) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let starts = |secret: &str| {
        let lengths = REVEALING_START..=secret.len().min(text.len());
        lengths.into_iter().any(|length| {
            let start = secret.get(..length);
            start.is_some_and(|start| text.ends_with(start))
        })
    };
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    text.len() <= limit
        && text.bytes().all(is_plain)
        && secrets
            .into_iter()
            .all(|secret| !text.contains(secret) && !starts(secret))
}

/// Returns the text after a secret at the start, which may be cut off.
fn after_secret<'a>(text: &'a str, secrets: &[&str]) -> Option<&'a str> {
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    secrets
        .filter_map(|secret| match find(text, secret) {
            Match::Whole(after) => Some(after),
            Match::Start(length) if length >= REVEALING_START => Some(""),
            Match::Start(_) | Match::Nothing => None,
        })
        .min_by_key(|after| after.len())
}

/// How much of a searched string is at the start of a text.
enum Match<'a> {
    /// All of it, followed by this text.
    Whole(&'a str),
    /// This many characters of it, up to the end of the text.
    Start(usize),
    Nothing,
}

fn find<'a>(text: &'a str, wanted: &str) -> Match<'a> {
    let mut rest = text;
    for (length, character) in wanted.chars().enumerate() {
        match after_character(rest, character) {
            Some(after) => rest = after,
            None if is_cut_off(rest) => return Match::Start(length),
            None => return Match::Nothing,
        }
    }
    Match::Whole(rest)
}

/// Whether the text ends here, possibly within an escape.
fn is_cut_off(text: &str) -> bool {
    let escape = text.trim_start_matches('\\');
    escape.is_empty()
        || (escape.len() < text.len() && escape.len() < "u0000".len() && escape.starts_with('u'))
}

/// Returns the text after the character, which may be escaped. JSON within JSON has several backslashes.
fn after_character(text: &str, character: char) -> Option<&str> {
    if character != '\\'
        && let Some(after) = text.strip_prefix(character)
    {
        return Some(after);
    }
    let escape = text.trim_start_matches('\\');
    if escape.len() == text.len() {
        return None;
    }
    let coded = escape
        .strip_prefix('u')
        .and_then(|code| code.split_at_checked(4))
        .filter(|(code, _)| u32::from_str_radix(code, 16) == Ok(character.into()));
    match coded {
        Some((_, after)) => Some(after),
        None if character == '\\' => Some(escape),
        None => escape.strip_prefix(character),
    }
}

fn push_visible(shown: &mut String, character: char) {
    if is_unprintable(character) {
        shown.extend(character.escape_default());
    } else {
        shown.push(character);
    }
}

/// Control characters, line separators, and invisible characters that reorder or hide text.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_control_is_escaped() {
        for (text, expected) in [
            ("topic 'orders' \"x\" C:\\", "topic 'orders' \"x\" C:\\"),
            ("主题不存在，请检查。", "主题不存在，请检查。"),
            ("a\u{1b}[2J\r\n\0", r"a\u{1b}[2J\r\n\u{0}"),
            ("\u{202e}txt\u{feff}\u{85}", r"\u{202e}txt\u{feff}\u{85}"),
            ("\u{2028}\u{200b}\u{2066}", r"\u{2028}\u{200b}\u{2066}"),
            ("\u{61c}\u{ad}\u{e0041}", r"\u{61c}\u{ad}\u{e0041}"),
        ] {
            assert_eq!(sanitize(text, &[], 100), expected);
            assert_eq!(escape_lines(text), expected.replace(r"\n", "\n"));
        }
        assert!(matches!(escape_lines("one\ntwo"), Cow::Borrowed(_)));
    }

    #[test]
    fn the_limit_cuts_no_secret_in_half() {
        for (text, secret, limit, expected) in [
            ("ab-SECRET-cd", "SECRET", 3, "ab-…"),
            ("ab-SECRET-cd", "SECRET", 4, "ab-<redacted>…"),
            ("abcdef", "", 3, "abc…"),
            ("abcdef", "", 6, "abcdef"),
            ("abc", "", 0, "…"),
            ("", "", 0, ""),
        ] {
            assert_eq!(sanitize(text, &[secret], limit), expected, "{text} {limit}");
        }
    }

    #[test]
    fn a_secret_is_found_in_every_spelling_and_where_the_text_is_cut_off() {
        let secret = "tok\"en/with=\\x";
        for (text, expected) in [
            (r#"{"m":"tok\"en\/with=\\x"}"#, r#"{"m":"<redacted>"}"#),
            (r#"{"m":"tok\"en\/with\u003d\\x t"#, r#"{"m":"<redacted> t"#),
            (
                r#"{"m":"\u0074ok\u0022en\u002fwith\u003D\u005cx"#,
                r#"{"m":"<redacted>"#,
            ),
            (
                r#"{"m":"{\"n\":\"tok\\\"en\\\/with\\u003d\\\\x\"}"#,
                r#"{"m":"{\"n\":\"<redacted>\"}"#,
            ),
            (r#"{"m":"tok\"en\/w"#, r#"{"m":"<redacted>"#),
            (r#"{"m":"tok\"en\/w\u00"#, r#"{"m":"<redacted>"#),
            (r#"{"m":"tok\"en\/w\"#, r#"{"m":"<redacted>"#),
            (r#"{"m":"tok\"en""#, r#"{"m":"tok\"en""#),
            (r#"{"m":"tok"#, r#"{"m":"tok"#),
        ] {
            assert_eq!(sanitize(text, &[secret], 100), expected, "{text}");
            assert_eq!(sanitize(text, &["x-key", secret], 100), expected, "{text}");
        }
        assert_eq!(
            sanitize("secret", &["sec", "secret"], 100),
            REDACTED,
            "the longer"
        );
        assert_eq!(sanitize("abc", &["abc"], 100), REDACTED);
        let secret = "5f0a-secret-key";
        for (text, expected) in [
            ("id-5f0a-secret-key-1", "id-<redacted>-1"),
            ("id-5f0a-sec", "id-<redacted>"),
            ("id-5f0a-se", "id-5f0a-se"),
        ] {
            let shown = sanitize(text, &["", secret], 100);
            assert_eq!(shown, expected);
            let is_copied = matches!(shown, Cow::Owned(_));
            assert_eq!(is_copied, expected.contains(REDACTED), "{text}");
        }
    }

    #[test]
    fn a_signature_is_hidden_with_or_without_secrets() {
        let text = "Access=AK, SignedHeaders=host, Signature=0a1Bff|x Signature=";
        let expected = "Access=AK, SignedHeaders=host, Signature=<redacted>|x Signature=";
        assert_eq!(sanitize(text, &[], 100), expected);
        assert_eq!(sanitize(text, &["token"], 100), expected);
        assert_eq!(
            sanitize(r"Signature\u003d0a1B", &[], 100),
            "Signature=<redacted>"
        );
    }

    #[test]
    fn a_short_key_is_not_hinted_at() {
        for (key, expected) in [
            ("", "…"),
            ("1234567", "…"),
            ("12345678", "…5678"),
            ("123456éé", "…éé"),
            ("123456é_é", "…"),
        ] {
            assert_eq!(key_hint(key), expected, "{key}");
        }
    }
}
