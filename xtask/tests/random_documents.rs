//! Random schemas, valid or not: either the client decodes a value of the schema without loss, or there is one error with a
//! place and no file changes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::env;

use fastrand::Rng;
use serde_json::{Map, Value, json};
use support::documents::{Call, Case, add, call};
use support::{CONTRACT, Checkout, GENERATED};

const DOCUMENTS: usize = 120;

/// Names that Rust, YAML or the generator could misread.
const NAMES: [&str; 24] = [
    "id", "a", "A", "aB", "a_b", "a-b", "type", "self", "Self", "1", "1st", "y", "no", "null", "",
    "a b", "'", "extra", "$ref", "@", "größe", "x-1", "crate", "value",
];

#[test]
fn a_random_schema_is_decoded_without_loss_or_refused_with_a_place() {
    let seed = env::var("SEED").map_or(7, |seed| seed.parse().unwrap());
    let mut accepted = Vec::new();
    for number in 0..DOCUMENTS {
        let mut random = Rng::with_seed(seed + number as u64);
        let (schema, value) = object(&mut random, 3);
        let case = Case {
            name: format!("SEED={} {schema}", seed + number as u64),
            schema: Some(schema.to_string()),
            calls: vec![Call {
                rust: "{method}()".to_owned(),
                sends: "GET {path}".to_owned(),
                status: 200,
                answer: value.to_string(),
                ..Call::default()
            }],
            ..Case::default()
        };
        let checkout = Checkout::new();
        let before = checkout.read(GENERATED);
        add(&checkout, &[case.parts(number)]);
        let run = checkout.xtask(&["generate"]);
        if run.success {
            accepted.push((number, case));
            continue;
        }
        let place = run.stderr.strip_prefix(&format!("error: {CONTRACT}:"));
        let place = place.and_then(|rest| rest.split(':').next()?.parse::<u32>().ok());
        assert!(
            place.is_some() && run.stderr.lines().count() == 1,
            "{}: {}",
            case.name,
            run.stderr
        );
        assert_eq!(checkout.read(GENERATED), before, "{}", case.name);
    }
    let share = accepted.len() * 100 / DOCUMENTS;
    assert!(
        (20..95).contains(&share),
        "{share} % of the documents are accepted"
    );
    let accepted: Vec<(usize, &Case)> = accepted
        .iter()
        .map(|(number, case)| (*number, case))
        .collect();
    call(&accepted);
}

/// A schema and a value that it describes, apart from limits.
fn schema(random: &mut Rng, depth: usize) -> (Value, Value) {
    let (mut schema, value) = match random.usize(0..if depth == 0 { 7 } else { 13 }) {
        0 => (
            json!({"type": "string", "format": "date-time", "pattern": "^a$"}),
            json!("text"),
        ),
        1 => (
            json!({"type": "string", "enum": ["A", "a", "="]}),
            json!("B"),
        ),
        2 => (
            json!({"type": "integer", "minimum": 5, "format": "int64"}),
            json!(random.i32(..)),
        ),
        3 => (
            json!({"type": "number", "maximum": 0, "exclusiveMaximum": true}),
            json!(1.5),
        ),
        4 => (
            json!({"type": "boolean", "default": true}),
            json!(random.bool()),
        ),
        5 => (json!({}), json!({"any": [1]})),
        6 => (json!({"type": "object"}), json!({"open": true})),
        7 | 8 => list(random, depth),
        9 => alternatives(random, depth),
        10 => {
            let (inner, value) = schema(random, depth - 1);
            (
                json!({"type": "object", "additionalProperties": inner}),
                json!({"": value}),
            )
        }
        _ => object(random, depth),
    };
    if random.u8(..) < 16 {
        schema["nullable"] = random.bool().into();
    }
    // One schema in forty is wrong.
    let wrong = [
        ("maxLenght", json!(1)),
        ("maxLength", json!("one")),
        ("type", json!("int")),
        ("required", json!(true)),
        ("discriminator", json!({"propertyName": "id"})),
        ("properties", json!([])),
        ("$ref", json!("#/components/schemas/Nowhere")),
    ];
    if random.u8(..) < 6 {
        let (key, value) = random.choice(&wrong).unwrap();
        schema[*key] = value.clone();
    }
    (schema, value)
}

fn list(random: &mut Rng, depth: usize) -> (Value, Value) {
    let (items, value) = schema(random, depth - 1);
    (
        json!({"type": "array", "maxItems": 1, "uniqueItems": true, "items": items}),
        json!([value, value]),
    )
}

fn alternatives(random: &mut Rng, depth: usize) -> (Value, Value) {
    let (first, value) = schema(random, depth - 1);
    let (second, _) = schema(random, depth - 1);
    let key = random.choice(["oneOf", "anyOf"]).unwrap();
    (json!({key: [first, second]}), value)
}

fn object(random: &mut Rng, depth: usize) -> (Value, Value) {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut value = Map::new();
    for _ in 0..random.usize(1..4) {
        let name = *random.choice(&NAMES).unwrap();
        let (property, one) = schema(random, depth - 1);
        properties.insert(name.to_owned(), property);
        value.insert(name.to_owned(), one);
        if random.bool() {
            required.push(name);
        }
    }
    let mut schema = json!({"type": "object", "properties": properties, "required": required});
    match random.u8(0..8) {
        0 => schema["additionalProperties"] = false.into(),
        1 => schema["additionalProperties"] = json!({"type": "string"}),
        2 => {
            schema = json!({"allOf": [schema, {"type": "object", "properties": {"last": {"type": "string"}}}]});
        }
        3 => schema = json!({"allOf": [schema], "description": "One part."}),
        _ => {}
    }
    (schema, Value::Object(value))
}
