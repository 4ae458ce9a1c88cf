//! The table's rows.

use std::time::Duration;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Case>,
}

/// One row: what the server does, and how the call must end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The row of the table of outcomes that the case shows.
    pub(crate) row: Option<u32>,
    #[serde(default = "orders")]
    pub(crate) topic: String,
    pub(crate) lacks: Option<Lacking>,
    /// In place of the server's.
    pub(crate) host: Option<String>,
    /// Partition 1 is deleted whole, which may not be repeated once it may have arrived.
    #[serde(default)]
    pub(crate) everything: bool,
    /// So many partitions beside 0 and 1, to make the request large.
    #[serde(default)]
    pub(crate) more_partitions: i32,
    /// The client speaks TLS; the server never does.
    #[serde(default)]
    pub(crate) https: bool,
    pub(crate) attempt_timeout_ms: Option<u64>,
    pub(crate) call_timeout_ms: Option<u64>,
    pub(crate) answer_limit: Option<usize>,
    /// What the server does on each connection, in order; later connections are closed at once.
    #[serde(default)]
    pub(crate) server: Vec<Vec<Action>>,
    pub(crate) expect: Expected,
}

/// What is not there.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Lacking {
    /// The client is sent to a port that nothing listens on.
    Server,
    /// The provider has none.
    Credentials,
}

/// One thing that the server does. It reads the whole request first unless the script begins with
/// [`Early`](Action::Early) or [`Partly`](Action::Partly).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Action {
    /// Do not read the request.
    Early,
    /// Read the request's first bytes only.
    Partly,
    /// The answer that a correct service gives.
    Deleted,
    /// A well-formed answer with a body.
    Answer {
        status: u16,
        #[serde(default)]
        headers: Vec<String>,
        #[serde(default)]
        body: String,
    },
    /// Bytes as they stand.
    Raw(String),
    /// So many letters.
    Fill(usize),
    /// A byte every 20 ms until the client goes away.
    Drip,
    /// Silence, and nothing read, until the test ends.
    Hold,
    /// Silence until the client goes away.
    Stall,
    /// Abort the connection: the client gets RST.
    Reset,
    /// Close the connection in order.
    Close,
}

/// How the call ends. No `kind` stands for: deleted; no `outcome` for: not applied.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) kind: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) attempts: u32,
    /// Requests that reach the server whole, where that differs from the attempts.
    pub(crate) requests: Option<u32>,
    pub(crate) code: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<u64>,
    /// The encoded reason of a refusal.
    pub(crate) authorization: Option<String>,
    /// What the kept start of the answer's body holds.
    pub(crate) body: Option<String>,
    #[serde(default)]
    pub(crate) shows: Vec<String>,
}

impl Case {
    /// Short only where it must fire: no TLS handshake of the table comes to its end.
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

    /// All that the case does, to tell it from the others.
    pub(crate) fn setup(&self) -> String {
        format!(
            "{:?}",
            (
                (self.everything, self.https, self.more_partitions),
                (&self.topic, self.lacks, &self.host),
                (self.attempt_timeout_ms, self.call_timeout_ms),
                self.answer_limit,
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
