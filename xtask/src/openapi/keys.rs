//! The keys of OpenAPI 3.0, and a check that a document has no others.
//!
//! A key that is misspelt or at the wrong place would be ignored, and the client would do something else than its author
//! meant.

use std::collections::BTreeSet;

use serde_json::Value;

use super::node::{Fault, reference};
use crate::yaml::escape;

/// The kind of a value.
enum Kind {
    Any,
    Text,
    Flag,
    Number,
    List(&'static Kind),
    Map(&'static Kind),
    /// An object of the table.
    Object(&'static str),
    /// An object of the table, or a reference to a component of this kind.
    Part(&'static str),
    /// `additionalProperties`.
    FlagOrSchema,
}

/// An object: its name, the keys that it must have, and the keys that it may have.
type Keys = (&'static str, &'static [&'static str], &'static [Key]);
type Key = (&'static str, Kind);

use Kind::{Any, Flag, FlagOrSchema, List, Map, Number, Object, Part, Text};

/// The methods of HTTP that a path item may have.
pub(crate) const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

const DOCUMENT: &str = "document";
const COMPONENTS: &str = "components object";

#[rustfmt::skip]
const OBJECTS: &[Keys] = &[
    (DOCUMENT, &["openapi", "info", "paths"], &[
        ("openapi", Text), ("info", Object("info object")), ("servers", List(&Object("server"))),
        ("paths", Map(&Object("path item"))), ("components", Object(COMPONENTS)), ("security", SECURITY),
        ("tags", List(&Object("tag"))), EXTERNAL_DOCS,
    ]),
    ("info object", &["title", "version"], &[
        ("title", Text), ("version", Text), ("description", Text), ("termsOfService", Text),
        ("contact", Object("contact")), ("license", Object("license")),
    ]),
    ("contact", &[], &[
        ("name", Text), ("url", Text), ("email", Text),
    ]),
    ("license", &["name"], &[
        ("name", Text), ("url", Text),
    ]),
    ("server", &["url"], &[
        ("url", Text), ("description", Text), ("variables", Map(&Object("server variable"))),
    ]),
    ("server variable", &["default"], &[
        ("default", Text), ("description", Text), ("enum", List(&Text)),
    ]),
    (COMPONENTS, &[], &[
        ("schemas", Map(&Part("schema"))), ("responses", Map(&Part("response"))),
        ("parameters", Map(&Part("parameter"))), ("examples", Map(&Part("example"))),
        ("requestBodies", Map(&Part("request body"))), ("headers", Map(&Part("header"))),
        ("securitySchemes", Map(&Part("security scheme"))), ("links", Map(&Part("link"))),
        ("callbacks", Map(&Part("callback"))),
    ]),
    ("path item", &[], &[
        ("$ref", Text), ("summary", Text), ("description", Text), ("get", Object("operation")),
        ("put", Object("operation")), ("post", Object("operation")), ("delete", Object("operation")),
        ("options", Object("operation")), ("head", Object("operation")), ("patch", Object("operation")),
        ("trace", Object("operation")), ("servers", List(&Object("server"))),
        ("parameters", List(&Part("parameter"))),
    ]),
    ("operation", &["responses"], &[
        ("tags", List(&Text)), ("summary", Text), ("description", Text), EXTERNAL_DOCS, ("operationId", Text),
        ("parameters", List(&Part("parameter"))), ("requestBody", Part("request body")),
        ("responses", Map(&Part("response"))), ("callbacks", Map(&Part("callback"))), ("deprecated", Flag),
        ("security", SECURITY), ("servers", List(&Object("server"))),
    ]),
    ("external documentation", &["url"], &[
        ("description", Text), ("url", Text),
    ]),
    ("parameter", &["name", "in"], &[
        ("name", Text), ("in", Text), ("description", Text), ("required", Flag), ("deprecated", Flag),
        ("allowEmptyValue", Flag), ("style", Text), ("explode", Flag), ("allowReserved", Flag),
        ("schema", Part("schema")), ("example", Any), ("examples", Map(&Part("example"))),
        ("content", Map(&Object("media type"))),
    ]),
    ("header", &[], &[
        ("description", Text), ("required", Flag), ("deprecated", Flag), ("allowEmptyValue", Flag), ("style", Text),
        ("explode", Flag), ("allowReserved", Flag), ("schema", Part("schema")), ("example", Any),
        ("examples", Map(&Part("example"))), ("content", Map(&Object("media type"))),
    ]),
    ("request body", &["content"], &[
        ("description", Text), ("content", Map(&Object("media type"))), ("required", Flag),
    ]),
    ("media type", &[], &[
        ("schema", Part("schema")), ("example", Any), ("examples", Map(&Part("example"))),
        ("encoding", Map(&Object("encoding"))),
    ]),
    ("encoding", &[], &[
        ("contentType", Text), ("headers", Map(&Part("header"))), ("style", Text), ("explode", Flag),
        ("allowReserved", Flag),
    ]),
    ("response", &["description"], &[
        ("description", Text), ("headers", Map(&Part("header"))), ("content", Map(&Object("media type"))),
        ("links", Map(&Part("link"))),
    ]),
    ("callback", &[], &[]),
    ("example", &[], &[
        ("summary", Text), ("description", Text), ("value", Any), ("externalValue", Text),
    ]),
    ("link", &[], &[
        ("operationRef", Text), ("operationId", Text), ("parameters", Map(&Any)), ("requestBody", Any),
        ("description", Text), ("server", Object("server")),
    ]),
    ("tag", &["name"], &[
        ("name", Text), ("description", Text), EXTERNAL_DOCS,
    ]),
    ("schema", &[], &[
        ("title", Text), ("multipleOf", Number), ("maximum", Number), ("exclusiveMaximum", Flag),
        ("minimum", Number), ("exclusiveMinimum", Flag), ("maxLength", Number), ("minLength", Number),
        ("pattern", Text), ("maxItems", Number), ("minItems", Number), ("uniqueItems", Flag),
        ("maxProperties", Number), ("minProperties", Number), ("required", List(&Text)), ("enum", List(&Any)),
        ("type", Text), ("allOf", List(&Part("schema"))), ("oneOf", List(&Part("schema"))),
        ("anyOf", List(&Part("schema"))), ("not", Part("schema")), ("items", Part("schema")),
        ("properties", Map(&Part("schema"))), ("additionalProperties", FlagOrSchema), ("description", Text),
        ("format", Text), ("default", Any), ("nullable", Flag), ("discriminator", Object("discriminator")),
        ("readOnly", Flag), ("writeOnly", Flag), ("xml", Object("XML object")), EXTERNAL_DOCS, ("example", Any),
        ("deprecated", Flag),
    ]),
    ("discriminator", &["propertyName"], &[
        ("propertyName", Text), ("mapping", Map(&Text)),
    ]),
    ("XML object", &[], &[
        ("name", Text), ("namespace", Text), ("prefix", Text), ("attribute", Flag), ("wrapped", Flag),
    ]),
    ("security scheme", &["type"], &[
        ("type", Text), ("description", Text), ("name", Text), ("in", Text), ("scheme", Text),
        ("bearerFormat", Text), ("flows", Map(&Object("OAuth flow"))), ("openIdConnectUrl", Text),
    ]),
    ("OAuth flow", &["scopes"], &[
        ("authorizationUrl", Text), ("tokenUrl", Text), ("refreshUrl", Text), ("scopes", Map(&Text)),
    ]),
];

const SECURITY: Kind = List(&Map(&List(&Text)));
const EXTERNAL_DOCS: Key = ("externalDocs", Object("external documentation"));

/// Checks the keys, the kinds of their values and the references of a document.
pub(crate) fn check(document: &Value) -> Result<(), Fault> {
    Check(document).value(document, "", &Object(DOCUMENT))
}

struct Check<'a>(&'a Value);

impl Check<'_> {
    fn value(&self, value: &Value, pointer: &str, kind: &Kind) -> Result<(), Fault> {
        match (kind, value) {
            (Any, _)
            | (Text, Value::String(_))
            | (Flag | FlagOrSchema, Value::Bool(_))
            | (Number, Value::Number(_)) => Ok(()),
            (List(kind), Value::Array(items)) => {
                let mut items = items.iter().enumerate();
                items.try_for_each(|(index, item)| {
                    self.value(item, &format!("{pointer}/{index}"), kind)
                })
            }
            (Map(kind), Value::Object(fields)) => fields
                .iter()
                .filter(|(key, _)| !(key.starts_with("x-") && has_extensions(kind)))
                .try_for_each(|(key, value)| self.value(value, &child(pointer, key), kind)),
            (Part(name), Value::Object(fields)) if fields.contains_key("$ref") => {
                self.reference(value, pointer, name)
            }
            (Object(name) | Part(name), Value::Object(_)) => self.object(value, pointer, name),
            (FlagOrSchema, _) => self.value(value, pointer, &Part("schema")),
            _ => {
                let hint = match (kind, value) {
                    (Text, Value::Number(_) | Value::Bool(_)) => "; write it in quotes",
                    _ => "",
                };
                let cause = format!("expected {}, found {}{hint}", wanted(kind), found(value));
                Err(Fault::new(pointer, cause))
            }
        }
    }

    fn object(&self, value: &Value, pointer: &str, name: &str) -> Result<(), Fault> {
        let object = OBJECTS.iter().find(|(known, ..)| *known == name);
        let (_, required, keys) = object.expect("every object is in the table");
        if let Some(missing) = required.iter().find(|key| value.get(key).is_none()) {
            return Err(Fault::new(
                pointer,
                format_args!("missing field `{missing}`"),
            ));
        }
        let fields = value.as_object().into_iter().flatten();
        for (key, value) in fields.filter(|(key, _)| !key.starts_with("x-")) {
            let pointer = child(pointer, key);
            if name == "callback" {
                self.value(value, &pointer, &Object("path item"))?;
                continue;
            }
            let Some((_, kind)) = keys.iter().find(|(known, _)| known == key) else {
                let cause = format!("`{key}` is not defined by OpenAPI 3.0 here, or has no effect");
                return Err(Fault::new(&pointer, cause));
            };
            self.value(value, &pointer, kind)?;
        }
        Ok(())
    }

    /// A reference names a component of the right kind, which exists.
    fn reference(&self, value: &Value, pointer: &str, name: &str) -> Result<(), Fault> {
        let at = child(pointer, "$ref");
        let written = value["$ref"].as_str().unwrap_or_default();
        let unresolved = || Fault::new(&at, format_args!("unresolved $ref `{written}`"));
        if let Some(key) = value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, _)| key)
            .find(|key| *key != "$ref")
        {
            let cause = format!("`{key}` is not defined by OpenAPI 3.0 here, or has no effect");
            return Err(Fault::new(&child(pointer, key), cause));
        }
        let section = section(name);
        let (mut next, mut seen) = (value, BTreeSet::new());
        while let Some(target) = reference(next) {
            next = self.0.pointer(&target).ok_or_else(unresolved)?;
            let is_component = target
                .strip_prefix("/components/")
                .and_then(|target| target.strip_prefix(section))
                .and_then(|target| target.strip_prefix('/'));
            if is_component.is_none_or(|key| key.contains('/')) {
                let cause = format!(
                    "$ref `{written}` does not name a {name}; move the {name} to #/components/{section} and give it a name"
                );
                return Err(Fault::new(&at, cause));
            }
            if !seen.insert(target) {
                return Err(Fault::new(
                    &at,
                    format_args!("$ref `{written}` refers to itself"),
                ));
            }
        }
        if next.get("$ref").is_some() {
            return Err(unresolved());
        }
        Ok(())
    }
}

/// The section of the components that has the parts of a kind.
fn section(name: &str) -> &'static str {
    let components = OBJECTS.iter().find(|(known, ..)| *known == COMPONENTS);
    let (_, _, keys) = components.expect("it is in the table");
    let has_kind = |(_, kind): &&Key| matches!(kind, Map(Part(part)) if *part == name);
    keys.iter().find(has_kind).map_or("", |(key, _)| key)
}

/// Whether a map of such values may have extensions: the paths and the responses of an operation.
fn has_extensions(kind: &Kind) -> bool {
    matches!(kind, Object("path item") | Part("response"))
}

fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", escape(key))
}

fn wanted(kind: &Kind) -> String {
    let article = |name: &str| {
        let is_vowel = name.starts_with(['a', 'e', 'i', 'o', 'u', 'O', 'X']);
        format!("{} {name}", if is_vowel { "an" } else { "a" })
    };
    match kind {
        Any => "a value".to_owned(),
        Text => "a string".to_owned(),
        Flag => "true or false".to_owned(),
        Number => "a number".to_owned(),
        List(_) => "a list".to_owned(),
        Map(_) => "a map".to_owned(),
        Object(name) | Part(name) => article(name),
        FlagOrSchema => "true, false or a schema".to_owned(),
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
