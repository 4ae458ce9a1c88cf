//! Operations, and the whole document.

use std::collections::{BTreeMap, BTreeSet};

use openapiv3::OpenAPI;
use serde_json::{Map, json};

use super::bodies;
use super::names::{Names, OF_METHODS, pascal, snake};
use super::parameters::{self, Arguments};
use super::schemas::Schemas;
use crate::contract::Contract;
use crate::openapi::{Fault, Node};

/// Methods that the client has without any operation.
const OWN_METHODS: [&str; 12] = [
    "api_version",
    "baseurl",
    "client",
    "clone",
    "exec",
    "fmt",
    "inner",
    "new",
    "new_with_client",
    "post",
    "pre",
    "send_other",
];

/// What the generator gets, and what it does not express.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) api: OpenAPI,
    /// The arguments of each method.
    pub(crate) methods: BTreeMap<String, Arguments>,
}

/// Translates the contract for the generator.
pub(crate) fn lower(contract: &Contract) -> Result<Client, Fault> {
    let mut schemas = Schemas::new();
    schemas.add_components(&contract.node("/components/schemas"))?;
    let mut methods = BTreeMap::new();
    let mut names = Names::new("method");
    names.reserve(OWN_METHODS);
    let mut paths = Map::new();
    check_paths(&contract.node("/paths"))?;
    for (path, method, operation) in contract.operations() {
        let id = operation.get("operationId");
        let Some(text) = id.value.as_str() else {
            return Err(operation.fault("the operation has no operationId"));
        };
        let name = snake(text, OF_METHODS);
        names.add(&name, text, &id)?;
        let parameters = contract.parameters(&operation);
        check_path(path, &operation, &parameters)?;
        if ["options", "trace"].contains(&method) {
            return Err(operation.fault(format_args!("method `{method}` is not supported")));
        }
        check_servers(&operation)?;
        let body = operation.find("requestBody");
        if let Some(body) = body.as_ref().filter(|_| ["get", "head"].contains(&method)) {
            return Err(body.fault(format_args!("a request with method `{method}` has no body")));
        }
        let (translated, arguments) =
            parameters::translate(&mut schemas, &parameters, body.as_ref())?;
        for (kind, fields) in [("query", &arguments.query), ("headers", &arguments.headers)] {
            if !fields.is_empty() {
                let text = format!("{text}-{kind}");
                schemas
                    .names
                    .add(&pascal(&text), &text, &operation.get("parameters"))?;
            }
        }
        let mut item = json!({
            "operationId": text,
            "summary": operation.text("summary"),
            "description": operation.text("description"),
            "parameters": translated,
            "responses": bodies::responses(&mut schemas, &operation.get("responses"), method, text)?,
        });
        if let Some(body) = body {
            item["requestBody"] = bodies::request(&mut schemas, &body, text)?;
        }
        paths.entry(path).or_insert_with(|| json!({}))[method] = item;
        methods.insert(name, arguments);
    }
    let info = contract.node("/info");
    let document = json!({
        "openapi": contract.node("/openapi").value,
        "info": {
            "title": info.text("title"),
            "description": info.text("description"),
            // It becomes the value of a header, which the client does not send.
            "version": info.text("version").replace(|c: char| !c.is_ascii_graphic(), "-"),
        },
        "paths": paths,
        "components": {"schemas": schemas.into_components()},
    });
    let api = serde_json::from_value(document);
    let api = api.map_err(|error| {
        Fault::new(
            "",
            format_args!("the translated contract is not valid: {error}"),
        )
    })?;
    Ok(Client { api, methods })
}

const SERVERS: &str =
    "`servers` of one operation or path is not supported: the caller chooses the server";

/// Refuses what a path says about all its operations and the client does not do.
fn check_paths(paths: &Node<'_>) -> Result<(), Fault> {
    for path in paths.keys().filter(|path| !path.starts_with("x-")) {
        let item = paths.get(path);
        let written = item.pointer.clone() + "/$ref";
        if item.pointer != item.inside || item.value.get("$ref").is_some() {
            return Err(Fault::new(
                &written,
                "`$ref` in place of a path is not supported",
            ));
        }
        check_servers(&item)?;
    }
    Ok(())
}

fn check_servers(owner: &Node<'_>) -> Result<(), Fault> {
    let servers = owner.get("servers");
    if servers.items().is_empty() {
        return Ok(());
    }
    Err(servers.fault(SERVERS))
}

/// The parameters in braces must be the declared ones.
fn check_path(path: &str, operation: &Node<'_>, parameters: &[Node<'_>]) -> Result<(), Fault> {
    let mut rest = path;
    let mut used = BTreeSet::new();
    while let Some((before, after)) = rest.split_once('{') {
        let name = after
            .split_once('}')
            .filter(|(name, _)| !name.contains(['{', '/']));
        let Some((name, after)) = name.filter(|_| !before.contains('}')) else {
            return Err(operation.fault(format_args!("path `{path}`: the braces do not match")));
        };
        if !used.insert(name) {
            return Err(operation.fault(format_args!("path `{path}` has parameter `{name}` twice")));
        }
        rest = after;
    }
    let is_plain = |c: char| c.is_ascii_graphic() && !['?', '#', '}'].contains(&c);
    let text = path.replace(['{', '}'], "");
    if !(path.starts_with('/') && text.chars().all(is_plain)) || path.contains("//") {
        let cause = format!(
            "path `{path}` must begin with a slash, consist of ASCII characters, and have no empty segment, query or fragment"
        );
        return Err(operation.fault(cause));
    }
    let is_dots = |segment: &str| {
        let segment = segment.replace("%2e", ".").replace("%2E", ".");
        [".", ".."].contains(&segment.as_str())
    };
    if path.contains('\\') || path.split('/').any(is_dots) {
        let cause = format!(
            "path `{path}`: an HTTP client would send another path; remove segments of dots and backslashes"
        );
        return Err(operation.fault(cause));
    }
    let declared = parameters.iter().filter(|it| it.text("in") == "path");
    let declared: BTreeSet<&str> = declared.map(|it| it.text("name")).collect();
    let not =
        |place, name| Err(operation.fault(format_args!("path parameter `{name}` is not {place}")));
    if let Some(name) = used.difference(&declared).next() {
        return not("declared", name);
    }
    if let Some(name) = declared.difference(&used).next() {
        return not("in the path", name);
    }
    Ok(())
}
