//! Authentication for Huawei Cloud APIs: credentials, where they come from, and `SDK-HMAC-SHA256`.
//!
//! * [`Credentials`] hold an access key pair or a token, wipe it on drop and never print it.
//! * [`ProvideCredentials`] is the one trait behind every source of credentials; write your own or take [`EnvironmentProvider`].
//! * [`signing`] turns a request and credentials into headers. It is pure: no clock, no network, no environment.
//! * [`verification`] is the server's side of the same algorithm.
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

mod credentials;
mod environment;
mod error;
mod provider;
mod providers;
pub mod signing;
pub mod verification;

pub use credentials::Credentials;
pub use environment::Environment;
pub use error::{CredentialsError, CredentialsErrorKind};
pub use provider::{ProvideCredentials, ProvideCredentialsFuture};
pub use providers::EnvironmentProvider;
