//! Properties of all requests: a signature is valid until something signed changes.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use huaweicloud_auth::{
    Credentials, ProxyUrl,
    signing::{Payload, authorize},
    verification::{Authorization, Verifier},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::{collection::vec, prelude::*, sample};

use crate::support::{now, test_request::TestRequest};

const ACCESS_KEY: &str = "AccessKey";

impl TestRequest {
    fn is_accepted(&self, secret_key: &str) -> bool {
        self.is_accepted_from(ACCESS_KEY, secret_key)
    }

    /// Whether a server with this key accepts the request.
    fn is_accepted_from(&self, access_key: &str, secret_key: &str) -> bool {
        let Ok(authorization) = Authorization::from_headers(&self.headers) else {
            return false;
        };
        authorization.access_key() == access_key
            && Verifier::default()
                .verify(&authorization, &self.request(), secret_key, now())
                .is_ok()
    }

    fn sign_all_headers(&mut self, secret_key: &str) {
        self.sign_all(&Credentials::new(ACCESS_KEY, secret_key).unwrap());
    }
}

fn header_name() -> impl Strategy<Value = HeaderName> {
    let free = "[a-z][a-z0-9-]{0,10}".prop_map(|name| name.parse().unwrap());
    let known = sample::select(vec![
        header::CONTENT_TYPE,
        header::USER_AGENT,
        HeaderName::from_static("x-project-id"),
        HeaderName::from_static("x-domain-id"),
        HeaderName::from_static("x-security-token"),
    ]);
    prop_oneof![free, known].prop_filter("is set by signing", |name: &HeaderName| {
        ![
            "host",
            "authorization",
            "x-sdk-date",
            "x-sdk-content-sha256",
        ]
        .contains(&name.as_str())
    })
}

/// Any valid header value, including surrounding whitespace and bytes outside ASCII.
fn header_value() -> impl Strategy<Value = HeaderValue> {
    let byte = prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8];
    vec(byte, 0..20).prop_map(|bytes| HeaderValue::from_bytes(&bytes).unwrap())
}

prop_compose! {
    fn sent()(
        method in "[A-Z]{1,8}",
        host in "[a-z0-9.-]{1,20}(:[0-9]{1,5})?",
        // Without a query or fragment, which signing refuses.
        path in "(/[ -\"$->@-~é一]{0,12}){0,5}",
        query in "([ -\"$->@-~é一][ -\"$-~é一]{0,39})?",
        headers in vec((header_name(), header_value()), 0..6),
        body in vec(any::<u8>(), 0..64),
    ) -> TestRequest {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        TestRequest { method: method.parse().unwrap(), host, path, query, headers: map, body }
    }
}

