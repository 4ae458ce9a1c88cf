//! What a key or token may be used for.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{
    deletion_target::{DeletionTarget, RecordsToDelete},
    names::{TopicPath, TopicPattern},
    refusal::Refusal,
};

/// An operation that can be granted to a key or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrantedOperation {
    /// Listing topics and partitions, and reading offsets and times of records.
    List,
    /// Listing consumer groups and their committed offsets.
    Groups,
    /// Deleting records before an offset.
    Delete,
    /// Deleting every record of a partition (offset -1). [`GrantedOperation::Delete`] does not include it.
    Everything,
}

impl GrantedOperation {
    /// Its name in the configuration.
    fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Groups => "groups",
            Self::Delete => "delete",
            Self::Everything => "everything",
        }
    }
}

/// Each is everything when absent.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    pub(crate) projects: Option<BTreeSet<String>>,
    pub(crate) instances: Option<BTreeSet<String>>,
    pub(crate) topics: Option<Vec<TopicPattern>>,
    pub(crate) operations: Option<Vec<GrantedOperation>>,
}

impl Grants {
    pub(crate) fn has_project(&self, path: &TopicPath) -> bool {
        includes(self.projects.as_ref(), &path.project_id)
    }

    pub(crate) fn has_topic(&self, topic: &str) -> bool {
        let mut patterns = self.topics.iter().flatten();
        self.topics.is_none() || patterns.any(|pattern| pattern.matches(topic))
    }

    /// Checks instance and topic, whether they exist or not.
    pub(crate) fn check_topic(&self, path: &TopicPath) -> Result<(), Refusal> {
        let topic = path.topic.is_empty() || self.has_topic(&path.topic);
        if topic && includes(self.instances.as_ref(), &path.instance_id) {
            return Ok(());
        }
        Err(Refusal::NOT_PERMITTED)
    }

    /// Checks that one of these operations is granted; the refusal names the first.
    pub(crate) fn check_any(&self, operations: &[GrantedOperation]) -> Result<(), Refusal> {
        let Some(granted) = &self.operations else {
            return Ok(());
        };
        match operations.first() {
            Some(first) if !operations.iter().any(|one| granted.contains(one)) => {
                Err(Refusal::OPERATION_NOT_PERMITTED.with(first.name()))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the operation of every row is granted.
    pub(crate) fn check_rows(&self, rows: &[RecordsToDelete]) -> Result<(), Refusal> {
        let operation = |row: &RecordsToDelete| match row.target {
            DeletionTarget::Before(_) => GrantedOperation::Delete,
            DeletionTarget::Everything => GrantedOperation::Everything,
        };
        rows.iter()
            .try_for_each(|row| self.check_any(&[operation(row)]))
    }
}

fn includes(granted: Option<&BTreeSet<String>>, id: &str) -> bool {
    granted.is_none_or(|ids| ids.contains(id))
}
