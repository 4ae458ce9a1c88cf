//! The server's side of `SDK-HMAC-SHA256`.
//!
//! [`Authorization::from_headers`] tells whose key a request claims, the caller finds the secret key, and
//! [`Verifier::verify`] says whether the request was signed with it.
//!
//! ```
//! use std::time::SystemTime;
//! use http::{HeaderMap, Method};
//! use huaweicloud_auth::{Credentials, signing::{self, Payload, RequestTarget, SigningRequest}, verification::{Authorization, Verifier}};
//!
//! # let now = SystemTime::now();
//! # let credentials = Credentials::new("AccessKey", "SecretKey")?;
//! # let mut headers = HeaderMap::new();
//! let target = RequestTarget { method: &Method::GET, host: "example.com", path: "/v1/vpcs", query: "limit=2" };
//! # signing::authorize(&credentials, target, &mut headers, Payload::Bytes(b""), now)?;
//! let request = SigningRequest { target, headers: &headers, payload: Payload::Bytes(b"") };
//! let authorization = Authorization::from_headers(&headers)?;
//! assert_eq!(authorization.access_key(), "AccessKey");
//! Verifier::default().verify(&authorization, &request, "SecretKey", now)?;
//! assert!(Verifier::default().verify(&authorization, &request, "another key", now).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What remains for the caller
//!
//! * **Replay.** A request that passes can be sent again, unchanged, until its date is 15 minutes old. The algorithm has no
//!   nonce: refuse signatures seen before if a repetition does harm.
//! * **Headers that are not listed** are not covered. Read what matters only from headers for which
//!   [`SignedHeaders::contains`](crate::signing::SignedHeaders::contains) holds.
//! * **The security token.** That `X-Security-Token` belongs to the access key is for the caller to check.
//! * **Unknown access keys.** To hide which keys exist, verify against a made-up secret key before refusing.
//! * **`%2F`** in a path is signed as `/`: see [`signing`](crate::signing).

mod authorization;
mod error;
mod verifier;

pub use authorization::Authorization;
pub use error::{VerificationError, VerificationErrorKind};
pub use verifier::Verifier;
