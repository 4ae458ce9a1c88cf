//! The stages of a signature, without anything secret.

use std::fmt;
use std::time::SystemTime;

use dms_kafka::auth::Credentials;
use dms_kafka::auth::signing::{
    self, ALGORITHM, CanonicalRequest, Explanation, Signature, SignedHeaders, SigningRequest,
    X_SDK_DATE,
};
use dms_kafka::auth::verification::Authorization;
use http::HeaderMap;
use serde::Serialize;

use super::Request;
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
        let explanation = signing::explain(
            credentials,
            request.target(),
            &request.headers,
            request.payload(),
            now,
        )
        .map_err(Failure::usage)?;
        let shown = explanation.headers().map(|(name, value)| Header {
            name: name.to_owned(),
            value: value.into_owned(),
        });
        let mut stages = Self::unsigned(request.host(), shown);
        match (explanation.signature(), list) {
            (None, _) => {}
            (Some(signature), None) => stages.take(&explanation, signature),
            (Some(_), Some(list)) => stages.sign_listed(credentials, request, now, list)?,
        }
        Ok(stages)
    }

    fn take(&mut self, explanation: &Explanation, signature: &Signature) {
        let canonical_request = explanation.canonical_request();
        self.authorization = self.shown_authorization();
        self.canonical_request_sha256 = canonical_request.map(CanonicalRequest::sha256);
        self.canonical_request = canonical_request.map(ToString::to_string);
        self.string_to_sign = explanation.string_to_sign().map(str::to_owned);
        self.signature = Some(signature.to_string());
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

    fn unsigned(host: &str, headers: impl Iterator<Item = Header>) -> Self {
        let host = Header {
            name: http::header::HOST.to_string(),
            value: host.to_owned(),
        };
        let headers = headers.filter(|header| header.name != host.name);
        let mut headers: Vec<_> = headers.collect();
        headers.push(host);
        headers.sort_by(|one, other| one.name.cmp(&other.name));
        Self {
            canonical_request: None,
            canonical_request_sha256: None,
            string_to_sign: None,
            signature: None,
            authorization: None,
            headers,
            comparison: None,
        }
    }

    fn sign_listed(
        &mut self,
        credentials: &Credentials,
        request: &Request,
        now: SystemTime,
        list: &str,
    ) -> Result<(), Failure> {
        let headers = &authorized(credentials, request, now)?;
        let Some(listed) = SignedHeaders::parse(list) else {
            return Err(Failure::usage(format!(
                "{list:?} is no list of signed headers: lower-case names in ascending order with ';' between them"
            )));
        };
        let absent = |name: &&str| *name != http::header::HOST && !headers.contains_key(*name);
        if let Some(name) = listed.iter().find(absent) {
            return Err(Failure::usage(format!(
                "the header {name} is to be signed, but the request has none: add it with --header"
            )));
        }
        let signed = SigningRequest {
            target: request.target(),
            headers,
            payload: request.payload(),
        };
        let canonical_request = signing::canonical_request(&signed, &listed);
        let string_to_sign = signing::string_to_sign(date(headers), &canonical_request);
        let signature = signing::signature(
            credentials.secret_key().unwrap_or_default(),
            &string_to_sign,
        );
        let authorization = format!(
            "{ALGORITHM} Access={}, SignedHeaders={listed}, Signature={signature}",
            credentials.access_key().unwrap_or_default()
        );
        for header in &mut self.headers {
            if *header.name == http::header::AUTHORIZATION {
                header.value.clone_from(&authorization);
            }
        }
        self.canonical_request_sha256 = Some(canonical_request.sha256());
        self.canonical_request = Some(canonical_request.to_string());
        self.string_to_sign = Some(string_to_sign);
        self.signature = Some(signature.to_string());
        self.authorization = Some(authorization);
        Ok(())
    }

    fn shown_authorization(&self) -> Option<String> {
        self.headers
            .iter()
            .find(|header| *header.name == http::header::AUTHORIZATION)
            .map(|header| header.value.clone())
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

/// The headers with all that signing adds, but without the signature.
fn authorized(
    credentials: &Credentials,
    request: &Request,
    now: SystemTime,
) -> Result<HeaderMap, Failure> {
    let mut headers = request.headers.clone();
    let (target, payload) = (request.target(), request.payload());
    signing::authorize(credentials, target, &mut headers, payload, now).map_err(Failure::usage)?;
    headers.remove(http::header::AUTHORIZATION);
    Ok(headers)
}

/// The date that was signed, also where the list of signed headers leaves it out.
fn date(headers: &HeaderMap) -> &str {
    let date = headers.get(X_SDK_DATE).and_then(|date| date.to_str().ok());
    date.unwrap_or_default().trim()
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
