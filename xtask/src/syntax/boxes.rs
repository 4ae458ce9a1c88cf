//! Optional properties of types that contain each other.
//!
//! The generator breaks such a cycle at any of its types. If that is an `Option`, the field is a `Box<Option<T>>`, which is sent
//! as null if it is absent.

use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};

use super::inner_type::inner_type;

pub(super) fn apply(file: &mut syn::File) {
    Boxes.visit_file_mut(file);
}

struct Boxes;

impl VisitMut for Boxes {
    fn visit_field_mut(&mut self, field: &mut syn::Field) {
        let is_optional = |it: &syn::Attribute| {
            let text = it.to_token_stream().to_string();
            it.path().is_ident("serde") && text.contains("default")
        };
        let target = inner_type(&field.ty, "Box").and_then(|inner| inner_type(inner, "Option"));
        if let Some(target) = target {
            field.ty = syn::parse_quote!(::std::option::Option<::std::boxed::Box<#target>>);
            // A required property that is absent is sent as null.
            if field.attrs.iter().any(is_optional) {
                let skip = "::std::option::Option::is_none";
                let skip = syn::parse_quote!(#[serde(skip_serializing_if = #skip)]);
                field.attrs.push(skip);
            }
        }
        visit_mut::visit_field_mut(self, field);
    }
}
