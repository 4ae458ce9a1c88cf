//! Reading TOML with errors that say where, and that quote nothing of the text.

use serde::de::DeserializeOwned;

use crate::error::Error;

/// Reads `text`, which people know as `name`.
///
/// # Errors
/// What is wrong, and in which line. The line itself may hold a secret that was put into the wrong place.
pub(crate) fn parse<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| 1 + before.matches('\n').count());
        Error::configuration(name, line, error.message())
    })
}
