//! The memory that request bodies and large responses may take together, and the shares of one key and one peer.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{limits::Limits, refusal::Refusal};

/// A number of bytes.
#[derive(Clone, Debug)]
pub(crate) struct MemoryBudget(Arc<Semaphore>);

impl MemoryBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }
}

/// Without a limit.
impl Default for MemoryBudget {
    fn default() -> Self {
        Self::new(Semaphore::MAX_PERMITS)
    }
}

/// The budgets that the memory of one request counts against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryBudgets<'a> {
    pub(crate) total: &'a MemoryBudget,
    pub(crate) key: &'a MemoryBudget,
    pub(crate) peer: &'a MemoryBudget,
}

/// The memory that one request holds. Dropping it returns the memory to the budgets.
#[derive(Debug, Default)]
pub(crate) struct HeldMemory(Option<[OwnedSemaphorePermit; 3]>);

impl HeldMemory {
    /// Sets the memory that the request holds, which is more than before.
    pub(crate) fn grow(&mut self, bytes: usize, budgets: MemoryBudgets<'_>) -> Result<(), Refusal> {
        let more = counted(bytes).saturating_sub(self.counted());
        if more == 0 {
            return Ok(());
        }
        let more = u32::try_from(more).map_err(|_| Refusal::BUSY)?;
        let take = |MemoryBudget(budget): &MemoryBudget| {
            let permit = budget.clone().try_acquire_many_owned(more);
            permit.map_err(|_| Refusal::BUSY)
        };
        let taken = [
            take(budgets.total)?,
            take(budgets.key)?,
            take(budgets.peer)?,
        ];
        match &mut self.0 {
            Some(held) => held
                .iter_mut()
                .zip(taken)
                .for_each(|(held, more)| held.merge(more)),
            None => self.0 = Some(taken),
        }
        Ok(())
    }

    /// Returns the memory above this number of bytes.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let less = self.counted().saturating_sub(counted(bytes));
        for permit in self.0.iter_mut().flatten() {
            drop(permit.split(less));
        }
    }

    fn counted(&self) -> usize {
        let permit = self.0.as_ref().map(|[permit, ..]| permit);
        permit.map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

/// A small body does not count, so it is accepted even if others have used up the budget. The limit of connections bounds
/// the memory of all small bodies.
fn counted(bytes: usize) -> usize {
    bytes.saturating_sub(Limits::SMALL_BODY)
}
