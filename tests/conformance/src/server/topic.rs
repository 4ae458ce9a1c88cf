//! The offsets of a topic, as the companion of the page's operation lists them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The offsets of a topic's first page of partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) total: i64,
    pub(super) partitions: BTreeMap<i32, Offsets>,
}

/// The offsets of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offsets {
    pub(super) start: i64,
    pub(super) end: i64,
}

#[derive(Deserialize)]
struct Page {
    total: i64,
    partitions: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    partition: i32,
    start_offset: i64,
    last_offset: i64,
}

impl Topic {
    /// Reads the body of a listing; `None` when it lacks what is needed.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let page: Page = serde_json::from_slice(body).ok()?;
        let offsets = |item: Item| {
            (
                item.partition,
                Offsets {
                    start: item.start_offset,
                    end: item.last_offset,
                },
            )
        };
        Some(Self {
            total: page.total,
            partitions: page.partitions.into_iter().map(offsets).collect(),
        })
    }

    /// How many records each of the first partitions holds at least.
    pub(super) fn records(&self, partitions: usize) -> i64 {
        let first = self.partitions.values().take(partitions);
        let records = first.map(|offsets| offsets.end - offsets.start);
        records.min().unwrap_or_default()
    }
}
