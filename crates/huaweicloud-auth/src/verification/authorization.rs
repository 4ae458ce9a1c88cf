//! The `Authorization` header, read.

use std::fmt;

use http::{HeaderMap, header};

use super::{VerificationError, error::Fault};
use crate::signing::{ALGORITHM, SignedHeaders};

/// What an `Authorization` header says:
/// `SDK-HMAC-SHA256 Access=<key>, SignedHeaders=<a;b;c>, Signature=<64 hexadecimal digits>`.
#[derive(Clone)]
pub struct Authorization<'a> {
    access_key: &'a str,
    signed_headers: SignedHeaders<'a>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the one `Authorization` header of a request.
    ///
    /// # Errors
    ///
    /// [`Missing`](super::VerificationErrorKind::Missing) when there is none,
    /// [`Malformed`](super::VerificationErrorKind::Malformed) when there are several or it is not visible ASCII, else those of
    /// [`parse`](Self::parse).
    pub fn from_headers(headers: &'a HeaderMap) -> Result<Self, VerificationError> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or(Fault::Missing)?;
        if values.next().is_some() {
            return Err(Fault::Malformed("more than one is there").into());
        }
        Self::parse(
            value
                .to_str()
                .map_err(|_| Fault::Malformed("it is not visible ASCII"))?,
        )
    }

    /// Reads the value of an `Authorization` header. The three parts may come in any order, with or without a space after the
    /// commas.
    ///
    /// # Errors
    ///
    /// [`UnsupportedAlgorithm`](super::VerificationErrorKind::UnsupportedAlgorithm) when it is of another scheme,
    /// [`Malformed`](super::VerificationErrorKind::Malformed) when a part is missing, unknown, there twice or not as above.
    pub fn parse(value: &'a str) -> Result<Self, VerificationError> {
        let value = value.trim_ascii();
        let (algorithm, parts) = value.split_once(' ').unwrap_or((value, ""));
        if algorithm != ALGORITHM {
            return Err(Fault::UnsupportedAlgorithm.into());
        }
        let (mut access_key, mut signed_headers, mut signature) = (None, None, None);
        for part in parts.split(',') {
            let (name, value) = part
                .trim_ascii()
                .split_once('=')
                .ok_or(Fault::Malformed("a part has no '='"))?;
            let slot = match name {
                "Access" => &mut access_key,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => {
                    return Err(Fault::Malformed(
                        "a part is none of Access, SignedHeaders and Signature",
                    )
                    .into());
                }
            };
            if slot.replace(value).is_some() {
                return Err(Fault::Malformed("a part is there twice").into());
            }
        }
        let access_key = access_key
            .filter(|key| !key.is_empty())
            .ok_or(Fault::Malformed("Access is missing or empty"))?;
        let signed_headers =
            signed_headers
                .and_then(SignedHeaders::parse)
                .ok_or(Fault::Malformed(
                    "SignedHeaders is not a list of lower-case names in ascending order",
                ))?;
        let signature = signature
            .filter(|digits| is_signature(digits))
            .ok_or(Fault::Malformed(
                "Signature is not 64 lower-case hexadecimal digits",
            ))?;
        Ok(Self {
            access_key,
            signed_headers,
            signature,
        })
    }

    /// The access key that the request claims to be signed with.
    pub fn access_key(&self) -> &'a str {
        self.access_key
    }

    /// The headers that the signature covers.
    pub fn signed_headers(&self) -> &SignedHeaders<'a> {
        &self.signed_headers
    }

    /// The signature: 64 lower-case hexadecimal digits.
    pub fn signature(&self) -> &'a str {
        self.signature
    }
}

/// Leaves the signature out: with the rest of the request it could be sent again.
impl fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("access_key", &self.access_key)
            .field("signed_headers", &self.signed_headers.as_str())
            .finish_non_exhaustive()
    }
}

fn is_signature(digits: &str) -> bool {
    digits.len() == 64
        && digits
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}
