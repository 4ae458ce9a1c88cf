//! Rules of the contract and of the signature, and the cases that follow from them. README.md explains the fields.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use toml::{Table, Value};

use super::case::{ServerCase, Traits};
use crate::suite::{Suite, SuiteCase, not_empty};
use crate::values;

/// The operations of the contract, as requests that a correct service accepts.
const OPERATIONS: &str = include_str!("../../cases/operations.toml");

/// A partition that no topic has; rows with the ones below it surround a row under test.
const FILLER: i32 = i32::MAX - 1;

/// Where a row under test can be: a name, and how many other rows are before and after it.
const POSITIONS: [(&str, i32, i32); 6] = [
    ("", 0, 0),
    ("first", 0, 2),
    ("middle", 1, 1),
    ("last", 2, 0),
    ("eleventh", 10, 0),
    ("hundredth", 99, 0),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Table>,
}

/// A rule, with values on both sides of it. Each is a case for each operation and position.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: String,
    title: String,
    /// The rows of the vendor's page, for the operation that it documents.
    #[serde(default)]
    proves: Vec<String>,
    /// The operations that it holds for, by name; also `all`, or `reads` for all but the deletion.
    #[serde(default = "deletion")]
    operations: Vec<String>,
    /// The row under test, at every position.
    row: Option<String>,
    /// In place of requests: how many random ones are compared with a model of the service.
    random: Option<NonZeroUsize>,
    /// The requests; the last one is under test.
    #[serde(default = "one_step", deserialize_with = "not_empty")]
    step: Vec<Table>,
    #[serde(default)]
    accepted: BTreeMap<String, Value>,
    #[serde(default)]
    refused: BTreeMap<String, Value>,
    /// The response when the request is accepted.
    #[serde(default = "ok")]
    accepted_as: Table,
    #[serde(default = "client_error")]
    refused_as: Table,
    /// Those of every case.
    #[serde(skip)]
    traits: Table,
}

/// The fields of [`Traits`].
const TRAITS: [&str; 7] = [
    "destructive",
    "extension",
    "state",
    "runs_last",
    "at_once",
    "partitions",
    "records",
];

/// An operation of the contract.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    body: String,
    /// How many records partition 0 must have.
    #[serde(default)]
    records: i64,
}

/// All operations of the contract.
pub(super) fn operations() -> Result<Vec<Operation>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        operation: Vec<Operation>,
    }
    Ok(toml::from_str::<File>(OPERATIONS)?.operation)
}

impl SuiteCase for ServerCase {
    const SUITE: Suite = Suite::Server;

