//! The facts of the contract, in the vocabulary of the vendor's page.

use serde_json::Value;

use crate::contract::Contract;
use crate::facts::Facts;
use crate::openapi::Node;
use crate::reference::Reference;

/// Keys of a schema that do not limit its values, or that `kind` handles itself.
const NOT_A_LIMIT: [&str; 9] = [
    "type",
    "title",
    "description",
    "example",
    "properties",
    "required",
    "items",
    "oneOf",
    "xml",
];

/// The facts about the page's operation; none if the contract does not have it.
pub(crate) fn page_operation(contract: &Contract, page: &Reference) -> Facts {
    let mut facts = Facts::default();
    let operation = contract.node(&page.pointer());
    if operation.value.is_null() {
        return facts;
    }
    facts.add("operation", page.call(), &operation.pointer);
    for server in contract.node("/servers").items() {
        let place = format!("server.{}", server.text("url"));
        facts.add(place, "listed", &server.pointer);
    }
    security(&mut facts, contract);
    for parameter in contract.parameters(&operation) {
        let place = format!("{}.{}", parameter.text("in"), parameter.text("name"));
        let mandatory = yes_or_no(parameter.value["required"] == true);
        facts.add(format!("{place}.mandatory"), mandatory, &parameter.pointer);
        let schema = parameter.get("schema");
        add_kind(&mut facts, format!("{place}.type"), &schema);
    }
    request(&mut facts, &operation.get("requestBody"));
    responses(&mut facts, &operation.get("responses"), page);
    facts
}

/// Id, method and path of every operation that the page does not have.
pub(crate) fn other_operations(contract: &Contract, page: &Reference) -> Facts {
    let mut facts = Facts::default();
    for (path, method, operation) in contract.operations() {
        if operation.pointer != page.pointer() {
            let id = operation.text("operationId");
            let call = format!("{} {path}", method.to_uppercase());
            facts.add(format!("operation.{id}"), call, &operation.pointer);
        }
    }
    facts
}

fn security(facts: &mut Facts, contract: &Contract) {
    let security = contract.node("/security");
    let names = |choice: &Node<'_>| choice.keys().collect::<Vec<_>>().join(" and ");
    let names: Vec<String> = security.items().iter().map(names).collect();
    if !names.is_empty() {
        facts.add("security", names.join(" or "), &security.pointer);
    }
}

fn request(facts: &mut Facts, request: &Node<'_>) {
    if request.value["required"] == true {
        facts.add("request.mandatory", "Yes", &request.pointer);
    }
    body(facts, "request", request, true);
}

/// Adds the headers of each status, the rows of those that the page lists, and only the type of the body of any other status.
fn responses(facts: &mut Facts, responses: &Node<'_>, page: &Reference) {
    for status in responses.keys() {
        let response = responses.get(status);
        let (place, of_response) = (format!("status.{status}"), format!("response.{status}"));
        let headers = response.get("headers");
        for name in headers.keys() {
            let place = format!("{of_response}.header.{name}");
            add_kind(facts, place, &headers.get(name).get("schema"));
        }
        if !status
            .parse()
            .is_ok_and(|code| page.statuses.contains(&code))
        {
            let kind = match kind(&json(&response).get("schema")) {
                kind if kind.is_empty() => "no body".to_owned(),
                kind => kind,
            };
            facts.add(place, kind, &response.pointer);
            continue;
        }
        facts.add(place, "listed", &response.pointer);
        body(facts, &of_response, &response, false);
    }
}

/// Adds the example of a body and its rows.
fn body(facts: &mut Facts, place: &str, owner: &Node<'_>, has_mandatory: bool) {
    let media_type = json(owner);
    // An example is data: it contains no references.
    if let Some(example) = media_type.value.get("example") {
        let pointer = format!("{}/example", media_type.pointer);
        facts.add(format!("example.{place}"), example.to_string(), &pointer);
    }
    rows(facts, place, &media_type.get("schema"), has_mandatory);
}

fn json<'a>(owner: &Node<'a>) -> Node<'a> {
    owner.get("content").get("application/json")
}

/// Adds the properties of an object, then those of the named objects in them.
fn rows(facts: &mut Facts, place: &str, object: &Node<'_>, has_mandatory: bool) {
    let required = object.value["required"].as_array();
    let properties = object.get("properties");
    for name in properties.keys() {
        let property = properties.get(name);
        let place = format!("{place}.{name}");
        if !add_kind(facts, format!("{place}.type"), &property) {
            continue;
        }
        if has_mandatory {
            let is_required = required.is_some_and(|all| all.iter().any(|one| one == name));
            let place = format!("{place}.mandatory");
            facts.add(place, yes_or_no(is_required), &property.pointer);
        }
        let held = [property.get("items"), property];
        if let Some((held, name)) = held.iter().find_map(|it| Some((it, it.component()?))) {
            rows(facts, &name, held, has_mandatory);
        }
    }
}

fn add_kind(facts: &mut Facts, place: String, schema: &Node<'_>) -> bool {
    facts.add(place, kind(schema), &schema.pointer)
}

/// A type as the page writes it, followed by the limits of the schema in parentheses.
fn kind(schema: &Node<'_>) -> String {
    let name = match (schema.component(), schema.text("type")) {
        (Some(name), "object") => return format!("{name} object"),
        (_, "array") => format!("Array of {}s", kind(&schema.get("items"))),
        (_, "") => {
            let kinds: Vec<String> = schema.get("oneOf").items().iter().map(kind).collect();
            kinds.join(" or ")
        }
        (_, kind) => kind[..1].to_uppercase() + &kind[1..],
    };
    let limits = schema.keys().filter(|key| !NOT_A_LIMIT.contains(key));
    let limits = limits.filter(|key| !is_default(key, &schema.value[key]));
    let limit = |key| match &schema.value[key] {
        Value::String(text) => format!("{key} {text}"),
        value => format!("{key} {value}"),
    };
    let limits: Vec<String> = limits.map(limit).collect();
    if limits.is_empty() {
        return name;
    }
    format!("{name} ({})", limits.join(", "))
}

/// Whether a schema has the same meaning without this key.
fn is_default(key: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => *value == (key == "additionalProperties"),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "Yes" } else { "No" }
}
