//! From rows to requests.

use std::collections::{HashMap, HashSet};

use super::PurgeTarget;
use crate::deletion::DeletionTarget;
use crate::ids::{Offset, PartitionId};

/// The rows of one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) topic: String,
    pub(super) targets: Vec<(i32, DeletionTarget)>,
    pub(super) rows: Vec<u64>,
}

/// Cuts rows into requests of one topic and one kind of target, in the order of their first rows.
///
/// A row that breaks a rule stands alone, so that it takes no other with it; a partition that is named again
/// goes into a request of its own.
pub(super) fn groups(rows: Vec<PurgeTarget>, partitions_per_request: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut open: HashMap<(String, bool), usize> = HashMap::new();
    let mut named: HashSet<(usize, i32)> = HashSet::new();
    // Rows of one topic mostly stand together: then the group is that of the row before.
    let mut last = None;
    for row in rows {
        let PurgeTarget {
            topic,
            partition,
            target,
            row,
        } = row;
        let everything = target == DeletionTarget::Everything;
        let is_valid = is_valid(partition, target);
        let of_last = last.filter(|&at: &usize| groups[at].is_of(&topic, everything));
        let at = of_last
            .or_else(|| open.get(&(topic.clone(), everything)).copied())
            .filter(|&at| is_valid && groups[at].targets.len() < partitions_per_request)
            .filter(|&at| named.insert((at, partition)));
        if let Some(at) = at {
            groups[at].targets.push((partition, target));
            groups[at].rows.push(row);
            last = Some(at);
            continue;
        }
        if is_valid {
            last = Some(groups.len());
            open.insert((topic.clone(), everything), groups.len());
            named.insert((groups.len(), partition));
        }
        groups.push(Group {
            topic,
            targets: vec![(partition, target)],
            rows: vec![row],
        });
    }
    groups
}

impl Group {
    fn is_of(&self, topic: &str, everything: bool) -> bool {
        let is_everything = |(_, target): &(i32, _)| *target == DeletionTarget::Everything;
        self.topic == topic && self.targets.first().is_some_and(is_everything) == everything
    }
}

fn is_valid(partition: i32, target: DeletionTarget) -> bool {
    let offset = match target {
        DeletionTarget::Before(offset) => Offset::new(offset).is_ok(),
        DeletionTarget::Everything => true,
    };
    offset && PartitionId::new(partition).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeletionTarget::{Before, Everything};

    fn cut(rows: &[(&str, i32, DeletionTarget)]) -> Vec<(String, Vec<i32>)> {
        let rows = rows
            .iter()
            .map(|&(topic, partition, target)| PurgeTarget::new(topic, partition, target))
            .collect();
        groups(rows, 2)
            .into_iter()
            .map(|request| {
                let partitions = request.targets.iter().map(|target| target.0).collect();
                (request.topic, partitions)
            })
            .collect()
    }

    fn request(topic: &str, partitions: &[i32]) -> (String, Vec<i32>) {
        (topic.to_owned(), partitions.to_vec())
    }

    #[test]
    fn rows_are_gathered_by_topic_and_cut_at_the_limit() {
        let rows = [
            ("a", 0, Before(1)),
            ("b", 0, Before(1)),
            ("a", 1, Before(1)),
            ("a", 2, Before(1)),
        ];
        let expected = [
            request("a", &[0, 1]),
            request("b", &[0]),
            request("a", &[2]),
        ];
        assert_eq!(cut(&rows), expected);
    }

    #[test]
    fn everything_goes_apart_from_absolute_offsets() {
        let rows = [
            ("a", 0, Before(1)),
            ("a", 1, Everything),
            ("a", 2, Before(1)),
        ];
        assert_eq!(cut(&rows), [request("a", &[0, 2]), request("a", &[1])]);
    }

    #[test]
    fn a_partition_named_again_and_a_bad_row_stand_alone() {
        let rows = [
            ("a", 0, Before(1)),
            ("a", 0, Before(2)),
            ("a", -1, Before(2)),
            ("a", 3, Before(-2)),
            ("a", 1, Before(2)),
        ];
        let expected = [
            request("a", &[0]),
            request("a", &[0, 1]),
            request("a", &[-1]),
            request("a", &[3]),
        ];
        assert_eq!(cut(&rows), expected);
    }
}
