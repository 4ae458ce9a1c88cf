//! What a request's result says of its rows.

use dms_kafka::{Error, ErrorKind, Outcome, PartitionDeletion, PurgeResult, codes};

use super::journal::Entry;
use super::states::RowState;

/// The state of each row, in the order of the request.
pub(super) fn judge(result: &PurgeResult) -> Vec<RowState> {
    match result.deletion() {
        Ok(deletion) => deletion.partitions().iter().map(of_partition).collect(),
        Err(error) => vec![of_error(error); result.rows().len()],
    }
}

fn of_partition(partition: &PartitionDeletion) -> RowState {
    match partition.outcome() {
        None => RowState::Deleted,
        Some(Outcome::NotApplied) => RowState::Failed,
        Some(_) => RowState::Unknown,
    }
}

/// A request without effect is finished only when the same rows would be refused again.
fn of_error(error: &Error) -> RowState {
    match (error.outcome(), error.kind()) {
        (Outcome::NotApplied, _) if is_hopeless(error) => RowState::Undone,
        (
            Outcome::NotApplied,
            ErrorKind::BadRequest | ErrorKind::InvalidInput | ErrorKind::NotFound,
        ) => RowState::Refused,
        (Outcome::NotApplied, _) => RowState::Undone,
        _ => RowState::Unknown,
    }
}

/// Whether every further request would fail alike. More than five wrong signatures lock the key.
pub(super) fn is_hopeless(error: &Error) -> bool {
    error.code() == Some(codes::INSTANCE_NOT_FOUND)
        || matches!(
            error.kind(),
            ErrorKind::Credentials
                | ErrorKind::ProjectId
                | ErrorKind::Unauthorized
                | ErrorKind::Forbidden
        )
}

/// What the journal keeps. Undone rows are kept only to take back their intent: they are to be sent again.
pub(super) fn entry(result: &PurgeResult, states: &[RowState], had_intent: bool) -> Entry {
    let mut entry = Entry::default();
    for (row, state) in result.rows().iter().zip(states) {
        match state {
            RowState::Deleted => entry.deleted.push(*row),
            RowState::Failed => entry.failed.push(*row),
            RowState::Refused => entry.refused.push(*row),
            RowState::Unknown => entry.unknown.push(*row),
            RowState::Undone if had_intent => entry.undone.push(*row),
            RowState::Undone | RowState::Waiting | RowState::UnderWay => {}
        }
    }
    entry
}
