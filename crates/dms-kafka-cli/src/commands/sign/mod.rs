//! `dms-kafka sign`: how a signature comes about, stage by stage.

mod request;
mod stages;

use std::time::SystemTime;

use dms_kafka::auth::ProvideCredentials as _;

use crate::arguments::Sign;
use crate::credentials;
use crate::exit::{Exit, Failure};
use crate::output::Format;
use crate::stdout;
use request::Request;
use stages::Stages;

pub(crate) async fn sign(arguments: Sign) -> Result<Exit, Failure> {
    let output = arguments.output;
    let compare = arguments.compare.clone();
    let list = arguments.signed_headers.clone();
    let request = Request::new(arguments)?;
    if compare.is_some() && !request.is_dated() {
        return Err(Failure::usage(
            "a signature holds for one date: give the X-Sdk-Date of the request with --date",
        ));
    }
    let found = credentials::provider()
        .provide_credentials()
        .await
        .map_err(|error| Failure::credentials(&error))?;
    credentials::tell(&found);
    let stages = match &compare {
        Some(foreign) => Stages::compared(&found, &request, foreign)?,
        None => Stages::new(&found, &request, list.as_deref(), SystemTime::now())?,
    };
    let shown = match output {
        Format::Table => stages.to_string(),
        Format::Json => stages.json(),
    };
    stdout::print(&shown)?;
    Ok(if stages.differ() {
        Exit::SomeFailed
    } else {
        Exit::Done
    })
}
