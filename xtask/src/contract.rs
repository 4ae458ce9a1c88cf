//! Reads the contract and rejects errors that would make the generated client wrong.

use std::fmt::Display;
use std::path::Path;

use anyhow::{Error, Result, anyhow};
use serde_json::Value;

use crate::failure;
use crate::openapi::{self, Fault, METHODS, Node};
use crate::yaml::{self, escape};

/// The contract, relative to the root of the checkout.
pub(crate) const CONTRACT: &str = "openapi/dms-kafka.yaml";

/// The contract as text and as data.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) text: String,
    data: Value,
}

impl Contract {
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let text = failure::read(root, CONTRACT)?;
        let data: Value = yaml::parse(CONTRACT, &text)?;
        let contract = Self { text, data };
        let version = contract.data["openapi"].as_str();
        if !version.is_some_and(|version| version.starts_with("3.0.")) {
            let found = version.map_or("no version".to_owned(), |version| format!("`{version}`"));
            let cause = format_args!("only OpenAPI 3.0 is supported, found {found}");
            return Err(contract.error_at("/openapi", cause));
        }
        openapi::check(&contract.data).map_err(|fault| contract.error(fault))?;
        Ok(contract)
    }

    /// An error with the line and column of a fault.
    pub(crate) fn error(&self, fault: Fault) -> Error {
        let earlier = fault.earlier.and_then(|earlier| self.locate(&earlier));
        let earlier = earlier.map(|(line, column)| format!(" at {line}:{column}"));
        let cause = fault.cause + earlier.as_deref().unwrap_or_default();
        self.error_at(&fault.pointer, cause)
    }

    /// An error with the line and column of the value at a JSON pointer.
    pub(crate) fn error_at(&self, pointer: &str, cause: impl Display) -> Error {
        match self.locate(pointer) {
            Some(place) => failure::at(CONTRACT, place, cause),
            None => anyhow!("{CONTRACT}: {cause}"),
        }
    }

    fn locate(&self, pointer: &str) -> Option<(u64, u64)> {
        yaml::locate(&self.text, pointer)
    }

    /// The value at a JSON pointer, or null.
    pub(crate) fn node(&self, pointer: &str) -> Node<'_> {
        Node::new(&self.data, pointer.to_owned())
    }

    /// Path, method and value of every operation.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (&str, &'static str, Node<'_>)> {
        let paths = self.node("/paths");
        let paths = paths.keys().filter(|path| !path.starts_with("x-"));
        paths.flat_map(|path| {
            let item = self.node(&format!("/paths/{}", escape(path)));
            let methods = METHODS.into_iter();
            methods.filter_map(move |method| Some((path, method, item.find(method)?)))
        })
    }

    /// The parameters of an operation and those of its path that the operation does not replace.
    pub(crate) fn parameters(&self, operation: &Node<'_>) -> Vec<Node<'_>> {
        let path = operation.pointer.rsplit_once('/');
        let path = path.map_or("", |(path, _)| path);
        let of = |owner: &str| self.node(owner).get("parameters").items();
        let own = of(&operation.pointer);
        let key = |it: &Node<'_>| (it.text("name").to_owned(), it.text("in").to_owned());
        let is_replaced = |it: &Node<'_>| own.iter().any(|own| key(own) == key(it));
        let shared: Vec<Node<'_>> = of(path).into_iter().filter(|it| !is_replaced(it)).collect();
        [shared, own].concat()
    }
}
