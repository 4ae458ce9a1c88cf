//! `dms-kafka sign`: the stages of signing a request.

use std::fmt;
use std::io::Read as _;
use std::time::SystemTime;

use clap::Args;
use dms_kafka::auth::signing::{
    CanonicalRequest, Explanation, Payload, RequestTarget, SignedHeaders, Signer, X_SDK_DATE,
};
use dms_kafka::auth::verification::Authorization;
use dms_kafka::auth::{Credentials, Endpoint, ProvideCredentials as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use serde::Serialize;

use crate::credentials;
use crate::exit::{Exit, Failure};
use crate::output::{self, Format};
use crate::stderr;
use crate::stdout;

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// URL of the request, percent-encoded as sent
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// Method of the request; by default GET, or POST with --data
    #[arg(short = 'X', long, value_parser = method, help_heading = "Request")]
    pub(crate) method: Option<Method>,

    /// Header of the request; repeatable
    // Parsed later: an error of clap would print the value, which may be a token.
    #[arg(
        short = 'H',
        long,
        value_name = "NAME: VALUE",
        help_heading = "Request"
    )]
    pub(crate) header: Vec<String>,

    /// Request body: the text itself, @FILE for a file, @- for standard input
    #[arg(short, long, value_name = "TEXT|@FILE", help_heading = "Request")]
    pub(crate) data: Option<String>,

    /// X-Sdk-Date, such as 20260102T030405Z; by default the current time
    #[arg(long, value_name = "DATE", value_parser = date, help_heading = "Signature")]
    pub(crate) date: Option<HeaderValue>,

    /// Names of the headers to sign, such as 'host;x-sdk-date'; by default those that the dms-kafka client signs
    #[arg(long, value_name = "NAMES", help_heading = "Signature")]
    pub(crate) signed_headers: Option<String>,

    /// Authorization header of another program for the same request: sign the same headers and compare the signatures
    #[arg(
        long,
        value_name = "AUTHORIZATION",
        conflicts_with = "signed_headers",
        help_heading = "Signature"
    )]
    pub(crate) compare: Option<String>,

    /// Output format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    pub(crate) output: Format,
}

pub(crate) async fn sign(arguments: Sign) -> Result<Exit, Failure> {
    let request = RequestToSign::new(&arguments)?;
    if arguments.compare.is_some() && !request.headers.contains_key(X_SDK_DATE) {
        return Err(Failure::usage(
            "--compare needs the X-Sdk-Date of the request: add it with --date",
        ));
    }
    let provider = credentials::provider(&request.endpoint);
    let found = stderr::show_wait("waiting for credentials", provider.provide_credentials())
        .await
        .map_err(|error| Failure::credentials(&error))?;
    credentials::log_source(&found);
    let list = arguments.signed_headers.as_deref();
    let stages = match &arguments.compare {
        Some(other) => Stages::compared(&found, &request, other)?,
        None => Stages::new(&found, &request, list, SystemTime::now())?,
    };
    stdout::print(&match arguments.output {
        Format::Table => stages.to_string(),
        Format::Json => output::json_line(&stages),
    })?;
    match stages.comparison {
        Some(comparison) if !comparison.matches => Ok(Exit::SomeFailed),
        _ => Ok(Exit::Done),
    }
}

fn method(text: &str) -> Result<Method, String> {
    text.parse()
        .map_err(|_| "expected an HTTP method, such as GET".to_owned())
}

