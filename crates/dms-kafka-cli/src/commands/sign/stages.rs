//! The stages of a signature, without anything secret.

use std::fmt;
use std::time::SystemTime;

use dms_kafka::auth::Credentials;
use dms_kafka::auth::signing::{CanonicalRequest, Explanation, SignedHeaders, Signer};
use dms_kafka::auth::verification::Authorization;
use http::header;
use serde::Serialize;

use super::request::Request;
use crate::exit::Failure;
use crate::output;

/// The documented JSON of `sign`; the stages are null when nothing is signed.
#[derive(Serialize)]
pub(super) struct Stages {
    canonical_request: Option<String>,
    canonical_request_sha256: Option<String>,
    string_to_sign: Option<String>,
    signature: Option<String>,
    authorization: Option<String>,
    /// Tokens are shown as `<redacted>`.
    headers: Vec<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
}

#[derive(Serialize)]
struct Header {
    name: String,
    value: String,
}

/// What another signer's `Authorization` says, held against what it should say.
#[derive(Serialize)]
struct Comparison {
    matches: bool,
    same_access_key: bool,
    same_signature: bool,
}

impl Stages {
    /// Signs the listed headers, or those that the client of this project signs.
    pub(super) fn new(
        credentials: &Credentials,
        request: &Request,
        list: Option<&str>,
        now: SystemTime,
    ) -> Result<Self, Failure> {
        let mut signer = Signer::new(credentials, now);
        if let Some(list) = list {
            let listed = SignedHeaders::parse(list).ok_or_else(|| {
                Failure::usage(format!(
                    "{list:?} is no list of signed headers: lower-case names in ascending order with ';' between them"
                ))
            })?;
            signer = signer.with_signed_headers(listed);
        }
        let explanation = signer
            .explain(request.target(), &request.headers, request.payload())
            .map_err(Failure::usage)?;
        let stages = Self::of(&explanation, request.host());
        let is_absent = |name: &&str| stages.header(name).is_none();
        let mut listed = list.unwrap_or_default().split_terminator(';');
        match listed
            .find(is_absent)
            .filter(|_| stages.signature.is_some())
        {
            Some(name) => Err(Failure::usage(format!(
                "the header {name} is to be signed, but the request has none: add it with --header"
            ))),
            None => Ok(stages),
        }
    }

    fn of(explanation: &Explanation, host: &str) -> Self {
        let sent = explanation
            .headers()
            .filter(|(name, _)| *name != header::HOST);
        let mut headers: Vec<_> = sent
            .map(|(name, value)| Header {
                name: name.to_owned(),
                value: value.into_owned(),
            })
            .chain([Header {
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

    /// Signs what the other signer signed, and holds the results against each other.
    pub(super) fn compared(
        credentials: &Credentials,
        request: &Request,
        foreign: &str,
    ) -> Result<Self, Failure> {
        let value = foreign
            .strip_prefix("Authorization:")
            .unwrap_or(foreign)
            .trim();
        let foreign = Authorization::parse(value)
            .map_err(|error| Failure::usage(format!("--compare: {error}")))?;
        let list = foreign.signed_headers().as_str();
        // The request is dated, so no clock is looked at.
        let mut stages = Self::new(credentials, request, Some(list), SystemTime::UNIX_EPOCH)?;
        let Some(signature) = &stages.signature else {
            return Err(Failure::usage(
                "there is nothing to compare: the credentials are a token, which signs nothing",
            ));
        };
        let same_access_key = credentials.access_key() == Some(foreign.access_key());
        let same_signature = signature == foreign.signature();
        stages.comparison = Some(Comparison {
            matches: same_access_key && same_signature,
            same_access_key,
            same_signature,
        });
        Ok(stages)
    }

    /// Whether another signature was compared and is wrong.
    pub(super) fn differ(&self) -> bool {
        self.comparison
            .as_ref()
            .is_some_and(|comparison| !comparison.matches)
    }

    pub(super) fn json(&self) -> String {
        output::json_line(self)
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
            writeln!(f, "Nothing is signed: the credentials are a token.\n")?;
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
        writeln!(f, "{}", comparison.words())
    }
}

impl Comparison {
    fn words(&self) -> &'static str {
        match (self.same_access_key, self.same_signature) {
            (true, true) => "The other signature is right.",
            (false, _) => {
                "The other signature names another access key than these credentials have."
            }
            (true, false) => {
                "The other signature is wrong: compare the stages above with those of its signer; if all are the \
                 same, the secret keys differ."
            }
        }
    }
}
