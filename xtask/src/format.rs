//! Formats the generated tokens as readable source text.

use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};

/// Formats a generated file with prettyplease, whose output does not depend on the toolchain.
pub(crate) fn format(mut file: syn::File) -> String {
    CleanUp.visit_file_mut(&mut file);
    space_out(&prettyplease::unparse(&file))
}

/// Fixes the generated code: writes docs as `///` lines, removes the constructor that panics, allows variants
/// without descriptions, which the generator drops, and rejects arrays in place of objects.
struct CleanUp;

impl VisitMut for CleanUp {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<syn::Attribute>) {
        *attributes = attributes.drain(..).flat_map(split_doc).collect();
        // Docs first, as is usual.
        attributes.sort_by_key(|attribute| !is_doc(attribute));
    }

    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        // `Client::new` panics if no HTTP client can be built, and sets its own timeouts.
        if item.trait_.is_none() && item.self_ty.to_token_stream().to_string() == "Client" {
            item.items.retain(
                |item| !matches!(item, syn::ImplItem::Fn(method) if method.sig.ident == "new"),
            );
        }
        visit_mut::visit_item_impl_mut(self, item);
    }

    fn visit_field_mut(&mut self, field: &mut syn::Field) {
        // The docs of a hand-written type are at the type, not in the contract.
        let kind = field.ty.to_token_stream().to_string().replace(' ', "");
        if let (Some(start), false) = (kind.find("crate::"), field.attrs.iter().any(is_doc)) {
            let link = format!("See [`{}`].", kind[start..].trim_end_matches('>'));
            field.attrs.push(syn::parse_quote!(#[doc = #link]));
        }
        visit_mut::visit_field_mut(self, field);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            *items = items.drain(..).flat_map(objects_only).collect();
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_enum_mut(&mut self, item: &mut syn::ItemEnum) {
        let has_docs = |variant: &syn::Variant| variant.attrs.iter().any(is_doc);
        if !item.variants.iter().all(has_docs) {
            item.attrs.push(syn::parse_quote!(
                #[allow(missing_docs, reason = "the generator drops the descriptions of variants")]
            ));
        }
        visit_mut::visit_item_enum_mut(self, item);
    }
}

/// Code derived by serde reads a struct from an array too. With `remote` it becomes an inherent function, which the macro
/// of the client crate calls for objects only.
fn objects_only(item: syn::Item) -> Vec<syn::Item> {
    let syn::Item::Struct(mut item) = item else {
        return vec![item];
    };
    if !(matches!(item.fields, syn::Fields::Named(_)) && derives_deserialize(&item)) {
        return vec![syn::Item::Struct(item)];
    }
    item.attrs
        .push(syn::parse_quote!(#[serde(remote = "Self")]));
    let name = &item.ident;
    let implementation = syn::parse_quote!(crate::objects_only!(#name););
    vec![syn::Item::Struct(item), implementation]
}

fn derives_deserialize(item: &syn::ItemStruct) -> bool {
    item.attrs.iter().any(|attribute| {
        let tokens = attribute.to_token_stream().to_string();
        attribute.path().is_ident("derive") && tokens.contains("Deserialize")
    })
}

fn is_doc(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("doc")
}

/// Splits a doc attribute of several lines, which would be printed as a block comment without indentation.
fn split_doc(attribute: syn::Attribute) -> Vec<syn::Attribute> {
    let Some(text) = doc_text(&attribute) else {
        return vec![attribute];
    };
    text.trim_end()
        .split('\n')
        .map(|line| {
            let line = line.trim_end();
            let is_indented = line.is_empty() || line.starts_with(' ');
            let line = format!("{}{line}", if is_indented { "" } else { " " });
            match attribute.style {
                syn::AttrStyle::Outer => syn::parse_quote!(#[doc = #line]),
                syn::AttrStyle::Inner(_) => syn::parse_quote!(#![doc = #line]),
            }
        })
        .collect()
}

fn doc_text(attribute: &syn::Attribute) -> Option<String> {
    let meta = attribute.meta.require_name_value().ok()?;
    let text: syn::LitStr = syn::parse2(meta.value.to_token_stream()).ok()?;
    is_doc(attribute).then(|| text.value())
}

/// Separates items by an empty line, which prettyplease does not. Items nest at most two levels deep: anything deeper is
/// inside a function and stays unchanged.
fn space_out(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        spaced.push_str(line);
        spaced.push('\n');
        let depth = line.len() - line.trim_start().len();
        let next = lines.peek().map_or("}", |next| next.trim_start());
        let closes_item = matches!(line.trim_start(), "}" | "};") && !next.starts_with('}');
        let precedes_docs = line.ends_with(';') && next.starts_with("///");
        if depth <= 4 && (closes_item || precedes_docs) {
            spaced.push('\n');
        }
    }
    spaced
}

#[cfg(test)]
mod tests {
    use super::format;

    fn formatted(source: &str) -> String {
        format(syn::parse_str(source).unwrap())
    }

    #[test]
    fn docs_come_out_as_lines() {
        let text = formatted("#[derive(Debug)] #[doc = \"One.\\n\\n  two \\nthree\"] struct A;");
        assert_eq!(
            text,
            "/// One.\n///\n///  two\n/// three\n#[derive(Debug)]\nstruct A;\n"
        );
    }

    #[test]
    fn empty_doc_lines_stay() {
        let text = formatted("/// One.\n///\n/// Two.\nstruct A;");
        assert_eq!(text, "/// One.\n///\n/// Two.\nstruct A;\n");
    }

    #[test]
    fn the_panicking_constructor_goes_and_others_stay() {
        let text = formatted(
            "impl Client { pub fn new() {} pub fn new_with_client() {} } impl Other { fn new() {} }",
        );
        assert!(!text.contains("pub fn new()"), "{text}");
        assert!(text.contains("pub fn new_with_client()"), "{text}");
        assert!(text.contains("fn new()"), "{text}");
    }

    #[test]
    fn variants_without_docs_are_excused_and_others_are_not() {
        let text = formatted("enum A { #[serde(skip)] B } enum C { /// D.\n D }");
        assert_eq!(text.matches("#[allow(missing_docs").count(), 1, "{text}");
        assert!(
            text.ends_with("}\n\nenum C {\n    /// D.\n    D,\n}\n"),
            "{text}"
        );
    }

    #[test]
    fn items_are_apart() {
        let text =
            formatted("mod m { struct A { a: u8 } struct B { b: u8 } } fn f() { if x {} y() }");
        let expected = "\
mod m {
    struct A {
        a: u8,
    }

    struct B {
        b: u8,
    }
}

fn f() {
    if x {}
    y()
}
";
        assert_eq!(text, expected);
    }
}
