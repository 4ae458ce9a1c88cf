//! Calls without needless work.
//!
//! The generator parses scheme and host again for each request, adds a header `api-version` that the contract does not name, and
//! reads the body of the response, which the hooks have read before.

use quote::ToTokens;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ImplItem, Item};

/// Functions that pass on a response with its body.
const PASS_ON: [&str; 2] = ["ResponseValue :: stream", "Error :: UnexpectedResponse"];

pub(super) fn apply(file: &mut syn::File) {
    for item in &mut file.items {
        match item {
            Item::Struct(client) if client.ident == "Client" => {
                let mut fields = client.fields.iter_mut();
                let base = fields.find(|it| it.ident.as_ref().is_some_and(|it| it == "baseurl"));
                base.expect("the client has a base URL").ty = syn::parse_quote!(::reqwest::Url);
            }
            Item::Impl(client) if client.trait_.is_none() => {
                client.items.iter_mut().for_each(change);
            }
            _ => {}
        }
    }
}

fn change(item: &mut ImplItem) {
    let ImplItem::Fn(method) = item else { return };
    if method.sig.ident == "new_with_client" {
        method.sig.inputs[0] = syn::parse_quote!(baseurl: ::reqwest::Url);
        method.block = syn::parse_quote!({
            Self {
                baseurl,
                client,
                inner,
            }
        });
        return;
    }
    let statements = &mut method.block.stmts;
    statements.retain(|it| {
        let text = text(it);
        !(text.starts_with("header_map . append (") && text.contains("Self :: api_version ()"))
    });
    // A map that is only created and passed on is empty.
    let uses = |it: &syn::Stmt| text(it).matches("header_map").count();
    let has_headers = statements.iter().map(uses).sum::<usize>() > 2;
    if !has_headers {
        statements.retain(|it| !text(it).starts_with("let mut header_map ="));
    }
    Calls { has_headers }.visit_block_mut(&mut method.block);
}

struct Calls {
    has_headers: bool,
}

impl VisitMut for Calls {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        visit_mut::visit_expr_mut(self, expr);
        let changed = match expr {
            Expr::MethodCall(call) if call.method == "headers" && !self.has_headers => {
                Some((*call.receiver).clone())
            }
            Expr::Macro(format) => url(&format.mac),
            Expr::Await(read) => match &*read.base {
                Expr::Call(call) if text(&call.func) == "ResponseValue :: from_response" => {
                    let response = &call.args;
                    Some(syn::parse_quote!(crate::decoded(#response)))
                }
                _ => None,
            },
            Expr::Call(call) if PASS_ON.contains(&text(&call.func).as_str()) => {
                let (function, response) = (&call.func, &call.args);
                Some(syn::parse_quote!(#function(crate::complete(#response))))
            }
            _ => None,
        };
        if let Some(changed) = changed {
            *expr = changed;
        }
    }
}

/// The URL of `format!("{}/path", self.baseurl, arguments)`.
fn url(format: &syn::Macro) -> Option<Expr> {
    let arguments = Punctuated::<Expr, syn::Token![,]>::parse_terminated;
    let mut arguments = arguments.parse2(format.tokens.clone()).ok()?.into_iter();
    let template: syn::LitStr = syn::parse2(arguments.next()?.to_token_stream()).ok()?;
    let base = arguments.next().filter(|it| text(it) == "self . baseurl")?;
    let template = template.value();
    let mut parts: Vec<Expr> = Vec::new();
    for text in template.strip_prefix("{}")?.split("{}") {
        parts.push(syn::parse_quote!(#text));
        parts.extend(
            arguments
                .next()
                .map(|argument| syn::parse_quote!(&#argument)),
        );
    }
    Some(syn::parse_quote!(crate::request_url(&#base, &[#(#parts),*])))
}

fn text(tokens: &impl ToTokens) -> String {
    tokens.to_token_stream().to_string()
}

#[cfg(test)]
mod tests {
    use quote::ToTokens as _;

    #[test]
    fn base_headers_and_bodies_are_not_parsed_sent_or_read_in_vain() {
        let mut file: syn::File = syn::parse_quote! {
            struct Client { pub(crate) baseurl: String, client: C, inner: I }
            impl Client {
                fn new_with_client(baseurl: &str, client: C, inner: I) -> Self {
                    Self { baseurl: baseurl.to_string(), client, inner }
                }
            }
            impl ClientInfo for Client {
                fn api_version() -> &'static str { "1" }
            }
            impl Client {
                async fn without() {
                    let url = format!("{}/a/{}", self.baseurl, encode_path(&a.to_string()),);
                    let mut header_map = HeaderMap::with_capacity(1usize);
                    header_map.append(HeaderName::from_static("api-version"), v(Self::api_version()));
                    let mut request = self.client.get(url).headers(header_map).build()?;
                    match status {
                        200u16 => ResponseValue::from_response(response).await,
                        202u16 => Ok(ResponseValue::stream(response)),
                        204u16 => Ok(ResponseValue::empty(response)),
                        400u16 => Err(Error::ErrorResponse(ResponseValue::from_response(response).await?)),
                        _ => Err(Error::UnexpectedResponse(response)),
                    }
                }
                async fn with(&self) {
                    let url = format!("{}/b", self.baseurl,);
                    let mut header_map = HeaderMap::with_capacity(2usize);
                    header_map.append(HeaderName::from_static("api-version"), v(Self::api_version()));
                    if let Some(value) = headers.api_version {
                        header_map.append("api-version", value.to_string().try_into()?);
                    }
                    let mut request = self.client.get(url).headers(header_map).build()?;
                }
            }
            mod types { struct Client { baseurl: String } }
        };
        super::apply(&mut file);
        let expected: syn::File = syn::parse_quote! {
            struct Client { pub(crate) baseurl: ::reqwest::Url, client: C, inner: I }
            impl Client {
                fn new_with_client(baseurl: ::reqwest::Url, client: C, inner: I) -> Self {
                    Self { baseurl, client, inner, }
                }
            }
            impl ClientInfo for Client {
                fn api_version() -> &'static str { "1" }
            }
            impl Client {
                async fn without() {
                    let url = crate::request_url(&self.baseurl, &["/a/", &encode_path(&a.to_string()), ""]);
                    let mut request = self.client.get(url).build()?;
                    match status {
                        200u16 => crate::decoded(response),
                        202u16 => Ok(ResponseValue::stream(crate::complete(response))),
                        204u16 => Ok(ResponseValue::empty(response)),
                        400u16 => Err(Error::ErrorResponse(crate::decoded(response)?)),
                        _ => Err(Error::UnexpectedResponse(crate::complete(response))),
                    }
                }
                async fn with(&self) {
                    let url = crate::request_url(&self.baseurl, &["/b"]);
                    let mut header_map = HeaderMap::with_capacity(2usize);
                    if let Some(value) = headers.api_version {
                        header_map.append("api-version", value.to_string().try_into()?);
                    }
                    let mut request = self.client.get(url).headers(header_map).build()?;
                }
            }
            mod types { struct Client { baseurl: String } }
        };
        assert_eq!(
            file.to_token_stream().to_string(),
            expected.to_token_stream().to_string()
        );
    }
}
