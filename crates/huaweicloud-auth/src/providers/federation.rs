//! The credentials provider that exchanges the token of an identity provider at IAM.

use std::path::Path;

use http::{HeaderName, HeaderValue};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    context::{ProviderContext, read_token},
    named, request,
};
use crate::{Credentials, Endpoint, ProvideCredentials, ProvideCredentialsFuture, ProviderError};

const IDP_ID: &str = "HUAWEICLOUD_SDK_IDP_ID";
const ID_TOKEN_FILE: &str = "HUAWEICLOUD_SDK_ID_TOKEN_FILE";
const X_IDP_ID: HeaderName = HeaderName::from_static("x-idp-id");
const X_SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");
/// Six hours, as in the official SDKs.
const KEY_LIFETIME_SECONDS: u32 = 6 * 60 * 60;

/// Exchanges the ID token in the file `HUAWEICLOUD_SDK_ID_TOKEN_FILE`, issued by the identity provider
/// `HUAWEICLOUD_SDK_IDP_ID`, for a temporary key of six hours.
///
/// Wrap it in a [`CachedProvider`](crate::CachedProvider), or every call sends requests. The error is
/// [`NotFound`](crate::ProviderErrorKind::NotFound) when neither variable is set.
#[derive(Clone, Debug)]
pub struct FederationProvider {
    context: ProviderContext,
}

impl FederationProvider {
    /// Creates a provider that uses the environment, the HTTP client and the region of the context.
    pub fn new(context: &ProviderContext) -> Self {
        Self {
            context: context.clone(),
        }
    }

    async fn fetch(&self) -> Result<Credentials, ProviderError> {
        let environment = self.context.environment();
        let (idp_id, token_file) = environment.get_both(IDP_ID, ID_TOKEN_FILE)?;
        let credentials = exchange(&self.context, &idp_id, Path::new(&token_file), None).await?;
        environment.scope(credentials)
    }
}

impl ProvideCredentials for FederationProvider {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        named("federation", self.fetch())
    }
}

/// Exchanges an ID token for an IAM token, and this for a temporary key.
pub(super) async fn exchange(
    context: &ProviderContext,
    idp_id: &str,
    token_file: &Path,
    iam_endpoint: Option<&str>,
) -> Result<Credentials, ProviderError> {
    let iam = context.iam_endpoint(iam_endpoint)?;
    let id_token = read_token(token_file)?;
    let iam_token = iam_token(context, &iam, idp_id, &id_token).await?;
    let url = format!("{iam}/v3.0/OS-CREDENTIAL/securitytokens");
    let token = json!({ "id": iam_token.as_str(), "duration_seconds": KEY_LIFETIME_SECONDS });
    let body = json!({ "auth": { "identity": { "methods": ["token"], "token": token } } });
    let request = request::post_json(url, &body)?;
    let fix = format!("check in IAM the permissions of users of the identity provider {idp_id}");
    request::fetch_key(context, request, request::CLOUD_TIMEOUT, &iam_token, &fix).await
}

async fn iam_token(
    context: &ProviderContext,
    iam: &Endpoint,
    idp_id: &str,
    id_token: &str,
) -> Result<Zeroizing<String>, ProviderError> {
    let url = format!("{iam}/v3.0/OS-AUTH/id-token/tokens");
    let body = json!({ "auth": { "id_token": { "id": id_token } } });
    let mut request = request::post_json(url.clone(), &body)?;
    let header = HeaderValue::from_str(idp_id).map_err(|_| {
        ProviderError::invalid(format!(
            "the id of the identity provider, {idp_id:?}, is not valid in an HTTP header: use visible ASCII"
        ))
    })?;
    request.headers_mut().insert(X_IDP_ID, header);
    let response = request::fetch(context, request, request::CLOUD_TIMEOUT, &[id_token])
        .await
        .map_err(|error| {
            error.with_fix(format_args!(
                "check the identity provider {idp_id}, and that its token has not expired"
            ))
        })?;
    let token = response
        .headers()
        .get(X_SUBJECT_TOKEN)
        .and_then(|token| token.to_str().ok());
    token
        .map(|token| Zeroizing::new(token.to_owned()))
        .ok_or_else(|| ProviderError::invalid("the response has no X-Subject-Token").at(url))
}
