//! Reads the contract, and refuses what no client can be generated from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use openapiv3::{OpenAPI, Operation, PathItem};
use serde_json::Value;

use crate::failure;
use crate::yaml::{self, escape};
use anyhow::{Error as Failure, Result};

/// The contract, relative to the root of the checkout.
pub(crate) const CONTRACT: &str = "openapi/dms-kafka.yaml";

/// The contract as text, as plain data and as a model.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) text: String,
    pub(crate) data: Value,
    pub(crate) api: OpenAPI,
}

impl Contract {
    /// Reads and checks the contract of a checkout.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let contract = Self::parse(failure::read(root, CONTRACT)?)?;
        contract.check_survival()?;
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
            return Err(fault(&text, "/openapi", cause));
        }
        let api = yaml::parse(CONTRACT, &text)?;
        Ok(Self { text, data, api })
    }

    /// One message about the value that a JSON pointer names.
    pub(crate) fn fault(&self, pointer: &str, cause: impl std::fmt::Display) -> Failure {
        fault(&self.text, pointer, cause)
    }

    /// The value itself, or what it refers to.
    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value["$ref"]
            .as_str()
            .and_then(|reference| reference.strip_prefix('#'));
        target
            .and_then(|pointer| self.data.pointer(pointer))
            .map_or(value, |value| self.resolve(value))
    }

    /// The model must hold everything that the text says, and read its own writing back: a misspelt
    /// key would otherwise be ignored without a word.
    fn check_survival(&self) -> Result<()> {
        let written =
            serde_json::to_value(&self.api).map_err(|error| failure::file(CONTRACT, error))?;
        if let Some(lost) = first_lost(&self.data, &written, "") {
            let key = lost.rsplit('/').next().unwrap_or_default();
            let cause =
                format_args!("`{key}` has no meaning to OpenAPI 3.0 here, or changes nothing");
            return Err(self.fault(&lost, cause));
        }
        let read: OpenAPI =
            serde_json::from_value(written).map_err(|error| failure::file(CONTRACT, error))?;
        if read != self.api {
            return Err(failure::file(
                CONTRACT,
                "does not survive being written and read again",
            ));
        }
        Ok(())
    }

    fn check_references(&self) -> Result<()> {
        let mut references = Vec::new();
        collect_references(&self.data, "", &mut references);
        for (pointer, reference) in references {
            let mut seen = BTreeSet::new();
            let mut next = Some(reference);
            while let Some(target) = next {
                let found = target
                    .strip_prefix('#')
                    .and_then(|pointer| self.data.pointer(pointer));
                let Some(found) = found else {
                    return Err(self.fault(&pointer, format_args!("unresolved $ref `{target}`")));
                };
                if !seen.insert(target) {
                    return Err(
                        self.fault(&pointer, format_args!("$ref `{target}` leads to itself"))
                    );
                }
                next = found["$ref"].as_str();
            }
        }
        Ok(())
    }

    /// Ids become method names, so they may not differ in case and punctuation alone.
    fn check_operation_ids(&self) -> Result<()> {
        let mut seen = BTreeMap::new();
        for (pointer, _, operation) in self.operations() {
            let Some(id) = &operation.operation_id else {
                return Err(self.fault(&pointer, "an operation without operationId"));
            };
            let name: String = id
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .collect::<String>()
                .to_lowercase();
            if let Some(first) = seen.insert(name, id) {
                let cause = format_args!("operationId `{id}` is taken by `{first}`");
                return Err(self.fault(&format!("{pointer}/operationId"), cause));
            }
        }
        Ok(())
    }

    fn check_path_parameters(&self) -> Result<()> {
        for (pointer, path, _) in self.operations() {
            let declared: BTreeSet<&str> = self
                .parameters(&pointer)
                .filter(|p| p["in"] == "path")
                .filter_map(|p| p["name"].as_str())
                .collect();
            let used = placeholders(path);
            if let Some(name) = used.difference(&declared).next() {
                return Err(self.fault(
                    &pointer,
                    format_args!("path parameter `{name}` is not declared"),
                ));
            }
            if let Some(name) = declared.difference(&used).next() {
                return Err(self.fault(
                    &pointer,
                    format_args!("path parameter `{name}` is not in the path"),
                ));
            }
        }
        Ok(())
    }

    /// Every operation with its place and its path.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (String, &str, &Operation)> {
        self.api.paths.paths.iter().flat_map(|(path, item)| {
            let operations = item.as_item().into_iter().flat_map(PathItem::iter);
            operations.map(move |(method, operation)| {
                let pointer = format!("/paths/{}/{method}", escape(path));
                (pointer, path.as_str(), operation)
            })
        })
    }

    /// The parameters of an operation, those of its path included, with references followed.
    pub(crate) fn parameters(&self, operation: &str) -> impl Iterator<Item = &Value> {
        let path = operation.rsplit_once('/').map_or("", |(path, _)| path);
        [path, operation]
            .map(|owner| self.data.pointer(&format!("{owner}/parameters")))
            .into_iter()
            .flatten()
            .filter_map(Value::as_array)
            .flatten()
            .map(|parameter| self.resolve(parameter))
    }
}

fn fault(text: &str, pointer: &str, cause: impl std::fmt::Display) -> Failure {
    match yaml::locate(text, pointer) {
        Some(place) => failure::line(CONTRACT, place, cause),
        None => failure::file(CONTRACT, cause),
    }
}

/// The first value of `said` that is not in `kept`.
fn first_lost(said: &Value, kept: &Value, pointer: &str) -> Option<String> {
    match (said, kept) {
        (Value::Object(said), Value::Object(kept)) => said.iter().find_map(|(key, value)| {
            let pointer = format!("{pointer}/{}", escape(key));
            match kept.get(key) {
                Some(kept) => first_lost(value, kept, &pointer),
                None => Some(pointer),
            }
        }),
        (Value::Array(said), Value::Array(kept)) if said.len() == kept.len() => said
            .iter()
            .zip(kept)
            .enumerate()
            .find_map(|(index, (said, kept))| {
                first_lost(said, kept, &format!("{pointer}/{index}"))
            }),
        _ => (said != kept).then(|| pointer.to_owned()),
    }
}

fn collect_references<'a>(value: &'a Value, pointer: &str, found: &mut Vec<(String, &'a str)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let pointer = format!("{pointer}/{}", escape(key));
                match value.as_str() {
                    Some(reference) if key == "$ref" => found.push((pointer, reference)),
                    _ if key == "example" => {}
                    _ => collect_references(value, &pointer, found),
                }
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                collect_references(value, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// The names between braces in a path.
fn placeholders(path: &str) -> BTreeSet<&str> {
    path.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .collect()
}