/// Decodes a path or a query: different spellings have the same signature.
fn decoded(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

fn parameters(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let query = query.replace('+', " ");
    let mut parameters: Vec<_> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect();
    parameters.sort();
    parameters
}

/// The trailing slash does not change the signature.
fn without_last_slash(path: &str) -> Vec<u8> {
    let mut path = decoded(path);
    if path.last() == Some(&b'/') {
        path.pop();
    }
    path
}

proptest! {
    #[test]
    fn a_signature_is_valid(
        mut sent in sent(),
        access_key in "[!-+\\--~]{1,30}",
        secret_key in "[!-~][ -~é]{0,100}[!-~]",
        token in proptest::option::of("[!-~]{1,50}"),
    ) {
        let mut credentials = Credentials::new(access_key.as_str(), secret_key.as_str()).unwrap();
        if let Some(token) = token {
            credentials = credentials.with_security_token(token).unwrap();
        }
        let mut headers = sent.headers.clone();
        authorize(&credentials, sent.target(), &mut headers, Payload::Bytes(&sent.body), now()).unwrap();
        sent.headers = headers;
        let another_key = format!("{secret_key}x");
        prop_assert!(sent.is_accepted_from(&access_key, &secret_key));
        prop_assert!(!sent.is_accepted_from(&access_key, &another_key));
    }

    #[test]
    fn a_signature_of_all_headers_is_valid(mut sent in sent(), secret_key in "[!-~]{1,100}") {
        sent.sign_all_headers(&secret_key);
        prop_assert!(sent.is_accepted(&secret_key));
    }

    #[test]
    fn a_changed_target_fails(sent in sent(), other in sent()) {
        let mut signed = sent.clone();
        signed.sign_all_headers("secret");
        let with = |change: fn(&mut TestRequest, TestRequest)| {
            let mut changed = signed.clone();
            change(&mut changed, other.clone());
            changed.is_accepted("secret")
        };
        prop_assert_eq!(with(|sent, other| sent.method = other.method), sent.method == other.method);
        prop_assert_eq!(with(|sent, other| sent.host = other.host), sent.host == other.host);
        prop_assert_eq!(
            with(|sent, other| sent.path = other.path),
            without_last_slash(&sent.path) == without_last_slash(&other.path)
        );
        prop_assert_eq!(
            with(|sent, other| sent.query = other.query),
            parameters(&sent.query) == parameters(&other.query)
        );
        prop_assert_eq!(with(|sent, other| sent.body = other.body), sent.body == other.body);
    }

    /// Flips one bit of the body, a header value or the signature.
    #[test]
    fn a_flipped_bit_fails(mut sent in sent(), place in any::<sample::Index>(), bit in 0..8_u32) {
        sent.sign_all_headers("secret");
        let flip = |bytes: &mut [u8]| {
            let index = place.index(bytes.len());
            bytes[index] ^= 1 << bit;
        };
        if !sent.body.is_empty() {
            let mut changed = sent.clone();
            flip(&mut changed.body);
            prop_assert!(!changed.is_accepted("secret"));
        }
        let names: Vec<_> = sent.headers.keys().cloned().collect();
        for name in names {
            let mut values: Vec<_> = sent.headers.get_all(&name).iter().cloned().collect();
            let chosen = place.index(values.len());
            let mut bytes = values[chosen].as_bytes().to_vec();
            if bytes.is_empty() {
                continue;
            }
            flip(&mut bytes);
            let Ok(value) = HeaderValue::from_bytes(&bytes) else { continue };
            let is_only_whitespace =
                value.as_bytes().trim_ascii() == values[chosen].as_bytes().trim_ascii();
            values[chosen] = value;
            let mut changed = sent.clone();
            changed.headers.remove(&name);
            for value in values {
                changed.headers.append(name.clone(), value);
            }
            prop_assert!(is_only_whitespace || !changed.is_accepted("secret"), "{name}");
        }
    }

    /// Flips one bit of the method, host, path or query. Other spellings of the same path or query stay valid.
    #[test]
    fn a_flipped_bit_of_the_target_fails(mut sent in sent(), place in any::<sample::Index>(), bit in 0..7_u32) {
        sent.sign_all_headers("secret");
        let flipped = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            if !bytes.is_empty() {
                let index = place.index(bytes.len());
                bytes[index] ^= 1 << bit;
            }
            String::from_utf8(bytes).ok()
        };
        if let Some(method) = flipped(sent.method.as_str()).and_then(|method| method.parse().ok()) {
            let changed = TestRequest { method, ..sent.clone() };
            prop_assert!(!changed.is_accepted("secret"));
        }
        if let Some(host) = flipped(&sent.host) {
            let changed = TestRequest { host, ..sent.clone() };
            prop_assert!(!changed.is_accepted("secret"));
        }
        if let Some(path) = flipped(&sent.path) {
            let is_same = without_last_slash(&path) == without_last_slash(&sent.path);
            let changed = TestRequest { path, ..sent.clone() };
            prop_assert_eq!(changed.is_accepted("secret"), is_same);
        }
        if let Some(query) = flipped(&sent.query) {
            let is_same = parameters(&query) == parameters(&sent.query);
            let changed = TestRequest { query, ..sent.clone() };
            prop_assert_eq!(changed.is_accepted("secret"), is_same);
        }
    }

    #[test]
    fn a_removed_or_repeated_header_fails(mut sent in sent(), name in header_name(), value in header_value()) {
        sent.headers.insert(name.clone(), value.clone());
        sent.sign_all_headers("secret");
        let mut twice = sent.clone();
        twice.headers.append(name.clone(), value);
        prop_assert!(!twice.is_accepted("secret"));
        sent.headers.remove(name);
        prop_assert!(!sent.is_accepted("secret"));
    }

    #[test]
    fn any_encoded_password_of_a_proxy_is_accepted(user in ".{0,10}", password in ".{1,20}") {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let url = format!("http://{}:{}@proxy:3128", encoded(&user), encoded(&password));
        let proxy: ProxyUrl = url.parse().unwrap();
        let (user_info, _) = proxy.as_str()["http://".len()..].split_once('@').unwrap();
        prop_assert_eq!(decoded(user_info), format!("{user}:{password}").into_bytes());
    }

    #[test]
    fn no_proxy_panics_or_is_quoted(start in "(https?://|)(user:)?", text in "canary[ -~é\r\n]{0,20}") {
        let parsed = format!("{start}{text}").parse::<ProxyUrl>();
        if let Err(error) = parsed {
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains("canary"));
        }
    }

    #[test]
    fn no_authorization_header_panics(value in "(SDK-HMAC-SHA256 )?[ -~]{0,200}", sent in sent()) {
        if let Ok(authorization) = Authorization::parse(&value) {
            let result = Verifier::default().verify(&authorization, &sent.request(), "secret", now());
            prop_assert!(result.is_err());
        }
    }
}
