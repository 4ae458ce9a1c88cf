//! Showing how a signature comes about.

use std::{borrow::Cow, fmt, time::SystemTime};

use http::HeaderMap;

use super::{
    CanonicalRequest, Payload, RequestTarget, Signature, Signer, SigningError, authorize::Stages,
    canonical::is_secret,
};
use crate::{Credentials, text::REDACTED};

/// How a request was signed, stage by stage, to compare with what a service says it computed.
///
/// No way of printing it shows the secret key, a security token or an authentication token.
///
/// ```
/// use std::time::SystemTime;
/// use http::{HeaderMap, Method};
/// use huaweicloud_auth::{Credentials, signing::{self, Payload, RequestTarget}};
///
/// let credentials = Credentials::new("AccessKey", "SecretKey")?.with_security_token("very-secret")?;
/// let target = RequestTarget { method: &Method::GET, host: "example.com", path: "/v1/vpcs", query: "limit=2" };
/// let explanation = signing::explain(&credentials, target, &HeaderMap::new(), Payload::Bytes(b""), SystemTime::now())?;
/// let canonical_request = explanation.canonical_request().unwrap().to_string();
/// assert!(canonical_request.starts_with("GET\n/v1/vpcs/\nlimit=2\nhost:example.com\n"));
/// assert!(!explanation.to_string().contains("very-secret"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Explanation {
    pub(super) stages: Option<Stages>,
    pub(super) headers: HeaderMap,
}

/// Does what [`authorize`](super::authorize) does, to a copy of the headers, and keeps what it did.
///
/// # Errors
///
/// Those of [`authorize`](super::authorize).
pub fn explain(
    credentials: &Credentials,
    target: RequestTarget<'_>,
    headers: &HeaderMap,
    payload: Payload<'_>,
    now: SystemTime,
) -> Result<Explanation, SigningError> {
    Signer::new(credentials, now).explain(target, headers, payload)
}

impl Explanation {
    /// The first stage; `None` when nothing was signed: token credentials, or an `Authorization` header of the caller's.
    pub fn canonical_request(&self) -> Option<&CanonicalRequest> {
        self.stages.as_ref().map(|stages| &stages.canonical_request)
    }

    /// The second stage; `None` when nothing was signed.
    pub fn string_to_sign(&self) -> Option<&str> {
        self.stages
            .as_ref()
            .map(|stages| stages.string_to_sign.as_str())
    }

    /// The third stage; `None` when nothing was signed.
    pub fn signature(&self) -> Option<&Signature> {
        self.stages.as_ref().map(|stages| &stages.signature)
    }

    /// The headers as they would be sent, `Host` aside. Tokens are shown as `<redacted>`; `Authorization` is shown when it
    /// was made here, since a signature gives no secret away.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.headers.iter().map(|(name, value)| {
            let made_here = self.stages.is_some() && name == http::header::AUTHORIZATION;
            let hidden = !made_here && (value.is_sensitive() || is_secret(name.as_str()));
            let shown = if hidden {
                REDACTED.into()
            } else {
                String::from_utf8_lossy(value.as_bytes())
            };
            (name.as_str(), shown)
        })
    }
}

/// The stages under their names, then the headers.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stages {
            Some(stages) => {
                writeln!(f, "Canonical request\n{}\n", stages.canonical_request)?;
                writeln!(f, "String to sign\n{}\n", stages.string_to_sign)?;
                writeln!(f, "Signature\n{}\n", stages.signature)?;
            }
            None => writeln!(
                f,
                "Nothing is signed: the request carries a token or its own Authorization.\n"
            )?,
        }
        writeln!(f, "Headers")?;
        self.headers()
            .try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))
    }
}

impl fmt::Debug for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanation")
            .field("signature", &self.signature())
            .finish_non_exhaustive()
    }
}
