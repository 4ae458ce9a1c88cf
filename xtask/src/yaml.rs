//! Reads YAML with the line and column of every value and error.

use std::fmt;

use anyhow::anyhow;
use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize as _, Deserializer};
use serde_saphyr::{Location, Spanned};

use crate::failure;

/// Reads a document. Errors contain line and column.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, text: &str) -> anyhow::Result<T> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let cause = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        let Some(at) = error.location() else {
            return anyhow!("{file}: {cause}");
        };
        let (line, column) = (at.line(), at.column());
        let cause = cause.replace(&format!(" at line {line}, column {column}"), "");
        failure::at(file, (line, column), cause)
    })
}

/// YAML 1.2, in which `y`, `on` and `no` are strings.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { with_snippet: false, strict_booleans: true }
}

/// Line and column, both counted from 1, of the value at a JSON pointer.
pub(crate) fn locate(text: &str, pointer: &str) -> Option<(u64, u64)> {
    let path: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
    let location =
        serde_saphyr::with_deserializer_from_str_with_options(text, options(), |document| {
            Seek(&path).deserialize(document)
        });
    location.ok().flatten().map(|at| (at.line(), at.column()))
}

/// Escapes a key as a token of a JSON pointer (RFC 6901).
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The key that a token of a JSON pointer stands for.
pub(crate) fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// Reads the location of the value at a path.
struct Seek<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<Location>;

    fn deserialize<D: Deserializer<'de>>(self, document: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() {
            let found = Spanned::<IgnoredAny>::deserialize(document)?;
            return Ok(Some(found.referenced));
        }
        document.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<Location>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.0[0] {
                found = map.next_value_seed(Seek(&self.0[1..]))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        for _ in 0..self.0[0].parse().unwrap_or(usize::MAX) {
            if list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = list.next_element_seed(Seek(&self.0[1..]))?.flatten();
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::{escape, locate, parse};

    const TEXT: &str = "a:\n  b/c: [x, {d: y}]\n  '200': z\n";

    #[test]
    fn pointers_have_places() {
        for (pointer, place) in [
            ("/a/b~1c/0", Some((2, 9))),
            ("/a/b~1c/1/d", Some((2, 16))),
            ("/a/200", Some((3, 10))),
            ("/a/b~1c/7", None),
            ("/nowhere", None),
        ] {
            assert_eq!(locate(TEXT, pointer), place, "{pointer}");
        }
    }

    #[test]
    fn keys_are_escaped_for_pointers() {
        assert_eq!(escape("/v2/~x"), "~1v2~1~0x");
    }

    #[test]
    fn errors_name_line_and_column() {
        for (text, message) in [
            ("a: [1,\nb: 2\n", "f.yaml:1:4: unclosed bracket '['"),
            (
                "a: 1\na: 2\n",
                "f.yaml:2:1: duplicate mapping key `a` is not allowed here",
            ),
            (
                "a: 1\n b: 2\n",
                "f.yaml:2:3: mapping values are not allowed in this context",
            ),
        ] {
            let error = parse::<serde_json::Value>("f.yaml", text).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
