//! The memory that request bodies may take, all together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes for request bodies, of which each request takes what it needs and gives it back when it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

/// One request's part of a [`Budget`].
pub(crate) struct Share {
    budget: Budget,
    taken: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes)))
    }

    pub(crate) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            taken: None,
        }
    }
}

impl Share {
    /// Takes so many bytes more, and says whether there were enough left.
    pub(crate) fn take(&mut self, bytes: usize) -> bool {
        let more = u32::try_from(bytes)
            .ok()
            .and_then(|bytes| self.budget.0.clone().try_acquire_many_owned(bytes).ok());
        let Some(more) = more else {
            return false;
        };
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
        let budget = Budget::new(3000);
        let mut first = budget.share();
        assert!(first.take(1001) && first.take(999));
        let mut second = budget.share();
        assert!(!second.take(1001), "1000 are left");
        assert!(second.take(0) && second.take(1000));
        assert!(!first.take(1));
        drop(second);
        assert!(first.take(1));
    }

    #[test]
    fn many_small_parts_of_a_body_cost_no_more_than_one_large_part() {
        let mut share = Budget::new(1000).share();
        assert!((0..1000).all(|_| share.take(1)));
        assert!(!share.take(1));
    }
}
