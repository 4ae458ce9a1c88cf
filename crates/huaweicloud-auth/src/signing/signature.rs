//! The second and third stage: string to sign, and signature.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{
    ALGORITHM,
    canonical::CanonicalRequest,
    hex::{HexDigest, hex, hex_sha256},
};

/// The second stage: the algorithm, the value of `X-Sdk-Date` and the hash of the canonical request, a line each.
pub fn string_to_sign(x_sdk_date: &str, canonical_request: &CanonicalRequest) -> String {
    [
        ALGORITHM,
        x_sdk_date,
        hex_sha256(canonical_request.as_bytes()).as_str(),
    ]
    .join("\n")
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
pub fn signature(secret_key: &str, string_to_sign: &str) -> Signature {
    SigningKey::new(secret_key).sign(string_to_sign)
}

/// A secret key with the work done that is the same for every signature. Wiped on drop.
#[derive(Clone)]
pub(crate) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes keys of any length: longer ones are hashed, shorter ones padded"
    )]
    pub(crate) fn new(secret_key: &str) -> Self {
        Self(Hmac::new_from_slice(secret_key.as_bytes()).expect("any key length is allowed"))
    }

    pub(super) fn sign(&self, string_to_sign: &str) -> Signature {
        let mac = self.0.clone().chain_update(string_to_sign);
        Signature(hex(&mac.finalize().into_bytes().into()))
    }
}

/// A signature: 64 lower-case hexadecimal digits, as in the `Authorization` header.
///
/// It has no `==`, because comparing must take the same time wherever the difference is:
/// see [`verification`](crate::verification).
#[derive(Clone, Debug)]
pub struct Signature(HexDigest);

impl Signature {
    /// The hexadecimal digits.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether these are the digits, found out in constant time.
    pub(crate) fn is(&self, digits: &str) -> bool {
        self.0.digits.ct_eq(digits.as_bytes()).into()
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
