//! Small documents, each added to a copy of the contract: their clients are called on the wire, or they are refused with one
//! message.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::fmt::Write as _;

use serde::Deserialize;
use support::{CONTRACT, Checkout, GENERATED};

/// A part that is added to the contract.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The schema of the response of an operation that has no parameters unless they are given.
    schema: Option<String>,
    #[serde(default)]
    parameters: String,
    /// The request body of the operation.
    body: Option<String>,
    /// The responses of the operation, instead of one with `schema`.
    responses: Option<String>,
    /// More keys of the operation.
    #[serde(default)]
    operation: String,
    /// Path items, instead of the operation.
    paths: Option<String>,
    #[serde(default)]
    schemas: String,
    #[serde(default)]
    links: String,
    /// The expected error, and text at the places in it.
    error: Option<String>,
    at: Option<String>,
    earlier: Option<String>,
    #[serde(default)]
    calls: Vec<Call>,
}

/// A call of the generated client.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    /// The call in Rust, without the client. `{method}` is the method of the operation.
    call: String,
    /// Method and target of the request, and its body.
    sends: String,
    #[serde(default)]
    body: String,
    /// Headers that the request must have.
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// The response.
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    answer: String,
    /// The decoded response, written as JSON again; the answer if absent.
    decoded: Option<String>,
    /// Code that checks `result` instead.
    check: Option<String>,
}

fn ok() -> u16 {
    200
}

impl Case {
    /// Path items, schemas and links.
    fn parts(&self, number: usize) -> [String; 3] {
        let paths = self.paths.clone().unwrap_or_else(|| self.path(number));
        [
            indented(2, &paths),
            indented(4, &self.schemas),
            indented(4, &self.links),
        ]
    }

    fn path(&self, number: usize) -> String {
        let success = || {
            let schema = indented(6, self.schema.as_deref().unwrap_or("type: object"));
            format!(
                "'200':\n  description: As asked.\n  content:\n    application/json:\n      schema:\n{}",
                indented(2, &schema)
            )
        };
        let responses = self.responses.clone().unwrap_or_else(success);
        let mut path = format!(
            "/cases/{number}:\n  {}:\n    operationId: Case{number}\n    description: A case.\n",
            if self.body.is_some() { "post" } else { "get" }
        );
        path += &indented(4, &self.operation);
        for (key, value) in [
            ("parameters", self.parameters.as_str()),
            ("requestBody", self.body.as_deref().unwrap_or_default()),
            ("responses", &responses),
        ] {
            if !value.is_empty() {
                write!(path, "    {key}:\n{}", indented(6, value)).unwrap();
            }
        }
        path
    }
}

fn indented(by: usize, text: &str) -> String {
    let line = |line: &str| match line {
        "" => "\n".to_owned(),
        line => format!("{}{line}\n", " ".repeat(by)),
    };
    text.lines().map(line).collect()
}

/// Adds parts to the contract.
fn add(checkout: &Checkout, parts: &[[String; 3]]) {
    let [paths, schemas, links] = [0, 1, 2]
        .map(|kind| -> String { parts.iter().map(|parts| parts[kind].as_str()).collect() });
    let links = if links.is_empty() {
        links
    } else {
        format!("  links:\n{links}")
    };
    checkout.edit(
        CONTRACT,
        "\ncomponents:\n",
        &format!("{paths}\ncomponents:\n{links}"),
    );
    checkout.edit(
        CONTRACT,
        "\n  schemas:\n",
        &format!("\n  schemas:\n{schemas}"),
    );
}

#[test]
fn a_refused_document_gives_one_error_at_its_place_and_changes_no_file() {
    let mut failures = Vec::new();
    let refused: Vec<Case> = support::cases(include_str!("cases/refused.toml"));
    for (number, case) in refused.iter().enumerate() {
        let checkout = Checkout::new();
        let before = checkout.read(GENERATED);
        add(&checkout, &[case.parts(number)]);
        let text = checkout.read(CONTRACT);
        let place = |part: &Option<String>| place(&text, part.as_deref().unwrap_or("no text"));
        let message = case.error.as_deref().unwrap_or_default();
        let message = message.replace("{earlier}", &place(&case.earlier));
        let expected = format!("error: {CONTRACT}:{}: {message}\n", place(&case.at));
        let run = checkout.xtask(&["generate"]);
        if run.stderr != expected || run.success || checkout.read(GENERATED) != before {
            failures.push(format!("{}:\n  {expected}  {}", case.name, run.stderr));
        }
    }
    assert!(failures.is_empty(), "{}", failures.concat());
    assert!(refused.len() >= 25);
}

/// Line and column of the last occurrence.
fn place(text: &str, part: &str) -> String {
    let before = &text[..text.rfind(part).unwrap_or_default()];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    format!("{line}:{column}")
}

#[test]
fn accepted_documents_give_a_client_that_sends_and_decodes_what_they_say() {
    let checkout = Checkout::with_crates();
    let accepted: Vec<Case> = support::cases(include_str!("cases/documents.toml"));
    let accepted: Vec<(usize, &Case)> = accepted.iter().enumerate().collect();
    let parts: Vec<_> = accepted
        .iter()
        .map(|(number, case)| case.parts(*number))
        .collect();
    add(&checkout, &parts);
    // This also compiles the client, and fails at a warning.
    let run = checkout.xtask(&["generate"]);
    assert!(run.success, "{}", run.stderr);
    let calls = accepted.iter().filter(|(_, case)| !case.calls.is_empty());
    assert!(calls.count() >= 25);
    let tests: String = accepted
        .iter()
        .map(|(number, case)| test(*number, case))
        .collect();
    let tests = include_str!("cases/wire.rs").to_owned() + &tests;
    checkout.write("crates/dms-kafka-client/tests/wire.rs", &tests);
    checkout.cargo(&[
        "test",
        "--quiet",
        "--package=dms-kafka-client",
        "--test=wire",
    ]);
}

/// The code that makes the calls of a case.
fn test(number: usize, case: &Case) -> String {
    let mut code = format!("#[tokio::test]\nasync fn case_{number}() {{\n");
    for call in &case.calls {
        let Call {
            sends,
            body,
            headers,
            status,
            answer,
            ..
        } = call;
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let method = format!("case{number}");
        let expression = call
            .call
            .replace("{method}", &method)
            .replace("CaseN", &format!("Case{number}"));
        let decoded = call.decoded.as_ref().unwrap_or(answer);
        let check = call.check.clone().unwrap_or_else(|| {
            format!(
                "decoded({:?}, result.unwrap().into_inner(), {decoded:?});",
                case.name
            )
        });
        let sends = sends.replace("{path}", &format!("/cases/{number}"));
        write!(
            code,
            "    let (server, client) = service({status}, {answer:?}).await;\n    \
             let result = client.{expression}.await;\n    \
             sent({:?}, &server, {sends:?}, {body:?}, &{headers:?}).await;\n    {check}\n",
            case.name
        )
        .unwrap();
    }
    code + "}\n\n"
}