    fn parse(text: &str) -> Result<Vec<Self>> {
        cases(text)
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// The cases of the rules in a file.
pub(super) fn cases(text: &str) -> Result<Vec<ServerCase>> {
    let operations = operations()?;
    let mut cases = Vec::new();
    for mut table in toml::from_str::<File>(text)?.rule {
        let traits = take_traits(&mut table);
        let name = table.get("name").map(Value::to_string).unwrap_or_default();
        let rule: Rule = table.try_into().with_context(|| format!("rule {name}"))?;
        let rule = Rule { traits, ..rule };
        let of_rule = rule.cases(&operations);
        cases.extend(of_rule.with_context(|| format!("rule {}", rule.name))?);
    }
    Ok(cases)
}

impl Rule {
    fn cases(&self, operations: &[Operation]) -> Result<Vec<ServerCase>> {
        if self.random.is_some() {
            return Ok(vec![ServerCase {
                name: self.name.clone(),
                title: self.title.clone(),
                proves: self.proves.clone(),
                traits: self.traits.clone().try_into()?,
                quick: false,
                steps: Vec::new(),
                random: self.random.map(NonZeroUsize::get),
            }]);
        }
        let mut cases: Vec<ServerCase> = Vec::new();
        for operation in operations.iter().filter(|one| self.holds_for(one)) {
            for (kind, expect, values) in [
                ("accepted", &self.accepted_as, &self.accepted),
                ("refused", &self.refused_as, &self.refused),
            ] {
                let quick = cases.len();
                for (name, value) in values {
                    for position in self.positions().iter().copied() {
                        cases.extend(self.case(operation, name, value, position, expect)?);
                    }
                }
                if let Some(first) = cases.get_mut(quick) {
                    first.quick = true;
                }
                if values.contains_key("") && values.len() > 1 {
                    bail!("{kind}: a value has no name");
                }
            }
            if self.accepted.is_empty() && self.refused.is_empty() {
                let value = Value::Table(Table::new());
                let case = self.case(operation, "", &value, POSITIONS[0], &self.accepted_as)?;
                cases.extend(case.map(|case| ServerCase {
                    quick: true,
                    ..case
                }));
            }
        }
        if cases.is_empty() {
            bail!("it has no case");
        }
        Ok(cases)
    }

    fn holds_for(&self, operation: &Operation) -> bool {
        let is_read = operation.name != "deletion";
        self.operations.iter().any(|name| match name.as_str() {
            "all" => true,
            "reads" => is_read,
            name => name == operation.name,
        })
    }

    fn positions(&self) -> &[(&'static str, i32, i32)] {
        if self.row.is_some() {
            &POSITIONS
        } else {
            &POSITIONS[..1]
        }
    }

    /// The case of a value; `None` when it is about something that the operation does not have.
    fn case(
        &self,
        operation: &Operation,
        name: &str,
        value: &Value,
        (position, before, after): (&str, i32, i32),
        expect: &Table,
    ) -> Result<Option<ServerCase>> {
        let mut change = match value {
            Value::Table(table) => table.clone(),
            text => Table::from_iter([("value".to_owned(), text.clone())]),
        };
        let mut traits = self.traits.clone();
        traits.extend(take_traits(&mut change));
        let mut traits: Traits = traits.try_into()?;
        traits.records = traits.records.max(operation.records);
        let text = change.remove("value").map(|text| match text {
            Value::String(text) => with_rows(&text),
            other => Ok(other.to_string()),
        });
        let text = text.transpose()?;
        let mut steps = self.step.clone();
        let last = steps.len() - 1;
        let with = take_names(&mut change, "with")?;
        let signed_for = take_names(&mut change, "signed_for")?;
        if change.contains_key("body_bytes") {
            steps[last].remove("body");
        }
        merge(&mut steps[last], change);
        for step in &mut steps {
            if let Some(row) = &self.row {
                step.entry("body")
                    .or_insert(rows(row, before, after).into());
            }
            for name in with.keys().chain(signed_for.keys()) {
                if !operation.has(name) {
                    return Ok(None);
                }
            }
            step.entry("expect").or_insert(expect.clone().into());
            if let Some(text) = &text {
                replace(step, "<value>", text);
            }
            operation.fill(step, &with, &signed_for);
        }
        let parts = [
            &*self.name,
            name,
            position,
            if self.operations == deletion() {
                ""
            } else {
                &operation.name
            },
        ];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let proves = if operation.name == "deletion" {
            self.proves.clone()
        } else {
            vec![format!("Companion {}", operation.id)]
        };
        let steps = steps.into_iter().map(Table::try_into);
        Ok(Some(ServerCase {
            name: parts.join("/"),
            title: self.title.clone(),
            proves,
            traits,
            quick: false,
            steps: steps.collect::<Result<_, _>>()?,
            random: None,
        }))
    }
}

impl Operation {
    /// Whether path or query have a placeholder.
    fn has(&self, placeholder: &str) -> bool {
        let placeholder = format!("<{placeholder}>");
        self.path.contains(&placeholder) || self.query.contains(&placeholder)
    }

    /// Completes a step with the operation's request. `with` are values of placeholders in path and query, `signed_for` those
    /// in what is signed only.
    fn fill(
        &self,
        step: &mut Table,
        with: &BTreeMap<String, String>,
        signed_for: &BTreeMap<String, String>,
    ) {
        for (field, text) in [
            ("method", &self.method),
            ("path", &self.path),
            ("query", &self.query),
            ("body", &self.body),
        ] {
            if field != "body" || (!text.is_empty() && !step.contains_key("body_bytes")) {
                step.entry(field).or_insert(text.clone().into());
            }
        }
        let and = if self.query.is_empty() { "" } else { "&" };
        let tail = self.path.trim_start_matches("/v2");
        // What is after the topic, such as `messages/delete`.
        let last = tail.split_once("<topic>/").map_or("", |(_, last)| last);
        let swapped: Vec<_> = self.path.split('/').map(other_case).collect();
        for (name, text) in [
            ("<method>", &*self.method),
            ("<path>", &self.path),
            ("<path~>", &swapped.join("/")),
            ("<tail>", tail),
            ("<last>", last),
            ("<query>", &self.query),
            ("<and>", and),
        ] {
            replace(step, name, text);
        }
        if !signed_for.is_empty() {
            let sent: Table = ["path", "query"]
                .iter()
                .filter_map(|field| Some(((*field).to_owned(), step.get(*field)?.clone())))
                .collect();
            step.insert("then".to_owned(), sent.into());
        }
        for (name, text) in with {
            replace(step, &format!("<{name}>"), text);
        }
        for (name, text) in signed_for {
            for field in ["path", "query"] {
                if let Some(signed) = step.get_mut(field) {
                    replace_in(signed, &format!("<{name}>"), text);
                }
            }
        }
        replace(step, "<partition>", "0");
    }
}

/// A fixed segment of a path with the other case.
fn other_case(segment: &str) -> String {
    if segment.starts_with('<') {
        return segment.to_owned();
    }
    values::other_case(segment)
}

/// The body with a row between others.
fn rows(row: &str, before: i32, after: i32) -> String {
    let rows = [
        fillers(0..before),
        row.to_owned(),
        fillers(before..before + after),
    ];
    let rows: Vec<_> = rows.into_iter().filter(|rows| !rows.is_empty()).collect();
    format!(r#"{{"partitions":[{}]}}"#, rows.join(","))
}

/// Rows of partitions that no topic has.
fn fillers(numbers: Range<i32>) -> String {
    let filler = |number| format!(r#"{{"partition":{},"offset":0}}"#, FILLER - number);
    numbers.map(filler).collect::<Vec<_>>().join(",")
}

/// A text with `<rows N>` replaced by so many rows.
fn with_rows(text: &str) -> Result<String> {
    let Some((before, rest)) = text.split_once("<rows ") else {
        return Ok(text.to_owned());
    };
    let (count, after) = rest.split_once('>').context("<rows N> has no end")?;
    let after = with_rows(after)?;
    Ok([before, &fillers(0..count.parse()?), &after].concat())
}

/// Takes the fields of [`Traits`] out of a table.
fn take_traits(table: &mut Table) -> Table {
    let taken = TRAITS.iter().filter_map(|name| table.remove_entry(*name));
    taken.collect()
}

fn take_names(change: &mut Table, field: &str) -> Result<BTreeMap<String, String>> {
    let names = change.remove(field).map(Value::try_into);
    Ok(names.transpose()?.unwrap_or_default())
}

/// Puts the fields of `change` into `table`, field by field.
fn merge(table: &mut Table, change: Table) {
    for (name, value) in change {
        match (table.get_mut(&name), value) {
            (Some(Value::Table(inner)), Value::Table(change)) => merge(inner, change),
            (_, value) => {
                table.insert(name, value);
            }
        }
    }
}

fn replace(table: &mut Table, name: &str, text: &str) {
    table
        .iter_mut()
        .for_each(|(_, value)| replace_in(value, name, text));
}

/// Replaces a placeholder in every text of `value`.
fn replace_in(value: &mut Value, name: &str, text: &str) {
    match value {
        Value::String(found) => *found = found.replace(name, text),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| replace_in(item, name, text)),
        Value::Table(table) => replace(table, name, text),
        _ => {}
    }
}

fn deletion() -> Vec<String> {
    vec!["deletion".to_owned()]
}

fn one_step() -> Vec<Table> {
    vec![Table::new()]
}

fn ok() -> Table {
    Table::from_iter([("status".to_owned(), "200".into())])
}

fn client_error() -> Table {
    Table::from_iter([("status".to_owned(), "4XX".into())])
}
