//! What the contract says about the operation of the page, in the page's own words.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::contract::Contract;
use crate::facts::Facts;
use crate::reference::Reference;
use crate::yaml::escape;

/// Keys that say nothing about which values are allowed, or that `kind` puts in words itself.
const NOT_A_LIMIT: [&str; 8] = [
    "type",
    "title",
    "description",
    "example",
    "properties",
    "required",
    "items",
    "oneOf",
];

/// Facts, each with the JSON pointer to the part of the contract that states it.
#[derive(Debug, Default)]
pub(crate) struct Described {
    pub(crate) facts: Facts,
    pointers: BTreeMap<String, String>,
}

impl Described {
    /// Where the contract states a fact.
    pub(crate) fn pointer(&self, place: &str) -> Option<&String> {
        self.pointers.get(place)
    }

    fn add(&mut self, place: &str, value: impl Into<String>, pointer: &str) -> bool {
        self.pointers.insert(place.to_owned(), pointer.to_owned());
        self.facts.insert(place.to_owned(), value.into()).is_none()
    }
}

/// What the contract says about the page's operation, or nothing when it has no such operation.
pub(crate) fn page_operation(contract: &Contract, page: &Reference) -> Described {
    let operation = format!(
        "/paths/{}/{}",
        escape(&page.path),
        page.method.to_lowercase()
    );
    let mut reader = Reader {
        contract,
        said: Described::default(),
    };
    if contract.data.pointer(&operation).is_some() {
        let call = format!("{} {}", page.method, page.path);
        reader.said.add("operation", call, &operation);
        reader.servers();
        reader.security();
        reader.parameters(&operation);
        reader.request(&operation);
        reader.responses(&operation, page);
    }
    reader.said
}

/// Every operation of the contract that the page does not have: its id, method and path.
pub(crate) fn other_operations(contract: &Contract, page: &Reference) -> Described {
    let page = format!(
        "/paths/{}/{}",
        escape(&page.path),
        page.method.to_lowercase()
    );
    let mut said = Described::default();
    for (pointer, path, operation) in contract.operations().filter(|(at, ..)| *at != page) {
        let method = pointer
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_uppercase();
        let id = operation.operation_id.as_deref().unwrap_or_default();
        said.add(
            &format!("operation.{id}"),
            format!("{method} {path}"),
            &pointer,
        );
    }
    said
}

struct Reader<'a> {
    contract: &'a Contract,
    said: Described,
}

impl<'a> Reader<'a> {
    fn servers(&mut self) {
        for (pointer, server) in self.list("/servers") {
            let url = server["url"].as_str().unwrap_or_default();
            self.said.add(&format!("server.{url}"), "listed", &pointer);
        }
    }

    fn security(&mut self) {
        let choices = self.list("/security");
        let names = choices.iter().filter_map(|(_, choice)| choice.as_object());
        let names: Vec<String> = names.map(|all| keys(all).join(" and ")).collect();
        if !names.is_empty() {
            self.said.add("security", names.join(" or "), "/security");
        }
    }

    fn parameters(&mut self, operation: &str) {
        let path = operation.rsplit_once('/').map_or("", |(path, _)| path);
        for owner in [path, operation] {
            for (pointer, _) in self.list(&format!("{owner}/parameters")) {
                let pointer = self.follow(&pointer);
                let parameter = self.value(&pointer);
                let text = |key: &str| parameter[key].as_str().unwrap_or_default();
                let place = format!("{}.{}", text("in"), text("name"));
                let mandatory = yes_or_no(parameter["required"] == true);
                self.said
                    .add(&format!("{place}.mandatory"), mandatory, &pointer);
                let kind = self.kind(&format!("{pointer}/schema"));
                self.said
                    .add(&format!("{place}.type"), kind, &format!("{pointer}/schema"));
            }
        }
    }

    fn request(&mut self, operation: &str) {
        let pointer = self.follow(&format!("{operation}/requestBody"));
        if self.value(&pointer)["required"] == true {
            self.said.add("request.mandatory", "Yes", &pointer);
        }
        let json = format!("{pointer}/content/application~1json");
        self.example("example.request", &json);
        self.rows("request", &format!("{json}/schema"), true);
    }

    /// The page's statuses with their rows; of any other only that it is there and what it carries.
    fn responses(&mut self, operation: &str, page: &Reference) {
        let responses = format!("{operation}/responses");
        let statuses = self
            .value(&responses)
            .as_object()
            .map(keys)
            .unwrap_or_default();
        for status in statuses {
            let pointer = self.follow(&format!("{responses}/{status}"));
            let json = format!("{pointer}/content/application~1json");
            let place = format!("status.{status}");
            if page
                .statuses
                .iter()
                .any(|known| known.to_string() == status)
            {
                self.said.add(&place, "listed", &pointer);
                self.headers(&format!("response.{status}"), &pointer);
                self.example(&format!("example.response.{status}"), &json);
                self.rows(
                    &format!("response.{status}"),
                    &format!("{json}/schema"),
                    false,
                );
            } else {
                let kind = self.kind(&format!("{json}/schema"));
                let body = if kind.is_empty() {
                    "no body".to_owned()
                } else {
                    kind
                };
                self.said.add(&place, body, &pointer);
            }
        }
    }

