//! A proxy that injects faults: it rewrites requests and responses, and signs again what was signed.
//!
//! In front of a correct server it acts as a faulty server, behind a correct client as a faulty client.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use http::{HeaderMap, Method, header};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{Signer, X_AUTH_TOKEN, X_SDK_CONTENT_SHA256};
use huaweicloud_auth::verification::VerificationErrorKind;
use serde::Deserialize;
use serde_json::Value;

use crate::rewrite::{ResponseCondition, Rewrite};
use crate::script::ScriptedResponse;
use crate::values::Values;
use crate::wire::{Listener, Request, Response, Service, Wire};

/// Headers of one connection, which are not forwarded.
const HOP_BY_HOP: [header::HeaderName; 3] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
];

/// What the proxy does; README.md explains the fields. The default forwards everything, and signs again what has a valid
/// signature.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    when: RequestCondition,
    accept: Option<Flaw>,
    request: Vec<Rewrite>,
    sign: Sign,
    respond_with: Option<ScriptedResponse>,
    unasked: Option<Unasked>,
    repeat_on: Option<u16>,
    follow_redirect: bool,
    response_when: ResponseCondition,
    response: Vec<Rewrite>,
}

/// A condition of requests; an absent field admits any.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RequestCondition {
    method: Option<String>,
    query: Option<String>,
    /// The body is one of these JSON values.
    bodies: Option<Vec<String>>,
}

impl RequestCondition {
    fn admits(&self, request: &Request) -> bool {
        let body = serde_json::from_slice::<Value>(&request.body).ok();
        let is = |text: &String| body.is_some() && body == serde_json::from_str(text).ok();
        self.method
            .as_ref()
            .is_none_or(|one| request.method == **one)
            && self.query.as_ref().is_none_or(|one| request.query == *one)
            && self
                .bodies
                .as_ref()
                .is_none_or(|bodies| bodies.iter().any(is))
    }
}

/// Faults of the signature of a request.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Flaw {
    /// It has neither a signature nor a token.
    NoSignature,
    UnknownToken,
    Mismatch,
    /// The signature is too old or too new.
    Skewed,
    DateNotSigned,
    QueryNotSigned,
    UnsignedPayload,
    /// The signature covers another body, whose hash the request states.
    PayloadMismatch,
}

/// The faults of a new signature.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sign {
    /// Its age in minutes.
    minutes_ago: u64,
    body: Option<String>,
    path: Option<String>,
}

/// A request that the client has not sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unasked {
    path: String,
    body: String,
}

/// A running proxy. It stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    listener: Listener,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    upstream: Wire,
    credentials: Credentials,
    values: Values,
    /// Whether a request has arrived.
    used: AtomicBool,
    /// The offsets of the last successful deletions, by partition.
    deleted: Mutex<BTreeMap<i64, i64>>,
    /// Errors of the proxy itself.
    errors: Mutex<Vec<String>>,
}

impl Proxy {
    /// Listens, and forwards to `upstream`. Requests are signed with `credentials`; `values` replace the placeholders in
    /// the behaviour.
    pub(crate) async fn start(
        upstream: &str,
        credentials: Credentials,
        values: &Values,
        behaviour: &Behaviour,
    ) -> Result<Self> {
        let secret_key = credentials.secret_key().unwrap_or_default().to_owned();
        let state = Arc::new(State {
            behaviour: behaviour.clone(),
            upstream: Wire::new(upstream)?,
            values: values.with("secret_key", secret_key),
            credentials,
            used: AtomicBool::default(),
            deleted: Mutex::default(),
            errors: Mutex::default(),
        });
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = Listener::start(address, state.clone()).await?;
        Ok(Self { listener, state })
    }

    /// The URL of the proxy.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Sends the request that the client has not sent, if the behaviour has one.
    pub(crate) async fn finish(&self) -> Result<()> {
        let state = &self.state;
        let Some(unasked) = &state.behaviour.unasked else {
            return Ok(());
        };
        if state.used.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut request = Request {
            method: Method::POST,
            path: state.values.fill(&unasked.path)?,
            query: String::new(),
            headers: HeaderMap::new(),
            body: unasked.body.clone().into_bytes(),
        };
        let host = self.listener.address().to_string();
        request.headers.insert(header::HOST, host.parse()?);
        let json = header::HeaderValue::from_static("application/json");
        request.headers.insert(header::CONTENT_TYPE, json);
        state.sign(&mut request, &Sign::default())?;
        // A path that a URL cannot have is not sent; then the case does not detect the fault.
        let _ = state.upstream.send(request).await;
        Ok(())
    }

