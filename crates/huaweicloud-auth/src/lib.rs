//! Authentication for Huawei Cloud APIs: credentials, credentials providers, and `SDK-HMAC-SHA256` signatures.
//!
//! * [`Credentials`] contain an access key pair or a token. They are wiped on drop and never printed.
//! * [`ProvideCredentials`] is the trait of credentials providers.
//! * [`signing`] signs requests. It uses no clock, network or environment.
//! * [`verification`] verifies signatures on a server.
//! * [`text`] makes untrusted text safe to print.
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
# Credentials providers

[`ChainProvider::standard`] asks the providers of the official SDKs, the metadata service last. [`CachedProvider`] caches the credentials and
replaces them before they expire.

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
//! [`dms-kafka`](https://docs.rs/dms-kafka) is a client that uses this crate, and
//! [`dms-kafka-gateway`](https://docs.rs/dms-kafka-gateway) a server. They are in [one repository](https://github.com/dms-kafka/dms-kafka).
//!
//! # Features
//!
//! None is on by default. The crate then signs, verifies, and takes credentials from the caller or the environment.
//!
//! | feature | adds |
//! |---|---|
//! | `endpoint` | the parsers of service endpoints and of proxies |
//! | `providers` | the other providers, the chain, the cache, project ids and regions; the caller provides an HTTP client |
//! | `reqwest` | an HTTP client for them, with TLS when reqwest has it |
//! | `rustls` | TLS for it, with the root certificates of the platform |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod credentials;
#[cfg(feature = "endpoint")]
mod endpoint;
mod environment;
mod error;
#[cfg(feature = "providers")]
mod providers;
#[cfg(feature = "endpoint")]
mod proxy;
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
#[cfg(feature = "endpoint")]
pub use proxy::{EnvironmentProxy, ProxyUrl, ProxyUrlError};

/// Compiles and runs the examples of the README.
#[cfg(all(doctest, feature = "reqwest"))]
#[doc = include_str!("../README.md")]
struct Readme;
