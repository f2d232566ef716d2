//! The held, in the order they came.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::Pass;

/// Waiters by number; numbers only grow, so the map's order is the order of arrival and a place can be given up from
/// the middle in logarithmic time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Pass>>,
}

impl Queue {
    /// Takes the last place.
    pub(super) fn push(&mut self) -> (u64, oneshot::Receiver<Pass>) {
        let (sender, receiver) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, sender);
        (number, receiver)
    }

    /// The first in line.
    pub(super) fn pop(&mut self) -> Option<oneshot::Sender<Pass>> {
        self.waiting.pop_first().map(|(_, sender)| sender)
    }

    /// Gives a place up.
    pub(super) fn remove(&mut self, number: u64) {
        self.waiting.remove(&number);
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
