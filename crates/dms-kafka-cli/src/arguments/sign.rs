//! What `sign` takes.

use clap::Args;
use http::{HeaderValue, Method};

use crate::output::Format;

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// URL of the request, percent-encoded as it is sent
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// Method of the request; GET when absent, POST with --data
    #[arg(short = 'X', long, help_heading = "Request")]
    pub(crate) method: Option<Method>,

    /// Header of the request; repeatable
    // Read later: an error of clap would repeat the value, which may be a token.
    #[arg(
        short = 'H',
        long,
        value_name = "NAME: VALUE",
        help_heading = "Request"
    )]
    pub(crate) header: Vec<String>,

    /// Body of the request: the text itself, @FILE for a file's bytes, @- for standard input
    #[arg(short, long, value_name = "TEXT|@FILE", help_heading = "Request")]
    pub(crate) data: Option<String>,

    /// X-Sdk-Date, such as 20260102T030405Z; the present moment when absent
    #[arg(long, value_name = "DATE", help_heading = "Signature")]
    pub(crate) date: Option<HeaderValue>,

    /// Names of the headers to sign, such as 'host;x-sdk-date'; those that this project's client signs when absent
    #[arg(long, value_name = "NAMES", help_heading = "Signature")]
    pub(crate) signed_headers: Option<String>,

    /// Authorization header of another signer, for the same request: sign the headers that it signs, and tell whether
    /// it is right
    #[arg(
        long,
        value_name = "AUTHORIZATION",
        conflicts_with = "signed_headers",
        help_heading = "Signature"
    )]
    pub(crate) compare: Option<String>,

    /// How to print the stages
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Format::Table)]
    pub(crate) output: Format,
}
