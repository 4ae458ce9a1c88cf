//! Formats the generated code as readable source text.

use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};

/// Formats a file with prettyplease, whose output does not depend on the toolchain.
pub(super) fn format(file: &syn::File) -> String {
    space_out(&prettyplease::unparse(file))
}

/// Removes `Client::new`, which panics if no HTTP client can be built, and sets its own timeouts.
pub(super) fn remove_panicking_constructor(file: &mut syn::File) {
    Constructor.visit_file_mut(file);
}

struct Constructor;

impl VisitMut for Constructor {
    fn visit_item_impl_mut(&mut self, item: &mut syn::ItemImpl) {
        if item.trait_.is_none() && item.self_ty.to_token_stream().to_string() == "Client" {
            item.items.retain(
                |item| !matches!(item, syn::ImplItem::Fn(method) if method.sig.ident == "new"),
            );
        }
        visit_mut::visit_item_impl_mut(self, item);
    }
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
    use super::{format, remove_panicking_constructor};

    #[test]
    fn the_panicking_constructor_goes_and_others_stay() {
        let mut file = syn::parse_quote! {
            impl Client { pub fn new() {} pub fn new_with_client() {} } impl Other { fn new() {} }
        };
        remove_panicking_constructor(&mut file);
        let text = format(&file);
        assert!(!text.contains("pub fn new()"), "{text}");
        assert!(text.contains("pub fn new_with_client()"), "{text}");
        assert!(text.contains("fn new()"), "{text}");
    }

    #[test]
    fn items_are_apart() {
        let file = syn::parse_quote! {
            mod m { struct A { a: u8 } struct B { b: u8 } } fn f() { if x {} y() }
        };
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
        assert_eq!(format(&file), expected);
    }
}
