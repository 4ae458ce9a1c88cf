//! The OpenAPI document as an oracle.

use std::path::Path;
use std::{fs, io};

use openapiv3::{OpenAPI, ReferenceOr};
use serde_json::{Map, Value, json};

/// The document, and its schemas as JSON Schema.
#[derive(Debug)]
pub struct Contract {
    document: OpenAPI,
    /// The components, with OpenAPI's `nullable` spelled as JSON Schema.
    components: Value,
}

/// Why the document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// It cannot be read.
    #[error("openapi/dms-kafka.yaml: {0}")]
    Io(#[from] io::Error),
    /// It is not YAML.
    #[error("openapi/dms-kafka.yaml: {0}")]
    Yaml(#[from] serde_saphyr::Error),
    /// It is no OpenAPI document.
    #[error("openapi/dms-kafka.yaml: {0}")]
    Document(#[from] serde_json::Error),
}

/// The operation that the vendor's page documents.
pub const DELETE: &str = "DeleteKafkaTopicMessages";

impl Contract {
    /// Reads `openapi/dms-kafka.yaml` of this repository.
    ///
    /// # Errors
    /// [`ContractError`] when it cannot be read.
    pub fn read() -> Result<Self, ContractError> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi/dms-kafka.yaml");
        let tree: Value = serde_saphyr::from_str(&fs::read_to_string(file)?)?;
        let document: OpenAPI = serde_json::from_value(tree)?;
        let mut components = serde_json::to_value(&document.components)?;
        spell_nullable(&mut components);
        Ok(Self {
            document,
            components,
        })
    }

    /// The document.
    pub fn document(&self) -> &OpenAPI {
        &self.document
    }

    /// What is wrong with `body` by the schema named `schema`; empty when nothing is.
    pub fn faults(&self, schema: &str, body: &Value) -> Vec<String> {
        let root = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "allOf": [{"$ref": format!("#/components/schemas/{schema}")}],
            "components": self.components,
        });
        match jsonschema::validator_for(&root) {
            Ok(validator) => validator
                .iter_errors(body)
                .map(|error| {
                    format!(
                        "{schema}: {} at {:?}",
                        error,
                        error.instance_path().to_string()
                    )
                })
                .collect(),
            Err(error) => vec![format!("{schema} is no schema: {error}")],
        }
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

    /// What is wrong with the document's own examples of bodies by their own schemas.
    pub fn example_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = 0;
        for (_, _, operation) in self.document.operations() {
            let request = operation
                .request_body
                .iter()
                .filter_map(ReferenceOr::as_item)
                .map(|body| &body.content);
            let answers = operation
                .responses
                .responses
                .values()
                .filter_map(ReferenceOr::as_item);
            for media in request
                .chain(answers.map(|answer| &answer.content))
                .flat_map(|content| content.values())
            {
                let Some(ReferenceOr::Reference { reference }) = &media.schema else {
                    continue;
                };
                let schema = reference.rsplit('/').next().unwrap_or_default();
                let named = media.examples.values().filter_map(ReferenceOr::as_item);
                let values = named.filter_map(|example| example.value.as_ref());
                for value in values.chain(&media.example) {
                    seen += 1;
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