fn date(text: &str) -> Result<HeaderValue, String> {
    let form = |(index, byte): (usize, u8)| match index {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    let has_form = text.len() == 16 && text.bytes().enumerate().all(form);
    let value = HeaderValue::from_str(text).ok().filter(|_| has_form);
    value.ok_or_else(|| "expected YYYYMMDDTHHMMSSZ, such as 20260102T030405Z".to_owned())
}

struct RequestToSign {
    method: Method,
    endpoint: Endpoint,
    uri: Uri,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl RequestToSign {
    fn new(arguments: &Sign) -> Result<Self, Failure> {
        let (endpoint, uri) = url(&arguments.url)?;
        let default_method = if arguments.data.is_some() {
            Method::POST
        } else {
            Method::GET
        };
        Ok(Self {
            method: arguments.method.clone().unwrap_or(default_method),
            endpoint,
            uri,
            headers: headers(&arguments.header, arguments.date.as_ref())?,
            body: body(arguments.data.as_deref())?,
        })
    }

    fn target(&self) -> RequestTarget<'_> {
        RequestTarget {
            method: &self.method,
            host: self.endpoint.authority(),
            path: self.uri.path(),
            query: self.uri.query().unwrap_or_default(),
        }
    }
}

/// The URL may contain a password, so messages contain only its scheme and host.
fn url(text: &str) -> Result<(Endpoint, Uri), Failure> {
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("https://{text}")
    };
    let uri: Uri = with_scheme.parse().map_err(|_| {
        Failure::usage("the URL is not valid: write it percent-encoded, as it is sent")
    })?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(Failure::usage("the URL has no host"));
    };
    let endpoint = format!("{scheme}://{authority}");
    let endpoint = endpoint
        .parse::<Endpoint>()
        .map_err(|error| Failure::usage(format!("URL: {error}")))?;
    Ok((endpoint, uri))
}

fn headers(given: &[String], date: Option<&HeaderValue>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for text in given {
        let (name, value) = named_value(text)?;
        headers.append(name, value);
    }
    if let Some(date) = date
        && headers.insert(X_SDK_DATE, date.clone()).is_some()
    {
        return Err(Failure::usage(
            "the date is given twice: as --date and as a header",
        ));
    }
    Ok(headers)
}

/// The value may be a token, so messages do not contain it.
fn named_value(text: &str) -> Result<(HeaderName, HeaderValue), Failure> {
    let Some((name, value)) = text.split_once(':') else {
        return Err(Failure::usage(
            "--header: expected 'NAME: VALUE', such as 'Content-Type: application/json'",
        ));
    };
    let name: HeaderName = name
        .trim()
        .parse()
        .map_err(|_| Failure::usage("--header: the text before the colon is not a header name"))?;
    if name == header::AUTHORIZATION {
        return Err(Failure::usage(
            "--header: `sign` generates Authorization; remove it, or use --compare",
        ));
    }
    let value = HeaderValue::from_str(value.trim()).map_err(|_| {
        Failure::usage(format!(
            "--header {name}: the value contains a character that headers do not allow"
        ))
    })?;
    Ok((name, value))
}

fn body(data: Option<&str>) -> Result<Vec<u8>, Failure> {
    let Some(data) = data else {
        return Ok(Vec::new());
    };
    match data.strip_prefix('@') {
        None => Ok(data.as_bytes().to_vec()),
        Some("-") => {
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut bytes)
                .map_err(|error| {
                    Failure::input(format!("--data: standard input cannot be read: {error}"))
                })?;
            Ok(bytes)
        }
        Some(path) => std::fs::read(path).map_err(|error| {
            Failure::input(format!("--data: the file {path} cannot be read: {error}"))
        }),
    }
}

/// The documented JSON of `sign`. The stages are null if the credentials are a token.
#[derive(Serialize)]
struct Stages {
    canonical_request: Option<String>,
    canonical_request_sha256: Option<String>,
    string_to_sign: Option<String>,
    signature: Option<String>,
    authorization: Option<String>,
    /// With `<redacted>` in place of tokens.
    headers: Vec<SentHeader>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
}

#[derive(Serialize)]
struct SentHeader {
    name: String,
    value: String,
}

/// The comparison with the `Authorization` header of another program.
#[derive(Serialize)]
struct Comparison {
    matches: bool,
    same_access_key: bool,
    same_signature: bool,
}

