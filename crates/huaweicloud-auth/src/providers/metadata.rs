//! The credentials provider for the agency of an ECS.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};

use super::{
    context::ProviderContext,
    named,
    request::{self, HttpResponse},
    transport::TransportErrorKind,
};
use crate::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError};

const VARIABLE: &str = "HUAWEICLOUD_SDK_METADATA";
const TOKEN_URL: &str = "http://169.254.169.254/meta-data/latest/api/token";
const KEY_URL: &str = "http://169.254.169.254/openstack/latest/securitykey";
const X_METADATA_TOKEN: HeaderName = HeaderName::from_static("x-metadata-token");
const X_METADATA_TOKEN_TTL: HeaderName = HeaderName::from_static("x-metadata-token-ttl-seconds");
const TOKEN_TTL: HeaderValue = HeaderValue::from_static("21600");
/// Three seconds to connect, which the HTTP client limits, and three to respond.
const TIMEOUT: Duration = Duration::from_secs(6);
/// How long to use version 1 before trying version 2 again.
const VERSION_1_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);
const FIX: &str = "check what prevents this machine from using its metadata service, or set credentials in the \
    environment or the profile, which take precedence";
/// The message of the service when the machine has no agency.
const NO_AGENCY: &[u8] = b"Please configure Cloud Service Agency first";

/// Fetches the temporary key of the agency of an ECS from the metadata service. It uses version 2, which requires a token,
/// or version 1 when that does not exist.
///
/// Wrap it in a [`CachedProvider`](crate::CachedProvider), or every call sends a request.
///
/// The variable `HUAWEICLOUD_SDK_METADATA=off` and [`ProviderContext::without_metadata`] disable it: then it sends nothing.
///
/// The error is [`NotFound`](crate::ProviderErrorKind::NotFound) when it is disabled, or there is no metadata service or no
/// agency.
#[derive(Debug)]
pub struct MetadataProvider {
    context: ProviderContext,
    session: Mutex<Option<Session>>,
}

#[derive(Clone, Debug)]
struct Session {
    /// `None` for version 1.
    token: Option<HeaderValue>,
    /// When to try version 2 again, for version 1.
    until: Option<SystemTime>,
}

impl MetadataProvider {
    /// Creates a provider that uses the HTTP client and the clock of the context.
    pub fn new(context: &ProviderContext) -> Self {
        Self {
            context: context.clone(),
            session: Mutex::default(),
        }
    }

    fn require_enabled(&self) -> Result<(), ProviderError> {
        let not_asked =
            |reason: &str| ProviderError::not_found(format!("not asked, because {reason}"));
        if let Some(reason) = self.context.without_metadata {
            return Err(not_asked(reason));
        }
        let switch = self.context.environment().get(VARIABLE)?;
        match switch.map(|switch| switch.to_ascii_lowercase()).as_deref() {
            None | Some("on") => Ok(()),
            Some("off") => Err(not_asked("HUAWEICLOUD_SDK_METADATA is off")),
            Some(_) => Err(ProviderError::invalid("is neither on nor off").at(VARIABLE)),
        }
    }

    async fn fetch(&self) -> Result<Credentials, ProviderError> {
        self.require_enabled()?;
        let mut session = self.session().await?;
        let mut response = self.get_key(&session).await?;
        if response.status() == StatusCode::UNAUTHORIZED && !is_without_agency(&response) {
            let renewed = self.open_session().await?;
            if renewed.token.is_some() {
                response = self.get_key(&renewed).await?;
                session = renewed;
            }
        }
        read_key(&response, &session)
    }

    async fn session(&self) -> Result<Session, ProviderError> {
        let now = self.context.clock.now();
        let session = self.stored_session().clone();
        match session.filter(|session| session.until.is_none_or(|until| now < until)) {
            Some(session) => Ok(session),
            None => self.open_session().await,
        }
    }

    /// Requests a token and stores the session: the token, or version 1 if the service supports only that.
    async fn open_session(&self) -> Result<Session, ProviderError> {
        let header = Some((X_METADATA_TOKEN_TTL, TOKEN_TTL));
        let response = self.send(Method::PUT, TOKEN_URL, header).await?;
        let session = match response.status() {
            StatusCode::OK => Session {
                token: Some(read_token(response.body())?),
                until: None,
            },
            StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::SERVICE_UNAVAILABLE => Session {
                token: None,
                until: Some(self.context.clock.now() + VERSION_1_PERIOD),
            },
            _ => return Err(request::error_response(TOKEN_URL, &response, &[]).with_fix(FIX)),
        };
        *self.stored_session() = Some(session.clone());
        Ok(session)
    }

    fn stored_session(&self) -> MutexGuard<'_, Option<Session>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn get_key(&self, session: &Session) -> Result<HttpResponse, ProviderError> {
        let token = session.token.clone();
        let header = token.map(|token| (X_METADATA_TOKEN, token));
        self.send(Method::GET, KEY_URL, header).await
    }

    async fn send(
        &self,
        method: Method,
        url: &'static str,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<HttpResponse, ProviderError> {
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
                _ => request::no_response(url, error),
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
        .ok_or_else(|| ProviderError::invalid(format!("{TOKEN_URL} returned an invalid token")))?;
    token.set_sensitive(true);
    Ok(token)
}

fn read_key(response: &HttpResponse, session: &Session) -> Result<Credentials, ProviderError> {
    match response.status() {
        StatusCode::OK => request::parse_key(response.body()).map_err(|error| error.at(KEY_URL)),
        StatusCode::NOT_FOUND => Err(ProviderError::not_found(format!(
            "{KEY_URL} does not exist: this machine is not an ECS"
        ))),
        status if !status.is_success() && is_without_agency(response) => {
            Err(ProviderError::not_found(
                "this ECS has no agency: select one in the settings of the ECS",
            ))
        }
        _ => {
            let token = session.token.as_ref().and_then(|token| token.to_str().ok());
            Err(request::error_response(KEY_URL, response, token.as_slice()).with_fix(FIX))
        }
    }
}

fn is_without_agency(response: &HttpResponse) -> bool {
    response
        .body()
        .windows(NO_AGENCY.len())
        .any(|window| window == NO_AGENCY)
}
