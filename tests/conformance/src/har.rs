//! The exchanges of failed cases as an HTTP Archive (HAR 1.2), which browsers and other tools open. Credentials are masked.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use huaweicloud_auth::Credentials;
use huaweicloud_auth::signing::{X_AUTH_TOKEN, X_SECURITY_TOKEN};
use huaweicloud_auth::text::{REDACTED, sanitize};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::report::{Report, secrets};
use crate::wire::{Exchange, Request, Response};

/// The rest of a longer body is left out.
const LONGEST_BODY: usize = 64 * 1024;

impl Report {
    /// The exchanges of the failed cases as an HTTP Archive, without credentials. Each case is a page of it.
    pub fn har(&self, credentials: Option<&Credentials>) -> Value {
        let mask = Mask(credentials.into_iter().flat_map(secrets).collect());
        let failed = self
            .cases
            .iter()
            .filter(|case| case.is_failure() && !case.exchanges.is_empty());
        let (mut pages, mut entries) = (Vec::new(), Vec::new());
        for case in failed {
            let begin = case
                .exchanges
                .first()
                .map_or(SystemTime::UNIX_EPOCH, |one| one.begin);
            pages.push(json!({
                "id": case.name,
                "title": mask.text(&format!("{}: {}", case.name, case.title)),
                "comment": mask.text(&case.verdict.remarks().join("\n")),
                "startedDateTime": time(begin),
                "pageTimings": {},
            }));
            entries.extend(case.exchanges.iter().map(|one| mask.entry(&case.name, one)));
        }
        json!({"log": {
            "version": "1.2",
            "creator": {"name": "dms-kafka-conformance", "version": env!("CARGO_PKG_VERSION")},
            "pages": pages,
            "entries": entries,
        }})
    }
}

fn time(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.3}")
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The texts that are masked.
struct Mask<'a>(Vec<&'a str>);

impl Mask<'_> {
    /// A text as it is, unless it contains a secret.
    fn text(&self, text: &str) -> String {
        let masked = sanitize(text, &self.0, usize::MAX);
        let masked = Some(masked).filter(|masked| masked.contains(REDACTED));
        masked.map_or_else(|| text.to_owned(), Cow::into_owned)
    }

    fn entry(&self, page: &str, exchange: &Exchange) -> Value {
        let Exchange {
            url,
            request,
            response,
            begin,
            elapsed,
        } = exchange;
        let wait = milliseconds(*elapsed);
        json!({
            "pageref": page,
            "startedDateTime": time(*begin),
            "time": wait,
            "request": self.request(url, request),
            "response": self.response(response.as_ref()),
            "cache": {},
            "timings": {"send": 0, "wait": wait, "receive": 0},
        })
    }

    fn request(&self, url: &str, request: &Request) -> Value {
        let query = if request.query.is_empty() {
            String::new()
        } else {
            format!("?{}", request.query)
        };
        let parameters = url::form_urlencoded::parse(request.query.as_bytes());
        let parameters = parameters
            .map(|(name, value)| json!({"name": self.text(&name), "value": self.text(&value)}));
        let mut entry = json!({
            "method": request.method.as_str(),
            "url": self.text(&format!("{url}{}{query}", request.path)),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": self.headers(&request.headers),
            "queryString": parameters.collect::<Vec<_>>(),
            "headersSize": -1,
            "bodySize": request.body.len(),
        });
        if !request.body.is_empty() {
            entry["postData"] = self.body(&request.headers, &request.body);
        }
        entry
    }

    /// Without a response the status is 0.
    fn response(&self, response: Option<&Response>) -> Value {
        let (headers, nothing) = (HeaderMap::new(), Vec::new());
        let (status, headers, body) = response.map_or((0, &headers, &nothing), |response| {
            (response.status.as_u16(), &response.headers, &response.body)
        });
        let reason = response.and_then(|response| response.status.canonical_reason());
        let mut content = self.body(headers, body);
        content["size"] = body.len().into();
        json!({
            "status": status,
            "statusText": reason.unwrap_or_default(),
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": self.headers(headers),
            "content": content,
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": body.len(),
        })
    }

    fn headers(&self, headers: &HeaderMap) -> Vec<Value> {
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let is_secret = [AUTHORIZATION, X_AUTH_TOKEN, X_SECURITY_TOKEN].contains(name);
            let text = String::from_utf8_lossy(value.as_bytes());
            let value = if is_secret {
                REDACTED.to_owned()
            } else {
                self.text(&text)
            };
            json!({"name": name.as_str(), "value": value})
        };
        headers.iter().map(header).collect()
    }

    fn body(&self, headers: &HeaderMap, body: &[u8]) -> Value {
        let media_type = headers
            .get(CONTENT_TYPE)
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        let start = &body[..body.len().min(LONGEST_BODY)];
        let text = self.text(&String::from_utf8_lossy(start));
        let mut entry =
            json!({"mimeType": self.text(&media_type.unwrap_or_default()), "text": text});
        let comment = match std::str::from_utf8(body) {
            Err(_) => "It is not UTF-8.",
            Ok(_) if start.len() < body.len() => "The rest is left out.",
            Ok(_) => return entry,
        };
        entry["comment"] = comment.into();
        entry
    }
}
