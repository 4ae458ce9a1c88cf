//! The second and third stage: string to sign, and signature.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ALGORITHM, CanonicalRequest};

/// The second stage: the algorithm, the value of `X-Sdk-Date` and the hash of the canonical request, a line each.
pub fn string_to_sign(x_sdk_date: &str, canonical_request: &CanonicalRequest) -> String {
    format!("{ALGORITHM}\n{x_sdk_date}\n{}", canonical_request.sha256())
}

/// The third stage: the HMAC-SHA256 of the string to sign, keyed with the secret key as it is.
///
/// ```
/// use huaweicloud_auth::signing::signature;
///
/// let string_to_sign = "SDK-HMAC-SHA256\n20060102T150405Z\n85c3b7730f308aee452b16138a42a914397e43a8f0d732dfa521c0ef2afa98a4";
/// assert_eq!(
///     signature("SecretKey", string_to_sign).as_str(),
///     "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624",
/// );
/// ```
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "HMAC takes keys of any length: longer ones are hashed, shorter ones padded"
)]
pub fn signature(secret_key: &str, string_to_sign: &str) -> Signature {
    let mac = Hmac::<Sha256>::new_from_slice(secret_key.as_bytes())
        .expect("any key length is allowed")
        .chain_update(string_to_sign);
    Signature(hex(&mac.finalize().into_bytes().into()))
}

/// A signature: 64 lower-case hexadecimal digits, as in the `Authorization` header.
///
/// It has no `==`, because comparing must take the same time wherever the difference is:
/// see [`verification`](crate::verification).
#[derive(Clone, Debug)]
pub struct Signature(String);

impl Signature {
    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether these are the digits, found out in constant time.
    pub(crate) fn is(&self, digits: &str) -> bool {
        self.0.as_bytes().ct_eq(digits.as_bytes()).into()
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes).into())
}

/// In lower case.
pub(crate) fn hex(digest: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}
