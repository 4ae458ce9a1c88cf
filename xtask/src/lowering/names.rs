//! The names that the generator gives, and tables that find two parts of the contract with one name.

use std::collections::BTreeMap;

use heck::{ToPascalCase as _, ToSnakeCase as _};

use crate::openapi::{Fault, Node};

/// What a digit at the beginning of a name gets before it: in the names of fields and types, and in those of methods and
/// parameters.
pub(crate) const OF_TYPES: &str = "x";
pub(crate) const OF_METHODS: &str = "_";

/// The names of one namespace.
#[derive(Debug)]
pub(crate) struct Names {
    /// What has the names, such as `field`.
    kind: &'static str,
    /// The text in the contract and the pointer to it, by the name in Rust.
    taken: BTreeMap<String, (String, String)>,
}

impl Names {
    pub(crate) fn new(kind: &'static str) -> Self {
        let taken = BTreeMap::new();
        Self { kind, taken }
    }

    /// Adds the names that the generated code itself uses.
    pub(crate) fn reserve(&mut self, names: impl IntoIterator<Item = &'static str>) {
        let names = names.into_iter();
        self.taken
            .extend(names.map(|name| (name.to_owned(), Default::default())));
    }

    /// Adds a name. Fails if another part has the same.
    pub(crate) fn add(&mut self, name: &str, text: &str, node: &Node<'_>) -> Result<(), Fault> {
        let kind = self.kind;
        if !text.is_ascii() {
            let cause = format!("`{text}`: the name of a {kind} must consist of ASCII characters");
            return Err(node.fault(cause));
        }
        let Some((other, pointer)) = self.taken.get(name) else {
            let place = (text.to_owned(), node.pointer.clone());
            self.taken.insert(name.to_owned(), place);
            return Ok(());
        };
        if pointer.is_empty() {
            let cause = format!("`{text}` gives the {kind} `{name}`, which the client has already");
            return Err(node.fault(cause));
        }
        let cause = format!("`{text}` gives the {kind} `{name}`, as does `{other}`");
        let earlier = Some(pointer.clone());
        Err(Fault {
            earlier,
            ..node.fault(cause)
        })
    }

    /// The pointer to the part that has this name.
    pub(crate) fn pointer(&self, name: &str) -> Option<&str> {
        self.taken.get(name).map(|(_, pointer)| pointer.as_str())
    }
}

/// The name of a type.
pub(crate) fn pascal(text: &str) -> String {
    identifier(plain(text).to_pascal_case(), "X")
}

/// The name of a field, method or parameter.
pub(crate) fn snake(text: &str, before_digit: &str) -> String {
    identifier(plain(text).to_snake_case(), before_digit)
}

/// The text as the generator changes it before it splits it into words.
fn plain(text: &str) -> String {
    match text {
        "+1" => "plus1".to_owned(),
        "-1" => "minus1".to_owned(),
        _ => text
            .replace('\'', "")
            .replace(|c: char| !(c.is_ascii_alphanumeric() || c == '_'), "-"),
    }
}

fn identifier(name: String, before_digit: &str) -> String {
    let name = match name.chars().next() {
        None if before_digit == "X" => "X".to_owned(),
        None => "x".to_owned(),
        Some(c) if c.is_ascii_digit() => format!("{before_digit}{name}"),
        Some(_) => name,
    };
    if syn::parse_str::<syn::Ident>(&name).is_ok() && name != "gen" {
        name
    } else {
        name + "_"
    }
}
