//! The lines of a journal.

use std::io;

use serde::{Deserialize, Serialize};

use crate::commands::purge::states::{RowState, States};

/// The first line: what is purged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::commands::purge) struct Header {
    /// `dms-kafka purge`
    journal: String,
    version: u32,
    /// SHA-256 of the offsets file, in hexadecimal.
    offsets_sha256: String,
    rows: u64,
    endpoint: String,
    instance_id: String,
}

const NAME: &str = "dms-kafka purge";
const VERSION: u32 = 1;

impl Header {
    pub(in crate::commands::purge) fn new(
        offsets_sha256: &str,
        rows: u64,
        endpoint: &str,
        instance_id: &str,
    ) -> Self {
        Self {
            journal: NAME.to_owned(),
            version: VERSION,
            offsets_sha256: offsets_sha256.to_owned(),
            rows,
            endpoint: endpoint.to_owned(),
            instance_id: instance_id.to_owned(),
        }
    }

    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        line(self)
    }

    /// Whether this header may have been torn to these bytes.
    pub(super) fn begins_with(&self, torn: &[u8]) -> bool {
        self.line().is_ok_and(|line| line.starts_with(torn))
    }

    /// Whether a journal with this first line can be continued.
    pub(super) fn check(&self, line: &[u8]) -> Result<(), String> {
        let Ok(found) = serde_json::from_slice::<Self>(line) else {
            return Err("is not a journal of dms-kafka: name another file".to_owned());
        };
        let what = if (&found.journal, found.version) != (&self.journal, self.version) {
            return Err("is of another version of dms-kafka".to_owned());
        } else if (&found.offsets_sha256, found.rows) != (&self.offsets_sha256, self.rows) {
            "another offsets file, or an earlier state of this one".to_owned()
        } else if found.endpoint != self.endpoint {
            format!("the endpoint {}", found.endpoint)
        } else if found.instance_id != self.instance_id {
            format!("the instance {}", found.instance_id)
        } else {
            return Ok(());
        };
        Err(format!("belongs to {what}: name another journal"))
    }
}

/// Any other line: numbers of rows, counted from 0, and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::commands::purge) struct Entry {
    /// About to delete everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::commands::purge) intent: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::commands::purge) deleted: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::commands::purge) failed: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::commands::purge) refused: Vec<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::commands::purge) unknown: Vec<u64>,
    /// Intended and certainly not done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::commands::purge) undone: Vec<u64>,
}

impl Entry {
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        // A list would do for serde.
        line.starts_with(b"{")
            .then(|| serde_json::from_slice(line).ok())?
    }

    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        line(self)
    }

    /// Sets the states; `false` when a row is named that there is not.
    pub(super) fn apply(&self, states: &States) -> bool {
        [
            (&self.intent, RowState::UnderWay),
            (&self.deleted, RowState::Deleted),
            (&self.failed, RowState::Failed),
            (&self.refused, RowState::Refused),
            (&self.unknown, RowState::Unknown),
            (&self.undone, RowState::Waiting),
        ]
        .into_iter()
        .all(|(rows, state)| states.set_all(rows, state))
    }

    pub(in crate::commands::purge) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
