//! Who may send requests: access keys that sign, and tokens.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::http::{HeaderMap, header, request::Parts};
use huaweicloud_auth::{
    Credentials,
    signing::{
        Payload, RequestTarget, SigningRequest, X_AUTH_TOKEN, X_PROJECT_ID, X_SECURITY_TOKEN,
    },
    verification::{Authorization, Verifier},
};
use subtle::ConstantTimeEq as _;

use crate::{
    body_memory::MemoryBudget,
    grants::{GrantedOperation, Grants},
    names::TopicPath,
    protection::{Lock, RateLimiter},
    refusal::Refusal,
    replay::{OnceSignature, UsedSignatures},
};

/// Which senders the gateway serves.
#[derive(Debug)]
pub(crate) enum Access {
    Anonymous(Arc<Caller>),
    Known {
        keys: HashMap<String, Key>,
        tokens: Vec<Token>,
        verifier: Verifier,
    },
}

#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) credentials: Credentials,
    pub(crate) caller: Arc<Caller>,
    pub(crate) lock: Option<Lock>,
    pub(crate) used: Arc<UsedSignatures>,
}

#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) credentials: Credentials,
    pub(crate) caller: Arc<Caller>,
}

/// The sender that the head of a request names. A signature is verified after the body has been read.
pub(crate) enum Claim<'a> {
    Signed {
        authorization: Authorization<'a>,
        date: SystemTime,
        key: &'a Key,
        verifier: &'a Verifier,
    },
    Proven(Arc<Caller>),
}

/// The sender of a request, and its signature if it has one.
pub(crate) type Sender = (Arc<Caller>, Option<OnceSignature>);

impl Access {
    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous(_))
    }

    /// Permits the signatures of deletions of everything again, because the topics were reset.
    pub(crate) fn forget_signatures(&self) {
        if let Self::Known { keys, .. } = self {
            for key in keys.values() {
                key.used.clear();
            }
        }
    }

    /// Fails with a 401 for a request whose head alone shows an unknown sender, a locked key or an invalid signature.
    pub(crate) fn claim<'a>(&'a self, head: &'a Parts) -> Result<Claim<'a>, Refusal> {
        let (keys, tokens, verifier) = match self {
            Self::Anonymous(caller) => return Ok(Claim::Proven(caller.clone())),
            Self::Known {
                keys,
                tokens,
                verifier,
            } => (keys, tokens, verifier),
        };
        let headers = &head.headers;
        if let Some(value) = headers.get(X_AUTH_TOKEN)
            && !headers.contains_key(header::AUTHORIZATION)
        {
            let token = tokens.iter().find(|token| token.is(value.as_bytes()));
            let token = token.ok_or(Refusal::UNKNOWN_TOKEN)?;
            return Ok(Claim::Proven(token.caller.clone()));
        }
        let authorization = Authorization::from_headers(headers)
            .map_err(|error| Refusal::NOT_AUTHENTICATED.with(error))?;
        let key = keys.get(authorization.access_key());
        let key = key.ok_or(Refusal::UNKNOWN_ACCESS_KEY)?;
        if let Some(lock) = &key.lock {
            lock.check(Instant::now())?;
        }
        let request = signing_request(head, Payload::Unsigned);
        let date = verifier.check_head(&authorization, &request, SystemTime::now());
        let date = date.map_err(|error| Refusal::NOT_AUTHENTICATED.with(error))?;
        key.check_security_token(headers, &authorization)?;
        Ok(Claim::Signed {
            authorization,
            date,
            key,
            verifier,
        })
    }
}

