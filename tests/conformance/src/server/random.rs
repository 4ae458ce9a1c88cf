//! Random requests, valid and invalid, and the shortest sequence of them that shows a difference.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::wire::Exchange;

/// For shortening a sequence.
const TIME: Duration = Duration::from_secs(20);
const ATTEMPTS: usize = 150;

/// A request in terms of the state that it meets, so that it keeps its meaning when requests before it are left out.
#[derive(Clone, Debug)]
pub(super) struct RandomRequest {
    pub(super) call: Call,
    pub(super) mistake: Option<Mistake>,
}

/// A valid request.
#[derive(Clone, Debug)]
pub(super) enum Call {
    /// With `large` the body has more than 64 KiB.
    Delete {
        rows: Vec<(Which, Place)>,
        large: bool,
    },
    ListPartitions(Page),
    ListTopics(Page),
    /// Those whose name contains a part of the name of one of them, or all.
    ListGroups(Option<(usize, usize)>, Page),
    ListCommitted(usize, Option<Which>, Page),
    Oldest(Which),
    Newest(Which),
    FindAt(Which, Place),
    /// The records with the time of the record at this place, or all since then with the oldest or the newest first.
    FindTime(Which, Place, Option<bool>),
}

/// A partition.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    /// By its index, which starts again at 0 after the last one.
    Existing(usize),
    /// This many after the last one.
    Absent(i64),
}

/// An offset in a partition.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    AfterStart(i64),
    AfterEnd(i64),
    Largest,
    Everything,
}

/// A page of a listing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) skip: Option<i64>,
    pub(super) limit: Option<i64>,
}

