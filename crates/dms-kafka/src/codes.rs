//! Documented error codes of the service (`DMS.`) and of its API gateway (`APIGW.`).
//!
//! Match on [`Error::code`](crate::Error::code). For the codes below, the text of the error contains a hint. The digits
//! do not always equal the HTTP status. Some gateways write `APIG.` instead of `APIGW.`, and old services omit `DMS.`:
//! these codes also have hints, and [`Error::code`](crate::Error::code) returns them unchanged.
//!
//! The vendor documents no code for an offset out of range, a compacted topic or a missing partition.
//!
//! ```
//! use dms_kafka::{Error, codes};
//!
//! fn advice(error: &Error) -> &'static str {
//!     match error.code() {
//!         Some(codes::INSTANCE_NOT_FOUND) => "create the instance first",
//!         Some(codes::AUTHENTICATION_FAILED) => "rotate the key",
//!         _ => "contact support",
//!     }
//! }
//! ```

const PERMISSION: &str = "on the vendor's cloud, the user needs the permission dms:message:delete (role-based: dms:instance:modify)";
const READ_PERMISSION: &str =
    "the user lacks the permission for this call: ask the administrator of the account";
const NEW_TOKEN: &str = "get a new token";
const UUID: &str = "the instance id must be the UUID shown in the console";
const ENDPOINT: &str = "this endpoint has no such API: check endpoint and region";
const ACCOUNT: &str = "the account is restricted: check its bills and state in the console";
const SLOWER: &str = "the service limits the request rate: send fewer requests at a time";
const LATER: &str = "try again later";

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $hint:expr;)*) => {
        $(
            $(#[$doc])*
            #[doc = concat!("\n\n`", $code, "`")]
            pub const $name: &str = $code;
        )*

        /// Each code with its hint.
        const HINTS: &[(&str, &str)] = &[$(($code, $hint)),*];
    };
}

