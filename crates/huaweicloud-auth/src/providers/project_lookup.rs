//! The lookup of the project id of a region.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, Method, Request};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{context::ProviderContext, region::Region, request};
use crate::{
    Credentials, Endpoint, ProviderError,
    signing::{self, Payload, RequestTarget},
};

const PATH: &str = "/v3/projects";
/// Project ids have 32 digits.
const LONGEST_ID: usize = 64;
/// How many project ids a message lists.
const MAX_LISTED: usize = 10;

/// Finds the project of an account in a region with IAM, and caches it.
///
/// In each region, every account has a project with the name of the region.
///
/// ```
/// # #[cfg(feature = "reqwest")] {
/// use std::sync::Arc;
/// use huaweicloud_auth::{Credentials, ProjectLookup, ProviderContext, Region, ReqwestTransport};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let context = ProviderContext::new(Arc::new(ReqwestTransport::new()));
/// let lookup = ProjectLookup::new(&context);
/// // These credentials have a project, so no request is sent.
/// let credentials = Credentials::new("AccessKey", "SecretKey")?.with_project_id("0123456789abcdef");
/// let project_id = lookup.project_id(&credentials, &Region::AP_SOUTHEAST_1).await?;
/// assert_eq!(project_id, "0123456789abcdef");
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
/// # }
/// ```
#[derive(Debug)]
pub struct ProjectLookup {
    context: ProviderContext,
    /// With a cell for each account, one call asks IAM and the other calls of the account wait.
    known: Mutex<HashMap<Account, Arc<OnceCell<String>>>>,
}

/// An access key or the hash of a token, and a region.
type Account = (String, Region);

impl ProjectLookup {
    /// Creates a lookup that uses the environment, the HTTP client and the clock of the context.
    pub fn new(context: &ProviderContext) -> Self {
        Self {
            context: context.clone(),
            known: Mutex::default(),
        }
    }

    /// Returns the project of the credentials, or else the one that IAM finds.
    ///
    /// The first call for a key and a region sends `GET /v3/projects?name=<region>`, and concurrent calls wait for it. The
    /// IAM endpoint is that of the credentials, of `HUAWEICLOUD_SDK_IAM_ENDPOINT`, of the region, or the global one. Errors
    /// are not cached.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ProviderErrorKind::NotFound) when the account has no project in the region,
    /// [`Ambiguous`](crate::ProviderErrorKind::Ambiguous) when it has several, with their ids as candidates,
    /// [`Invalid`](crate::ProviderErrorKind::Invalid) when IAM refused the request, or its response or a configured
    /// endpoint is invalid, and [`Unavailable`](crate::ProviderErrorKind::Unavailable) when IAM did not respond or failed.
    pub async fn project_id(
        &self,
        credentials: &Credentials,
        region: &Region,
    ) -> Result<String, ProviderError> {
        if let Some(project_id) = credentials.project_id() {
            return Ok(project_id.to_owned());
        }
        let known = self.known((account_of(credentials), region.clone()));
        let project_id = known.get_or_try_init(|| self.look_up(credentials, region));
        project_id.await.cloned()
    }

    fn known(&self, account: Account) -> Arc<OnceCell<String>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(account).or_default())
    }

    async fn look_up(
        &self,
        credentials: &Credentials,
        region: &Region,
    ) -> Result<String, ProviderError> {
        let context = self.context.clone().with_region(region.clone());
        let iam = context.iam_endpoint(credentials.iam_endpoint())?;
        let request = self.request(credentials, &iam, region)?;
        let secrets: Vec<&str> = credentials
            .security_token()
            .into_iter()
            .chain(credentials.auth_token())
            .collect();
        let response = request::fetch(&context, request, request::CLOUD_TIMEOUT, &secrets).await?;
        choose(region, &iam, &response)
    }

    fn request(
        &self,
        credentials: &Credentials,
        iam: &Endpoint,
        region: &Region,
    ) -> Result<Request<Vec<u8>>, ProviderError> {
        let query = format!("name={region}");
        let target = RequestTarget {
            method: &Method::GET,
            host: iam.authority(),
            path: PATH,
            query: &query,
        };
        let mut headers = HeaderMap::new();
        let now = self.context.clock.now();
        signing::authorize(credentials, target, &mut headers, Payload::Bytes(b""), now).map_err(
            |error| ProviderError::invalid("the request cannot be signed").with_source(error),
        )?;
        let mut request = Request::get(format!("{iam}{PATH}?{query}"))
            .body(Vec::new())
            .map_err(|error| {
                ProviderError::invalid("the request cannot be built").with_source(error)
            })?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Tokens are stored as hashes.
fn account_of(credentials: &Credentials) -> String {
    match credentials.auth_token() {
        Some(token) => signing::hex_sha256(token.as_bytes()).as_str().to_owned(),
        None => credentials.access_key().unwrap_or_default().to_owned(),
    }
}

fn choose(
    region: &Region,
    iam: &Endpoint,
    response: &request::HttpResponse,
) -> Result<String, ProviderError> {
    let trace = response
        .headers()
        .get("x-iam-trace-id")
        .and_then(|id| id.to_str().ok());
    let trace = trace
        .map(|id| format!(" (X-IAM-Trace-Id {id})"))
        .unwrap_or_default();
    let Some(mut project_ids) = project_ids(response.body()) else {
        let message = format!("{iam}{PATH}: the response has no list of projects{trace}");
        return Err(ProviderError::invalid(message));
    };
    match project_ids.len() {
        1 => Ok(project_ids.swap_remove(0)),
        0 => Err(ProviderError::not_found(format!(
            "the account has no project in the region {region}{trace}: set a project id"
        ))),
        _ => {
            let list = match project_ids.split_at_checked(MAX_LISTED) {
                Some((first, more)) if !more.is_empty() => {
                    format!("{} and {} more", first.join(", "), more.len())
                }
                _ => project_ids.join(", "),
            };
            let message = format!(
                "the account has several projects in the region {region}{trace}: set the id of one, {list}"
            );
            Err(ProviderError::ambiguous(message, project_ids))
        }
    }
}

fn project_ids(body: &[u8]) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let projects = body.get("projects")?.as_array()?;
    projects
        .iter()
        .map(|project| {
            let id = project.get("id")?.as_str()?;
            is_id(id).then(|| id.to_owned())
        })
        .collect()
}

/// Project ids are used in URLs, headers and messages.
fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}
