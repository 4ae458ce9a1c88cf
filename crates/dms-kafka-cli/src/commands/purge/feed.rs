//! The second reading of an offsets file: rows on their way to be sent.

use std::thread::JoinHandle;

use dms_kafka::PurgeTarget;
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;

use super::check::{Checked, Hashing, unreadable};
use super::rows;
use super::source::Source;
use super::states::{RowState, States};
use crate::exit::Failure;

/// Rows of a topic are gathered within so many rows of the file.
pub(super) const WINDOW: usize = 10_000;

pub(super) const CHANGED: &str = "it was changed while it was read";

/// The thread that reads. It ends with the rows, or when the stream is dropped.
pub(super) struct Feed(JoinHandle<Result<(), String>>);

/// Starts to read the rows that are still waiting.
pub(super) fn start(
    source: &Source,
    checked: &Checked,
    states: &States,
) -> Result<(Feed, impl Stream<Item = PurgeTarget> + Send + use<>), Failure> {
    if !source.is_unchanged() {
        return Err(Failure::usage(format!(
            "{}: {CHANGED}; nothing was sent",
            source.name()
        )));
    }
    let file = source
        .try_clone()
        .map_err(|error| unreadable(source, &error))?;
    let (batches, receiver) = mpsc::channel(1);
    // Of the rows that are still to be read, none changes its state.
    let (states, sha256) = (states.snapshot(), checked.sha256.clone());
    let thread = std::thread::Builder::new()
        .name("rows".to_owned())
        .spawn(move || read(&file, &states, &sha256, &batches))
        .map_err(Failure::usage)?;
    let rows = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|batch| (batch, receiver))
    });
    Ok((Feed(thread), rows.flat_map(stream::iter)))
}

impl Feed {
    /// Waits for the thread, whose stream must be gone.
    pub(super) fn end(self) -> Result<(), String> {
        self.0
            .join()
            .unwrap_or_else(|_| Err("the thread that reads it is gone".to_owned()))
    }
}

/// Each batch was read from the file that was checked: one changed since is noticed before the batch is handed on.
fn read(
    source: &Source,
    states: &[RowState],
    sha256: &str,
    batches: &mpsc::Sender<Vec<PurgeTarget>>,
) -> Result<(), String> {
    let mut reader = Hashing::new(source.reader().map_err(|error| error.to_string())?);
    let mut batch = Vec::with_capacity(WINDOW);
    let mut states = states.iter();
    let mut number = 0;
    let mut is_wanted = true;
    let read = rows::read(&mut reader, &mut |row| {
        match states.next() {
            None => return Err(CHANGED.to_owned()),
            Some(RowState::Waiting) => {
                let target = row.target().map_err(|error| error.to_string())?;
                let row = PurgeTarget::new(row.topic, row.partition, target);
                batch.push(row.map_err(|error| error.to_string())?.with_row(number));
            }
            Some(_) => {}
        }
        number += 1;
        if batch.len() == WINDOW {
            if !source.is_unchanged() {
                return Err(CHANGED.to_owned());
            }
            let full = std::mem::replace(&mut batch, Vec::with_capacity(WINDOW));
            is_wanted = batches.blocking_send(full).is_ok();
        }
        if is_wanted {
            Ok(())
        } else {
            Err("nobody wants more".to_owned())
        }
    });
    if !is_wanted {
        return Ok(());
    }
    read.map_err(|error| error.to_string())?;
    if reader.sha256() != sha256 {
        return Err(CHANGED.to_owned());
    }
    let _ = batches.blocking_send(batch);
    Ok(())
}
