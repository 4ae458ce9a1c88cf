//! A value of a document, and a fault at one.

use std::borrow::Cow;
use std::fmt::Display;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::yaml::{escape, unescape};

/// A value of a document. A reference is replaced by the value that it refers to.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    document: &'a Value,
    pub(crate) value: &'a Value,
    /// The JSON pointer to the value or, if there is one, to the reference.
    pub(crate) pointer: String,
    /// The pointer to the value itself.
    pub(crate) inside: String,
    is_reference: bool,
}

/// What is wrong with the value at a JSON pointer.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) pointer: String,
    pub(crate) cause: String,
    /// The pointer to an earlier value, whose place is appended to the cause.
    pub(crate) earlier: Option<String>,
}

impl Fault {
    pub(crate) fn new(pointer: &str, cause: impl Display) -> Self {
        Self {
            pointer: pointer.to_owned(),
            cause: cause.to_string(),
            earlier: None,
        }
    }
}

impl<'a> Node<'a> {
    /// The value at a JSON pointer, or null. References must not form a cycle.
    pub(crate) fn new(document: &'a Value, pointer: String) -> Self {
        let at = |pointer: &str| document.pointer(pointer).unwrap_or(&Value::Null);
        let (mut value, mut inside) = (at(&pointer), pointer.clone());
        while let Some(target) = reference(value) {
            (value, inside) = (at(&target), target.into_owned());
        }
        Self {
            is_reference: inside != pointer,
            document,
            value,
            pointer,
            inside,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Self {
        Self::new(self.document, format!("{}/{}", self.inside, escape(key)))
    }

    /// The value at a key, if there is one.
    pub(crate) fn find(&self, key: &str) -> Option<Self> {
        let found = self.get(key);
        (!found.value.is_null()).then_some(found)
    }

    /// The string at a key, or an empty string.
    pub(crate) fn text(&self, key: &str) -> &'a str {
        self.value[key].as_str().unwrap_or_default()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let object = self.value.as_object().into_iter();
        object.flatten().map(|(key, _)| key.as_str())
    }

    pub(crate) fn items(&self) -> Vec<Self> {
        let count = self.value.as_array().map_or(0, Vec::len);
        let item = |index: usize| self.get(&index.to_string());
        (0..count).map(item).collect()
    }

    /// The value itself, without the reference to it.
    pub(crate) fn target(&self) -> Self {
        Self::new(self.document, self.inside.clone())
    }

    /// The name of the component that a reference refers to; `None` if this is not a reference.
    pub(crate) fn component(&self) -> Option<String> {
        let name = self.inside.rsplit('/').next().filter(|_| self.is_reference);
        name.map(unescape)
    }

    /// A fault of this value.
    pub(crate) fn fault(&self, cause: impl Display) -> Fault {
        Fault::new(&self.pointer, cause)
    }

    /// A fault of the value at a key, which need not be there.
    pub(crate) fn fault_at(&self, key: &str, cause: impl Display) -> Fault {
        Fault::new(&format!("{}/{}", self.inside, escape(key)), cause)
    }
}

/// The JSON pointer that a reference contains. A reference is a URI, so it may be percent-encoded.
pub(super) fn reference(value: &Value) -> Option<Cow<'_, str>> {
    let target = value.get("$ref")?.as_str()?.strip_prefix('#')?;
    Some(percent_decode_str(target).decode_utf8_lossy())
}
