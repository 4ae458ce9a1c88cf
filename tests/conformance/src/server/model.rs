//! A small model of a topic and the consumer groups: which request a random one is, and which response the service must give.

use super::case::{ExpectedResponse, Key, Step};
use super::random::{Call, Misspelling, Mistake, Page, Place, RandomRequest, Which};
use crate::values::{Offsets, Topic, Values, other_case};

pub(super) const DELETE: &str =
    "/v2/<project_id>/kafka/instances/<instance_id>/topics/<topic>/messages/delete";
pub(super) const PARTITIONS: &str =
    "/v2/<project_id>/kafka/instances/<instance_id>/topics/<topic>/partitions";
pub(super) const TOPICS: &str = "/v2/<project_id>/instances/<instance_id>/topics";
pub(super) const GROUPS: &str = "/v2/<project_id>/instances/<instance_id>/groups";
const MESSAGES: &str = "/v2/<project_id>/instances/<instance_id>/messages";

/// A header that a request does not have.
pub(super) const ABSENT: &str = "x-absent";

/// The largest page; more consumer groups in a page are refused.
pub(super) const LARGEST_PAGE: i64 = 50;
/// The page of consumer groups without `limit`.
const DEFAULT_PAGE: usize = 10;
/// The others keep records, so that there are deletions that delete something.
fn may_be_emptied(index: usize) -> bool {
    index > 1 && index % 2 == 1
}

/// Committed offsets by partition.
pub(super) type Commits = Vec<(i32, i64)>;

/// What the service has.
#[derive(Debug)]
pub(super) struct Model {
    values: Values,
    total: i64,
    pub(super) partitions: Vec<Offsets>,
    /// Offsets up to which records may be deleted: the other half stays for the cases that follow.
    limits: Vec<i64>,
    /// Names and numbers of partitions of the topics; `None` if the service does not list them.
    pub(super) topics: Option<Vec<(String, i64)>>,
    /// Names of consumer groups with their commits; `None` if the service does not list them.
    pub(super) groups: Option<Vec<(String, Commits)>>,
    /// Whether the service finds records.
    pub(super) finds: bool,
}

/// What a response must have, by JSON pointer.
type Fields = Vec<(String, String)>;

impl Model {
    pub(super) fn new(values: Values, topic: Topic) -> Self {
        let half = |one: &Offsets| one.start + (one.end - one.start) / 2;
        Self {
            values,
            total: topic.total,
            limits: topic.partitions.iter().map(half).collect(),
            partitions: topic.partitions,
            topics: None,
            groups: None,
            finds: false,
        }
    }

    /// The request as a step of a case, with the expected response. `None` if the service does not have what it needs, or the
    /// contract does not say how the service must respond.
    pub(super) fn step(&self, request: &RandomRequest) -> Option<Step> {
        let mistake = request.mistake.as_ref();
        let mut step = match &request.call {
            Call::Delete { rows, large } => self.delete(rows, *large, mistake),
            Call::ListPartitions(page) => self.list_partitions(*page)?,
            Call::ListTopics(page) => self.list_topics(*page)?,
            Call::ListGroups(part, page) => self.list_groups(*part, *page)?,
            Call::ListCommitted(group, only, page) => self.list_committed(*group, *only, *page)?,
            Call::Oldest(which) => self.edge(*which, "beginning-message", |one| one.start)?,
            Call::Newest(which) => self.edge(*which, "end-message", |one| one.end - 1)?,
            Call::FindAt(which, place) | Call::FindTime(which, place, _) => {
                self.find(*which, *place)?
            }
        };
        if let Some(mistake) = mistake {
            self.spoil(&mut step, mistake);
        }
        Some(step)
    }

    /// The number of a partition, and its index if it exists.
    fn partition(&self, which: Which) -> (i64, Option<usize>) {
        match which {
            Which::Existing(number) => {
                let index = number % self.partitions.len().max(1);
                let number = self
                    .partitions
                    .get(index)
                    .map_or(self.total, |one| one.partition.into());
                (
                    number,
                    Some(index).filter(|index| *index < self.partitions.len()),
                )
            }
            Which::Absent(more) => ((self.total + more).min(i32::MAX.into()), None),
        }
    }

    /// An offset for a deletion.
    fn offset(&self, index: Option<usize>, place: Place) -> i64 {
        let (start, end, limit) = index.map_or((0, 0, 0), |index| {
            let one = self.partitions[index];
            (one.start, one.end, self.limits[index])
        });
        match place {
            Place::Everything if index.is_none_or(may_be_emptied) => -1,
            Place::Everything => start,
            Place::Largest => i64::MAX,
            Place::AfterEnd(more) => end + more,
            Place::AfterStart(more) => {
                let offset = (start + more).max(0);
                let is_too_much = offset > limit && offset > start && offset <= end;
                if is_too_much { start } else { offset }
            }
        }
    }

