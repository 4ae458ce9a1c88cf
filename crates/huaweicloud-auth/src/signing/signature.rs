//! The signature, and hashes in hexadecimal.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Returns the signature: the HMAC-SHA256 of the string to sign, keyed with the secret key.
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

/// A secret key, prepared for signing. Wiped on drop.
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
/// It has no `==`, because a comparison must take constant time: see [`verification`](crate::verification).
#[derive(Clone, Debug)]
pub struct Signature(HexDigest);

impl Signature {
    /// Returns the hexadecimal digits.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Compares the digits in constant time.
    pub(crate) fn is(&self, digits: &str) -> bool {
        self.0.digits.ct_eq(digits.as_bytes()).into()
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A SHA-256 in lower-case hexadecimal, from [`hex`].
#[derive(Clone, Debug)]
pub struct HexDigest {
    digits: [u8; 64],
}

impl HexDigest {
    /// Returns the hexadecimal digits.
    pub fn as_str(&self) -> &str {
        // ASCII is valid UTF-8.
        std::str::from_utf8(&self.digits).unwrap_or_default()
    }
}

pub(crate) fn hex_sha256(bytes: &[u8]) -> HexDigest {
    hex(&Sha256::digest(bytes).into())
}

/// Returns a SHA-256 in lower-case hexadecimal.
///
/// ```
/// use huaweicloud_auth::signing::hex;
///
/// assert_eq!(hex(&[0xa5; 32]).as_str(), "a5".repeat(32));
/// ```
pub fn hex(digest: &[u8; 32]) -> HexDigest {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    HexDigest { digits }
}
