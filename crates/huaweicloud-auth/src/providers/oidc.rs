//! Credentials of an agency, from STS, for an OIDC token.

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

/// Assumes the agency `HUAWEICLOUD_OIDC_AGENCY_URN` with a token of the provider `HUAWEICLOUD_OIDC_PROVIDER_URN`.
///
/// The token is `HUAWEICLOUD_OIDC_ID_TOKEN` or stands in the file `HUAWEICLOUD_OIDC_TOKEN_FILE`. Optional:
/// `HUAWEICLOUD_OIDC_SESSION_NAME` (`oidc-sts-session`), `HUAWEICLOUD_OIDC_DURATION_SECONDS` (3600),
/// `HUAWEICLOUD_OIDC_POLICY` and `HUAWEICLOUD_OIDC_POLICY_IDS` (with commas between them).
///
/// Wrap it in a [`CachedProvider`](crate::CachedProvider), else every call asks STS. Neither URN nor a token set
/// means "nothing here"; anything missing once one of them is set is an error.
#[derive(Clone, Debug)]
pub struct OidcProvider {
    context: ProviderContext,
}

impl OidcProvider {
    /// A provider that uses the environment, the transport and the region of the context.
    pub fn new(context: &ProviderContext) -> Self {
        Self {
            context: context.clone(),
        }
    }

    async fn fetch(&self) -> Result<Credentials, ProviderError> {
        let environment = self.context.environment();
        let Some((provider, agency)) = environment.get_both(PROVIDER_URN, AGENCY_URN)? else {
            return Err(self.without_urns()?);
        };
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
        let fix = format!(
            "see that {PROVIDER_URN} and {AGENCY_URN} are right and the token has not expired"
        );
        let key =
            request::ask_for_key(&self.context, request, request::CLOUD_TIMEOUT, &token, &fix)
                .await?;
        environment.scope(key)
    }

    /// A token is set for nothing but this, so alone it is a mistake.
    fn without_urns(&self) -> Result<ProviderError, ProviderError> {
        for token in [ID_TOKEN, TOKEN_FILE] {
            if self.context.environment().get(token)?.is_some() {
                return Ok(ProviderError::invalid(format!(
                    "{token} is set but neither {PROVIDER_URN} nor {AGENCY_URN} is: set all or none"
                )));
            }
        }
        Ok(ProviderError::not_found(format!(
            "neither {PROVIDER_URN} nor {AGENCY_URN} is set"
        )))
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
            ProviderError::invalid("is no number of seconds")
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
