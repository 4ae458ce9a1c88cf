//! Small documents that are added to a copy of the contract, and calls of their client.

use std::fmt::Write as _;

use serde::Deserialize;

use super::{CONTRACT, Checkout};

/// A part that is added to the contract.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// The schema of the response of an operation that has no parameters unless they are given.
    pub schema: Option<String>,
    #[serde(default)]
    pub parameters: String,
    /// The request body of the operation.
    pub body: Option<String>,
    /// The responses of the operation, instead of one with `schema`.
    pub responses: Option<String>,
    /// More keys of the operation.
    #[serde(default)]
    pub operation: String,
    /// Path items, instead of the operation.
    pub paths: Option<String>,
    #[serde(default)]
    pub schemas: String,
    #[serde(default)]
    pub links: String,
    /// The expected error, and text at the places in it.
    pub error: Option<String>,
    pub at: Option<String>,
    pub earlier: Option<String>,
    #[serde(default)]
    pub calls: Vec<Call>,
}

/// A call of the generated client.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The call in Rust, without the client. `{method}` is the method of the operation.
    pub rust: String,
    /// Method and target of the request, and its body.
    pub sends: String,
    #[serde(default)]
    pub body: String,
    /// Headers that the request must have.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The response.
    #[serde(default = "ok")]
    pub status: u16,
    #[serde(default)]
    pub answer: String,
    /// The decoded response, written as JSON again; the answer if absent.
    pub decoded: Option<String>,
    /// Code that checks `result` instead.
    pub check: Option<String>,
}

fn ok() -> u16 {
    200
}

impl Case {
    /// Path items, schemas and links.
    pub fn parts(&self, number: usize) -> [String; 3] {
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
pub fn add(checkout: &Checkout, parts: &[[String; 3]]) {
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

/// The code that makes the calls of a case.
pub fn test(number: usize, case: &Case) -> String {
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
            .rust
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

/// Generates the client of these documents, which compiles it, and makes all calls.
pub fn call(documents: &[(usize, &Case)]) {
    let checkout = Checkout::with_crates();
    let parts: Vec<_> = documents
        .iter()
        .map(|(number, case)| case.parts(*number))
        .collect();
    add(&checkout, &parts);
    let run = checkout.xtask(&["generate"]);
    assert!(run.success, "{}", run.stderr);
    let tests: String = documents
        .iter()
        .map(|(number, case)| test(*number, case))
        .collect();
    let tests = include_str!("../cases/wire.rs").to_owned() + &tests;
    checkout.write("crates/dms-kafka-client/tests/wire.rs", &tests);
    checkout.cargo(&["clippy", "--package=dms-kafka-client", "--", "-Dwarnings"]);
    checkout.cargo(&[
        "test",
        "--quiet",
        "--package=dms-kafka-client",
        "--test=wire",
    ]);
}