    fn headers(&mut self, place: &str, response: &str) {
        let headers = format!("{response}/headers");
        for name in self
            .value(&headers)
            .as_object()
            .map(keys)
            .unwrap_or_default()
        {
            let pointer = self.follow(&format!("{headers}/{}", escape(name)));
            let kind = self.kind(&format!("{pointer}/schema"));
            self.said
                .add(&format!("{place}.header.{name}"), kind, &pointer);
        }
    }

    fn example(&mut self, place: &str, media_type: &str) {
        let pointer = format!("{media_type}/example");
        if let Some(example) = self.contract.data.pointer(&pointer) {
            self.said.add(place, example.to_string(), &pointer);
        }
    }

    /// The properties of an object, then those of the named objects that they hold.
    fn rows(&mut self, place: &str, schema: &str, has_mandatory: bool) {
        let schema = self.follow(schema);
        let object = self.value(&schema);
        for name in object["properties"]
            .as_object()
            .map(keys)
            .unwrap_or_default()
        {
            let pointer = format!("{schema}/properties/{}", escape(name));
            let place = format!("{place}.{name}");
            if !self
                .said
                .add(&format!("{place}.type"), self.kind(&pointer), &pointer)
            {
                continue;
            }
            if has_mandatory {
                let required = object["required"].as_array();
                let required = required.is_some_and(|all| all.iter().any(|one| one == name));
                self.said
                    .add(&format!("{place}.mandatory"), yes_or_no(required), &pointer);
            }
            let held = [format!("{pointer}/items"), pointer];
            if let Some((held, inner)) = held
                .iter()
                .find_map(|at| Some((at, self.reference_name(at)?)))
            {
                self.rows(inner, held, has_mandatory);
            }
        }
    }

    /// A schema in the page's vocabulary, with every limit that the page has no words for in brackets.
    fn kind(&self, pointer: &str) -> String {
        let name = self.reference_name(pointer);
        let pointer = &self.follow(pointer);
        let schema = self.value(pointer);
        if let (Some(name), "object") = (name, schema["type"].as_str().unwrap_or_default()) {
            return format!("{name} object");
        }
        let name = match schema["type"].as_str() {
            Some("array") => format!("Array of {}s", self.kind(&format!("{pointer}/items"))),
            Some(kind) => kind[..1].to_uppercase() + &kind[1..],
            None => {
                let branches = self.list(&format!("{pointer}/oneOf"));
                let kinds: Vec<String> = branches.iter().map(|(at, _)| self.kind(at)).collect();
                kinds.join(" or ")
            }
        };
        let limits = schema.as_object().map(limits).unwrap_or_default();
        if limits.is_empty() {
            name
        } else {
            format!("{name} ({limits})")
        }
    }

    /// The last part of the `$ref` at a place.
    fn reference_name(&self, pointer: &str) -> Option<&'a str> {
        self.value(pointer)["$ref"].as_str()?.rsplit('/').next()
    }

    /// The place that the chain of references at a place ends at.
    fn follow(&self, pointer: &str) -> String {
        match self.value(pointer)["$ref"]
            .as_str()
            .and_then(|target| target.strip_prefix('#'))
        {
            Some(target) => self.follow(target),
            None => pointer.to_owned(),
        }
    }

    fn list(&self, pointer: &str) -> Vec<(String, &'a Value)> {
        let items = self.value(pointer).as_array().into_iter().flatten();
        items
            .enumerate()
            .map(|(index, item)| (format!("{pointer}/{index}"), item))
            .collect()
    }

    fn value(&self, pointer: &str) -> &'a Value {
        self.contract.data.pointer(pointer).unwrap_or(&Value::Null)
    }
}

fn limits(schema: &Map<String, Value>) -> String {
    let limits = schema
        .iter()
        .filter(|(key, _)| !NOT_A_LIMIT.contains(&key.as_str()));
    let limits: Vec<String> = limits
        .map(|(key, value)| match value.as_str() {
            Some(text) => format!("{key} {text}"),
            None => format!("{key} {value}"),
        })
        .collect();
    limits.join(", ")
}

fn keys(map: &Map<String, Value>) -> Vec<&str> {
    map.keys().map(String::as_str).collect()
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "Yes" } else { "No" }
}
