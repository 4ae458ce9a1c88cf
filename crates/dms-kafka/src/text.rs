//! Text from outside, made fit to be shown: no secret, no control characters, no endless length.

use serde_json::Value;

const REDACTED: &str = "[redacted]";
/// What stands before the signature in an `Authorization` header.
const SIGNATURE: &str = "Signature=";

/// `text` with the secret replaced, what a terminal would obey escaped, cut after `limit` characters.
pub(crate) fn shown(text: &str, secret: Option<&str>, limit: usize) -> String {
    // Redact before the cut, so that no half of a secret survives at its end.
    let text = redacted(text, secret);
    let mut shown = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == limit {
            shown.push('…');
            break;
        }
        if is_unprintable(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// `text` with the secret replaced wherever it occurs, and signatures of requests: one may be repeated
/// to the service for 15 minutes.
pub(crate) fn redacted(text: &str, secret: Option<&str>) -> String {
    let text = match secret {
        Some(secret) if !secret.is_empty() => text.replace(secret, REDACTED),
        _ => text.to_owned(),
    };
    let mut parts = text.split(SIGNATURE);
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|character: char| character.is_ascii_hexdigit());
        shown.push_str(SIGNATURE);
        if rest.len() < part.len() {
            shown.push_str(REDACTED);
        }
        shown.push_str(rest);
    }
    shown
}

/// As [`shown`], for a body: in JSON the secret may be written with escapes (`\/`, `\u003d`).
pub(crate) fn shown_body(body: &[u8], secret: Option<&str>, limit: usize) -> String {
    let unescaped = secret.and_then(|secret| without_escapes(body, secret));
    let text = unescaped.map_or_else(|| String::from_utf8_lossy(body), Into::into);
    shown(&text, secret, limit)
}

/// The body in `serde_json`'s own spelling, when that brings a secret to light.
fn without_escapes(body: &[u8], secret: &str) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let text = value.to_string();
    let quoted = Value::from(secret).to_string();
    let spelled = quoted.trim_matches('"');
    text.contains(spelled)
        .then(|| redacted(&text, Some(spelled)))
}

/// Control characters, line separators, and the invisible ones that reorder or hide text.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_the_rest_is_not() {
        let cases = [
            ("topic 'orders' \"x\" C:\\", "topic 'orders' \"x\" C:\\"),
            ("主题不存在，请检查。", "主题不存在，请检查。"),
            ("a\u{1b}[2J\r\n\0", r"a\u{1b}[2J\r\n\u{0}"),
            ("\u{202e}txt\u{feff}\u{85}", r"\u{202e}txt\u{feff}\u{85}"),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text, None, 100), expected);
        }
    }

    #[test]
    fn a_secret_at_the_cut_leaves_nothing_behind() {
        assert_eq!(shown("ab-SECRET-cd", Some("SECRET"), 5), "ab-[r…");
        assert_eq!(shown("abcdef", Some(""), 3), "abc…");
    }

    #[test]
    fn a_signature_is_hidden_with_or_without_a_secret() {
        let text = "Access=AK, SignedHeaders=host, Signature=0a1Bff|x Signature=";
        let expected = "Access=AK, SignedHeaders=host, Signature=[redacted]|x Signature=";
        assert_eq!(shown(text, None, 100), expected);
        assert_eq!(shown(text, Some("token"), 100), expected);
    }

    #[test]
    fn a_secret_with_a_quote_is_found_in_json() {
        let body = br#"{"m":"tok\"en\/x \u0074ok\"en\/x"}"#;
        let text = shown_body(body, Some("tok\"en/x"), 100);
        assert_eq!(text, r#"{"m":"[redacted] [redacted]"}"#);
    }
}
