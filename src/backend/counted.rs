//! Counts that are right whichever way a wait or an opening ends.

use std::sync::atomic::{AtomicUsize, Ordering};

/// One more in a count, for as long as it is there.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes a failed or cancelled opening out of the count of what is open.
pub(super) struct Uncount<'a>(Option<&'a AtomicUsize>);

impl<'a> Uncount<'a> {
    pub(super) const fn of(open: &'a AtomicUsize) -> Self {
        Self(Some(open))
    }

    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Uncount<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.0 {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}
