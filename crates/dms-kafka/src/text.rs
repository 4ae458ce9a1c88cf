//! Text from outside, made fit to be shown: no secret, no control characters, no endless length.

const REDACTED: &str = "[redacted]";
/// What stands before the signature in an `Authorization` header. A signature may be repeated to the service
/// for 15 minutes.
const SIGNATURE: &str = "Signature=";
/// A text that breaks off may end with the start of a secret; fewer characters tell nothing.
const TELLING_START: usize = 8;

/// `text` without the secret and without signatures, what a terminal would obey escaped, cut after about
/// `limit` characters.
///
/// The secret is found in any spelling that JSON has for it (`\/`, `\u003d`), also in text that is no JSON.
pub(crate) fn shown(text: &str, secret: Option<&str>, limit: usize) -> String {
    let secret = secret.filter(|secret| !secret.is_empty());
    let mut shown = String::new();
    let mut length = 0;
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if length >= limit {
            shown.push('…');
            break;
        }
        length += 1;
        if let Some(behind) = secret.and_then(|secret| behind_secret(rest, secret)) {
            shown.push_str(REDACTED);
            rest = behind;
        } else if let Found::Whole(behind) = find(rest, SIGNATURE) {
            shown.push_str(SIGNATURE);
            rest = behind.trim_start_matches(|digit: char| digit.is_ascii_hexdigit());
            if rest.len() < behind.len() {
                shown.push_str(REDACTED);
            }
        } else {
            if is_unprintable(character) {
                shown.extend(character.escape_default());
            } else {
                shown.push(character);
            }
            rest = &rest[character.len_utf8()..];
        }
    }
    shown
}

/// As [`shown`], without work for the short words that most answers are made of.
pub(crate) fn fit(text: String, secret: Option<&str>, limit: usize) -> String {
    let too_short = text.len() < TELLING_START.min(limit)
        && secret.is_none_or(|secret| secret.len() > text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if too_short {
        return text;
    }
    shown(&text, secret, limit)
}

/// What stands behind the secret, or behind as much of it as there is before the end.
fn behind_secret<'a>(text: &'a str, secret: &str) -> Option<&'a str> {
    match find(text, secret) {
        Found::Whole(behind) => Some(behind),
        Found::Start(length) if length >= TELLING_START => Some(""),
        Found::Start(_) | Found::Nothing => None,
    }
}

/// What a text begins with.
enum Found<'a> {
    /// The wanted text, and this behind it.
    Whole(&'a str),
    /// So many characters of it, and nothing behind.
    Start(usize),
    Nothing,
}

fn find<'a>(text: &'a str, wanted: &str) -> Found<'a> {
    let mut rest = text;
    for (length, character) in wanted.chars().enumerate() {
        match without(rest, character) {
            Some(behind) => rest = behind,
            None if is_cut_off(rest) => return Found::Start(length),
            None => return Found::Nothing,
        }
    }
    Found::Whole(rest)
}

/// Whether the text ends here, or in an escape.
fn is_cut_off(text: &str) -> bool {
    let escape = text.trim_start_matches('\\');
    escape.is_empty()
        || (escape.len() < text.len() && escape.len() < "u0000".len() && escape.starts_with('u'))
}

/// What stands behind the character, which may be written as an escape, and that with several backslashes, as in
/// JSON within JSON.
fn without(text: &str, character: char) -> Option<&str> {
    if character != '\\'
        && let Some(behind) = text.strip_prefix(character)
    {
        return Some(behind);
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
        Some((_, behind)) => Some(behind),
        None if character == '\\' => Some(escape),
        None => escape.strip_prefix(character),
    }
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
        assert_eq!(shown("ab-SECRET-cd", Some("SECRET"), 3), "ab-…");
        assert_eq!(shown("ab-SECRET-cd", Some("SECRET"), 4), "ab-[redacted]…");
        assert_eq!(shown("abcdef", Some(""), 3), "abc…");
    }

    #[test]
    fn a_secret_is_found_in_every_spelling_and_where_the_text_breaks_off() {
        let secret = Some("tok\"en/with=\\x");
        for (text, expected) in [
            (r#"{"m":"tok\"en\/with=\\x"}"#, r#"{"m":"[redacted]"}"#),
            (r#"{"m":"tok\"en\/with\u003d\\x t"#, r#"{"m":"[redacted] t"#),
            (
                r#"{"m":"\u0074ok\u0022en\u002fwith\u003D\u005cx"#,
                r#"{"m":"[redacted]"#,
            ),
            (
                r#"{"m":"{\"n\":\"tok\\\"en\\\/with\\u003d\\\\x\"}"#,
                r#"{"m":"{\"n\":\"[redacted]\"}"#,
            ),
            (r#"{"m":"tok\"en\/w"#, r#"{"m":"[redacted]"#),
            (r#"{"m":"tok\"en\/w\u00"#, r#"{"m":"[redacted]"#),
            (r#"{"m":"tok\"en\/w\"#, r#"{"m":"[redacted]"#),
            (r#"{"m":"tok\"en""#, r#"{"m":"tok\"en""#),
            (r#"{"m":"tok"#, r#"{"m":"tok"#),
        ] {
            assert_eq!(shown(text, secret, 100), expected, "{text}");
        }
    }

    #[test]
    fn a_signature_is_hidden_with_or_without_a_secret() {
        let text = "Access=AK, SignedHeaders=host, Signature=0a1Bff|x Signature=";
        let expected = "Access=AK, SignedHeaders=host, Signature=[redacted]|x Signature=";
        assert_eq!(shown(text, None, 100), expected);
        assert_eq!(shown(text, Some("token"), 100), expected);
        assert_eq!(
            shown(r"Signature\u003d0a1B", None, 100),
            "Signature=[redacted]"
        );
    }
}
