//! Reads a list page by page.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::future::Future;

use dms_kafka_client as raw;

use crate::call::{self, Effect, Operation};
use crate::config::Config;
use crate::error::Error;
use crate::error_kind::ErrorKind;
use crate::ids::ProjectId;
use crate::outcome::Outcome;
use crate::response::RawResult;

/// The largest page size of the vendor's service.
pub(crate) const PAGE: i32 = 50;
/// More pages than any list needs, in case the service never ends it.
const MAX_PAGES: usize = 10_000;

/// A list, and its name in errors.
pub(crate) struct List {
    pub(crate) operation: Operation<'static>,
    pub(crate) what: &'static str,
}

/// The total over all pages, if the service tells it, and the items of one page or the rules that they break.
pub(crate) type Page<K, V> = (Option<i32>, Vec<Result<(K, V), &'static str>>);

impl List {
    /// Reads pages until the service's total is reached, with one deadline. `send` gets the number of items to skip.
    pub(crate) async fn all_pages<R, K: Ord, V, F: Future<Output = RawResult<R>>>(
        &self,
        config: &Config,
        send: impl Fn(raw::Client, ProjectId, i32) -> F,
        open: impl Fn(R) -> Page<K, V>,
    ) -> Result<BTreeMap<K, V>, Error> {
        let deadline = call::after(config.settings.call_timeout);
        let mut items = BTreeMap::new();
        let mut first_total = None;
        for _ in 0..MAX_PAGES {
            let skip = i32::try_from(items.len()).map_err(|_| self.invalid("it is too long"))?;
            let send = |client, project_id| send(client, project_id, skip);
            let page = call::run(config, deadline, self.operation, Effect::Reads, send).await?;
            let (total, page_items) = open(page.value);
            let is_complete = add(&mut items, total, page_items)
                .and_then(|is_complete| {
                    // Items may have moved between pages.
                    if *first_total.get_or_insert(total) == total {
                        Ok(is_complete)
                    } else {
                        Err("its total changed while it was read")
                    }
                })
                .map_err(|rule| {
                    let attempts = page.history.attempts;
                    self.invalid(rule)
                        .with_history(attempts, Outcome::NotApplied)
                })?;
            if is_complete {
                return Ok(items);
            }
        }
        Err(self.invalid("it does not end"))
    }

    pub(crate) fn invalid(&self, rule: &str) -> Error {
        let message = format!("the list of {} is not valid: {rule}", self.what);
        Error::new(ErrorKind::InvalidAnswer, Outcome::NotApplied, message).without_deletion()
    }
}

/// Adds a page. Returns whether the list is complete. A total that counts only one page looks complete: after a full page,
/// another one must be empty.
fn add<K: Ord, V>(
    items: &mut BTreeMap<K, V>,
    total: Option<i32>,
    page: Vec<Result<(K, V), &'static str>>,
) -> Result<bool, &'static str> {
    let is_last = page.is_empty();
    let is_full = i32::try_from(page.len()).is_ok_and(|count| count == PAGE);
    for item in page {
        let (key, value) = item?;
        if items.insert(key, value).is_some() {
            return Err("an item is repeated");
        }
    }
    let Some(total) = total.and_then(|total| usize::try_from(total).ok()) else {
        return Ok(is_last);
    };
    match items.len().cmp(&total) {
        Ordering::Less if is_last => Err("it is shorter than its total"),
        Ordering::Less => Ok(false),
        Ordering::Equal => Ok(!is_full),
        Ordering::Greater => Err("it is longer than its total"),
    }
}
