//! Credentials of the agency of an ECS, from its metadata service.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};

use super::{
    context::ProviderContext,
    named,
    request::{self, Answer},
    transport::TransportErrorKind,
};
use crate::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError};

const TOKEN_URL: &str = "http://169.254.169.254/meta-data/latest/api/token";
const KEY_URL: &str = "http://169.254.169.254/openstack/latest/securitykey";
const X_METADATA_TOKEN: HeaderName = HeaderName::from_static("x-metadata-token");
const X_METADATA_TOKEN_TTL: HeaderName = HeaderName::from_static("x-metadata-token-ttl-seconds");
const TOKEN_TTL: HeaderValue = HeaderValue::from_static("21600");
/// Three seconds to connect, which the transport sees to, and three to answer.
const TIMEOUT: Duration = Duration::from_secs(6);
/// How long to believe that the service has no tokens.
const VERSION_1_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);
const FIX: &str = "see what keeps this machine from its metadata service, or give credentials in the environment \
    or the profile, which are asked first";
/// What the service says on a machine that has no agency.
const NO_AGENCY: &[u8] = b"Please configure Cloud Service Agency first";

/// Asks the metadata service of an ECS for the temporary key of its agency: version 2, which hands out a token first, or
/// version 1 where that does not exist.
///
/// Wrap it in a [`CachedProvider`](crate::CachedProvider), else every call asks the service.
///
/// A machine without a metadata service, or without an agency, means "nothing here"; a refusal is an error.
#[derive(Debug)]
pub struct MetadataProvider {
    context: ProviderContext,
    session: Mutex<Option<Session>>,
}

#[derive(Clone, Debug)]
struct Session {
    /// Version 1 has none.
    token: Option<HeaderValue>,
    /// Until then it is believed that the service has no tokens.
    until: Option<SystemTime>,
}

impl MetadataProvider {
    /// A provider that uses the transport and the clock of the context.
    pub fn new(context: &ProviderContext) -> Self {
        Self {
            context: context.clone(),
            session: Mutex::default(),
        }
    }

    async fn fetch(&self) -> Result<Credentials, ProviderError> {
        let mut session = self.session().await?;
        let mut answer = self.get_key(&session).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && !is_without_agency(&answer) {
            let renewed = self.open_session().await?;
            if renewed.token.is_some() {
                answer = self.get_key(&renewed).await?;
                session = renewed;
            }
        }
        read_key(&answer, &session)
    }

    async fn session(&self) -> Result<Session, ProviderError> {
        let now = self.context.clock.now();
        let session = self.known_session().clone();
        match session.filter(|session| session.until.is_none_or(|until| now < until)) {
            Some(session) => Ok(session),
            None => self.open_session().await,
        }
    }

    /// Asks for a token and remembers it, or that there are none.
    async fn open_session(&self) -> Result<Session, ProviderError> {
        let header = Some((X_METADATA_TOKEN_TTL, TOKEN_TTL));
        let answer = self.send(Method::PUT, TOKEN_URL, header).await?;
        let session = match answer.status() {
            StatusCode::OK => Session {
                token: Some(read_token(answer.body())?),
                until: None,
            },
            StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::SERVICE_UNAVAILABLE => Session {
                token: None,
                until: Some(self.context.clock.now() + VERSION_1_PERIOD),
            },
            _ => return Err(request::refused(TOKEN_URL, &answer, &[]).with_fix(FIX)),
        };
        *self.known_session() = Some(session.clone());
        Ok(session)
    }

    fn known_session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn get_key(&self, session: &Session) -> Result<Answer, ProviderError> {
        let token = session.token.clone();
        let header = token.map(|token| (X_METADATA_TOKEN, token));
        self.send(Method::GET, KEY_URL, header).await
    }

    async fn send(
        &self,
        method: Method,
        url: &'static str,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Answer, ProviderError> {
        let mut request = Request::new(Vec::new());
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from_static(url);
        request.headers_mut().extend(header);
        request::send(&self.context, request, TIMEOUT)
            .await
            .map_err(|error| match error.kind() {
                TransportErrorKind::Unreachable => ProviderError::not_found(
                    "this machine has no metadata service: 169.254.169.254 cannot be reached",
                )
                .caused_by(error.into_source()),
                _ => request::unanswered(url, error),
            })
    }
}

impl ProvideCredentials for MetadataProvider {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        named("metadata", self.fetch())
    }
}

fn read_token(body: &[u8]) -> Result<HeaderValue, ProviderError> {
    let token = HeaderValue::from_bytes(body)
        .ok()
        .filter(|token| !token.is_empty());
    let mut token = token
        .ok_or_else(|| ProviderError::invalid(format!("{TOKEN_URL} answered what is no token")))?;
    token.set_sensitive(true);
    Ok(token)
}

fn read_key(answer: &Answer, session: &Session) -> Result<Credentials, ProviderError> {
    match answer.status() {
        StatusCode::OK => request::parse_key(answer.body()).map_err(|error| error.at(KEY_URL)),
        StatusCode::NOT_FOUND => Err(ProviderError::not_found(format!(
            "{KEY_URL} does not exist: this is no ECS"
        ))),
        status if !status.is_success() && is_without_agency(answer) => {
            Err(ProviderError::not_found(
                "this ECS has no agency: choose one in its settings if it is to have credentials",
            ))
        }
        _ => {
            let token = session.token.as_ref().and_then(|token| token.to_str().ok());
            Err(request::refused(KEY_URL, answer, token.as_slice()).with_fix(FIX))
        }
    }
}

fn is_without_agency(answer: &Answer) -> bool {
    answer
        .body()
        .windows(NO_AGENCY.len())
        .any(|window| window == NO_AGENCY)
}