/// Why the service must refuse a request.
#[derive(Clone, Debug)]
pub(super) enum Mistake {
    /// This item at a position of the list.
    Item(usize, &'static str),
    /// The first row again at the end of the list.
    RepeatedRow,
    /// The body with `{}` replaced by the valid one.
    Body(&'static str),
    Method(&'static str),
    /// The name or id in place of the placeholder is another one.
    Identity(&'static str, Misspelling),
    AfterPath(&'static str),
    Unsigned,
    UnknownKey,
    /// Signed with an unknown key that has no secret.
    EmptySecret,
    /// The list of signed headers names one that is absent, with an empty value.
    AbsentHeader,
    /// Signed this many minutes from now.
    Minutes(i64),
    /// The hexadecimal digit at this position of the signature is another one.
    Digit(usize),
    /// Only this many digits of the signature.
    Digits(usize),
    /// Changed after signing.
    LaterBody,
    LaterQuery,
}

/// How a name differs from the right one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Misspelling {
    Unknown,
    OtherCase,
    Longer,
    Shorter,
    Space,
    EncodedTwice,
}

const ITEMS: &[&str] = &[
    r#"{"partition":-1,"offset":0}"#,
    r#"{"partition":2147483648,"offset":0}"#,
    r#"{"partition":4294967296,"offset":0}"#,
    r#"{"partition":<other>,"offset":-2}"#,
    r#"{"partition":<other>,"offset":9223372036854775808}"#,
    r#"{"partition":<other>,"offset":1.0}"#,
    r#"{"partition":<other>,"offset":1e0}"#,
    r#"{"partition":<other>,"offset":"1"}"#,
    r#"{"partition":<other>,"offset":null}"#,
    r#"{"partition":<other>,"offset":true}"#,
    r#"{"partition":<other>,"offset":0,"offset":1}"#,
    r#"{"partition":<other>,"offset":0,"topic":"t"}"#,
    r#"{"partition":<other>}"#,
    r#"{"offset":0}"#,
    "{}",
    "[]",
    "null",
];

const BODIES: &[&str] = &[
    "",
    "{} {}",
    "{}x",
    "[{}]",
    "x{}",
    r#"{"partitions":[]}"#,
    r#"{"partitions":null}"#,
    r#"{"partition":{}}"#,
];

fn page() -> impl Strategy<Value = Page> {
    let skip = select(vec![0, 1, 2, 5, 10, 11, 12, 10_000, -1, 2_147_483_648]);
    let limit = select(vec![1, 2, 3, 10, 11, 49, 50, 51, 100, 0, -1, 2_147_483_648]);
    (option::of(skip), option::of(limit)).prop_map(|(skip, limit)| Page { skip, limit })
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        8 => (0..50_usize).prop_map(Which::Existing),
        1 => select(vec![0, 1, 65_536, i64::from(i32::MAX)]).prop_map(Which::Absent),
    ]
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        10 => (-1..=3_i64).prop_map(Place::AfterStart),
        2 => select(vec![1, 2, 1 << 31, 1 << 32]).prop_map(Place::AfterEnd),
        2 => (0..=2_i64).prop_map(|more| Place::AfterStart((1 << 32) + more)),
        1 => Just(Place::Largest),
        1 => Just(Place::Everything),
    ]
}

fn deletion() -> impl Strategy<Value = Call> {
    let rows = vec((which(), place()), 1..15);
    (rows, prop::bool::weighted(0.1)).prop_map(|(rows, large)| Call::Delete { rows, large })
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        10 => deletion(),
        2 => page().prop_map(Call::ListPartitions),
        1 => page().prop_map(Call::ListTopics),
        2 => (option::of((0..50_usize, 0..50_usize)), page()).prop_map(|(part, page)| Call::ListGroups(part, page)),
        3 => (0..50_usize, option::of(which()), page())
            .prop_map(|(group, only, page)| Call::ListCommitted(group, only, page)),
        1 => which().prop_map(Call::Oldest),
        1 => which().prop_map(Call::Newest),
        1 => (which(), place()).prop_map(|(which, place)| Call::FindAt(which, place)),
        2 => (which(), place(), option::of(any::<bool>()))
            .prop_map(|(which, place, first)| Call::FindTime(which, place, first)),
    ]
}

/// For deletions only.
fn mistake_in_body() -> impl Strategy<Value = Mistake> {
    prop_oneof![
        4 => (0..15_usize, select(ITEMS)).prop_map(|(at, item)| Mistake::Item(at, item)),
        2 => Just(Mistake::RepeatedRow),
        2 => select(BODIES).prop_map(Mistake::Body),
        2 => select(vec!["PUT", "PATCH", "DELETE", "GET", "OPTIONS"]).prop_map(Mistake::Method),
        1 => select(vec!["/", "//", "/x", "%20", ";x"]).prop_map(Mistake::AfterPath),
        1 => Just(Mistake::LaterBody),
    ]
}

fn mistake() -> impl Strategy<Value = Mistake> {
    let placeholder = select(vec!["<topic>", "<topic>", "<instance_id>", "<project_id>"]);
    let misspelling = select(vec![
        Misspelling::Unknown,
        Misspelling::OtherCase,
        Misspelling::Longer,
        Misspelling::Shorter,
        Misspelling::Space,
        Misspelling::EncodedTwice,
    ]);
    prop_oneof![
        5 => (placeholder, misspelling).prop_map(|(of, how)| Mistake::Identity(of, how)),
        1 => Just(Mistake::Unsigned),
        1 => Just(Mistake::UnknownKey),
        1 => Just(Mistake::EmptySecret),
        1 => Just(Mistake::AbsentHeader),
        1 => select(vec![-16, 16, -1440]).prop_map(Mistake::Minutes),
        4 => (0..64_usize).prop_map(Mistake::Digit),
        2 => (0..64_usize).prop_map(Mistake::Digits),
        1 => Just(Mistake::LaterQuery),
    ]
}

fn random_request() -> impl Strategy<Value = RandomRequest> {
    let refused = |(call, mistake)| RandomRequest {
        call,
        mistake: Some(mistake),
    };
    prop_oneof![
        5 => call().prop_map(|call| RandomRequest { call, mistake: None }),
        2 => (deletion(), mistake_in_body()).prop_map(refused),
        3 => (call(), mistake()).prop_map(refused),
    ]
}

/// A difference between the service and the model.
#[derive(Clone, Debug)]
pub(super) struct Difference {
    /// The index of the request that showed it.
    pub(super) at: usize,
    pub(super) faults: Vec<String>,
    /// The requests until then, as commands.
    pub(super) commands: Vec<String>,
    pub(super) exchanges: Vec<Exchange>,
}

type Tree = Box<dyn ValueTree<Value = RandomRequest>>;

/// Plays `count` random requests. After a difference, looks for a shorter sequence that shows one, and returns that one.
///
/// Deleted records do not come back, so each sequence meets another state.
pub(super) async fn search(
    seed: u64,
    count: usize,
    mut play: impl AsyncFnMut(&[RandomRequest]) -> Result<Option<Difference>>,
) -> Result<Option<Difference>> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let request = random_request().boxed();
    let trees = (0..count).map(|_| request.new_tree(&mut runner));
    let mut trees: Vec<Tree> = trees
        .collect::<Result<_, _>>()
        .map_err(|reason| anyhow!("{reason}"))?;
    let Some(found) = play(&current(&trees)).await? else {
        return Ok(None);
    };
    trees.truncate(found.at + 1);
    let mut search = Search {
        shortest: found,
        attempts: 0,
        begin: Instant::now(),
        play,
    };
    if search.omit(&mut trees).await? {
        search.simplify(&mut trees).await?;
    }
    Ok(Some(search.shortest))
}

fn current(trees: &[Tree]) -> Vec<RandomRequest> {
    trees.iter().map(ValueTree::current).collect()
}

