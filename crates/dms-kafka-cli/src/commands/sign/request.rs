//! The request to be signed.

use std::io::Read as _;

use dms_kafka::auth::signing::{Payload, RequestTarget, X_SDK_DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use crate::arguments::Sign;
use crate::exit::Failure;

/// A request as it would go on the wire.
pub(super) struct Request {
    method: Method,
    host: String,
    path: String,
    query: String,
    pub(super) headers: HeaderMap,
    body: Vec<u8>,
}

impl Request {
    pub(super) fn new(arguments: Sign) -> Result<Self, Failure> {
        let (host, path, query) = parts(&arguments.url)?;
        let headers = headers(&arguments.header, arguments.date)?;
        let otherwise = if arguments.data.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        Ok(Self {
            method: arguments.method.unwrap_or(otherwise),
            host,
            path,
            query,
            headers,
            body: body(arguments.data)?,
        })
    }

    pub(super) fn target(&self) -> RequestTarget<'_> {
        RequestTarget {
            method: &self.method,
            host: &self.host,
            path: &self.path,
            query: &self.query,
        }
    }

    pub(super) fn payload(&self) -> Payload<'_> {
        Payload::Bytes(&self.body)
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn is_dated(&self) -> bool {
        self.headers.contains_key(X_SDK_DATE)
    }
}

/// Value of the `Host` header, path and query.
fn parts(url: &str) -> Result<(String, String, String), Failure> {
    let with_scheme = if url.contains("://") {
        url.to_owned()
    } else {
        format!("https://{url}")
    };
    // The URL may hold a password, so only what cannot be one is repeated.
    let refuse = |rule: &str| Failure::usage(format!("the URL {rule}"));
    let uri: Uri = with_scheme
        .parse()
        .map_err(|_| refuse("is not one: write it percent-encoded, as it is sent"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(refuse("lacks a host"));
    };
    if authority.as_str().contains('@') {
        return Err(refuse("holds a user name: remove it"));
    }
    let own_port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return Err(refuse("has a scheme other than https and http")),
    };
    let host = match authority.port_u16() {
        Some(port) if port != own_port => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    let query = uri.query().unwrap_or_default().to_owned();
    Ok((host, uri.path().to_owned(), query))
}

fn headers(given: &[String], date: Option<HeaderValue>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for text in given {
        let (name, value) = named_value(text)?;
        headers.append(name, value);
    }
    if let Some(date) = date
        && headers.insert(X_SDK_DATE, date).is_some()
    {
        return Err(Failure::usage(
            "the date is given twice: with --date and as a header",
        ));
    }
    Ok(headers)
}

/// The value may be a token, so no message repeats it.
fn named_value(text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let Some((name, value)) = text.split_once(':') else {
        return Err(Failure::usage(
            "--header lacks a colon: write it as 'NAME: VALUE', such as 'Content-Type: application/json'",
        ));
    };
    let name: HeaderName = name.trim().parse().map_err(|_| {
        Failure::usage("--header: what stands before the colon is no name of a header")
    })?;
    if name == header::AUTHORIZATION {
        return Err(Failure::usage(
            "Authorization is what `sign` makes: leave it out, or give it to --compare",
        ));
    }
    let value = HeaderValue::from_str(value.trim()).map_err(|_| {
        Failure::usage(format!(
            "--header {name}: the value holds a character that no header may carry"
        ))
    })?;
    Ok((name, value))
}

fn body(data: Option<String>) -> Result<Vec<u8>, Failure> {
    let Some(data) = data else {
        return Ok(Vec::new());
    };
    match data.strip_prefix('@') {
        None => Ok(data.into_bytes()),
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map_err(|error| {
                    Failure::input(format!("standard input cannot be read: {error}"))
                })?;
            Ok(bytes)
        }
        Some(path) => std::fs::read(path)
            .map_err(|error| Failure::input(format!("the file {path} cannot be read: {error}"))),
    }
}
