//! Schemas: objects with properties become named types, everything else becomes a plain type that accepts what the service
//! sends.
//!
//! A limit of a value (`enum`, `maxLength`, `minimum`, `pattern`, `format` and so on) is not part of a type: a response is
//! decoded although it breaks a limit, because the deletion that it reports has happened. The service validates requests.

use serde_json::{Map, Value, json};

use super::names::{Names, OF_TYPES, pascal, snake};
use crate::openapi::{Fault, Node};

/// Schemas whose Rust type is written by hand in the client crate. The generated type of `ErrorCode` would try each alternative
/// on a copy of the value; a `PartitionResult` is nearly always `success`, and a `String` would be an allocation for each
/// partition.
pub(crate) const HAND_WRITTEN: [&str; 2] = ["ErrorCode", "PartitionResult"];

/// The named types of a document.
#[derive(Debug)]
pub(crate) struct Schemas {
    pub(crate) names: Names,
    /// The schema of each named type.
    named: Map<String, Value>,
    /// The components that are being translated and have no name in Rust.
    open: Vec<String>,
}

/// What a schema describes.
enum Shape<'a> {
    /// An object with properties.
    Struct,
    /// Another schema, with another description.
    Same(Node<'a>),
    /// An object whose keys are data.
    Map,
    List,
    /// A type of JSON, and the formats of it that decide the type in Rust.
    Scalar(&'static str, &'static [&'static str]),
    Any,
}

/// The properties of an object, with those of the schemas that `allOf` combines.
#[derive(Default)]
struct Properties<'a> {
    all: Vec<(&'a str, Node<'a>)>,
    required: Vec<Node<'a>>,
    /// The schema of other properties.
    additional: Option<Node<'a>>,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let mut names = Names::new("type");
        names.reserve(HAND_WRITTEN);
        Self {
            names,
            named: Map::new(),
            open: Vec::new(),
        }
    }

    /// Translates all components, in use or not.
    pub(crate) fn add_components(&mut self, schemas: &Node<'_>) -> Result<(), Fault> {
        for key in schemas.keys() {
            let schema = schemas.get(key);
            let is_alias = schema.component().is_some();
            match shape(&schema)? {
                _ if is_alias => {}
                Shape::Any | Shape::Scalar("string", _) if HAND_WRITTEN.contains(&key) => {}
                _ if HAND_WRITTEN.contains(&key) => {
                    let cause = format!(
                        "`{key}` is written by hand in the client crate and is not such a type"
                    );
                    return Err(schema.fault(cause));
                }
                _ => drop(self.of_component(&schema, key)?),
            }
        }
        Ok(())
    }

    /// The schemas of the named types.
    pub(crate) fn into_components(mut self) -> Value {
        let hand_written = HAND_WRITTEN.map(|name| (name.to_owned(), json!({"type": "string"})));
        self.named.extend(hand_written);
        Value::Object(self.named)
    }

    /// The translated schema of a named type.
    pub(crate) fn object_of(&self, reference: &Value) -> Option<&Map<String, Value>> {
        let name = reference["$ref"].as_str()?.rsplit('/').next()?;
        self.named.get(name)?.as_object()
    }

    /// Translates a schema. An object with properties gets a name, unless it is a component, which has one.
    pub(crate) fn translate(&mut self, schema: &Node<'_>, name: &str) -> Result<Value, Fault> {
        match schema.component() {
            Some(name) if HAND_WRITTEN.contains(&name.as_str()) => Ok(reference(&name)),
            Some(name) => self.of_component(schema, &name),
            None => self.of_schema(schema, name),
        }
    }

    fn of_component(&mut self, schema: &Node<'_>, name: &str) -> Result<Value, Fault> {
        if matches!(shape(schema)?, Shape::Struct) {
            return self.of_schema(schema, name);
        }
        if self.open.contains(&schema.inside) {
            let cause = format!("`{name}` contains itself, with no object with properties between");
            return Err(schema.fault(cause));
        }
        self.open.push(schema.inside.clone());
        let translated = self.of_schema(schema, name);
        self.open.pop();
        translated
    }

    fn of_schema(&mut self, schema: &Node<'_>, name: &str) -> Result<Value, Fault> {
        let mut plain = match shape(schema)? {
            Shape::Struct => self.named_type(schema, name)?,
            Shape::Same(other) => self.translate(&other, name)?,
            Shape::Map => {
                let values = schema
                    .find("additionalProperties")
                    .filter(|it| it.value.is_object());
                let values = values.map(|it| self.translate(&it, &format!("{name}-value")));
                match values.transpose()? {
                    None => json!({"type": "object"}),
                    Some(values) => json!({"type": "object", "additionalProperties": values}),
                }
            }
            Shape::List => {
                let items = schema.find("items");
                let items = items.map(|it| self.translate(&it, &format!("{name}-item")));
                json!({"type": "array", "items": items.transpose()?.unwrap_or_else(any)})
            }
            Shape::Scalar(kind, formats) => {
                let format = formats
                    .iter()
                    .find(|format| **format == schema.text("format"));
                match format {
                    None => json!({"type": kind}),
                    Some(format) => json!({"type": kind, "format": format}),
                }
            }
            Shape::Any => any(),
        };
        if schema.value["nullable"] == true && plain != any() {
            if plain.get("$ref").is_some() {
                plain = json!({"allOf": [plain]});
            }
            plain["nullable"] = true.into();
        }
        let is_reference = plain.get("$ref").is_some();
        if let Some(description) = description(schema).filter(|_| !is_reference) {
            plain["description"] = description.into();
        }
        Ok(plain)
    }

    /// Translates an object with properties, once. Equal objects with one name are one type.
    fn named_type(&mut self, schema: &Node<'_>, text: &str) -> Result<Value, Fault> {
        let name = pascal(text);
        let here = schema.target();
        if self.names.pointer(&name) == Some(&here.pointer) {
            return Ok(reference(&name));
        }
        let mut properties = Properties::default();
        properties.collect(schema, &mut Vec::new())?;
        if properties.all.is_empty() {
            return Ok(json!({"type": "object"}));
        }
        if let Some(other) = self.named.get(&name).cloned()
            && other == self.object(schema, text, &properties)?
        {
            return Ok(reference(&name));
        }
        self.names.add(&name, text, &here)?;
        let object = self.object(schema, text, &properties)?;
        self.named.insert(name.clone(), object);
        Ok(reference(&name))
    }

    fn object(
        &mut self,
        schema: &Node<'_>,
        text: &str,
        properties: &Properties<'_>,
    ) -> Result<Value, Fault> {
        let mut fields = Names::new("field");
        let mut translated = Map::new();
        for (key, property) in &properties.all {
            fields.add(&snake(key, OF_TYPES), key, property)?;
            let property = self.translate(property, &format!("{text}-{}", snake(key, OF_TYPES)))?;
            translated.insert((*key).to_owned(), property);
        }
        let mut object = json!({"type": "object", "properties": translated});
        if let Some(additional) = &properties.additional {
            // The name of the generated field.
            fields.add("extra", "additionalProperties", additional)?;
            object["additionalProperties"] =
                self.translate(additional, &format!("{text}-extra"))?;
        }
        let mut required = Vec::new();
        for entry in &properties.required {
            let key = entry.value.as_str().unwrap_or_default();
            let Some((_, property)) = properties.all.iter().find(|(known, _)| *known == key) else {
                let cause = format!("required property `{key}` is not in `properties`");
                return Err(entry.fault(cause));
            };
            // Required in one direction only, and the type is for both.
            let has_direction = |key: &str| property.value[key] == true;
            if !has_direction("readOnly") && !has_direction("writeOnly") {
                required.push(key);
            }
        }
        object["required"] = required.into();
        if let Some(description) = description(schema) {
            object["description"] = description.into();
        }
        Ok(object)
    }
}

