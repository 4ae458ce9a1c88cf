//! Builds and signs the requests of a case.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use http::{HeaderMap, HeaderValue, Method, header};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{SignedHeaders, Signer, X_PROJECT_ID};

use super::case::{Key, Signing, Step};
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
    if step.then.signed_again {
        request.sign_as_it_is(&host, credentials.secret_key().unwrap_or_default())?;
    }
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
    set_headers(&mut request.headers, &changes.headers, values)?;
    let mut edit = |name: &str, edit: &dyn Fn(&str) -> Option<String>| {
        let text = request.text(name).unwrap_or_default();
        let edited = edit(text).with_context(|| format!("the header {name} cannot be changed"))?;
        set_headers(
            &mut request.headers,
            &BTreeMap::from([(name.to_owned(), vec![edited])]),
            values,
        )
    };
    if let Some(count) = changes.digits {
        edit("authorization", &|text| {
            let end = text.rfind('=')? + 1 + count;
            Some(text.get(..end)?.to_owned())
        })?;
    }
    if let Some((name, after, digit)) = &changes.flip {
        edit(name, &|text| other_digit(text, after, *digit))?;
    }
    if let Some((name, from, to)) = &changes.replace {
        let (from, to) = (values.fill(from)?, values.fill(to)?);
        edit(name, &|text| {
            text.contains(&from).then(|| text.replacen(&from, &to, 1))
        })?;
    }
    Ok(())
}

/// The text with another digit at a place after a part of it.
fn other_digit(text: &str, after: &str, digit: usize) -> Option<String> {
    let at = text.find(after)? + after.len() + digit;
    let other = if text.get(at..=at)? == "0" { "1" } else { "0" };
    Some([text.get(..at)?, other, text.get(at + 1..)?].concat())
}

/// The text of a raw step: with the headers and the body of the request that is signed.
pub(super) fn raw(request: &Request, text: &str, values: &Values) -> Result<String> {
    let mut signed = String::new();
    for (name, value) in &request.headers {
        signed.extend([name.as_str(), ": ", value.to_str()?, "\n"]);
    }
    let body = request.text_of_body();
    let values = values.with("signed", signed.trim_end().to_owned());
    let values = values.with("length", request.body.len().to_string());
    let text = values.with("body", body).fill(text)?;
    Ok(text
        .trim_start()
        .replace("\r\n", "\n")
        .replace('\n', "\r\n"))
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
        let signer = Signer::new(&credentials, clock(signing.seconds) + later);
        match &listed {
            Some(listed) => signer.with_signed_headers(listed.clone()),
            None => signer,
        }
    };
    request.sign(host, signer)?;
    if signing.key == Key::EmptySecret {
        request.sign_as_it_is(host, "")?;
    }
    Ok(())
}

/// How far a date may be from the clock of the service, as the vendor documents it.
const SKEW: u64 = 15 * 60;

/// Whether a clock that differs by seconds changes the response.
pub(super) fn is_near_skew(step: &Step) -> bool {
    step.signing.seconds.unsigned_abs().abs_diff(SKEW) < 60
}

/// The time this many seconds from now. A date has whole seconds, and the request takes time: one that should be inside the
/// limit is rounded to the inside, another one to the outside.
fn clock(seconds: i64) -> SystemTime {
    let away = Duration::from_secs(seconds.unsigned_abs());
    let now = SystemTime::now();
    let is_inside = away.as_secs() < SKEW;
    if seconds < 0 {
        now - away + Duration::from_secs(u64::from(is_inside))
    } else {
        now + away + Duration::from_secs(u64::from(!is_inside && seconds > 0))
    }
}
