//! Who may ask: access keys that sign, and tokens.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
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
    error::Error,
    protection::{Lock, LockOut, RateLimit, RateLimiter},
    refusal::Refusal,
};

/// Everybody whose requests are served.
#[derive(Debug, Default)]
pub(crate) struct Access {
    rate_limit: Option<RateLimit>,
    lock_out: Option<LockOut>,
    keys: HashMap<String, Key>,
    tokens: Vec<Token>,
    anonymous: Option<Arc<Caller>>,
}

#[derive(Debug)]
pub(crate) struct Key {
    credentials: Credentials,
    caller: Arc<Caller>,
    lock: Option<Lock>,
}

#[derive(Debug)]
struct Token {
    credentials: Credentials,
    caller: Arc<Caller>,
}

/// What the head of a request says about who sends it, before its body is there to prove it.
pub(crate) enum Claim<'a> {
    Signed {
        authorization: Authorization<'a>,
        key: &'a Key,
    },
    Proven(Arc<Caller>),
}

impl Access {
    /// Serves nobody yet.
    pub(crate) fn new(rate_limit: Option<RateLimit>, lock_out: Option<LockOut>) -> Self {
        Self {
            rate_limit,
            lock_out,
            ..Self::default()
        }
    }

    /// Serves everybody who reaches this address.
    ///
    /// # Errors
    /// Unless it is a loopback address.
    pub(crate) fn anonymous(listen: SocketAddr) -> Result<Self, Error> {
        if !listen.ip().is_loopback() {
            let rule = "without authentication only a loopback address may be listened on";
            return Err(Error::invalid_setting("listen", listen, rule));
        }
        let access = Self::default();
        Ok(Self {
            anonymous: Some(access.caller("anonymous", false, Grant::default())),
            ..access
        })
    }

    /// # Errors
    /// When the access key is there already.
    pub(crate) fn with_key(
        mut self,
        credentials: Credentials,
        grant: Grant,
    ) -> Result<Self, Error> {
        let name = credentials.access_key().unwrap_or_default().to_owned();
        let key = Key {
            credentials,
            caller: self.caller(&name, false, grant),
            lock: self.lock_out.map(Lock::new),
        };
        if self.keys.contains_key(&name) {
            let rule = "it is given twice";
            return Err(Error::invalid_setting("access_key", name, rule));
        }
        self.keys.insert(name, key);
        Ok(self)
    }

    pub(crate) fn with_token(mut self, name: &str, credentials: Credentials, grant: Grant) -> Self {
        let caller = self.caller(name, true, grant);
        self.tokens.push(Token {
            credentials,
            caller,
        });
        self
    }

    fn caller(&self, name: &str, by_token: bool, grant: Grant) -> Arc<Caller> {
        Arc::new(Caller {
            name: name.to_owned(),
            by_token,
            grant,
            rate_limiter: self.rate_limit.map(RateLimiter::new),
        })
    }

    /// Who the request claims to be from.
    ///
    /// # Errors
    /// The 401 for a request whose head alone shows that it is from nobody known, or from a key that is locked.
    pub(crate) fn claim<'a>(&'a self, headers: &'a HeaderMap) -> Result<Claim<'a>, Refusal> {
        if let Some(anybody) = &self.anonymous {
            return Ok(Claim::Proven(anybody.clone()));
        }
        match headers.get(X_AUTH_TOKEN) {
            Some(token) if !headers.contains_key(header::AUTHORIZATION) => {
                self.token(token.as_bytes())
            }
            _ => self.signed(headers),
        }
    }

    fn signed<'a>(&'a self, headers: &'a HeaderMap) -> Result<Claim<'a>, Refusal> {
        let authorization = Authorization::from_headers(headers)
            .map_err(|error| Refusal::NOT_AUTHENTICATED.with(error))?;
        let key = self.keys.get(authorization.access_key());
        let key = key.ok_or(Refusal::UNKNOWN_ACCESS_KEY)?;
        key.lock
            .as_ref()
            .map_or(Ok(()), |lock| lock.check(Instant::now()))?;
        Ok(Claim::Signed { authorization, key })
    }

    fn token(&self, value: &[u8]) -> Result<Claim<'_>, Refusal> {
        let token = self.tokens.iter().find(|token| token.is(value));
        let token = token.ok_or(Refusal::UNKNOWN_TOKEN)?;
        Ok(Claim::Proven(token.caller.clone()))
    }
}

impl Key {
    fn verify(
        &self,
        authorization: &Authorization<'_>,
        head: &Parts,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let target = RequestTarget {
            method: &head.method,
            host: head
                .headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok())
                .unwrap_or_default(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
        };
        let request = SigningRequest {
            target,
            headers: &head.headers,
            payload: Payload::Bytes(body),
        };
        let secret_key = self.credentials.secret_key().unwrap_or_default();
        Verifier::default()
            .verify(authorization, &request, secret_key, SystemTime::now())
            .map_err(|error| match error.canonical_request() {
                // The client finds its mistake by comparing.
                Some(here) => Refusal::WRONG_SIGNATURE.with(format_args!(
                    "{error}; the canonical request is {:?} here",
                    here.to_string()
                )),
                None => Refusal::NOT_AUTHENTICATED.with(error),
            })
    }
}

impl Token {
    /// Compares in a time that tells nothing about where the difference is.
    fn is(&self, value: &[u8]) -> bool {
        self.credentials
            .auth_token()
            .is_some_and(|token| token.as_bytes().ct_eq(value).into())
    }
}

impl Claim<'_> {
    /// Checks the signature against the whole request.
    ///
    /// # Errors
    /// The 401 for a request that the claimed key did not sign, or not within the last 15 minutes.
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

/// Projects and instances that a key or token may touch; all there are when absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grant {
    pub(crate) projects: Option<BTreeSet<String>>,
    pub(crate) instances: Option<BTreeSet<String>>,
}

fn is_granted(ids: Option<&BTreeSet<String>>, id: &str) -> bool {
    ids.is_none_or(|ids| ids.contains(id))
}

/// Somebody whose request is genuine.
#[derive(Debug)]
pub(crate) struct Caller {
    /// The access key, or the name of a token: what logs may show.
    pub(crate) name: String,
    by_token: bool,
    grant: Grant,
    rate_limiter: Option<RateLimiter>,
}

impl Caller {
    /// Counts one request.
    ///
    /// # Errors
    /// The 429 when the caller has none left.
    pub(crate) fn check_rate(&self) -> Result<(), Refusal> {
        self.rate_limiter
            .as_ref()
            .map_or(Ok(()), RateLimiter::check)
    }

    /// Whether the caller may touch the project in the path, and means it.
    ///
    /// # Errors
    /// A 401 when the request names two projects or the token is for another one; a 403 when the key may not touch it.
    pub(crate) fn check_project(
        &self,
        project_id: &str,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if headers
            .get(X_PROJECT_ID)
            .is_some_and(|header| header != project_id)
        {
            return Err(Refusal::PROJECT_MISMATCH);
        }
        match is_granted(self.grant.projects.as_ref(), project_id) {
            true => Ok(()),
            false if self.by_token => Err(Refusal::PROJECT_MISMATCH),
            false => Err(Refusal::NOT_PERMITTED),
        }
    }

    /// Whether the caller may touch the instance.
    ///
    /// # Errors
    /// A 403, whether the instance exists or not.
    pub(crate) fn check_instance(&self, instance_id: &str) -> Result<(), Refusal> {
        if is_granted(self.grant.instances.as_ref(), instance_id) {
            Ok(())
        } else {
            Err(Refusal::NOT_PERMITTED)
        }
    }
}