impl<'a> Properties<'a> {
    fn collect(&mut self, schema: &Node<'a>, open: &mut Vec<String>) -> Result<(), Fault> {
        if open.contains(&schema.inside) {
            return Err(schema.fault("`allOf` contains the schema itself"));
        }
        open.push(schema.inside.clone());
        for part in schema.get("allOf").items() {
            match shape(&part)? {
                Shape::Struct | Shape::Map => self.collect(&part, open)?,
                Shape::Same(other) => self.collect(&other, open)?,
                Shape::Any if part.find("required").is_some() => self.collect(&part, open)?,
                _ => return Err(part.fault("`allOf` can combine objects only")),
            }
        }
        open.pop();
        let properties = schema.get("properties");
        for key in properties.keys() {
            let property = properties.get(key);
            let earlier = self.all.iter().position(|(known, _)| *known == key);
            if let Some((_, earlier)) = earlier.map(|index| self.all.remove(index))
                && !is_refinement(&earlier, &property)?
            {
                let cause = format!(
                    "property `{key}` is in two parts of `allOf` with another schema than the one"
                );
                return Err(Fault {
                    earlier: Some(earlier.pointer),
                    ..property.fault(cause)
                });
            }
            self.all.push((key, property));
        }
        for required in schema.get("required").items() {
            self.required.retain(|known| known.value != required.value);
            self.required.push(required);
        }
        let additional = schema.find("additionalProperties");
        self.additional = additional
            .filter(|it| it.value.is_object())
            .or(self.additional.take());
        Ok(())
    }
}

