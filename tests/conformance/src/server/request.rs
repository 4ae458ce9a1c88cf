//! Builds and signs the requests of a case.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{SignedHeaders, Signer, X_PROJECT_ID};

use super::case::{Key, SignatureChange, Signing, Step};
use crate::rewrite::set_headers;
use crate::values::Values;
use crate::wire::Request;

/// Builds the request of a step and signs it.
pub(super) fn build(step: &Step, values: &Values, credentials: &Credentials) -> Result<Request> {
    let mut request = Request {
        method: step.method.parse()?,
        path: values.fill(&step.path)?,
        query: values.fill(&step.query)?,
        headers: HeaderMap::new(),
        body: match &step.body {
            Some(text) => values.fill(text)?.into_bytes(),
            None => step.body_bytes.clone().unwrap_or_default(),
        },
    };
    if request.method != Method::GET {
        let json = HeaderValue::from_static("application/json");
        request.headers.insert(header::CONTENT_TYPE, json);
    }
    let project = values.fill("<project_id>")?.parse()?;
    request.headers.insert(X_PROJECT_ID, project);
    set_headers(&mut request.headers, &step.headers, values)?;
    let host = values.fill("<host>")?;
    sign(&mut request, &step.signing, &host, credentials)?;
    change(&mut request, step, values)?;
    Ok(request)
}

fn change(request: &mut Request, step: &Step, values: &Values) -> Result<()> {
    let changes = &step.then;
    if let Some(method) = &changes.method {
        request.method = method.parse()?;
    }
    if let Some(path) = &changes.path {
        request.path = values.fill(path)?;
    }
    if let Some(query) = &changes.query {
        request.query = values.fill(query)?;
    }
    if let Some(body) = &changes.body {
        request.body = values.fill(body)?.into_bytes();
    }
    if let Some(change) = changes.signature {
        change_signature(&mut request.headers, change)?;
    }
    set_headers(&mut request.headers, &changes.headers, values)
}

fn change_signature(headers: &mut HeaderMap, change: SignatureChange) -> Result<()> {
    const DIGITS: usize = 64;
    let signed = headers.get(header::AUTHORIZATION);
    let mut text = signed.context("not signed")?.to_str()?.to_owned();
    let start = text.len().checked_sub(DIGITS).context("no signature")?;
    match change {
        SignatureChange::Digit(at) => {
            let at = start + at % DIGITS;
            let other = if text.get(at..=at) == Some("0") {
                "1"
            } else {
                "0"
            };
            text.replace_range(at..=at, other);
        }
        SignatureChange::Digits(count) => text.truncate(start + count.min(DIGITS)),
    }
    headers.insert(header::AUTHORIZATION, text.parse()?);
    Ok(())
}

fn sign(request: &mut Request, signing: &Signing, host: &str, own: &Credentials) -> Result<()> {
    let made_up = || uuid::Uuid::new_v4().simple().to_string();
    let credentials = match signing.key {
        Key::None => return Ok(()),
        Key::Own => own.clone(),
        Key::WrongSecret => Credentials::new(own.access_key().unwrap_or_default(), made_up())?,
        Key::Unknown | Key::EmptySecret => Credentials::new(made_up(), made_up())?,
    };
    let list = signing.headers.as_ref().map(|names| names.join(";"));
    let listed = list.as_deref().map(|list| {
        SignedHeaders::parse(list).context("signing.headers must be in ascending order")
    });
    let listed = listed.transpose()?;
    let signer = |later| {
        let signer = Signer::new(&credentials, clock(signing.minutes) + later);
        match &listed {
            Some(listed) => signer.with_signed_headers(listed.clone()),
            None => signer,
        }
    };
    request.sign(host, signer)?;
    if signing.key == Key::EmptySecret {
        request.sign_with_empty_secret(host, &signer(Duration::ZERO))?;
    }
    Ok(())
}

fn clock(minutes: i64) -> SystemTime {
    let away = Duration::from_secs(minutes.unsigned_abs() * 60);
    let now = SystemTime::now();
    if minutes < 0 { now - away } else { now + away }
}
