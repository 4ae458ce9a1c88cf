//! Shows a [`TopicView`] as one HTML file, which needs no script and loads nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use askama::Template;
use dms_kafka::Plan;
use jiff::Timestamp;

use crate::exit::Failure;
use crate::output::{self, number};
use crate::screen::{self, percentage};
use crate::view::{PartitionView, TopicView};

/// The narrowest part of a bar that can be seen, in percent of its width.
const NARROWEST: f64 = 0.6;
/// More groups and partitions follow at the end of the page.
const LARGEST: usize = 20;
/// More partitions have no committed offsets, so that the page of a large topic remains small.
const MARKED: usize = 100;
const MARKERS_OF_ONE: usize = 5;

/// How a plan was made, and how it is executed.
pub(crate) struct Commands {
    pub(crate) selectors: String,
    /// The command that executes the plan, if it is in a file.
    pub(crate) execute: Option<String>,
    /// The command that makes such a plan again.
    pub(crate) repeat: String,
}

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    title: String,
    view: &'a TopicView,
    plan: &'a Plan,
    /// For a plan that was made to delete something.
    commands: Option<Commands>,
    created_at: String,
    expires_at: String,
    records: String,
    total: String,
    percent: String,
    emptied: String,
    partitions_count: String,
    /// Unread records that are lost, and the number of groups that lose some.
    lost: Option<(String, String)>,
    largest_groups: Vec<GroupRow>,
    other_groups: Vec<GroupRow>,
    largest_partitions: Vec<PartitionRow>,
    other_partitions: Vec<PartitionRow>,
    has_times: bool,
    hidden_markers: bool,
    marked: usize,
    markers_of_one: usize,
}

struct GroupRow {
    name: String,
    state: String,
    unread: String,
    lost: String,
    loses: bool,
    commits: String,
}

struct PartitionRow {
    partition: i32,
    /// The bar in words.
    label: String,
    has_records: bool,
    alarm: bool,
    start: String,
    end: String,
    before: String,
    records: String,
    percent: String,
    oldest: Option<String>,
    newest: Option<String>,
    first_kept: Option<String>,
    lowest_commit: String,
    /// The width of the deleted part in percent.
    deleted: f64,
    markers: Vec<Marker>,
}

/// The committed offset of a group.
struct Marker {
    /// In percent of the bar.
    at: f64,
    label: String,
    loses: bool,
}

/// A committed offset in a partition.
struct Commit<'a> {
    group: &'a str,
    offset: i64,
    lost: i64,
}

/// The page of a plan; without commands, that of a topic.
pub(crate) fn page(
    view: &TopicView,
    plan: &Plan,
    commands: Option<Commands>,
) -> Result<String, Failure> {
    let is_plan = commands.is_some();
    let mut commits: BTreeMap<i32, Vec<Commit<'_>>> = BTreeMap::new();
    for group in view.losses.groups.iter().flatten() {
        for at in &group.positions {
            commits.entry(at.partition).or_default().push(Commit {
                group: &group.group,
                offset: at.committed,
                lost: at.lost,
            });
        }
    }
    let lost_in = |shown: &PartitionView| {
        let commits = commits.get(&shown.partition).into_iter().flatten();
        commits.fold(0, |sum: i64, commit| sum.saturating_add(commit.lost))
    };
    let mut partitions: Vec<&PartitionView> = view.partitions.iter().collect();
    let has_others = is_plan && partitions.len() > LARGEST;
    if has_others {
        partitions.sort_by_key(|shown| {
            Reverse((lost_in(shown), shown.records, Reverse(shown.partition)))
        });
    }
    let mut hidden_markers = false;
    let rows = partitions.iter().enumerate().map(|(index, shown)| {
        let commits = commits.get_mut(&shown.partition);
        let commits = commits.map(Vec::as_mut_slice).unwrap_or_default();
        commits.sort_by_key(|commit| (Reverse(commit.lost), commit.offset));
        let most = if index < MARKED { MARKERS_OF_ONE } else { 0 };
        hidden_markers |= commits.len() > most;
        PartitionRow::new(shown, commits, most, is_plan)
    });
    let mut largest_partitions: Vec<PartitionRow> = rows.collect();
    let largest = if has_others {
        LARGEST
    } else {
        partitions.len()
    };
    let other_partitions = largest_partitions.split_off(largest);
    let mut largest_groups = group_rows(view);
    let other_groups = largest_groups.split_off(largest_groups.len().min(LARGEST));
    let topic = &view.topic;
    let page = Page {
        title: if is_plan {
            format!("Plan: delete records of topic {topic}")
        } else {
            format!("Topic {topic}")
        },
        created_at: shown_time(Timestamp::try_from(plan.created_at()).ok()),
        expires_at: shown_time(Timestamp::try_from(plan.expires_at()).ok()),
        records: number(Some(view.records())),
        total: number(Some(view.total())),
        percent: percentage(view.records(), view.total()),
        emptied: count(view.emptied()),
        partitions_count: count(view.partitions.len()),
        lost: lost(view),
        has_times: view.partitions.iter().any(|shown| {
            let times = [shown.oldest_time, shown.newest_time, shown.first_kept_time];
            times.iter().any(Option::is_some)
        }),
        largest_groups,
        other_groups,
        largest_partitions,
        other_partitions,
        hidden_markers,
        marked: MARKED,
        markers_of_one: MARKERS_OF_ONE,
        view,
        plan,
        commands,
    };
    // The template has no operation that fails.
    page.render()
        .map_err(|error| Failure::output(format!("the page cannot be written: {error}")))
}

