use progenitor_client::{Error, encode_path};

/// Encodes a value in the path of a request, so that it is one segment whatever it contains.
///
/// # Errors
/// A URL parser would remove `.` and `..`, and an empty value is not a segment.
#[allow(
    dead_code,
    clippy::result_large_err,
    reason = "a contract without parameters in its paths does not need it; the error is that of the caller"
)]
pub(crate) fn encode<E>(value: &str) -> Result<String, Error<E>> {
    if matches!(value, "" | "." | "..") {
        let message = format!("{value:?} cannot be part of a path");
        return Err(Error::InvalidRequest(message));
    }
    let segment = encode_path(value);
    // Parsers read a backslash as a slash.
    if segment.contains('\\') {
        return Ok(segment.replace('\\', "%5C"));
    }
    Ok(segment)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_value_is_one_segment_of_a_url_or_refused() {
        for value in [
            "a", "...", "a b", "a/b", "a\\b", "..\\..", "%2e", "%2E%2e", "a?b#c", "ü\t",
        ] {
            let segment = super::encode::<()>(value).expect(value);
            let url = reqwest::Url::parse(&format!("http://localhost/x/{segment}/y")).expect(value);
            assert_eq!(url.path().split('/').count(), 4, "{value}: {url}");
            assert_eq!(url.as_str().len(), url.path().len() + 16, "{value}: {url}");
        }
        for value in ["", ".", ".."] {
            assert!(super::encode::<()>(value).is_err(), "{value}");
        }
    }
}
