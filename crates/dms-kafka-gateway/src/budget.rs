//! The memory that request bodies may take, all together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is shared out in pieces of this many bytes.
const PIECE: usize = 1024;

/// Memory for request bodies, of which each request takes what it needs and gives it back when it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

/// One request's part of a [`Budget`].
pub(crate) struct Share {
    budget: Budget,
    taken: Option<OwnedSemaphorePermit>,
    /// Bytes of the last piece that are not used yet.
    spare: usize,
}

impl Budget {
    /// A budget of so many bytes, rounded up to a whole KiB.
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.div_ceil(PIECE))))
    }

    pub(crate) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            taken: None,
            spare: 0,
        }
    }
}

impl Share {
    /// Takes so many bytes more, and says whether there were enough left.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let pieces = bytes.saturating_sub(self.spare).div_ceil(PIECE);
        let Ok(count) = u32::try_from(pieces) else {
            return false;
        };
        let Ok(more) = self.budget.0.clone().try_acquire_many_owned(count) else {
            return false;
        };
        self.spare = self.spare + pieces * PIECE - bytes;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_taken_and_given_back() {
        let budget = Budget::new(3 * PIECE);
        let mut first = budget.share();
        assert!(first.take(PIECE + 1), "two pieces");
        assert!(first.take(PIECE - 1), "what is left of the second");
        let mut second = budget.share();
        assert!(!second.take(PIECE + 1), "one is left");
        assert!(second.take(0) && second.take(PIECE));
        assert!(!first.take(1));
        drop(second);
        assert!(first.take(1));
    }

    #[test]
    fn many_small_pieces_of_a_body_cost_no_more_than_one_large_piece() {
        let mut share = Budget::new(PIECE).share();
        assert!((0..PIECE).all(|_| share.take(1)));
        assert!(!share.take(1));
    }
}
