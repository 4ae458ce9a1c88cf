//! Authentication for Huawei Cloud APIs: credentials, where they come from, and `SDK-HMAC-SHA256`.
//!
//! * [`Credentials`] hold an access key pair or a token, wipe it on drop and never print it.
//! * [`ProvideCredentials`] is the one trait behind every source of credentials; write your own or take one of these.
//! * [`signing`] turns a request and credentials into headers. It is pure: no clock, no network, no environment.
//! * [`verification`] is the server's side of the same algorithm.
//! * [`text`] makes text from outside safe to show.
//!
//! ```
//! use std::time::SystemTime;
//! use http::{HeaderMap, HeaderValue, Method, header};
//! use huaweicloud_auth::{Credentials, signing::{self, Payload, RequestTarget}};
//!
//! let credentials = Credentials::new("AccessKey", "SecretKey")?;
//! let body = br#"{"partitions":[{"partition":0,"offset":1}]}"#;
//! let mut headers = HeaderMap::new();
//! headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
//! let target = RequestTarget {
//!     method: &Method::POST,
//!     host: "dms.ap-southeast-1.myhuaweicloud.com",
//!     path: "/v2/p/kafka/instances/i/topics/orders/messages/delete",
//!     query: "",
//! };
//! signing::authorize(&credentials, target, &mut headers, Payload::Bytes(body), SystemTime::now())?;
//! assert!(headers.contains_key("x-sdk-date") && headers.contains_key(header::AUTHORIZATION));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    feature = "reqwest",
    doc = "
# Credentials wherever the code runs

[`ChainProvider::standard`] asks the sources of the official SDKs in their order; [`CachedProvider`] keeps what it finds and
replaces it before it expires.

```no_run
use std::sync::Arc;
use huaweicloud_auth::{CachedProvider, ChainProvider, ProvideCredentials, ProviderContext, ReqwestTransport};

# async fn run() -> Result<(), huaweicloud_auth::ProviderError> {
let context = ProviderContext::new(Arc::new(ReqwestTransport::new()));
let provider = CachedProvider::new(ChainProvider::standard(&context));
let credentials = provider.provide_credentials().await?;
# Ok(())
# }
```
"
)]
//! # Features
//!
//! None is on by default; the crate then signs, verifies, and takes credentials from the caller or the environment.
//!
//! | feature | adds |
//! |---|---|
//! | `endpoint` | the parser of service endpoints |
//! | `providers` | the other sources, the chain, caching, project ids and regions; HTTP comes from the caller |
//! | `reqwest` | a transport for them; it speaks TLS when reqwest does |
//! | `rustls` | TLS for that transport, with the platform's root certificates |

mod credentials;
#[cfg(feature = "endpoint")]
mod endpoint;
mod environment;
mod error;
#[cfg(feature = "providers")]
mod providers;
pub mod signing;
pub mod text;
pub mod verification;

pub use credentials::{Credentials, ProvideCredentials, ProvideCredentialsFuture};
#[cfg(feature = "endpoint")]
pub use endpoint::{Endpoint, EndpointError};
pub use environment::{Environment, EnvironmentProvider};
pub use error::{ProviderError, ProviderErrorKind};
#[cfg(feature = "providers")]
pub use providers::*;

/// Compiles and runs the examples of the README.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../README.md")]
struct Readme;