    /// Takes the errors of the proxy itself.
    pub(crate) fn errors(&self) -> Vec<String> {
        let mut errors = self
            .state
            .errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut errors)
    }
}

impl Service for State {
    async fn respond(&self, request: Request, unreadable: Option<String>) -> Option<Response> {
        self.used.store(true, Ordering::Relaxed);
        if unreadable.is_some() {
            return None;
        }
        let exchanged = self.exchange(request).await;
        let failed = |error| {
            let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
            errors.push(format!("{error:#}"));
        };
        exchanged.map_err(failed).ok()
    }
}

impl State {
    async fn exchange(&self, mut request: Request) -> Result<Response> {
        strip(&mut request.headers);
        let behaviour = &self.behaviour;
        let asked = request.body.clone();
        let concerned = behaviour.when.admits(&request);
        if !request.headers.contains_key(header::HOST) {
            return self.forward(request).await;
        }
        if concerned
            && behaviour
                .accept
                .is_some_and(|flaw| self.has(flaw, &request))
        {
            self.sign(&mut request, &Sign::default())?;
        } else if !self.is_wrongly_signed(&request) {
            let is_signed = request.headers.contains_key(header::AUTHORIZATION);
            if concerned {
                for rewrite in &behaviour.request {
                    rewrite.request(&mut request, &self.values)?;
                }
            }
            if is_signed {
                let sign = concerned.then(|| behaviour.sign.clone());
                self.sign(&mut request, &sign.unwrap_or_default())?;
            }
            if let (true, Some(fixed)) = (concerned, &behaviour.respond_with) {
                return fixed.response();
            }
        }
        let mut response = self.forward(request.clone()).await?;
        if !concerned {
            return Ok(response);
        }
        if behaviour.repeat_on == Some(response.status.as_u16()) {
            response = self.forward(request.clone()).await?;
        }
        if behaviour.follow_redirect
            && let Some(location) = response.headers.get(header::LOCATION)
        {
            request.path = location.to_str().unwrap_or("/").to_owned();
            request.method = Method::GET;
            request.body.clear();
            response = self.forward(request).await?;
        }
        if behaviour.response_when.admits(&response) {
            for rewrite in &behaviour.response {
                rewrite.response(&mut response, &asked, &self.values, &self.deleted)?;
            }
        }
        Ok(response)
    }

    async fn forward(&self, request: Request) -> Result<Response> {
        let response = self.upstream.send(request).await;
        let mut response = response.context("the proxy cannot forward")?;
        strip(&mut response.headers);
        Ok(response)
    }

    fn sign(&self, request: &mut Request, sign: &Sign) -> Result<()> {
        let credentials = Credentials::new(
            self.credentials.access_key().unwrap_or_default(),
            self.credentials.secret_key().unwrap_or_default(),
        )?;
        request.headers.remove(X_AUTH_TOKEN);
        request.headers.remove(X_SDK_CONTENT_SHA256);
        let mut signed = request.clone();
        if let Some(body) = &sign.body {
            signed.body = body.clone().into_bytes();
        }
        if let Some(path) = &sign.path {
            signed.path.clone_from(path);
        }
        let host = request.text("host").unwrap_or_default();
        let now = SystemTime::now() - Duration::from_secs(60 * sign.minutes_ago);
        signed.sign(host, |later| Signer::new(&credentials, now + later))?;
        request.headers = signed.headers;
        Ok(())
    }

    fn is_wrongly_signed(&self, request: &Request) -> bool {
        request.headers.contains_key(header::AUTHORIZATION)
            && request.verify(&self.credentials).is_err()
    }

    fn has(&self, flaw: Flaw, request: &Request) -> bool {
        let verified = request.verify(&self.credentials);
        let kind = verified.err().flatten().map(|error| error.kind());
        let has = |name| request.headers.contains_key(name);
        match flaw {
            Flaw::NoSignature => !has(header::AUTHORIZATION) && !has(X_AUTH_TOKEN),
            Flaw::UnknownToken => !has(header::AUTHORIZATION) && has(X_AUTH_TOKEN),
            Flaw::Mismatch => kind == Some(VerificationErrorKind::SignatureMismatch),
            Flaw::Skewed => kind == Some(VerificationErrorKind::Skewed),
            Flaw::DateNotSigned => kind == Some(VerificationErrorKind::DateNotSigned),
            Flaw::UnsignedPayload => kind == Some(VerificationErrorKind::UnsignedPayload),
            Flaw::PayloadMismatch => kind == Some(VerificationErrorKind::PayloadMismatch),
            Flaw::QueryNotSigned => {
                let mut bare = request.clone();
                bare.query.clear();
                bare.verify(&self.credentials).is_ok()
            }
        }
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
