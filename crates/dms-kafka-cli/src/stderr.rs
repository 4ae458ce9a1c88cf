//! Says things on standard error. Nobody listening is no reason to stop, nor to panic as `eprintln!` does.

use std::io::{self, Write as _};

use serde_json::json;

/// A line.
pub(crate) fn line(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Text that ends its lines itself, or asks for an answer behind it.
pub(crate) fn text(text: &str) {
    let _ = write!(io::stderr(), "{text}");
}

/// What people should know although nothing has failed.
pub(crate) fn note(text: &str, json: bool) {
    if json {
        line(&json!({"note": text}).to_string());
    } else {
        line(text);
    }
}

/// That something is dangerous.
pub(crate) fn warn(text: &str, json: bool) {
    if json {
        line(&json!({"warning": text}).to_string());
    } else {
        line(&format!("warning: {text}"));
    }
}