/// Whether two schemas have one type, so that the later adds a description or a limit.
fn is_refinement(earlier: &Node<'_>, later: &Node<'_>) -> Result<bool, Fault> {
    Ok(match (shape(earlier)?, shape(later)?) {
        (Shape::Scalar(one, _), Shape::Scalar(other, _)) => one == other,
        _ => earlier.inside == later.inside,
    })
}

fn shape<'a>(schema: &Node<'a>) -> Result<Shape<'a>, Fault> {
    if let Some(discriminator) = schema.find("discriminator") {
        let cause =
            "`discriminator` is not supported; without it, the alternatives are JSON values";
        return Err(discriminator.fault(cause));
    }
    let is_empty = |key: &str| {
        let value = &schema.value[key];
        value.as_array().is_none_or(Vec::is_empty) && value.as_object().is_none_or(Map::is_empty)
    };
    let parts = schema.get("allOf").items();
    let adds_nothing =
        ["properties", "required", "additionalProperties"].map(is_empty) == [true; 3];
    if ["", "object"].contains(&schema.text("type")) && has_alternatives(schema) {
        return Ok(Shape::Any);
    }
    if let ([part], true) = (parts.as_slice(), adds_nothing) {
        return Ok(Shape::Same(part.clone()));
    }
    Ok(match schema.text("type") {
        "object" | "" if !is_empty("properties") || !parts.is_empty() => Shape::Struct,
        "object" => Shape::Map,
        "array" => Shape::List,
        "string" => Shape::Scalar("string", &[]),
        "integer" => Shape::Scalar("integer", &["int32", "int64"]),
        // A float of 32 bits would not keep all numbers.
        "number" => Shape::Scalar("number", &[]),
        "boolean" => Shape::Scalar("boolean", &[]),
        "" if !is_empty("additionalProperties") => Shape::Map,
        "" if !is_empty("enum") => of_values(schema.value["enum"].as_array()),
        "" => Shape::Any,
        other => {
            let cause = format!(
                "type `{other}` is not one of array, boolean, integer, number, object, string"
            );
            return Err(schema.fault_at("type", cause));
        }
    })
}

/// Whether `oneOf` or `anyOf` has properties that the schema itself may lack, not only rules for those that it has.
fn has_alternatives(schema: &Node<'_>) -> bool {
    let alternatives = ["oneOf", "anyOf"].map(|key| schema.get(key).items());
    let mut keys = alternatives.iter().flatten().flat_map(Node::keys);
    keys.any(|key| !["required", "not", "description", "title"].contains(&key))
}

/// The shape of a schema without a type that lists its values.
fn of_values<'a>(values: Option<&Vec<Value>>) -> Shape<'a> {
    let all = |is: fn(&Value) -> bool| values.into_iter().flatten().all(is);
    if all(Value::is_string) {
        Shape::Scalar("string", &[])
    } else if all(Value::is_i64) {
        Shape::Scalar("integer", &[])
    } else {
        Shape::Any
    }
}

/// The description of a schema, with the values that the contract lists.
fn description(schema: &Node<'_>) -> Option<String> {
    let text = [schema.text("description"), schema.text("title")];
    let text = text.into_iter().find(|text| !text.trim().is_empty());
    with_values(text, schema)
}

/// A description followed by the values that the schema lists.
pub(crate) fn with_values(text: Option<&str>, schema: &Node<'_>) -> Option<String> {
    let values = schema.value["enum"].as_array().into_iter().flatten();
    let values = values
        .filter(|value| !value.is_null())
        .map(|value| match value {
            Value::String(text) => format!("`{text}`"),
            value => format!("`{value}`"),
        });
    let values: Vec<String> = values.collect();
    let values = (!values.is_empty()).then(|| format!("Known values: {}.", values.join(", ")));
    match (text, values) {
        (Some(text), Some(values)) => Some(format!("{}\n\n{values}", text.trim_end())),
        (text, values) => text.map(str::to_owned).or(values),
    }
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn any() -> Value {
    json!({})
}
