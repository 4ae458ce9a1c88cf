//! The credentials provider that exchanges an OIDC token at STS.

use std::path::Path;

use serde_json::json;
use zeroize::Zeroizing;

use super::{
    context::{ProviderContext, read_token},
    named, request,
};
use crate::{Credentials, ProvideCredentials, ProvideCredentialsFuture, ProviderError};

const PROVIDER_URN: &str = "HUAWEICLOUD_OIDC_PROVIDER_URN";
const AGENCY_URN: &str = "HUAWEICLOUD_OIDC_AGENCY_URN";
const ID_TOKEN: &str = "HUAWEICLOUD_OIDC_ID_TOKEN";
const TOKEN_FILE: &str = "HUAWEICLOUD_OIDC_TOKEN_FILE";
const SESSION_NAME: &str = "HUAWEICLOUD_OIDC_SESSION_NAME";
const DURATION_SECONDS: &str = "HUAWEICLOUD_OIDC_DURATION_SECONDS";
const POLICY: &str = "HUAWEICLOUD_OIDC_POLICY";
const POLICY_IDS: &str = "HUAWEICLOUD_OIDC_POLICY_IDS";
const DEFAULT_SESSION_NAME: &str = "oidc-sts-session";
const DEFAULT_DURATION_SECONDS: u32 = 3600;

/// Assumes the agency `HUAWEICLOUD_OIDC_AGENCY_URN` with a token of the identity provider `HUAWEICLOUD_OIDC_PROVIDER_URN`.
///
/// The token is `HUAWEICLOUD_OIDC_ID_TOKEN` or the content of the file `HUAWEICLOUD_OIDC_TOKEN_FILE`. Optional variables:
/// `HUAWEICLOUD_OIDC_SESSION_NAME` (default `oidc-sts-session`), `HUAWEICLOUD_OIDC_DURATION_SECONDS` (default 3600),
/// `HUAWEICLOUD_OIDC_POLICY` and `HUAWEICLOUD_OIDC_POLICY_IDS` (separated by commas).
///
/// Wrap it in a [`CachedProvider`](crate::CachedProvider), or every call sends a request. The error is
/// [`NotFound`](crate::ProviderErrorKind::NotFound) when neither a URN nor a token is set.
#[derive(Clone, Debug)]
pub struct OidcProvider {
    context: ProviderContext,
}

impl OidcProvider {
    /// Creates a provider that uses the environment, the HTTP client and the region of the context.
    pub fn new(context: &ProviderContext) -> Self {
        Self {
            context: context.clone(),
        }
    }

    async fn fetch(&self) -> Result<Credentials, ProviderError> {
        let environment = self.context.environment();
        let urns = environment.get_both(PROVIDER_URN, AGENCY_URN);
        if urns.as_ref().is_err_and(ProviderError::is_not_found) {
            self.require_no_token()?;
        }
        let (provider, agency) = urns?;
        let token = self.token()?;
        let mut body = json!({
            "provider_urn": provider,
            "agency_urn": agency,
            "agency_session_name": environment.get(SESSION_NAME)?.as_deref().unwrap_or(DEFAULT_SESSION_NAME),
            "id_token": token.as_str(),
            "duration_seconds": self.duration_seconds()?,
        });
        if let Some(policy) = environment.get(POLICY)? {
            body["policy"] = policy.into();
        }
        if let Some(ids) = environment.get(POLICY_IDS)? {
            body["policy_ids"] = ids
                .split(',')
                .map(str::trim)
                .filter(|id| !id.is_empty())
                .collect();
        }
        let url = format!(
            "{}/v5/agencies/assume-with-oidc",
            self.context.sts_endpoint()?
        );
        let request = request::post_json(url, &body)?;
        let fix =
            format!("check {PROVIDER_URN} and {AGENCY_URN}, and that the token has not expired");
        let key = request::fetch_key(&self.context, request, request::CLOUD_TIMEOUT, &token, &fix)
            .await?;
        environment.scope(key)
    }

    /// A token without the URNs is a mistake, because it has no other purpose.
    fn require_no_token(&self) -> Result<(), ProviderError> {
        for token in [ID_TOKEN, TOKEN_FILE] {
            if self.context.environment().get(token)?.is_some() {
                return Err(ProviderError::invalid(format!(
                    "{token} is set but neither {PROVIDER_URN} nor {AGENCY_URN} is: set all or none"
                )));
            }
        }
        Ok(())
    }

    fn token(&self) -> Result<Zeroizing<String>, ProviderError> {
        let environment = self.context.environment();
        if let Some(token) = environment.get(ID_TOKEN)? {
            return Ok(Zeroizing::new(token));
        }
        let file = environment.get(TOKEN_FILE)?.ok_or_else(|| {
            ProviderError::invalid(format!(
                "{PROVIDER_URN} is set but neither {ID_TOKEN} nor {TOKEN_FILE} is: set one"
            ))
        })?;
        read_token(Path::new(&file))
    }

    fn duration_seconds(&self) -> Result<u32, ProviderError> {
        let Some(text) = self.context.environment().get(DURATION_SECONDS)? else {
            return Ok(DEFAULT_DURATION_SECONDS);
        };
        text.trim().parse().map_err(|error| {
            ProviderError::invalid("is not a number of seconds")
                .with_source(error)
                .at(DURATION_SECONDS)
        })
    }
}

impl ProvideCredentials for OidcProvider {
    fn provide_credentials(&self) -> ProvideCredentialsFuture<'_> {
        named("oidc", self.fetch())
    }
}
