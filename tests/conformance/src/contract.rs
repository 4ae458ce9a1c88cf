//! The OpenAPI document as an oracle.

use std::collections::BTreeMap;

use jsonschema::Validator;
use openapiv3::{MediaType, OpenAPI, Operation, Parameter, ReferenceOr, Response, StatusCode};
use serde_json::{Map, Value, json};

/// The document as it was when the program was built.
const YAML: &str = include_str!("../../../openapi/dms-kafka.yaml");

/// The document, and its schemas as JSON Schema.
#[derive(Debug)]
pub struct Contract {
    document: OpenAPI,
    /// One for each schema.
    validators: BTreeMap<String, Validator>,
}

/// Why the document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// It is not YAML.
    #[error("openapi/dms-kafka.yaml: {0}")]
    Yaml(#[from] serde_saphyr::Error),
    /// It is no OpenAPI document.
    #[error("openapi/dms-kafka.yaml: {0}")]
    Document(#[from] serde_json::Error),
    /// One of its schemas is no JSON Schema.
    #[error("openapi/dms-kafka.yaml: the schema {0}: {1}")]
    Schema(String, String),
}

/// The operation that the vendor's page documents.
pub const DELETE: &str = "DeleteKafkaTopicMessages";

impl Contract {
    /// Reads `openapi/dms-kafka.yaml`, which is part of the program.
    ///
    /// # Errors
    /// [`ContractError`] when it is no OpenAPI document.
    pub fn read() -> Result<Self, ContractError> {
        let document: OpenAPI = serde_json::from_value(Self::tree()?)?;
        let mut components = serde_json::to_value(&document.components)?;
        spell_nullable(&mut components);
        let schemas = document.components.iter();
        let names = schemas.flat_map(|components| components.schemas.keys());
        let validators = names
            .map(|name| Ok((name.clone(), validator(name, &components)?)))
            .collect::<Result<_, ContractError>>()?;
        Ok(Self {
            document,
            validators,
        })
    }

    /// The document as it is written, before any model of `OpenAPI` has seen it.
    ///
    /// # Errors
    /// [`ContractError`] when it is not YAML.
    pub fn tree() -> Result<Value, ContractError> {
        Ok(serde_saphyr::from_str(YAML)?)
    }

    /// The document.
    pub fn document(&self) -> &OpenAPI {
        &self.document
    }

    /// What is wrong with `body` by the schema named `schema`, the first ten faults; empty when nothing is.
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

    /// The operation that `method` and `path` (as on the wire) belong to.
    pub fn operation(&self, method: &str, path: &str) -> Option<&str> {
        self.document
            .operations()
            .find_map(|(template, candidate, operation)| {
                let matches =
                    candidate.eq_ignore_ascii_case(method) && matches_template(template, path);
                operation.operation_id.as_deref().filter(|_| matches)
            })
    }

    /// The name of the schema of an operation's request body, when it has one.
    pub fn request_schema(&self, operation: &str) -> Option<String> {
        let body = self.find(operation)?.request_body.as_ref()?.as_item()?;
        json_schema(&body.content)
    }

    /// What is wrong with a query by the parameters of an operation.
    pub fn query_faults(&self, operation: &str, query: &str) -> Vec<String> {
        let known = self.query_parameters(operation);
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let fault = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !known.contains(&name) {
                return Some(format!("the operation has no query parameter {name:?}"));
            }
            let is_number = value.parse::<i32>().is_ok();
            (!is_number).then(|| format!("query parameter {name} is {value:?}, no 32-bit integer"))
        };
        pairs.filter_map(fault).collect()
    }

    fn query_parameters(&self, operation: &str) -> Vec<&str> {
        let parameters = self
            .find(operation)
            .into_iter()
            .flat_map(|one| &one.parameters);
        let query = parameters.filter_map(|one| match one {
            ReferenceOr::Item(Parameter::Query { parameter_data, .. }) => {
                Some(&*parameter_data.name)
            }
            _ => None,
        });
        query.collect()
    }

    /// What is wrong with the body of an answer. `operation` is `None` when the request was not one of the contract;
    /// then the answer can only be an error.
    pub fn answer_faults(&self, operation: Option<&str>, status: u16, body: &[u8]) -> Vec<String> {
        let Some(schema) = self.answer_schema(operation, status) else {
            return vec![format!(
                "the contract has no answer with status {status} here"
            )];
        };
        match serde_json::from_slice(body) {
            Ok(body) => self.faults(&schema, &body),
            Err(error) => vec![format!("the answer's body is not JSON: {error}")],
        }
    }

    fn answer_schema(&self, operation: Option<&str>, status: u16) -> Option<String> {
        let Some(operation) = operation else {
            return (400..=599)
                .contains(&status)
                .then(|| "ErrorResponse".to_owned());
        };
        let responses = &self.find(operation)?.responses.responses;
        let exact = responses.get(&StatusCode::Code(status));
        let response = exact.or_else(|| responses.get(&StatusCode::Range(status / 100)))?;
        json_schema(&self.response(response)?.content)
    }

    fn response<'a>(&'a self, response: &'a ReferenceOr<Response>) -> Option<&'a Response> {
        match response {
            ReferenceOr::Item(response) => Some(response),
            ReferenceOr::Reference { reference } => {
                let name = reference.strip_prefix("#/components/responses/")?;
                self.document
                    .components
                    .as_ref()?
                    .responses
                    .get(name)?
                    .as_item()
            }
        }
    }

    fn find(&self, operation: &str) -> Option<&Operation> {
        let mut operations = self.document.operations().map(|(_, _, one)| one);
        operations.find(|one| one.operation_id.as_deref() == Some(operation))
    }

    /// What is wrong with the document's own examples of bodies by their own schemas.
    pub fn example_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = 0;
        for (_, _, operation) in self.document.operations() {
            let request = operation
                .request_body
                .iter()
                .filter_map(ReferenceOr::as_item);
            let answers = operation.responses.responses.values();
            let answers = answers.filter_map(|answer| self.response(answer));
            let contents = request
                .map(|body| &body.content)
                .chain(answers.map(|answer| &answer.content));
            for media in contents.flat_map(|content| content.values()) {
                for value in examples(media) {
                    seen += 1;
                    let schema = schema_name(media).unwrap_or_default();
                    faults.extend(self.faults(&schema, value));
                }
            }
        }
        if seen == 0 {
            faults.push("the document has no example of a body".to_owned());
        }
        faults
    }
}

/// A validator of one schema; `components` are those of the document, in the terms of JSON Schema.
fn validator(name: &str, components: &Value) -> Result<Validator, ContractError> {
    let root = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "allOf": [{"$ref": format!("#/components/schemas/{name}")}],
        "components": components,
    });
    jsonschema::validator_for(&root)
        .map_err(|error| ContractError::Schema(name.to_owned(), error.to_string()))
}

fn examples(media: &MediaType) -> impl Iterator<Item = &Value> {
    let named = media.examples.values().filter_map(ReferenceOr::as_item);
    let values = named.filter_map(|example| example.value.as_ref());
    values.chain(&media.example)
}

fn json_schema<'a>(
    content: impl IntoIterator<Item = (&'a String, &'a MediaType)>,
) -> Option<String> {
    let mut content = content.into_iter();
    let (_, media) = content.find(|(media, _)| *media == "application/json")?;
    schema_name(media)
}

fn schema_name(media: &MediaType) -> Option<String> {
    match &media.schema {
        Some(ReferenceOr::Reference { reference }) => {
            reference.rsplit('/').next().map(str::to_owned)
        }
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

/// OpenAPI 3.0 says `nullable: true` where JSON Schema lists `null` among the types.
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