impl Stages {
    /// Signs the listed headers, or those that the dms-kafka client signs.
    fn new(
        credentials: &Credentials,
        request: &RequestToSign,
        list: Option<&str>,
        now: SystemTime,
    ) -> Result<Self, Failure> {
        let mut signer = Signer::new(credentials, now);
        if let Some(list) = list {
            let listed = SignedHeaders::parse(list).ok_or_else(|| {
                Failure::usage(format!(
                    "--signed-headers: {list:?} is not a list of lower-case names in ascending order, separated by ';'"
                ))
            })?;
            signer = signer.with_signed_headers(listed);
        }
        let explanation = signer
            .explain(
                request.target(),
                &request.headers,
                Payload::Bytes(&request.body),
            )
            .map_err(Failure::usage)?;
        let stages = Self::of(&explanation, request.endpoint.authority());
        let is_absent = |name: &&str| stages.header(name).is_none();
        let mut listed = list.unwrap_or_default().split_terminator(';');
        match listed
            .find(is_absent)
            .filter(|_| stages.signature.is_some())
        {
            Some(name) => Err(Failure::usage(format!(
                "the header {name} is in the list of signed headers but not in the request: add it with --header"
            ))),
            None => Ok(stages),
        }
    }

    fn of(explanation: &Explanation, host: &str) -> Self {
        let sent = explanation
            .headers()
            .filter(|(name, _)| *name != header::HOST);
        let mut headers: Vec<_> = sent
            .map(|(name, value)| SentHeader {
                name: name.to_owned(),
                value: value.into_owned(),
            })
            .chain([SentHeader {
                name: header::HOST.to_string(),
                value: host.to_owned(),
            }])
            .collect();
        headers.sort_by(|one, other| one.name.cmp(&other.name));
        let canonical_request = explanation.canonical_request();
        let mut stages = Self {
            canonical_request: canonical_request.map(ToString::to_string),
            canonical_request_sha256: canonical_request.map(CanonicalRequest::sha256),
            string_to_sign: explanation.string_to_sign().map(str::to_owned),
            signature: explanation.signature().map(ToString::to_string),
            authorization: None,
            headers,
            comparison: None,
        };
        if stages.signature.is_some() {
            let authorization = stages.header(header::AUTHORIZATION.as_str());
            stages.authorization = authorization.map(str::to_owned);
        }
        stages
    }

    fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.name == name)?;
        Some(&header.value)
    }

    /// Signs the same headers as the other program, and compares.
    fn compared(
        credentials: &Credentials,
        request: &RequestToSign,
        other: &str,
    ) -> Result<Self, Failure> {
        let value = other.strip_prefix("Authorization:").unwrap_or(other).trim();
        let other = Authorization::parse(value)
            .map_err(|error| Failure::usage(format!("--compare: {error}")))?;
        let list = other.signed_headers().as_str();
        // The request has a date, so the time is not used.
        let mut stages = Self::new(credentials, request, Some(list), SystemTime::UNIX_EPOCH)?;
        let Some(signature) = &stages.signature else {
            return Err(Failure::usage(
                "--compare needs an access key: the credentials are a token, which signs nothing",
            ));
        };
        let same_access_key = credentials.access_key() == Some(other.access_key());
        let same_signature = signature == other.signature();
        stages.comparison = Some(Comparison {
            matches: same_access_key && same_signature,
            same_access_key,
            same_signature,
        });
        Ok(stages)
    }
}

impl fmt::Display for Stages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages = [
            ("Canonical request", &self.canonical_request),
            ("String to sign", &self.string_to_sign),
            ("Signature", &self.signature),
        ];
        if self.signature.is_none() {
            writeln!(
                f,
                "The credentials are a token: the request is not signed.\n"
            )?;
        }
        for (name, stage) in stages {
            if let Some(stage) = stage {
                writeln!(f, "{name}\n{stage}\n")?;
            }
        }
        writeln!(f, "Headers to send")?;
        for header in &self.headers {
            writeln!(f, "{}: {}", header.name, header.value)?;
        }
        let Some(comparison) = &self.comparison else {
            return Ok(());
        };
        writeln!(f, "\nComparison")?;
        writeln!(f, "{}", comparison.verdict())
    }
}

impl Comparison {
    fn verdict(&self) -> &'static str {
        match (self.same_access_key, self.same_signature) {
            (true, true) => "The signatures match.",
            (false, _) => "The access keys differ: the other signature was made with another key.",
            (true, false) => {
                "The signatures differ: compare the stages above with those of the other program. If all stages are the \
                 same, the secret keys differ."
            }
        }
    }
}
