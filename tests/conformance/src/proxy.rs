//! A proxy that injects faults: it rewrites requests and responses, and signs again what was signed.
//!
//! In front of a correct server it acts as a faulty server, behind a correct client as a faulty client.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{Signer, X_AUTH_TOKEN, X_SDK_CONTENT_SHA256};
use huaweicloud_auth::verification::VerificationErrorKind;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::rewrite::{ResponseCondition, Rewrite};
use crate::script::ScriptedResponse;
use crate::values::Values;
use crate::wire::{Listener, Request, Response, Service, Wire, locked};

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
    /// Whether each signature is accepted once.
    once: bool,
    /// A text in the head of requests that get status 200, malformed or not.
    raw: Option<String>,
}

/// A condition of requests; an absent field admits any.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RequestCondition {
    method: Option<String>,
    /// Texts that path, query and body contain.
    path: Option<String>,
    query: Option<String>,
    body: Option<String>,
    /// A header, and a text that it contains.
    header: Option<(String, String)>,
    /// The body is one of these JSON values.
    bodies: Option<Vec<String>>,
}

impl RequestCondition {
    fn admits(&self, request: &Request) -> bool {
        let body = serde_json::from_slice::<Value>(&request.body).ok();
        let is = |text: &String| body.is_some() && body == serde_json::from_str(text).ok();
        let text = request.text_of_body();
        let contains = |text: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| text.contains(wanted))
        };
        let header = |(name, wanted): &(String, String)| {
            request
                .text(name)
                .is_some_and(|value| value.contains(wanted))
        };
        self.method
            .as_ref()
            .is_none_or(|one| request.method == **one)
            && contains(&request.path, &self.path)
            && contains(&request.query, &self.query)
            && contains(&text, &self.body)
            && self.header.as_ref().is_none_or(header)
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
    InvalidDate,
    DateNotSigned,
    QueryNotSigned,
    UnsignedPayload,
    /// The signature covers another body, whose hash the request states.
    PayloadMismatch,
    /// Only the second half of the digits is wrong.
    SecondHalf,
    /// The access key is written with other capital letters.
    OtherCase,
    MethodNotSigned,
    PathNotSigned,
    /// Host and content type.
    HeadersNotSigned,
    /// White space of the body.
    SpaceNotSigned,
}

/// The faults of a new signature.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sign {
    /// Its age in minutes.
    minutes_ago: u64,
    /// Whether a request that was not changed is signed again.
    again: bool,
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
    /// The signatures of requests, for `once`.
    signatures: Mutex<BTreeSet<Vec<u8>>>,
    /// Errors of the proxy itself.
    errors: Mutex<Vec<String>>,
    /// The Host header of its address.
    host: HeaderValue,
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
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listener = TcpListener::bind(address).await?;
        let state = Arc::new(State {
            behaviour: behaviour.clone(),
            upstream: Wire::new(upstream)?,
            values: values.with("secret_key", secret_key),
            credentials,
            used: AtomicBool::default(),
            deleted: Mutex::default(),
            signatures: Mutex::default(),
            errors: Mutex::default(),
            host: listener.local_addr()?.to_string().parse()?,
        });
        let listener = Listener::on(listener, state.clone())?;
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
        let json = HeaderValue::from_static("application/json");
        request.headers.insert(header::CONTENT_TYPE, json);
        state.sign(&mut request, &Sign::default())?;
        // A path that a URL cannot have is not sent; then the case does not detect the fault.
        let _ = state.upstream.send(request).await;
        Ok(())
    }

    /// Takes the errors of the proxy itself.
    pub(crate) fn errors(&self) -> Vec<String> {
        std::mem::take(&mut locked(&self.state.errors))
    }
}

impl Service for State {
    fn answer_text(&self, begin: &str) -> Option<u16> {
        if self
            .behaviour
            .raw
            .as_ref()
            .is_some_and(|text| begin.contains(text))
        {
            return Some(200);
        }
        // hyper would hide these from the server behind the proxy.
        let (head, _) = begin.split_once("\r\n\r\n")?;
        let head = head.to_ascii_lowercase();
        let has_fragment = head.lines().next().is_some_and(|line| line.contains('#'));
        let coding = head.split_once("\r\ntransfer-encoding: ");
        let is_hidden = has_fragment
            || coding.is_some_and(|(_, coding)| {
                head.contains("\r\ncontent-length:") || !coding.starts_with("chunked")
            });
        is_hidden.then_some(400)
    }

