//! Generated structs accept JSON objects only.
//!
//! Code derived by serde reads a struct from an array too. With `remote` it becomes an inherent function, which the macro of
//! the client crate calls for objects only.

use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};

pub(super) fn apply(file: &mut syn::File) {
    ObjectsOnly.visit_file_mut(file);
}

struct ObjectsOnly;

impl VisitMut for ObjectsOnly {
    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            *items = items.drain(..).flat_map(objects_only).collect();
        }
        visit_mut::visit_item_mod_mut(self, module);
    }
}

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

#[cfg(test)]
mod tests {
    use quote::ToTokens as _;

    #[test]
    fn only_structs_that_are_decoded_are_changed() {
        let mut file = syn::parse_quote! {
            mod types {
                #[derive(Clone, ::serde::Deserialize)] struct A { a: u8 }
                #[derive(Clone)] struct B { b: u8 }
                #[derive(::serde::Deserialize)] struct C(u8);
            }
        };
        super::apply(&mut file);
        let expected: syn::File = syn::parse_quote! {
            mod types {
                #[derive(Clone, ::serde::Deserialize)] #[serde(remote = "Self")] struct A { a: u8 }
                crate::objects_only!(A);
                #[derive(Clone)] struct B { b: u8 }
                #[derive(::serde::Deserialize)] struct C(u8);
            }
        };
        assert_eq!(
            file.to_token_stream().to_string(),
            expected.to_token_stream().to_string()
        );
    }
}