struct Search<F> {
    shortest: Difference,
    attempts: usize,
    begin: Instant,
    play: F,
}

impl<F: AsyncFnMut(&[RandomRequest]) -> Result<Option<Difference>>> Search<F> {
    fn is_over(&self) -> bool {
        self.attempts >= ATTEMPTS || self.begin.elapsed() > TIME
    }

    /// Whether these requests show a difference, which is then the shortest one.
    async fn shows(&mut self, requests: &[RandomRequest]) -> Result<bool> {
        self.attempts += 1;
        let found = (self.play)(requests).await?;
        let shows = found.is_some();
        if let Some(found) = found {
            self.shortest = found;
        }
        Ok(shows)
    }

    /// Tries the last request alone, then leaves out halves, quarters and so on. `false` if there is no difference a second
    /// time, such as when the records are gone: then the last request is all that can be shown.
    async fn omit(&mut self, trees: &mut Vec<Tree>) -> Result<bool> {
        let Some(last) = trees.last().map(ValueTree::current) else {
            return Ok(false);
        };
        if self.shows(&[last]).await? {
            trees.drain(..trees.len() - 1);
            return Ok(true);
        }
        if !self.shows(&current(trees)).await? {
            self.shortest
                .commands
                .drain(..self.shortest.commands.len().saturating_sub(1));
            return Ok(false);
        }
        let mut size = trees.len() / 2;
        while size > 0 {
            let mut from = 0;
            while from + size < trees.len() && !self.is_over() {
                let mut requests = current(trees);
                requests.drain(from..from + size);
                if self.shows(&requests).await? {
                    trees.drain(from..from + size);
                } else {
                    from += size;
                }
            }
            size /= 2;
        }
        Ok(true)
    }

    /// Replaces parts of the requests by simpler ones.
    async fn simplify(&mut self, trees: &mut [Tree]) -> Result<()> {
        for index in 0..trees.len() {
            let mut changed = trees[index].simplify();
            while changed && !self.is_over() {
                changed = if self.shows(&current(trees)).await? {
                    trees[index].simplify()
                } else {
                    trees[index].complicate()
                };
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that is wrong when everything of a partition is deleted after a listing of topics.
    fn is_shown(requests: &[RandomRequest]) -> Option<usize> {
        let lists =
            |one: &RandomRequest| matches!(one.call, Call::ListTopics(_)) && one.mistake.is_none();
        let empties = |one: &RandomRequest| {
            let Call::Delete { rows, .. } = &one.call else {
                return false;
            };
            rows.iter()
                .any(|(_, place)| matches!(place, Place::Everything))
        };
        let listed = requests.iter().position(lists)?;
        let later = requests[listed..].iter().position(empties)?;
        Some(listed + later)
    }

    fn difference(at: usize, requests: &[RandomRequest]) -> Difference {
        let shown = requests[..=at].iter().map(|one| format!("{one:?}"));
        Difference {
            at,
            faults: vec!["wrong".to_owned()],
            commands: shown.collect(),
            exchanges: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_difference_is_shown_by_the_shortest_sequence() {
        let mut longest = 0;
        let play = async |requests: &[RandomRequest]| {
            longest = longest.max(requests.len());
            Ok(is_shown(requests).map(|at| difference(at, requests)))
        };
        let found = search(7, 500, play).await.unwrap().unwrap();
        assert_eq!(longest, 500);
        assert_eq!(found.commands.len(), 2, "{:#?}", found.commands);
        // Of the rows, one is left.
        assert_eq!(
            found.commands[1].matches("Existing").count()
                + found.commands[1].matches("Absent").count(),
            1
        );
    }

    #[tokio::test]
    async fn without_a_difference_each_request_is_played_once() {
        let mut played = 0;
        let play = async |requests: &[RandomRequest]| {
            played += requests.len();
            Ok(None)
        };
        assert!(search(7, 20, play).await.unwrap().is_none());
        assert_eq!(played, 20);
    }

    /// The records are gone: nothing shows the difference again.
    #[tokio::test]
    async fn a_difference_that_happens_once_is_shown_by_its_last_request() {
        let mut plays = 0;
        let play = async |requests: &[RandomRequest]| {
            plays += 1;
            Ok((plays == 1).then(|| difference(9, requests)))
        };
        let found = search(7, 20, play).await.unwrap().unwrap();
        assert_eq!((found.commands.len(), plays), (1, 3));
    }

    #[tokio::test]
    async fn a_seed_stands_for_the_same_requests() {
        let requests = async |seed| {
            let mut all = String::new();
            let play = async |requests: &[RandomRequest]| {
                all = format!("{requests:?}");
                Ok(None)
            };
            search(seed, 50, play).await.unwrap();
            all
        };
        assert_eq!(requests(1).await, requests(1).await);
        assert_ne!(requests(1).await, requests(2).await);
    }
}
