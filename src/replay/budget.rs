//! How many bytes all journals together may keep. PURE but for one counter.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bounds of journals, and what is used of them.
#[derive(Debug)]
pub struct Budget {
    /// Bytes of one journal (`replay.max_transaction`); 0 if nothing is to be kept.
    pub per_transaction: usize,
    /// Bytes of all journals (`replay.max_total`).
    pub total: usize,
    used: AtomicUsize,
}

impl Budget {
    /// Bounds in bytes.
    #[must_use]
    pub fn new(per_transaction: usize, total: usize) -> Arc<Self> {
        Arc::new(Self { per_transaction, total, used: AtomicUsize::new(0) })
    }

    /// Bytes in use.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let fits = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= self.total);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }
}

/// What one journal uses; given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

/// Why a share cannot grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    Transaction,
    Total,
}

impl Share {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, bytes: 0 }
    }

    pub(super) fn grow(&mut self, bytes: usize) -> Result<(), Exceeded> {
        if self.bytes.saturating_add(bytes) > self.budget.per_transaction {
            return Err(Exceeded::Transaction);
        }
        if !self.budget.take(bytes) {
            return Err(Exceeded::Total);
        }
        self.bytes += bytes;
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.shrink_to(0);
    }

    /// Gives back all but this.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        self.budget.used.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_given_back() {
        let budget = Budget::new(100, 150);
        let (mut one, mut other) = (Share::new(budget.clone()), Share::new(budget.clone()));
        assert_eq!(one.grow(90), Ok(()));
        assert_eq!(one.grow(11), Err(Exceeded::Transaction));
        assert_eq!(other.grow(61), Err(Exceeded::Total));
        assert_eq!(other.grow(60), Ok(()));
        assert_eq!(budget.used(), 150);
        drop(one);
        assert_eq!(budget.used(), 60);
        other.clear();
        assert_eq!(budget.used(), 0);
    }
}