    fn delete(&self, rows: &[(Which, Place)], large: bool, mistake: Option<&Mistake>) -> Step {
        let mut deletions: Vec<(i64, i64)> = Vec::new();
        let mut expect = ExpectedResponse::new("200");
        let mut results = Vec::new();
        for (which, place) in rows {
            let is_free = |one: &(i64, _)| deletions.iter().all(|(other, _)| *other != one.0);
            let next = |more| match which {
                Which::Existing(number) => Which::Existing(number + more),
                Which::Absent(_) => *which,
            };
            let mut candidates = (0..=deletions.len()).map(|more| self.partition(next(more)));
            let Some((partition, index)) = candidates.find(is_free) else {
                continue;
            };
            let offset = self.offset(index, *place);
            deletions.push((partition, offset));
            let result = match index.map(|index| self.partitions[index]) {
                None => "fail 3",
                Some(Offsets { end, .. }) if offset > end => "fail 1",
                Some(Offsets { start, end, .. }) => {
                    let before = if offset == -1 { end } else { offset };
                    let start = start.max(before).to_string();
                    expect.log_start.insert(partition.to_string(), start);
                    "success 0"
                }
            };
            results.push(format!("{partition} {result}"));
        }
        expect.rows = Some(results);
        let row = |(partition, offset): &(i64, i64)| {
            format!(r#"{{"partition":{partition},"offset":{offset}}}"#)
        };
        let mut items: Vec<_> = deletions.iter().map(row).collect();
        match mistake {
            Some(Mistake::Item(at, item)) => {
                let is_free =
                    |other: &i64| deletions.iter().all(|(partition, _)| partition != other);
                let other = (0..=100).find(is_free).unwrap_or_default().to_string();
                items.insert(*at % (items.len() + 1), item.replace("<other>", &other));
            }
            Some(Mistake::RepeatedRow) => {
                items.push(row(&(
                    deletions[0].0,
                    self.offset(None, Place::AfterStart(0)),
                )));
            }
            _ => {}
        }
        let mut body = format!(r#"{{"partitions":[{}]}}"#, items.join(","));
        if let Some(Mistake::Body(form)) = mistake {
            body = form.replace("{}", &body);
        }
        if let Some(Mistake::Item(..) | Mistake::RepeatedRow | Mistake::Body(_)) = mistake {
            expect = ExpectedResponse::new("400");
        }
        if large {
            body += "< *70000>";
        }
        Step {
            body: Some(body),
            ..Step::new("POST", DELETE, "", expect)
        }
    }

    fn list_partitions(&self, page: Page) -> Option<Step> {
        let item = |one: &Offsets| {
            let Offsets {
                partition,
                start,
                end,
            } = one;
            fields(&[
                ("partition", partition),
                ("start_offset", start),
                ("last_offset", end),
                ("message_count", &(end - start)),
            ])
        };
        let items: Vec<_> = self.partitions.iter().map(item).collect();
        // Only the first page of partitions is known.
        let all_known = i64::try_from(items.len()) == Ok(self.total);
        all_known.then(|| listing(PARTITIONS, "", "partitions", &items, page, None))
    }

    fn list_topics(&self, page: Page) -> Option<Step> {
        let item = |(name, partitions): &(String, i64)| {
            fields(&[("name", &quoted(name)), ("partition", partitions)])
        };
        let items: Vec<_> = self.topics.as_ref()?.iter().map(item).collect();
        Some(listing(TOPICS, "", "topics", &items, page, None))
    }

    fn list_groups(&self, part: Option<(usize, usize)>, page: Page) -> Option<Step> {
        let groups = self.groups.as_ref()?;
        let part = match part {
            None => "",
            Some((group, from)) => {
                let (name, _) = groups.get(group % groups.len().max(1))?;
                name.get(from % name.len().max(1)..)?
            }
        };
        let query = if part.is_empty() {
            String::new()
        } else {
            format!("group={part}")
        };
        let found = groups.iter().filter(|(name, _)| name.contains(part));
        let items: Vec<_> = found
            .map(|(name, _)| fields(&[("group_id", &quoted(name))]))
            .collect();
        Some(listing(
            GROUPS,
            &query,
            "groups",
            &items,
            page,
            Some(DEFAULT_PAGE),
        ))
    }

    fn list_committed(&self, group: usize, only: Option<Which>, page: Page) -> Option<Step> {
        let groups = self.groups.as_ref()?;
        let (name, commits) = groups.get(group % groups.len().max(1))?;
        let only = only.map(|which| self.partition(which).0);
        let mut query = "topic=<topic>".to_owned();
        if let Some(only) = only {
            query = joined(&query, &format!("partition={only}"));
        }
        let mut items = Vec::new();
        for (partition, committed) in commits {
            let one = self
                .partitions
                .iter()
                .find(|one| one.partition == *partition)?;
            if only.is_some_and(|only| only != i64::from(*partition)) {
                continue;
            }
            let mut item = fields(&[
                ("topic", &quoted("<topic>")),
                ("partition", partition),
                ("message_current_offset", committed),
                ("message_log_start_offset", &one.start),
                ("message_log_end_offset", &one.end),
            ]);
            // What a group has not consumed of deleted records is a matter of opinion.
            if *committed >= one.start {
                item.extend(fields(&[("lag", &(one.end - committed).max(0))]));
            }
            items.push(item);
        }
        Some(listing(
            &committed_path(name),
            &query,
            "group_message_offsets",
            &items,
            page,
            None,
        ))
    }

    fn edge(&self, which: Which, operation: &str, offset: fn(&Offsets) -> i64) -> Option<Step> {
        if !self.finds {
            return None;
        }
        let (partition, index) = self.partition(which);
        let path = format!(
            "/v2/<project_id>/instances/<instance_id>/management/topics/<topic>/partitions/{partition}/{operation}"
        );
        let mut expect = ExpectedResponse::new("4XX");
        if let Some(one) = index.map(|index| self.partitions[index]) {
            let offset = if one.start < one.end {
                offset(&one).to_string()
            } else {
                "nothing".to_owned()
            };
            expect = ExpectedResponse::new("200");
            let found = fields(&[
                ("topic", &quoted("<topic>")),
                ("partition", &partition),
                ("offset", &offset),
            ]);
            expect.fields.extend(
                found
                    .into_iter()
                    .map(|(name, value)| (format!("/{name}"), value)),
            );
        }
        Some(Step::new("GET", &path, "", expect))
    }

    fn find(&self, which: Which, place: Place) -> Option<Step> {
        let (partition, index) = self.partition(which);
        let one = self.partitions[index.filter(|_| self.finds)?];
        let offset = self.offset(index, place);
        let mut expect = ExpectedResponse::new("200");
        if offset >= one.end {
            expect
                .fields
                .insert("/messages/0".to_owned(), "nothing".to_owned());
        } else if offset >= one.start {
            expect
                .fields
                .insert("/messages/0/partition".to_owned(), partition.to_string());
            expect
                .fields
                .insert("/messages/0/message_offset".to_owned(), offset.to_string());
        } else {
            return None;
        }
        let query = format!("topic=<topic>&partition={partition}&message_offset={offset}");
        Some(Step::new("GET", MESSAGES, &query, expect))
    }

    /// Makes the request one that must be refused, if the mistake applies to it.
    fn spoil(&self, step: &mut Step, mistake: &Mistake) {
        let deletes = step.method == "POST";
        let refused = match mistake {
            // The vendor has other operations with the paths of reads.
            Mistake::Method(method) if deletes && *method != step.method => {
                (*method).clone_into(&mut step.method);
                "4XX"
            }
            Mistake::AfterPath(text) if deletes => {
                step.path += text;
                "4XX"
            }
            Mistake::Identity(placeholder, how) => {
                let Some(other) = self.misspelled(placeholder, *how) else {
                    return;
                };
                if !step.path.contains(placeholder) && !step.query.contains(placeholder) {
                    return;
                }
                step.path = step.path.replace(placeholder, &other);
                step.query = step.query.replace(placeholder, &other);
                "4XX"
            }
            Mistake::Unsigned => {
                step.signing.key = Key::None;
                "401"
            }
            Mistake::UnknownKey => {
                step.signing.key = Key::Unknown;
                "401"
            }
            Mistake::EmptySecret => {
                step.signing.key = Key::EmptySecret;
                "401"
            }
            Mistake::AbsentHeader => {
                let names = ["host", ABSENT, "x-project-id", "x-sdk-date"];
                step.signing.headers = Some(names.map(str::to_owned).to_vec());
                step.headers.insert(ABSENT.to_owned(), vec![String::new()]);
                step.then.headers.insert(ABSENT.to_owned(), Vec::new());
                "401"
            }
            Mistake::Minutes(minutes) => {
                step.signing.seconds = 60 * *minutes;
                "401"
            }
            Mistake::Digit(at) => {
                let digit = ("authorization".to_owned(), "Signature=".to_owned(), *at);
                step.then.flip = Some(digit);
                "401"
            }
            Mistake::Digits(count) => {
                step.then.digits = Some(*count);
                "401"
            }
            Mistake::LaterBody if deletes => {
                step.then.body = step.body.as_ref().map(|body| format!("{body} "));
                "401"
            }
            Mistake::LaterQuery => {
                step.then.query = Some(joined(&step.query, "x=1"));
                "401"
            }
            Mistake::Item(..)
            | Mistake::RepeatedRow
            | Mistake::Body(_)
            | Mistake::Method(_)
            | Mistake::AfterPath(_)
            | Mistake::LaterBody => return,
        };
        step.expect = ExpectedResponse::new(refused);
    }

    /// Another name or id, which does not exist.
    fn misspelled(&self, placeholder: &str, how: Misspelling) -> Option<String> {
        let right = self.values.fill(placeholder).ok()?;
        let (start, last) = right.split_at_checked(right.len().checked_sub(1)?)?;
        let other = match how {
            Misspelling::Unknown => "<unknown>".to_owned(),
            Misspelling::OtherCase => other_case(&right),
            Misspelling::Longer => format!("{right}x"),
            Misspelling::Shorter => start.to_owned(),
            Misspelling::Space => format!("{right}%20"),
            Misspelling::EncodedTwice => format!("{start}%25{:02X}", last.as_bytes().first()?),
        };
        let mut topics = self.topics.iter().flatten();
        let exists = other == right || topics.any(|(name, _)| *name == other);
        (!exists && !other.is_empty()).then_some(other)
    }
}

pub(super) fn committed_path(group: &str) -> String {
    format!("/v2/kafka/<project_id>/instances/<instance_id>/groups/{group}/message-offset")
}

/// The records with this time, or all since then with the oldest or the newest first.
pub(super) fn find_time(time: i64, oldest_first: Option<bool>) -> Step {
    let more = match oldest_first {
        None => format!("end_time={time}"),
        Some(oldest_first) => format!("asc={oldest_first}"),
    };
    let query = format!("topic=<topic>&start_time={time}&{more}&limit={LARGEST_PAGE}");
    Step::get(MESSAGES, &query)
}

fn fields(pairs: &[(&str, &dyn ToString)]) -> Fields {
    let field = |(name, value): &(&str, &dyn ToString)| ((*name).to_owned(), value.to_string());
    pairs.iter().map(field).collect()
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn joined(query: &str, more: &str) -> String {
    if query.is_empty() {
        more.to_owned()
    } else {
        format!("{query}&{more}")
    }
}

/// A page of `items`, in order. Without `default`, the contract does not say how long a page without `limit` is, nor how long
/// one may be.
fn listing(
    path: &str,
    query: &str,
    list: &str,
    items: &[Fields],
    page: Page,
    default: Option<usize>,
) -> Step {
    let limit = page.limit.map(|limit| {
        if default.is_none() && limit > LARGEST_PAGE && limit <= i32::MAX.into() {
            LARGEST_PAGE
        } else {
            limit
        }
    });
    let mut text = query.to_owned();
    for (name, value) in [("offset", page.skip), ("limit", limit)] {
        if let Some(value) = value {
            text = joined(&text, &format!("{name}={value}"));
        }
    }
    let is_valid = page
        .skip
        .is_none_or(|skip| i32::try_from(skip).is_ok_and(|skip| skip >= 0))
        && limit.is_none_or(|limit| (1..=LARGEST_PAGE).contains(&limit));
    if !is_valid {
        return Step::new("GET", path, &text, ExpectedResponse::new("4XX"));
    }
    let mut expect = ExpectedResponse::new("200");
    expect
        .fields
        .insert("/total".to_owned(), items.len().to_string());
    let number = |value: Option<i64>| value.and_then(|value| usize::try_from(value).ok());
    let rest = items
        .get(number(page.skip).unwrap_or_default()..)
        .unwrap_or_default();
    let length = number(limit).or(default);
    let shown = &rest[..length.unwrap_or(1).min(rest.len())];
    if length.is_some() {
        expect
            .fields
            .insert(format!("/{list}/{}", shown.len()), "nothing".to_owned());
    }
    for (index, item) in shown.iter().enumerate() {
        let fields = item
            .iter()
            .map(|(name, value)| (format!("/{list}/{index}/{name}"), value.clone()));
        expect.fields.extend(fields);
    }
    Step::new("GET", path, &text, expect)
}
