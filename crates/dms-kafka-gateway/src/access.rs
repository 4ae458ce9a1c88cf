//! Who may send requests: access keys that sign, and tokens.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Instant, SystemTime},
};

use axum::http::{HeaderMap, header, request::Parts};
use huaweicloud_auth::{
    Credentials,
    signing::{Payload, RequestTarget, SigningRequest, X_AUTH_TOKEN, X_PROJECT_ID},
    verification::{Authorization, Verifier},
};
use subtle::ConstantTimeEq as _;

use crate::{
    names::TopicPath,
    protection::{Lock, RateLimiter},
    refusal::Refusal,
};

/// Which senders the gateway serves.
#[derive(Debug)]
pub(crate) enum Access {
    Anonymous(Arc<Caller>),
    Known {
        keys: HashMap<String, Key>,
        tokens: Vec<Token>,
    },
}

#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) credentials: Credentials,
    pub(crate) caller: Arc<Caller>,
    pub(crate) lock: Option<Lock>,
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
        key: &'a Key,
    },
    Proven(Arc<Caller>),
}

impl Access {
    /// Fails with a 401 for a request whose head alone shows an unknown sender or a locked key.
    pub(crate) fn claim<'a>(&'a self, headers: &'a HeaderMap) -> Result<Claim<'a>, Refusal> {
        let (keys, tokens) = match self {
            Self::Anonymous(caller) => return Ok(Claim::Proven(caller.clone())),
            Self::Known { keys, tokens } => (keys, tokens),
        };
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
        Ok(Claim::Signed { authorization, key })
    }
}

impl Key {
    fn verify(
        &self,
        authorization: &Authorization<'_>,
        head: &Parts,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let host = head.headers.get(header::HOST);
        let request = SigningRequest {
            target: RequestTarget {
                method: &head.method,
                host: host.and_then(|host| host.to_str().ok()).unwrap_or_default(),
                path: head.uri.path(),
                query: head.uri.query().unwrap_or_default(),
            },
            headers: &head.headers,
            payload: Payload::Bytes(body),
        };
        let secret_key = self.credentials.secret_key().unwrap_or_default();
        Verifier::default()
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
    /// Fails with a 401 for a request that the claimed key did not sign, or not within the last 15 minutes.
    pub(crate) fn confirm(self, head: &Parts, body: &[u8]) -> Result<Arc<Caller>, Refusal> {
        match self {
            Self::Proven(caller) => Ok(caller),
            Self::Signed { authorization, key } => {
                let verified = key.verify(&authorization, head, body);
                if let Some(lock) = &key.lock {
                    lock.note(verified.is_ok(), Instant::now());
                }
                verified?;
                Ok(key.caller.clone())
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
    /// Every project and instance when absent.
    pub(crate) projects: Option<BTreeSet<String>>,
    pub(crate) instances: Option<BTreeSet<String>>,
    pub(crate) rate_limiter: Option<RateLimiter>,
}

impl Caller {
    /// Counts the request, and checks that its project and instance are granted to the caller, whether they exist or not.
    pub(crate) fn check(&self, path: &TopicPath, headers: &HeaderMap) -> Result<(), Refusal> {
        if let Some(rate_limiter) = &self.rate_limiter {
            rate_limiter.check()?;
        }
        let header = headers.get(X_PROJECT_ID);
        if header.is_some_and(|header| *header != path.project_id) {
            return Err(Refusal::PROJECT_MISMATCH);
        }
        let is_granted = |ids: &Option<BTreeSet<String>>, id: &str| {
            ids.as_ref().is_none_or(|ids| ids.contains(id))
        };
        match (
            is_granted(&self.projects, &path.project_id),
            is_granted(&self.instances, &path.instance_id),
        ) {
            (false, _) if self.by_token => Err(Refusal::PROJECT_MISMATCH),
            (true, true) => Ok(()),
            _ => Err(Refusal::NOT_PERMITTED),
        }
    }
}
