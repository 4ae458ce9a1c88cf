//! Reads the contract and rejects errors that would make the generated client wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;

use anyhow::{Context as _, Error, Result, anyhow, ensure};
use openapiv3::{OpenAPI, PathItem};
use serde_json::Value;

use crate::failure;
use crate::yaml::{self, escape};

/// The contract, relative to the root of the checkout.
pub(crate) const CONTRACT: &str = "openapi/dms-kafka.yaml";

/// The contract as text, as plain data and as a model.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) text: String,
    data: Value,
    pub(crate) api: OpenAPI,
}

/// A value of the contract. A reference is replaced by the value that it refers to.
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    document: &'a Value,
    pub(crate) value: &'a Value,
    /// The JSON pointer to the value or, if there is one, to the reference.
    pub(crate) pointer: String,
    /// The pointer to the value itself.
    inside: String,
    /// The last part of the reference, if there is one.
    pub(crate) name: Option<&'a str>,
}

impl Contract {
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let contract = Self::parse(failure::read(root, CONTRACT)?)?;
        contract.check_round_trip()?;
        contract.check_references()?;
        contract.check_operation_ids()?;
        contract.check_path_parameters()?;
        Ok(contract)
    }

    fn parse(text: String) -> Result<Self> {
        let data: Value = yaml::parse(CONTRACT, &text)?;
        let version = data["openapi"].as_str();
        if !version.is_some_and(|version| version.starts_with("3.0.")) {
            let found = version.map_or("no version".to_owned(), |version| format!("`{version}`"));
            let cause = format_args!("only OpenAPI 3.0 is supported, found {found}");
            return Err(error_at(&text, "/openapi", cause));
        }
        let api = yaml::parse(CONTRACT, &text)?;
        Ok(Self { text, data, api })
    }

    /// An error with the line and column of the value at a JSON pointer.
    pub(crate) fn error_at(&self, pointer: &str, cause: impl Display) -> Error {
        error_at(&self.text, pointer, cause)
    }

    /// The value at a JSON pointer, or null.
    pub(crate) fn node(&self, pointer: &str) -> Node<'_> {
        Node::new(&self.data, pointer.to_owned())
    }

    /// Rejects values that the model of OpenAPI drops: a misspelt key would otherwise be ignored.
    fn check_round_trip(&self) -> Result<()> {
        let written = serde_json::to_value(&self.api).context(CONTRACT)?;
        walk(&self.data, "", &mut |pointer, value| {
            let kept = written.pointer(pointer);
            if kept.is_some_and(|kept| value.is_object() || value.is_array() || value == kept) {
                return Ok(());
            }
            let key = pointer.rsplit('/').next().unwrap_or_default();
            let cause =
                format_args!("`{key}` is not defined by OpenAPI 3.0 here, or has no effect");
            Err(self.error_at(pointer, cause))
        })?;
        let read: OpenAPI = serde_json::from_value(written).context(CONTRACT)?;
        ensure!(
            read == self.api,
            "{CONTRACT}: writing and reading the document changes it"
        );
        Ok(())
    }

    fn check_references(&self) -> Result<()> {
        walk(&self.data, "", &mut |pointer, value| {
            let is_reference =
                pointer.ends_with("/$ref") && !pointer.split('/').any(|key| key == "example");
            let mut next = value.as_str().filter(|_| is_reference);
            let mut seen = BTreeSet::new();
            while let Some(target) = next {
                let found = target
                    .strip_prefix('#')
                    .and_then(|target| self.data.pointer(target));
                let unresolved =
                    || self.error_at(pointer, format_args!("unresolved $ref `{target}`"));
                next = found.ok_or_else(unresolved)?["$ref"].as_str();
                if !seen.insert(target) {
                    let cause = format_args!("$ref `{target}` refers to itself");
                    return Err(self.error_at(pointer, cause));
                }
            }
            Ok(())
        })
    }

    /// Ids become method names, so they must differ in letters or digits, not only in case.
    fn check_operation_ids(&self) -> Result<()> {
        let mut seen = BTreeMap::new();
        for (pointer, ..) in self.operations() {
            let id = self.node(&pointer).get("operationId");
            let Some(text) = id.value.as_str() else {
                return Err(self.error_at(&pointer, "the operation has no operationId"));
            };
            let letters = text.chars().filter(char::is_ascii_alphanumeric);
            let name = letters.collect::<String>().to_lowercase();
            if let Some(first) = seen.insert(name, text) {
                let cause =
                    format_args!("operationId `{text}` gives the same method name as `{first}`");
                return Err(self.error_at(&id.pointer, cause));
            }
        }
        Ok(())
    }

    fn check_path_parameters(&self) -> Result<()> {
        for (pointer, path, _) in self.operations() {
            let parameters = self.parameters(&pointer);
            let declared = parameters.iter().filter(|it| it.text("in") == "path");
            let declared: BTreeSet<&str> = declared.map(|it| it.text("name")).collect();
            let used = path.split('{').filter_map(|rest| rest.split_once('}'));
            let used: BTreeSet<&str> = used.map(|(name, _)| name).collect();
            let not = |place, name| {
                let cause = format_args!("path parameter `{name}` is not {place}");
                Err(self.error_at(&pointer, cause))
            };
            if let Some(name) = used.difference(&declared).next() {
                return not("declared", name);
            }
            if let Some(name) = declared.difference(&used).next() {
                return not("in the path", name);
            }
        }
        Ok(())
    }

    /// The JSON pointer, path and method of every operation.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (String, &str, &str)> {
        self.api.paths.paths.iter().flat_map(|(path, item)| {
            let operations = item.as_item().into_iter().flat_map(PathItem::iter);
            operations.map(move |(method, _)| {
                let pointer = format!("/paths/{}/{method}", escape(path));
                (pointer, path.as_str(), method)
            })
        })
    }

    /// The parameters of an operation, including those of its path.
    pub(crate) fn parameters(&self, operation: &str) -> Vec<Node<'_>> {
        let path = operation.rsplit_once('/').map_or("", |(path, _)| path);
        let owners = [path, operation].map(|owner| self.node(owner).get("parameters").items());
        owners.into_iter().flatten().collect()
    }
}