fn signing_request<'a>(head: &'a Parts, payload: Payload<'a>) -> SigningRequest<'a> {
    let host = head.headers.get(header::HOST);
    SigningRequest {
        target: RequestTarget {
            method: &head.method,
            host: host.and_then(|host| host.to_str().ok()).unwrap_or_default(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
        },
        headers: &head.headers,
        payload,
    }
}

impl Key {
    /// A temporary key needs its own security token, and it must be signed; a permanent key has none. Compares in constant
    /// time.
    fn check_security_token(
        &self,
        headers: &HeaderMap,
        authorization: &Authorization<'_>,
    ) -> Result<(), Refusal> {
        let mut values = headers.get_all(X_SECURITY_TOKEN).iter();
        let signed = authorization
            .signed_headers()
            .contains(X_SECURITY_TOKEN.as_str());
        let refuse = |reason| Err(Refusal::NOT_AUTHENTICATED.with(reason));
        match (
            self.credentials.security_token(),
            values.next(),
            values.next(),
        ) {
            (None, None, _) => Ok(()),
            (None, Some(_), _) => refuse("this access key has no X-Security-Token"),
            (Some(token), Some(value), None)
                if signed && token.as_bytes().ct_eq(value.as_bytes()).into() =>
            {
                Ok(())
            }
            _ => refuse("X-Security-Token is missing, not signed, or not that of this access key"),
        }
    }

    fn verify(
        &self,
        verifier: &Verifier,
        authorization: &Authorization<'_>,
        head: &Parts,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let request = signing_request(head, Payload::Bytes(body));
        let secret_key = self.credentials.secret_key().unwrap_or_default();
        verifier
            .verify(authorization, &request, secret_key, SystemTime::now())
            .map_err(|error| match error.canonical_request() {
                // The client can compare it with its own.
                Some(here) => Refusal::WRONG_SIGNATURE.with(format_args!(
                    "{error}; the canonical request is {:?} here",
                    here.to_string()
                )),
                None => Refusal::NOT_AUTHENTICATED.with(error),
            })
    }
}

impl Token {
    /// Compares in constant time.
    fn is(&self, value: &[u8]) -> bool {
        self.credentials
            .auth_token()
            .is_some_and(|token| token.as_bytes().ct_eq(value).into())
    }
}

impl Claim<'_> {
    /// The sender that the request claims to be from.
    pub(crate) fn caller(&self) -> &Arc<Caller> {
        match self {
            Self::Proven(caller) => caller,
            Self::Signed { key, .. } => &key.caller,
        }
    }

    /// Fails with a 401 for a request that the claimed key did not sign, or not within the last 15 minutes.
    pub(crate) fn confirm(self, head: &Parts, body: &[u8]) -> Result<Sender, Refusal> {
        match self {
            Self::Proven(caller) => Ok((caller, None)),
            Self::Signed {
                authorization,
                date,
                key,
                verifier,
            } => {
                let verified = key.verify(verifier, &authorization, head, body);
                if let Some(lock) = &key.lock {
                    lock.judge(verified.is_ok(), Instant::now())?;
                }
                verified?;
                let hex = authorization.signature().as_bytes().first_chunk();
                let signature = OnceSignature {
                    date,
                    // Others are malformed.
                    hex: *hex.ok_or(Refusal::INTERNAL)?,
                    used: key.used.clone(),
                };
                Ok((key.caller.clone(), Some(signature)))
            }
        }
    }
}

/// The authenticated sender of a request.
#[derive(Debug, Default)]
pub(crate) struct Caller {
    /// The access key, or the name of a token: what logs may show.
    pub(crate) name: String,
    pub(crate) by_token: bool,
    pub(crate) grants: Grants,
    pub(crate) rate_limiter: Option<RateLimiter>,
    /// The memory of its requests.
    pub(crate) memory: MemoryBudget,
}

impl Caller {
    /// Checks that project, instance, topic and one of the operations are granted, whether they exist or not, and that the
    /// caller is not throttled.
    pub(crate) fn check(
        &self,
        path: &TopicPath,
        headers: &HeaderMap,
        operations: &[GrantedOperation],
    ) -> Result<(), Refusal> {
        let header = headers.get(X_PROJECT_ID);
        if header.is_some_and(|header| *header != path.project_id) {
            return Err(Refusal::PROJECT_MISMATCH);
        }
        match self.grants.has_project(path) {
            false if self.by_token => return Err(Refusal::PROJECT_MISMATCH),
            false => return Err(Refusal::NOT_PERMITTED),
            true => self.grants.check_topic(path)?,
        }
        self.grants.check_any(operations)?;
        let limiter = self.rate_limiter.as_ref();
        limiter.map_or(Ok(()), RateLimiter::check_throttled)
    }

    /// Counts the request.
    pub(crate) fn count(&self) -> Result<(), Refusal> {
        let limiter = self.rate_limiter.as_ref();
        limiter.map_or(Ok(()), RateLimiter::check)
    }
}
