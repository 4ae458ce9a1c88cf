//! SHA-256 in hexadecimal.

use sha2::{Digest, Sha256};

/// A SHA-256 in lower-case hexadecimal.
#[derive(Clone, Debug)]
pub(crate) struct HexDigest {
    pub(super) digits: [u8; 64],
}

impl HexDigest {
    pub(crate) fn as_str(&self) -> &str {
        // They are digits and letters.
        std::str::from_utf8(&self.digits).unwrap_or_default()
    }
}

pub(crate) fn hex_sha256(bytes: &[u8]) -> HexDigest {
    hex(&Sha256::digest(bytes).into())
}

pub(crate) fn hex(digest: &[u8; 32]) -> HexDigest {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 64];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(digest) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    HexDigest { digits }
}
