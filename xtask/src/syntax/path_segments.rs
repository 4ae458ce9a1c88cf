//! Values in the path of a request.
//!
//! The generator encodes them, but not a backslash, and not the segments `.` and `..`, so that a URL parser would make another
//! path of them. A function of the client crate encodes or refuses them.

use quote::ToTokens as _;
use syn::parse::Parser as _;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, Token};

pub(super) fn apply(file: &mut syn::File) {
    PathSegments.visit_file_mut(file);
}

struct PathSegments;

impl VisitMut for PathSegments {
    /// `format!("{}/{}", self.baseurl, encode_path(&value.to_string()))`
    fn visit_macro_mut(&mut self, call: &mut syn::Macro) {
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated;
        if call.path.is_ident("format")
            && let Ok(mut arguments) = arguments.parse2(call.tokens.clone())
        {
            arguments.iter_mut().for_each(check);
            call.tokens = arguments.into_token_stream();
        }
        visit_mut::visit_macro_mut(self, call);
    }
}

fn check(expr: &mut Expr) {
    if let Expr::Call(call) = expr
        && call.func.to_token_stream().to_string() == "encode_path"
    {
        let arguments = &call.args;
        *expr = syn::parse_quote!(crate::path_segment::encode(#arguments)?);
    }
}
