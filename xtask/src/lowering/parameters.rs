//! Parameters: required ones are arguments of the method, optional ones are fields of a struct.

use serde_json::{Value, json};

use super::bodies::is_scalar;
use super::names::{Names, OF_METHODS, snake};
use super::schemas::{Schemas, with_values};
use crate::openapi::{Fault, Node};

/// Headers that OpenAPI, the client's signature or its connection sets or removes.
const OWN_HEADERS: [&str; 16] = [
    "accept",
    "accept-encoding",
    "api-version",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "proxy-authorization",
    "transfer-encoding",
    "upgrade",
    "x-auth-token",
    "x-project-id",
    "x-sdk-content-sha256",
    "x-sdk-date",
    "x-security-token",
];

/// What a method of the client accepts.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) required: Vec<Argument>,
    /// Optional query parameters.
    pub(crate) query: Vec<Field>,
    /// Optional headers.
    pub(crate) headers: Vec<Field>,
}

/// A required parameter or the request body.
#[derive(Debug)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
}

/// An optional parameter.
#[derive(Debug)]
pub(crate) struct Field {
    /// The name in Rust.
    pub(crate) name: String,
    /// The name in the request.
    pub(crate) key: String,
    pub(crate) description: Option<String>,
}

/// Translates parameters. Returns them for the generator and for the method's documentation.
pub(crate) fn translate(
    schemas: &mut Schemas,
    parameters: &[Node<'_>],
    body: Option<&Node<'_>>,
) -> Result<(Vec<Value>, Arguments), Fault> {
    let mut arguments = Arguments::default();
    let mut translated = Vec::new();
    let mut argument_names = Names::new("argument");
    let mut query_names = Names::new("field");
    let mut header_names = Names::new("field");
    // The generator finds parameters by name alone.
    let mut names = Names::new("parameter");
    // A variable of the generated method.
    argument_names.reserve(["header_map"]);
    let is_optional = |it: &Node<'_>, place| it.text("in") == place && it.value["required"] != true;
    argument_names.reserve(body.map(|_| "body"));
    for (place, name) in [("query", "query"), ("header", "headers")] {
        let is_used = parameters.iter().any(|it| is_optional(it, place));
        argument_names.reserve(is_used.then_some(name));
    }
    for parameter in parameters {
        let (key, place) = (parameter.text("name"), parameter.text("in"));
        names.add(key, key, parameter)?;
        let name = snake(key, OF_METHODS);
        let is_required = parameter.value["required"] == true;
        let schema = schema(schemas, parameter)?;
        let text = Some(parameter.text("description")).filter(|text| !text.is_empty());
        let text = with_values(text, &parameter.get("schema"));
        translated
            .push(json!({"name": key, "in": place, "required": is_required, "schema": schema}));
        if is_required {
            argument_names.add(&name, key, parameter)?;
            arguments.required.push(Argument {
                name,
                description: text,
            });
        } else {
            let (names, fields) = if place == "query" {
                (&mut query_names, &mut arguments.query)
            } else {
                (&mut header_names, &mut arguments.headers)
            };
            names.add(&name, key, parameter)?;
            fields.push(Field {
                name,
                key: key.to_owned(),
                description: text,
            });
        }
    }
    arguments.required.extend(body.map(|body| Argument {
        name: "body".to_owned(),
        description: Some(body.text("description").to_owned()).filter(|text| !text.is_empty()),
    }));
    Ok((translated, arguments))
}

/// The type of a parameter, if the client sends it as the contract says.
fn schema(schemas: &mut Schemas, parameter: &Node<'_>) -> Result<Value, Fault> {
    let (key, place) = (parameter.text("name"), parameter.text("in"));
    let refuse = |at: &str, cause: &str| {
        let node = parameter.find(at).unwrap_or_else(|| parameter.clone());
        Err(node.fault(format_args!("{place} parameter `{key}`: {cause}")))
    };
    let (styles, only_style) = match place {
        "query" => (["form", ""], "only style `form` is supported"),
        "path" | "header" => (["simple", ""], "only style `simple` is supported"),
        "cookie" => return refuse("in", "cookies are not supported"),
        _ => return refuse("in", "`in` is not one of header, path, query"),
    };
    if !styles.contains(&parameter.text("style")) {
        return refuse("style", only_style);
    }
    if place == "path" && parameter.value["required"] != true {
        return refuse("required", "a parameter of the path needs `required: true`");
    }
    if parameter.value["allowReserved"] == true {
        return refuse("allowReserved", "reserved characters are always encoded");
    }
    if place == "header" {
        let lower = key.to_lowercase();
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if key.is_empty() || !key.chars().all(is_token) {
            return refuse("name", "this is not the name of a header");
        }
        if OWN_HEADERS.contains(&lower.as_str()) {
            return refuse(
                "name",
                "the client sets this header itself; remove the parameter",
            );
        }
    }
    let Some(declared) = parameter.find("schema") else {
        return refuse(
            "content",
            "a parameter needs a `schema`; `content` is not supported",
        );
    };
    let mut schema = schemas.translate(&declared, key)?;
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("nullable");
        schema.remove("description");
    }
    let is_list = schema["type"] == "array" && is_scalar(&schema["items"]);
    if is_list && schema["items"].get("nullable").is_some() || !is_list && !is_scalar(&schema) {
        return refuse(
            "schema",
            "only strings, numbers, booleans and, in the query, lists of them are supported",
        );
    }
    if is_list && place != "query" {
        return refuse("schema", "a list is supported in the query only");
    }
    if is_list && parameter.value["explode"] == false {
        return refuse(
            "explode",
            "a list is sent as `a=1&a=2`; `explode: false` (`a=1,2`) is not supported",
        );
    }
    Ok(schema)
}
