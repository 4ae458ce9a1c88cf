//! Documentation of the generated code: `///` lines, and a text for every field.

use std::collections::BTreeMap;

use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};

pub(super) fn apply(file: &mut syn::File) {
    let mut types = Types::default();
    types.visit_file_mut(file);
    Docs(types).visit_file_mut(file);
}

/// The documentation of each struct.
#[derive(Default)]
struct Types(BTreeMap<String, Vec<syn::Attribute>>);

impl VisitMut for Types {
    fn visit_item_struct_mut(&mut self, item: &mut syn::ItemStruct) {
        let docs = item.attrs.iter().filter(|attribute| is_doc(attribute));
        self.0
            .insert(item.ident.to_string(), docs.cloned().collect());
    }
}

struct Docs(Types);

impl VisitMut for Docs {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<syn::Attribute>) {
        *attributes = attributes.drain(..).flat_map(split_doc).collect();
        // Docs first, as is usual.
        attributes.sort_by_key(|attribute| !is_doc(attribute));
    }

    fn visit_field_mut(&mut self, field: &mut syn::Field) {
        let is_public = matches!(field.vis, syn::Visibility::Public(_));
        if is_public && !field.attrs.iter().any(is_doc) {
            let docs = self.docs_of(field);
            field.attrs.extend(docs);
        }
        visit_mut::visit_field_mut(self, field);
    }
}

impl Docs {
    /// The documentation of a field that the contract does not describe: that of its type, if the type is generated.
    fn docs_of(&self, field: &syn::Field) -> Vec<syn::Attribute> {
        let kind = field.ty.to_token_stream().to_string().replace(' ', "");
        let inner = kind.trim_end_matches('>');
        if let Some(start) = inner.find("crate::") {
            let link = format!("See [`{}`].", &inner[start..]);
            return vec![syn::parse_quote!(#[doc = #link])];
        }
        let inner = inner.rsplit('<').next().unwrap_or_default();
        if let Some(docs) = self.0.0.get(inner) {
            return docs.clone();
        }
        let name = field
            .ident
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let text = match name.as_str() {
            "extra" => "The other properties.".to_owned(),
            name => format!("Field `{name}`, which the contract does not describe."),
        };
        vec![syn::parse_quote!(#[doc = #text])]
    }
}

fn is_doc(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("doc")
}

/// Splits a doc attribute of several lines, which would be printed as a block comment without indentation.
fn split_doc(attribute: syn::Attribute) -> Vec<syn::Attribute> {
    let Some(text) = doc_text(&attribute) else {
        return vec![attribute];
    };
    lines(&text)
        .map(|line| {
            let is_indented = line.is_empty() || line.starts_with(' ');
            let line = format!("{}{line}", if is_indented { "" } else { " " });
            match attribute.style {
                syn::AttrStyle::Outer => syn::parse_quote!(#[doc = #line]),
                syn::AttrStyle::Inner(_) => syn::parse_quote!(#![doc = #line]),
            }
        })
        .collect()
}

/// The lines of a text in which no example is code of Rust, which rustdoc would compile and run.
fn lines(text: &str) -> impl Iterator<Item = String> {
    let mut is_fenced = false;
    text.trim_end().split('\n').map(move |line| {
        let line: String = line.chars().filter(|c| is_visible(*c)).collect();
        let line = line.trim_end();
        // Quotes and items of lists may begin with code too.
        let is_mark = |c: char| c == ' ' || c.is_ascii_digit() || ">-*+.)".contains(c);
        let content = line.trim_start_matches(is_mark);
        let marks = &line[..line.len() - content.len()];
        let info = content.trim_start_matches(['`', '~']);
        let fence = &content[..content.len() - info.len()];
        if fence.len() >= 3 && !info.contains('`') {
            is_fenced = !is_fenced;
            return format!("{marks}{fence}{}", if is_fenced { "text" } else { "" });
        }
        if is_fenced {
            return line.to_owned();
        }
        // Four spaces begin code, also behind a mark.
        let indent = (line.len() - line.trim_start().len()).min(2);
        let words: Vec<&str> = marks.split_whitespace().collect();
        let space = if marks.ends_with(' ') && !words.is_empty() {
            " "
        } else {
            ""
        };
        format!("{}{}{space}{content}", " ".repeat(indent), words.join(" "))
    })
}

/// Whether a comment of Rust may contain a character: no control characters, also none that change the direction of the
/// text.
fn is_visible(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn doc_text(attribute: &syn::Attribute) -> Option<String> {
    let meta = attribute.meta.require_name_value().ok()?;
    let text: syn::LitStr = syn::parse2(meta.value.to_token_stream()).ok()?;
    is_doc(attribute).then(|| text.value())
}

#[cfg(test)]
mod tests {
    fn documented(source: &str) -> String {
        let mut file = syn::parse_str(source).unwrap();
        super::apply(&mut file);
        prettyplease::unparse(&file)
    }

    #[test]
    fn docs_come_out_as_lines() {
        let text = documented("#[derive(Debug)] #[doc = \"One.\\n\\n  two \\nthree\"] struct A;");
        assert_eq!(
            text,
            "/// One.\n///\n///  two\n/// three\n#[derive(Debug)]\nstruct A;\n"
        );
    }

    #[test]
    fn empty_doc_lines_stay() {
        let text = documented("/// One.\n///\n/// Two.\nstruct A;");
        assert_eq!(text, "/// One.\n///\n/// Two.\nstruct A;\n");
    }

    #[test]
    fn examples_are_not_run() {
        for (description, expected) in [
            (
                "```\n{\n    \"a\": 1\n}\n```",
                "```text\n{\n    \"a\": 1\n}\n```",
            ),
            ("```json\n{}\n```", "```text\n{}\n```"),
            ("```rust\n{}\n```", "```text\n{}\n```"),
            ("> ```\n> {}\n> ```", "> ```text\n> {}\n> ```"),
            ("1. ```\n   {}\n   ```", "1. ```text\n   {}\n   ```"),
            (">     let x = 1;\n-     2", "> let x = 1;\n- 2"),
            ("``` a ``` b\n~~~ no_run\n~~~", "``` a ``` b\n~~~text\n~~~"),
            ("a\n\n    let x = 1;", "a\n\n  let x = 1;"),
            ("a\rb\u{202e}c\u{0}", "abc"),
        ] {
            let lines: Vec<String> = super::lines(description).collect();
            assert_eq!(lines.join("\n"), expected, "{description}");
        }
    }

    #[test]
    fn a_field_without_docs_has_those_of_its_type() {
        let text = documented(
            "mod types { /// One.\nstruct A; struct B { pub a: Option<Vec<A>>, pub b: Option<crate::C>, pub c: u8, d: u8 } }",
        );
        for docs in [
            "/// One.\n        pub a: ",
            "/// See [`crate::C`].\n        pub b: ",
            "/// Field `c`, which the contract does not describe.\n        pub c: u8,\n        d: ",
        ] {
            assert!(text.contains(docs), "{text}");
        }
    }
}
