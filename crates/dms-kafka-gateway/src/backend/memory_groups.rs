//! The consumer groups of a cluster in memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{GroupState, GroupSummary};

/// The most characters of a group's name.
const MAX_NAME: usize = 255;

/// A consumer group that exists when the gateway starts.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSettings {
    /// 1 to 255 characters.
    pub name: String,
    /// Its state.
    #[serde(default)]
    pub state: GroupState,
    /// The offsets that it committed. It has no commit in other partitions.
    #[serde(default)]
    pub commits: Vec<CommitSettings>,
}

/// The offset that a consumer group committed in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CommitSettings {
    /// A topic of the instance.
    pub topic: String,
    /// A partition of the topic.
    pub partition: i32,
    /// The next offset that the group reads. It may be outside of the partition's log, as in Kafka.
    pub offset: i64,
}

#[derive(Debug, Default)]
pub(crate) struct MemoryGroups(BTreeMap<String, MemoryGroup>);

#[derive(Debug, Default)]
struct MemoryGroup {
    state: GroupState,
    /// By topic and partition.
    commits: BTreeMap<String, BTreeMap<i32, i64>>,
}

impl MemoryGroups {
    /// Creates or replaces a group, and returns whether there was one. Fails with the rule that the settings break.
    pub(super) fn put(&mut self, settings: &GroupSettings) -> Result<bool, &'static str> {
        check_name(&settings.name)?;
        let mut group = MemoryGroup {
            state: settings.state,
            commits: BTreeMap::new(),
        };
        for commit in settings.commits.iter().cloned() {
            if group.commit(commit).is_some() {
                return Err("it has two commits in one partition");
            }
        }
        Ok(self.0.insert(settings.name.clone(), group).is_some())
    }

    pub(super) fn remove(&mut self, group: &str) -> bool {
        self.0.remove(group).is_some()
    }

    /// Commits in a group, which is created if it does not exist.
    pub(super) fn commit(
        &mut self,
        group: &str,
        commit: CommitSettings,
    ) -> Result<(), &'static str> {
        check_name(group)?;
        self.0.entry(group.to_owned()).or_default().commit(commit);
        Ok(())
    }

    /// A deleted topic has no commits, also when it is created again.
    pub(super) fn forget_topic(&mut self, topic: &str) {
        for group in self.0.values_mut() {
            group.commits.remove(topic);
        }
    }

    pub(super) fn state(&self) -> Vec<GroupSettings> {
        let groups = self.0.iter().map(|(name, group)| GroupSettings {
            name: name.clone(),
            state: group.state,
            commits: group.commits().collect(),
        });
        groups.collect()
    }

    /// The groups whose name contains a text. `end` is the end offset of a partition.
    pub(super) fn summaries(
        &self,
        containing: &str,
        end: impl Fn(&str, i32) -> Option<i64>,
    ) -> Vec<GroupSummary> {
        let lag = |commit: CommitSettings| {
            let end = end(&commit.topic, commit.partition)?;
            u64::try_from(end.saturating_sub(commit.offset)).ok()
        };
        let groups = self.0.iter().filter(|(name, _)| name.contains(containing));
        let groups = groups.map(|(name, group)| GroupSummary {
            name: name.clone(),
            state: group.state,
            lag: Some(group.commits().filter_map(lag).fold(0, u64::saturating_add)),
        });
        groups.collect()
    }

    /// The partitions of a topic in which a group committed, with the offsets; `None` if there is no such group.
    pub(super) fn committed(
        &self,
        group: &str,
        topic: &str,
    ) -> Option<impl Iterator<Item = (i32, i64)>> {
        let commits = self.0.get(group)?.commits.get(topic);
        Some(
            commits
                .into_iter()
                .flatten()
                .map(|(&partition, &offset)| (partition, offset)),
        )
    }
}

impl MemoryGroup {
    /// Returns the offset that was committed before.
    fn commit(&mut self, commit: CommitSettings) -> Option<i64> {
        let partitions = self.commits.entry(commit.topic).or_default();
        partitions.insert(commit.partition, commit.offset)
    }

    fn commits(&self) -> impl Iterator<Item = CommitSettings> {
        self.commits.iter().flat_map(|(topic, partitions)| {
            let commit = |(&partition, &offset): (&i32, &i64)| CommitSettings {
                topic: topic.clone(),
                partition,
                offset,
            };
            partitions.iter().map(commit)
        })
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if (1..=MAX_NAME).contains(&name.chars().count()) {
        return Ok(());
    }
    Err("its name must have 1 to 255 characters")
}
