//! Optional parameters are the named fields of a struct, not arguments.
//!
//! The generator makes each an argument, in alphabetical order. An old call would compile with another meaning after a
//! parameter was renamed, or one removed and another of the same type added.

use std::collections::BTreeMap;

use quote::{ToTokens as _, format_ident};
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, FnArg, ImplItem, Item};

use super::inner_type::inner_type;
use crate::lowering::{Argument, Arguments, Field, pascal};

/// Changes the methods of the client, and adds the structs to the types.
pub(super) fn apply(file: &mut syn::File, methods: &BTreeMap<String, Arguments>) {
    let mut structs = Vec::new();
    for item in &mut file.items {
        let Item::Impl(item) = item else { continue };
        for item in &mut item.items {
            if let ImplItem::Fn(method) = item
                && let Some(arguments) = methods.get(&method.sig.ident.to_string())
                && method.sig.asyncness.is_some()
            {
                structs.extend(change(method, arguments));
            }
        }
    }
    let types = file.items.iter_mut().find_map(|item| match item {
        Item::Mod(module) if module.ident == "types" => module.content.as_mut(),
        _ => None,
    });
    if let Some((_, items)) = types {
        // Before the module of errors, among the other types.
        let end = items.iter().position(|item| matches!(item, Item::Mod(_)));
        let end = end.unwrap_or(items.len());
        items.splice(end..end, structs);
    }
}

/// Changes a method, and returns the structs of its optional parameters.
fn change(method: &mut syn::ImplItemFn, arguments: &Arguments) -> Vec<Item> {
    let name = method.sig.ident.clone();
    let mut structs = Vec::new();
    let mut documented: Vec<(String, Option<&str>)> = Vec::new();
    let mut added: Vec<FnArg> = Vec::new();
    for (argument, fields, text) in [
        ("query", &arguments.query, "Optional query parameters."),
        ("headers", &arguments.headers, "Optional headers."),
    ] {
        if fields.is_empty() {
            continue;
        }
        let struct_name = format_ident!("{}", pascal(&format!("{name}-{argument}")));
        let members: Vec<syn::Field> = fields.iter().map(|it| take(method, it)).collect();
        let what = text.trim_end_matches('.');
        let link = format!("{what} of [`Client::{name}`](super::Client::{name}).");
        structs.push(syn::parse_quote! {
            #[doc = #link]
            #[derive(Clone, Debug, Default)]
            pub struct #struct_name { #(#members),* }
        });
        let argument = format_ident!("{argument}");
        added.push(syn::parse_quote!(#argument: &'a types::#struct_name));
        documented.push((argument.to_string(), Some(text)));
    }
    let inputs = &mut method.sig.inputs;
    let body = inputs.iter().position(|input| name_of(input) == "body");
    let end = body.unwrap_or(inputs.len());
    for (index, input) in added.into_iter().enumerate() {
        inputs.insert(end + index, input);
    }
    Uses(arguments).visit_block_mut(&mut method.block);
    let texts = |it: &Argument| (it.name.clone(), it.description.clone());
    let required: BTreeMap<String, Option<String>> = arguments.required.iter().map(texts).collect();
    let mut lines = Vec::new();
    for input in &method.sig.inputs {
        let name = name_of(input);
        let own = documented.iter().find(|(known, _)| *known == name);
        let Some(text) = own
            .map(|(_, text)| *text)
            .or_else(|| Some(required.get(&name)?.as_deref()))
        else {
            continue;
        };
        let text = text.map(|text| format!(": {}", text.trim_end().replace('\n', "\n  ")));
        lines.push(format!("- `{name}`{}", text.unwrap_or_default()));
    }
    if !lines.is_empty() {
        let lines = format!("\nArguments:\n{}", lines.join("\n"));
        method.attrs.push(syn::parse_quote!(#[doc = #lines]));
    }
    structs
}

/// Removes the argument of an optional parameter, and returns it as a field.
fn take(method: &mut syn::ImplItemFn, field: &Field) -> syn::Field {
    let inputs = std::mem::take(&mut method.sig.inputs);
    let (mut member, name) = (None, format_ident!("{}", field.name));
    for input in inputs {
        if let (FnArg::Typed(typed), true) = (&input, name_of(&input) == field.name)
            && let Some(kind) = optional(&typed.ty)
            && member.is_none()
        {
            let docs = field.description.as_deref().map(str::trim_end);
            let docs: Option<syn::Attribute> = docs.map(|docs| syn::parse_quote!(#[doc = #docs]));
            member = Some(syn::parse_quote!(#docs pub #name: ::std::option::Option<#kind>));
            continue;
        }
        method.sig.inputs.push(input);
    }
    member.expect("the generator makes each optional parameter an argument")
}

fn name_of(input: &FnArg) -> String {
    match input {
        FnArg::Typed(typed) => typed.pat.to_token_stream().to_string(),
        FnArg::Receiver(_) => String::new(),
    }
}

/// The owned type in an `Option`.
fn optional(kind: &syn::Type) -> Option<syn::Type> {
    let inner = inner_type(kind, "Option")?;
    Some(match inner {
        syn::Type::Reference(reference) => match &*reference.elem {
            syn::Type::Path(path) if path.path.is_ident("str") => {
                syn::parse_quote!(::std::string::String)
            }
            elem => elem.clone(),
        },
        inner => inner.clone(),
    })
}

/// Replaces the uses of the removed arguments.
struct Uses<'a>(&'a Arguments);

impl VisitMut for Uses<'_> {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            // `QueryParam::new("key", &name)`
            Expr::Call(call)
                if call.args.len() == 2
                    && call
                        .func
                        .to_token_stream()
                        .to_string()
                        .ends_with("QueryParam :: new") =>
            {
                let key = syn::parse2::<syn::LitStr>(call.args[0].to_token_stream());
                let key = key.map(|key| key.value()).unwrap_or_default();
                if let Some(field) = self.0.query.iter().find(|it| it.key == key) {
                    let name = format_ident!("{}", field.name);
                    call.args[1] = syn::parse_quote!(&query.#name);
                }
            }
            // `if let Some(value) = name`
            Expr::Let(condition) => {
                let name = condition.expr.to_token_stream().to_string();
                if self.0.headers.iter().any(|it| it.name == name) {
                    let name = format_ident!("{name}");
                    condition.expr = syn::parse_quote!(&headers.#name);
                }
            }
            _ => {}
        }
        visit_mut::visit_expr_mut(self, expr);
    }
}