codes! {
    /// 400: the project id is malformed.
    PROJECT_ID_INVALID = "DMS.00400002", "check the project id";
    /// 400: the request body is not JSON or has an invalid field.
    BODY_INVALID = "DMS.00400005", "the service does not accept this request: update this client";
    /// 400: the state of the instance does not allow the operation.
    INSTANCE_STATE = "DMS.00400026", "the state of the instance does not allow this: wait until it is RUNNING";
    /// 400: the instance id is not a UUID.
    INSTANCE_ID_NOT_UUID = "DMS.00400030", UUID;
    /// 400: the instance id is malformed.
    INSTANCE_ID_INVALID = "DMS.00400061", UUID;
    /// 400: a parameter of the request is invalid. The message names it.
    PARAMETER_INVALID = "DMS.00400062", "check that the topic and its partitions exist";
    /// 400: the topic name is invalid.
    TOPIC_NAME_INVALID = "DMS.00400101", "check the topic name";
    /// 400: the version of the instance does not support the operation.
    INSTANCE_VERSION_TOO_LOW = "DMS.00400129", "the version of the instance does not support this call";
    /// 400: the topics cannot be queried.
    TOPIC_QUERY_FAILED = "DMS.00400975", "check that the topic exists";
    /// 401: the token is invalid.
    TOKEN_INVALID = "DMS.10240101", NEW_TOKEN;
    /// 401: the token has expired.
    TOKEN_EXPIRED = "DMS.10240102", NEW_TOKEN;
    /// 401: the request has no token.
    TOKEN_MISSING = "DMS.10240103", "set credentials: a token or an access key";
    /// 401: the token belongs to another project.
    TOKEN_OF_OTHER_PROJECT = "DMS.10240104", "the token belongs to another project";
    /// 403: the account is read-only.
    ACCOUNT_READ_ONLY = "DMS.00403002", ACCOUNT;
    /// 403: the role lacks the permission.
    PERMISSION_MISSING = "DMS.00403003", PERMISSION;
    /// 403: the account is frozen.
    ACCOUNT_FROZEN = "DMS.10240306", ACCOUNT;
    /// 403: access is denied.
    ACCESS_DENIED = "DMS.10240309", PERMISSION;
    /// 403: the role is read-only.
    ROLE_READ_ONLY = "DMS.10240310", PERMISSION;
    /// 403: the role lacks the permission.
    ROLE_PERMISSION_MISSING = "DMS.10240311", PERMISSION;
    /// 403: the account is restricted.
    ACCOUNT_RESTRICTED = "DMS.10240312", ACCOUNT;
    /// 404: the URL does not exist.
    URL_NOT_FOUND = "DMS.00404001", ENDPOINT;
    /// 404: the instance does not exist.
    INSTANCE_NOT_FOUND = "DMS.00404022", "this project and region have no such instance: check instance id, project id and endpoint";
    /// 404: the URL or endpoint does not exist.
    ENDPOINT_NOT_FOUND = "DMS.10240406", ENDPOINT;
    /// 404, but flow control: too many requests. Its kind is
    /// [`Throttled`](crate::ErrorKind::Throttled), and it is retried.
    FLOW_CONTROL = "DMS.10240407", SLOWER;
    /// 408: the service's own query timed out.
    QUERY_TIMED_OUT = "DMS.111501024", LATER;
    /// 503: the service is busy. It is retried.
    BUSY = "DMS.111501025", LATER;

    /// 409, only from the gateway of this project: it received a request with the same signature before. The outcome is
    /// [`Unknown`](crate::Outcome::Unknown), because that request may have deleted records.
    REQUEST_REPEATED = "DMS.00409900",
        "the same request was received before, perhaps repeated by a proxy: list the partitions to see what was deleted";

    /// 404: the gateway has no such API.
    API_NOT_FOUND = "APIGW.0101", ENDPOINT;
    /// 401: the signature or token is wrong. Never retried with an access key.
    AUTHENTICATION_FAILED = "APIGW.0301",
        "check access key, secret key and the clock of this machine (15 minutes of skew are allowed); \
         after more than five failures the key is locked for five minutes";
    /// 403: the user may not call the API.
    USER_NOT_ALLOWED = "APIGW.0302", "this user may not call the API: ask the administrator of the account";
    /// 401: the token must be renewed.
    TOKEN_OUTDATED = "APIGW.0307", NEW_TOKEN;
    /// 429: too many requests. It is retried.
    THROTTLED = "APIGW.0308", SLOWER;
    /// 403: the project cannot be used.
    PROJECT_UNAVAILABLE = "APIGW.0310", "the project cannot be used: check that it is active";
    /// 403: requests from this address are not allowed.
    ADDRESS_NOT_ALLOWED = "APIGW.0401", "this address may not call the API: check the access control of the account";
    /// 503: the identity service cannot be reached. It is retried.
    IDENTITY_SERVICE_UNAVAILABLE = "APIGW.0613", LATER;
    /// 403: the user may not use this region.
    REGION_FORBIDDEN = "APIGW.0802", "this user may not use this region: check the endpoint";
}

fn find(code: &str) -> Option<&'static (&'static str, &'static str)> {
    let is = |prefix: &str, rest: &str| {
        HINTS
            .iter()
            .find(|(code, _)| code.strip_prefix(prefix) == Some(rest))
    };
    match code.split_once('.') {
        Some(("DMS", number)) => is("DMS.", number),
        Some(("APIGW" | "APIG", number)) => is("APIGW.", number),
        Some(_) => None,
        None => is("DMS.", code),
    }
}

/// Whether the code means flow control, with any status.
pub(crate) fn is_flow_control(code: &str) -> bool {
    find(code).is_some_and(|known| matches!(known.0, FLOW_CONTROL | THROTTLED))
}

/// Whether the code says that an equal request was received before.
pub(crate) fn is_repetition(code: &str) -> bool {
    find(code).is_some_and(|known| known.0 == REQUEST_REPEATED)
}

/// Returns the hint for a code of a call that deletes or `reads`.
pub(crate) fn hint_for(code: &str, reads: bool) -> Option<&'static str> {
    match find(code)?.1 {
        PERMISSION if reads => Some(READ_PERMISSION),
        hint => Some(hint),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_spelling_of_a_code_is_found() {
        for code in [FLOW_CONTROL, "10240407", THROTTLED, "APIG.0308"] {
            assert!(is_flow_control(code), "{code}");
            assert_eq!(hint_for(code, false), Some(SLOWER), "{code}");
        }
        for code in [
            "",
            ".",
            "0308",
            "APIG.10240407",
            "DMS.0308",
            "dms.10240407",
            "DMS.DMS.10240407",
        ] {
            assert_eq!(hint_for(code, false), None, "{code}");
        }
    }

    #[test]
    fn codes_are_unique() {
        let codes: HashSet<&str> = HINTS.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), HINTS.len());
    }
}