    async fn respond(&self, request: Request, unreadable: Option<String>) -> Option<Response> {
        self.used.store(true, Ordering::Relaxed);
        if unreadable.is_some() {
            return None;
        }
        let exchanged = self.exchange(request).await;
        let failed = |error| {
            let mut errors = locked(&self.errors);
            errors.push(format!("{error:#}"));
        };
        exchanged.map_err(failed).ok()
    }
}

impl State {
    async fn exchange(&self, mut request: Request) -> Result<Response> {
        let behaviour = &self.behaviour;
        let asked = request.body.clone();
        let concerned = behaviour.when.admits(&request);
        strip(&mut request.headers);
        if !request.headers.contains_key(header::HOST) {
            return self.forward(request).await;
        }
        let is_dots = |segment: &str| matches!(&*segment.replace("%2E", "."), "." | "..");
        if !request.path.starts_with('/') || request.path.split('/').any(is_dots) {
            let body = r#"{"error_code":"APIGW.0201","error_msg":"not a path"}"#;
            return ScriptedResponse::new(400, body).response();
        }
        if concerned
            && behaviour
                .accept
                .is_some_and(|flaw| self.has(flaw, &request))
        {
            self.sign(&mut request, &Sign::default())?;
        } else if !self.is_wrongly_signed(&request) {
            let is_signed = request.headers.contains_key(header::AUTHORIZATION);
            let unchanged = request.clone();
            if concerned {
                for rewrite in &behaviour.request {
                    rewrite.request(&mut request, &self.values)?;
                }
            }
            let sent_again = behaviour.once && is_signed && !self.is_first(&request);
            if concerned && sent_again {
                let body = r#"{"error_code":"DMS.00409900","error_msg":"executed before"}"#;
                return ScriptedResponse::new(409, body).response();
            }
            if is_signed && (request != unchanged || concerned && behaviour.sign != Sign::default())
            {
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

    fn is_first(&self, request: &Request) -> bool {
        let signature = request.headers.get(header::AUTHORIZATION);
        let signature = signature.map(|value| value.as_bytes().to_vec());
        let mut used = locked(&self.signatures);
        used.insert(signature.unwrap_or_default())
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
            Flaw::InvalidDate => kind == Some(VerificationErrorKind::InvalidDate),
            Flaw::DateNotSigned => kind == Some(VerificationErrorKind::DateNotSigned),
            Flaw::UnsignedPayload => kind == Some(VerificationErrorKind::UnsignedPayload),
            Flaw::PayloadMismatch => kind == Some(VerificationErrorKind::PayloadMismatch),
            Flaw::QueryNotSigned => self.is_signed_as(request, |it| it.query.clear()),
            Flaw::MethodNotSigned => [Method::PUT, Method::DELETE, Method::HEAD]
                .into_iter()
                .any(|method| self.is_signed_as(request, |it| it.method = method)),
            Flaw::PathNotSigned => self.is_signed_as(request, |it| "/".clone_into(&mut it.path)),
            Flaw::HeadersNotSigned => self.is_signed_as(request, |it| {
                let json = HeaderValue::from_static("application/json");
                it.headers.insert(header::CONTENT_TYPE, json);
                it.headers.insert(header::HOST, self.host.clone());
            }),
            Flaw::SpaceNotSigned => self.is_signed_as(request, |it| {
                let spaces = it.body.iter_mut().filter(|byte| **byte == b'\t');
                spaces.for_each(|byte| *byte = b' ');
            }),
            Flaw::OtherCase => self.is_signed_as(request, |it| {
                let key = self.credentials.access_key().unwrap_or_default();
                let text = it.text("authorization").unwrap_or_default();
                let at = text.find("Access=").map(|at| at + "Access=".len());
                let end = at.map(|at| at + key.len());
                if let (Some(at), Some(end)) = (at, end)
                    && text
                        .get(at..end)
                        .is_some_and(|found| found.eq_ignore_ascii_case(key))
                    && let Ok(value) = [&text[..at], key, &text[end..]].concat().parse()
                {
                    it.headers.insert(header::AUTHORIZATION, value);
                }
            }),
            Flaw::SecondHalf => {
                let secret_key = self.credentials.secret_key().unwrap_or_default();
                let sent = request.text("authorization").unwrap_or_default();
                let right = request.right_signature("", secret_key);
                right.is_some_and(|right| sent.contains(&right[..32]))
            }
        }
    }

    /// Whether the signature is that of a changed request.
    fn is_signed_as(&self, request: &Request, change: impl FnOnce(&mut Request)) -> bool {
        let mut changed = request.clone();
        change(&mut changed);
        changed.verify(&self.credentials).is_ok()
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
