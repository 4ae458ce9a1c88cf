//! Documented error codes, and what a person can do about them.

use crate::error::ErrorKind;

/// Flow control, which the service reports with status 404.
pub(crate) const FLOW_CONTROL: &str = "DMS.10240407";

/// One documented code: its kind where the status misleads, and a hint for people.
struct Known {
    code: &'static str,
    kind: Option<ErrorKind>,
    hint: &'static str,
}

const fn hint(code: &'static str, hint: &'static str) -> Known {
    Known {
        code,
        kind: None,
        hint,
    }
}

const KNOWN: &[Known] = &[
    Known {
        code: FLOW_CONTROL,
        kind: Some(ErrorKind::Throttled),
        hint: "the service limits the rate of requests: send fewer at a time",
    },
    hint("DMS.00400002", "check the project id"),
    hint(
        "DMS.00400026",
        "the instance's state does not allow this now: wait until it is RUNNING",
    ),
    hint(
        "DMS.00400030",
        "the instance id must be the UUID shown in the console",
    ),
    hint(
        "DMS.00400061",
        "the instance id must be the UUID shown in the console",
    ),
    hint(
        "DMS.00400062",
        "check that the topic and its partitions exist",
    ),
    hint(
        "DMS.00400129",
        "this instance's version is too old for the call",
    ),
    hint("DMS.00403002", "the account is read-only"),
    hint(
        "DMS.00403003",
        "the user needs the permission dms:message:delete (role-based: dms:instance:modify)",
    ),
    hint("DMS.10240101", "get a new token"),
    hint("DMS.10240102", "get a new token"),
    hint("DMS.10240104", "the token belongs to another project"),
    hint(
        "DMS.10240309",
        "the user needs the permission dms:message:delete (role-based: dms:instance:modify)",
    ),
    hint(
        "DMS.10240311",
        "the user needs the permission dms:message:delete (role-based: dms:instance:modify)",
    ),
    hint(
        "DMS.00404022",
        "no such instance in this project and region: check instance id, project id and endpoint",
    ),
    hint(
        "APIGW.0101",
        "no such API at this endpoint: check endpoint and region",
    ),
    hint(
        "APIGW.0301",
        "check access key, secret key and this machine's clock (15 minutes of skew are allowed); \
         after more than five failures the key is locked for five minutes",
    ),
    hint("APIGW.0302", "this user may not call the API"),
    hint("APIGW.0307", "get a new token"),
    Known {
        code: "APIGW.0308",
        kind: Some(ErrorKind::Throttled),
        hint: "the gateway limits the rate of requests: send fewer at a time",
    },
    hint(
        "APIGW.0310",
        "the project cannot be used: check that it is active",
    ),
];

fn known(code: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.code == code)
}

/// The kind that a code stands for when its status says something else.
pub(crate) fn kind_of(code: &str) -> Option<ErrorKind> {
    known(code)?.kind
}

/// What a person can do about a code.
pub(crate) fn hint_for(code: &str) -> Option<&'static str> {
    known(code).map(|known| known.hint)
}