fn lost(view: &TopicView) -> Option<(String, String)> {
    let losing = view
        .losses
        .groups
        .iter()
        .flatten()
        .filter(|group| group.lost > 0);
    let lost: Vec<i64> = losing.map(|group| group.lost).collect();
    let records = lost
        .iter()
        .fold(0, |sum: i64, lost| sum.saturating_add(*lost));
    let at_least = if view.losses.records.is_some() {
        ""
    } else {
        "at least "
    };
    let records = format!("{at_least}{}", number(Some(records)));
    (!lost.is_empty()).then(|| (records, count(lost.len())))
}

fn group_rows(view: &TopicView) -> Vec<GroupRow> {
    let row = |group: &crate::view::GroupView| GroupRow {
        name: output::printable(&group.group),
        state: group
            .state
            .as_deref()
            .map_or_else(|| "-".to_owned(), output::printable),
        unread: number(Some(group.unread)),
        lost: number(Some(group.lost)),
        loses: group.lost > 0,
        commits: count(group.positions.len()),
    };
    view.losses.groups.iter().flatten().map(row).collect()
}

impl PartitionRow {
    fn new(shown: &PartitionView, commits: &[Commit<'_>], most: usize, is_plan: bool) -> Self {
        let (records, total) = (number(Some(shown.records)), number(Some(shown.total())));
        let lowest = commits.iter().min_by_key(|commit| commit.offset);
        let lowest = lowest.map(|commit| {
            format!(
                "{} ({})",
                number(Some(commit.offset)),
                screen::name(commit.group)
            )
        });
        // The name is last, so that one from right to left does not reorder the numbers.
        let marker = |commit: &Commit<'_>| {
            let (group, offset) = (screen::name(commit.group), number(Some(commit.offset)));
            let loses = commit.lost > 0;
            let label = if loses {
                let lost = number(Some(commit.lost));
                format!("{offset}, loses {lost} unread records: {group}")
            } else {
                format!("{offset}: {group}")
            };
            Marker {
                at: percent(commit.offset - shown.start, shown.total()),
                label,
                loses,
            }
        };
        Self {
            partition: shown.partition,
            label: if is_plan {
                format!("{records} of {total} records would be deleted")
            } else {
                format!("{total} records")
            },
            has_records: shown.total() > 0,
            alarm: shown.is_emptied || commits.iter().any(|commit| commit.lost > 0),
            start: number(Some(shown.start)),
            end: number(Some(shown.end)),
            before: if shown.everything {
                "everything".to_owned()
            } else {
                number(Some(shown.before))
            },
            percent: percentage(shown.records, shown.total()),
            records: if is_plan { records } else { total },
            oldest: shown.oldest_time.map(of_record),
            newest: shown.newest_time.map(of_record),
            first_kept: shown.first_kept_time.map(of_record),
            lowest_commit: lowest.unwrap_or_else(|| "-".to_owned()),
            deleted: width_of(shown.records, shown.total()),
            markers: commits.iter().take(most).map(marker).collect(),
        }
    }
}

fn shown_time(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{time:.0}"))
}

/// In UTC, which the page says once.
fn of_record(time: Timestamp) -> String {
    time.strftime("%F %T").to_string()
}

fn count(count: usize) -> String {
    number(i64::try_from(count).ok())
}

/// A part in percent, with one decimal place.
fn percent(part: i64, total: i64) -> f64 {
    let total = i128::from(total.max(1));
    let permille = (i128::from(part.max(0)) * 1000 / total).min(1000);
    // At most 1000.
    f64::from(i16::try_from(permille).unwrap_or(1000)) / 10.0
}

/// The width of a part, which is neither invisible nor the whole bar unless it is empty or the whole.
fn width_of(part: i64, total: i64) -> f64 {
    match percent(part, total) {
        _ if part <= 0 || total <= 0 => 0.0,
        all if part >= total => all,
        width => width.clamp(NARROWEST, 100.0 - NARROWEST),
    }
}
