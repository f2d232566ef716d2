//! Slots of the commit marker: one row of `tideover.commit_marker` per server connection that needs one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// What a unit writes into the marker table just before its COMMIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The connection's row: `INSTANCE-NUMBER`, hexadecimal digits.
    pub slot: Arc<str>,
    /// Higher than every one that was given out before, by this process.
    pub seq: u64,
}

/// Gives server connections their slots, and units their numbers.
#[derive(Debug)]
pub(super) struct Marks {
    instance: String,
    seq: AtomicU64,
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    free: Vec<u64>,
}

/// A connection's slot. Free for another connection when this one is closed.
#[derive(Debug)]
pub(super) struct Slot {
    marks: Arc<Marks>,
    name: Arc<str>,
    number: u64,
    retired: bool,
}

impl Marks {
    /// `instance` is random text of this process, so that no other process uses its rows.
    pub(super) fn new(instance: String) -> Arc<Self> {
        Arc::new(Self { instance, seq: AtomicU64::new(1), numbers: Mutex::default() })
    }

    pub(super) fn slot(self: &Arc<Self>) -> Slot {
        let mut numbers = self.numbers.lock();
        let number = numbers.free.pop().unwrap_or_else(|| {
            numbers.next += 1;
            numbers.next
        });
        let name = format!("{}-{number:x}", self.instance).into();
        Slot { marks: self.clone(), name, number, retired: false }
    }
}

impl Slot {
    /// For the next unit.
    pub(super) fn mark(&self) -> Mark {
        Mark { slot: self.name.clone(), seq: self.marks.seq.fetch_add(1, Ordering::Relaxed) }
    }

    /// A unit of this connection is in doubt: what its row says must never come from another connection.
    pub(super) fn retire(&mut self) {
        self.retired = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.retired {
            self.marks.numbers.lock().free.push(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_used_again_unless_in_doubt() {
        let marks = Marks::new("ab".to_owned());
        let (one, mut two) = (marks.slot(), marks.slot());
        assert_eq!(one.mark(), Mark { slot: "ab-1".into(), seq: 1 });
        assert_eq!(two.mark(), Mark { slot: "ab-2".into(), seq: 2 });
        drop(one);
        two.retire();
        drop(two);
        let (again, new) = (marks.slot(), marks.slot());
        assert_eq!(again.mark(), Mark { slot: "ab-1".into(), seq: 3 });
        assert_eq!(new.mark(), Mark { slot: "ab-3".into(), seq: 4 });
    }
}
