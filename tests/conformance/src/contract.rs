//! The OpenAPI document as an oracle.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, anyhow};
use jsonschema::Validator;
use openapiv3::{
    IntegerFormat, MediaType, OpenAPI, Operation, Parameter, ParameterSchemaOrContent, ReferenceOr,
    Response, SchemaKind, StatusCode, Type, VariantOrUnknownOrEmpty,
};
use percent_encoding::percent_decode_str;
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

/// What a deletion's path ends in, and the end of the vendor's earlier path, which has the method DELETE.
const DELETE_END: &str = "/messages/delete";
const DELETE_END_BEFORE: &str = "/messages";

/// Whether a request is a deletion at the vendor's earlier path.
pub(crate) fn is_earlier_deletion(method: &str, path: &str) -> bool {
    method == "DELETE" && path.contains("/topics/") && path.ends_with(DELETE_END_BEFORE)
}

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

    /// The operation of a request with this method and path (as on the wire), also at the vendor's earlier path.
    pub(crate) fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let earlier = is_earlier_deletion(method, path);
        let (method, path) = match path.strip_suffix(DELETE_END_BEFORE) {
            Some(begin) if earlier => ("POST", &*format!("{begin}{DELETE_END}")),
            _ => (method, path),
        };
        let mut operations = self.document.operations();
        let (_, _, operation) = operations.find(|(template, candidate, _)| {
            candidate.eq_ignore_ascii_case(method) && path_values(template, path).is_some()
        })?;
        Some(operation)
    }

    /// The values in a path of the contract by their names, percent-decoded; `None` for another path.
    pub(crate) fn path_values(&self, path: &str) -> Option<BTreeMap<&str, String>> {
        let mut templates = self.document.operations().map(|(template, ..)| template);
        templates.find_map(|template| path_values(template, path))
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

/// A fault of a query.
pub(crate) enum QueryFault {
    /// The service ignores it.
    Unknown(String),
    Invalid(String),
}

/// Validates a query against the parameters of an operation.
pub(crate) fn query_faults(operation: &Operation, query: &str) -> Vec<QueryFault> {
    let mut seen = BTreeMap::new();
    let mut faults = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let mut parameters = operation.parameters.iter().filter_map(ReferenceOr::as_item);
        let parameter = parameters.find_map(|one| match one {
            Parameter::Query { parameter_data, .. } if parameter_data.name == name => {
                Some(&parameter_data.format)
            }
            _ => None,
        });
        let Some(format) = parameter else {
            let text = format!("the operation has no query parameter {name:?}");
            faults.push(QueryFault::Unknown(text));
            continue;
        };
        if let Some(rule) = value_fault(&name, format, &value) {
            let text = format!("query parameter {name} is {value:?}, not {rule}");
            faults.push(QueryFault::Invalid(text));
        }
        if seen.insert(name.clone(), value).is_some() {
            let text = format!("query parameter {name} is there twice");
            faults.push(QueryFault::Invalid(text));
        }
    }
    let has = |name| seen.contains_key(name);
    if operation.operation_id.as_deref() == Some(FIND)
        && !(has("start_time") || has("end_time") || has("partition") && has("message_offset"))
    {
        let text = "the query has neither a time nor partition and message_offset";
        faults.push(QueryFault::Invalid(text.to_owned()));
    }
    if [FIND, "ListInstanceConsumerGroupMessageOffset"]
        .map(Some)
        .contains(&operation.operation_id.as_deref())
        && !has("topic")
    {
        faults.push(QueryFault::Invalid("the query has no topic".to_owned()));
    }
    faults
}

const FIND: &str = "ShowInstanceMessages";

/// What the value of a parameter has to be, when it is not.
fn value_fault(name: &str, format: &ParameterSchemaOrContent, value: &str) -> Option<&'static str> {
    let ParameterSchemaOrContent::Schema(ReferenceOr::Item(schema)) = format else {
        return None;
    };
    let from = match name {
        "limit" => 1,
        "offset" => 0,
        _ => i64::MIN,
    };
    match &schema.schema_kind {
        SchemaKind::Type(Type::Integer(integer)) => {
            let is_32_bits = integer.format == VariantOrUnknownOrEmpty::Item(IntegerFormat::Int32);
            let to = if is_32_bits {
                i64::from(i32::MAX)
            } else {
                i64::MAX
            };
            let from = if is_32_bits {
                from.max(i32::MIN.into())
            } else {
                from
            };
            let is_digits = value
                .trim_start_matches('-')
                .bytes()
                .all(|it| it.is_ascii_digit());
            let is_valid = is_digits && value.parse().is_ok_and(|it| (from..=to).contains(&it));
            (!is_valid).then_some("an integer that it can be")
        }
        SchemaKind::Type(Type::Boolean(_)) => {
            // The vendor's Python SDK sends `True`.
            let is_valid = ["true", "false"]
                .iter()
                .any(|it| value.eq_ignore_ascii_case(it));
            (!is_valid).then_some("true or false")
        }
        _ if name == "topic" => (!is_topic(value)).then_some("a name that a topic can have"),
        _ => None,
    }
}

/// Whether Kafka permits a name of a topic.
pub(crate) fn is_topic(name: &str) -> bool {
    let is_permitted = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(is_permitted)
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

fn path_values<'a>(template: &'a str, path: &str) -> Option<BTreeMap<&'a str, String>> {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    let mut values = BTreeMap::new();
    for (wanted, found) in template.iter().zip(&path) {
        match wanted
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) if !found.is_empty() => {
                let text = percent_decode_str(found).decode_utf8();
                // Not UTF-8 is no valid value either.
                values.insert(
                    name,
                    text.map_or_else(|_| "\u{fffd}".to_owned(), Into::into),
                );
            }
            None if wanted == found => {}
            _ => return None,
        }
    }
    (template.len() == path.len()).then_some(values)
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
