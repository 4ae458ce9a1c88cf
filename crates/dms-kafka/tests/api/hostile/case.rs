//! The format of `cases.toml`.

use std::time::Duration;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Case>,
}

/// What the server does, and the expected result.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The row of `src/outcome.md` that the case covers.
    pub(crate) row: Option<u32>,
    #[serde(default = "orders")]
    pub(crate) topic: String,
    pub(crate) lacks: Option<Lacking>,
    /// Overrides the host of the server.
    pub(crate) host: Option<String>,
    /// Delete everything from partition 1, which is only retried if nothing was deleted.
    #[serde(default)]
    pub(crate) everything: bool,
    /// The number of partitions in addition to 0 and 1, for large requests.
    #[serde(default)]
    pub(crate) more_partitions: i32,
    /// The client uses TLS. The server never does.
    #[serde(default)]
    pub(crate) https: bool,
    pub(crate) attempt_timeout_ms: Option<u64>,
    pub(crate) call_timeout_ms: Option<u64>,
    pub(crate) response_limit: Option<usize>,
    /// The actions of the server for each connection, in order. It closes further connections at once.
    #[serde(default)]
    pub(crate) server: Vec<Vec<Action>>,
    pub(crate) expect: Expected,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lacking {
    /// Nothing listens on the port.
    Server,
    /// The provider has no credentials.
    Credentials,
}

/// An action of the server. It reads the whole request first, unless the first action is [`Early`](Action::Early) or
/// [`Partly`](Action::Partly).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    /// Do not read the request.
    Early,
    /// Read only the first bytes of the request.
    Partly,
    /// Send the response of a successful deletion.
    Deleted,
    /// Send a well-formed response.
    Response {
        status: u16,
        #[serde(default)]
        headers: Vec<String>,
        #[serde(default)]
        body: String,
    },
    /// Send these bytes.
    Raw(String),
    /// Send this number of letters.
    Fill(usize),
    /// Send a byte every 20 ms until the client disconnects.
    Drip,
    /// Neither read nor send until the test ends.
    Hold,
    /// Send nothing until the client disconnects.
    Stall,
    /// Reset the connection (RST).
    Reset,
    /// Close the connection.
    Close,
}

/// The expected result. Without `kind`, the deletion succeeds. The default outcome is not applied.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) kind: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) attempts: u32,
    /// The number of complete requests that the server receives. Default: `attempts`.
    pub(crate) requests: Option<u32>,
    pub(crate) code: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<u64>,
    /// The encoded authorization message.
    pub(crate) authorization: Option<String>,
    /// A part of the response body that the error keeps.
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) shows: Vec<String>,
}

impl Case {
    /// Short only if the case needs this timeout: no TLS handshake of a case completes.
    pub(crate) fn connect_timeout(&self) -> Duration {
        let fires = self.https && self.call_timeout_ms.is_none();
        Duration::from_millis(if fires { 300 } else { 20_000 })
    }

    pub(crate) fn attempt_timeout(&self) -> Duration {
        Duration::from_millis(self.attempt_timeout_ms.unwrap_or(20_000))
    }

    pub(crate) fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms.unwrap_or(20_000))
    }

    pub(crate) fn requests(&self) -> u32 {
        self.expect.requests.unwrap_or(self.expect.attempts)
    }

    /// Everything except name and expectation, to find duplicates.
    pub(crate) fn setup(&self) -> String {
        format!(
            "{:?}",
            (
                (self.everything, self.https, self.more_partitions),
                (&self.topic, self.lacks, &self.host),
                (self.attempt_timeout_ms, self.call_timeout_ms),
                self.response_limit,
                &self.server,
            )
        )
    }
}

fn orders() -> String {
    "orders".to_owned()
}

pub(crate) fn load() -> Vec<Case> {
    let table: Table = toml::from_str(include_str!("cases.toml")).unwrap();
    table.case
}
