//! The OpenAPI document as an oracle.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow};
use jsonschema::Validator;
use openapiv3::{MediaType, OpenAPI, Operation, Parameter, ReferenceOr, Response, StatusCode};
use serde_json::{Map, Value, json};

/// The document at build time.
const FILE: &str = "openapi/dms-kafka.yaml";
const YAML: &str = include_str!("../../../openapi/dms-kafka.yaml");

/// The document, and its schemas as JSON Schema.
#[derive(Debug)]
pub struct Contract {
    document: OpenAPI,
    /// One for each schema.
    validators: BTreeMap<String, Validator>,
}

/// The operation that the vendor's page documents.
pub(crate) const DELETE: &str = "DeleteKafkaTopicMessages";

impl Contract {
    /// Reads `openapi/dms-kafka.yaml`, which is part of the program.
    ///
    /// # Errors
    /// When it is not a valid OpenAPI document.
    pub fn read() -> Result<Self> {
        let document: OpenAPI = serde_json::from_value(Self::tree()?).context(FILE)?;
        let mut components = serde_json::to_value(&document.components)?;
        spell_nullable(&mut components);
        let schemas = document.components.iter();
        let names = schemas.flat_map(|components| components.schemas.keys());
        let validators = names
            .map(|name| Ok((name.clone(), validator(name, &components)?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            document,
            validators,
        })
    }

    /// The document as written, without the model of `OpenAPI`.
    ///
    /// # Errors
    /// When it is not YAML.
    pub fn tree() -> Result<Value> {
        serde_saphyr::from_str(YAML).context(FILE)
    }

    /// The document.
    pub fn document(&self) -> &OpenAPI {
        &self.document
    }

    /// Validates `body` against the schema named `schema`, and returns the first ten faults.
    pub fn faults(&self, schema: &str, body: &Value) -> Vec<String> {
        let Some(validator) = self.validators.get(schema) else {
            return vec![format!("the contract has no schema {schema}")];
        };
        let faults = validator.iter_errors(body).take(10);
        let faults = faults.map(|error| {
            let place = error.instance_path().to_string();
            format!("{schema}: {error} at {place:?}")
        });
        faults.collect()
    }

    /// The operation of a request with this method and path (as on the wire).
    pub(crate) fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let mut operations = self.document.operations();
        let (_, _, operation) = operations.find(|(template, candidate, _)| {
            candidate.eq_ignore_ascii_case(method) && matches_template(template, path)
        })?;
        Some(operation)
    }

    /// Validates the body of a response. `operation` is `None` when the contract has no such request; then the response
    /// can only be an error.
    pub(crate) fn response_faults(
        &self,
        operation: Option<&Operation>,
        status: u16,
        body: &[u8],
    ) -> Vec<String> {
        let schema = match operation {
            Some(operation) => self.response_schema(operation, status),
            None => (400..=599).contains(&status).then_some("ErrorResponse"),
        };
        let Some(schema) = schema else {
            return vec![format!(
                "the contract has no response with status {status} here"
            )];
        };
        match serde_json::from_slice(body) {
            Ok(body) => self.faults(schema, &body),
            Err(error) => vec![format!("the response body is not JSON: {error}")],
        }
    }

    fn response_schema<'a>(&'a self, operation: &'a Operation, status: u16) -> Option<&'a str> {
        let responses = &operation.responses.responses;
        let exact = responses.get(&StatusCode::Code(status));
        let response = exact.or_else(|| responses.get(&StatusCode::Range(status / 100)))?;
        schema_name(self.response(response)?.content.get("application/json")?)
    }

    fn response<'a>(&'a self, response: &'a ReferenceOr<Response>) -> Option<&'a Response> {
        match response {
            ReferenceOr::Item(response) => Some(response),
            ReferenceOr::Reference { reference } => {
                let name = reference.strip_prefix("#/components/responses/")?;
                let components = self.document.components.as_ref()?;
                components.responses.get(name)?.as_item()
            }
        }
    }

    /// Validates the examples of bodies in the document against its schemas.
    pub fn example_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = 0;
        for (_, _, operation) in self.document.operations() {
            let request = operation
                .request_body
                .iter()
                .filter_map(ReferenceOr::as_item);
            let responses = operation.responses.responses.values();
            let responses = responses.filter_map(|response| self.response(response));
            let contents = request
                .map(|body| &body.content)
                .chain(responses.map(|response| &response.content));
            for media in contents.flat_map(|content| content.values()) {
                for value in examples(media) {
                    seen += 1;
                    let schema = schema_name(media).unwrap_or_default();
                    faults.extend(self.faults(schema, value));
                }
            }
        }
        if seen == 0 {
            faults.push("the document has no example of a body".to_owned());
        }
        faults
    }
}

/// The name of the schema of an operation's request body, when it has one.
pub(crate) fn request_schema(operation: &Operation) -> Option<&str> {
    let body = operation.request_body.as_ref()?.as_item()?;
    schema_name(body.content.get("application/json")?)
}

/// Validates a query against the parameters of an operation.
pub(crate) fn query_faults(operation: &Operation, query: &str) -> Vec<String> {
    let is_known = |name: &str| {
        operation.parameters.iter().any(|one| {
            matches!(one, ReferenceOr::Item(Parameter::Query { parameter_data, .. }) if parameter_data.name == name)
        })
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let fault = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !is_known(name) {
            return Some(format!("the operation has no query parameter {name:?}"));
        }
        let is_number = value.parse::<i32>().is_ok();
        (!is_number).then(|| format!("query parameter {name} is {value:?}, not a 32-bit integer"))
    };
    pairs.filter_map(fault).collect()
}

/// A validator of one schema; `components` are those of the document, as JSON Schema.
fn validator(name: &str, components: &Value) -> Result<Validator> {
    let root = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "allOf": [{"$ref": format!("#/components/schemas/{name}")}],
        "components": components,
    });
    jsonschema::validator_for(&root).map_err(|error| anyhow!("{FILE}: the schema {name}: {error}"))
}

fn examples(media: &MediaType) -> impl Iterator<Item = &Value> {
    let named = media.examples.values().filter_map(ReferenceOr::as_item);
    let values = named.filter_map(|example| example.value.as_ref());
    values.chain(&media.example)
}

fn schema_name(media: &MediaType) -> Option<&str> {
    match &media.schema {
        Some(ReferenceOr::Reference { reference }) => reference.rsplit('/').next(),
        _ => None,
    }
}

fn matches_template(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(wanted, found)| {
            if wanted.starts_with('{') {
                !found.is_empty()
            } else {
                wanted == found
            }
        })
}

/// Rewrites the `nullable: true` of OpenAPI 3.0 as the type `null` of JSON Schema.
fn spell_nullable(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(spell_nullable);
            if fields.remove("nullable") == Some(Value::Bool(true)) {
                allow_null(fields);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_nullable),
        _ => {}
    }
}

fn allow_null(schema: &mut Map<String, Value>) {
    if let Some(name @ Value::String(_)) = schema.get("type").cloned() {
        schema.insert("type".to_owned(), json!([name, "null"]));
    }
}