impl<'a> Node<'a> {
    fn new(document: &'a Value, pointer: String) -> Self {
        let at = |pointer: &str| document.pointer(pointer).unwrap_or(&Value::Null);
        let (mut value, mut inside, mut name) = (at(&pointer), pointer.clone(), None);
        while let Some(target) = value["$ref"].as_str().and_then(|it| it.strip_prefix('#')) {
            (value, inside) = (at(target), target.to_owned());
            name = name.or_else(|| target.rsplit('/').next());
        }
        Self {
            document,
            value,
            pointer,
            inside,
            name,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Self {
        Self::new(self.document, format!("{}/{}", self.inside, escape(key)))
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
}

fn error_at(text: &str, pointer: &str, cause: impl Display) -> Error {
    match yaml::locate(text, pointer) {
        Some(place) => failure::at(CONTRACT, place, cause),
        None => anyhow!("{CONTRACT}: {cause}"),
    }
}

/// Calls `visit` with every value of a tree and its JSON pointer, until it fails.
fn walk<'a>(
    value: &'a Value,
    pointer: &str,
    visit: &mut impl FnMut(&str, &'a Value) -> Result<()>,
) -> Result<()> {
    visit(pointer, value)?;
    for (key, value) in value.as_object().into_iter().flatten() {
        walk(value, &format!("{pointer}/{}", escape(key)), visit)?;
    }
    let items = value.as_array().into_iter().flatten().enumerate();
    for (index, value) in items {
        walk(value, &format!("{pointer}/{index}"), visit)?;
    }
    Ok(())
}
