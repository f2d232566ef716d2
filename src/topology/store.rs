//! Publishes topologies: readers load the current snapshot without a lock, waiters are told of each new one.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::model::Topology;

/// The current [`Topology`] and its changes.
#[derive(Debug)]
pub struct TopologyStore {
    current: ArcSwap<Topology>,
    changed: watch::Sender<u64>,
}

impl TopologyStore {
    /// Starts with `first`.
    #[must_use]
    pub fn new(first: Topology) -> Self {
        let (changed, _) = watch::channel(first.version);
        Self { current: ArcSwap::from_pointee(first), changed }
    }

    /// The current snapshot. Cheap: no lock.
    #[must_use]
    pub fn load(&self) -> Arc<Topology> {
        self.current.load_full()
    }

    /// The current snapshot, borrowed for a moment: for the hot path. Not to be held over an await.
    #[must_use]
    pub fn peek(&self) -> arc_swap::Guard<Arc<Topology>> {
        self.current.load()
    }

    /// Publishes `next`; its version is set to one more than the current one. Only one task publishes at a time
    /// (the monitor serialises it).
    pub fn publish(&self, mut next: Topology) -> u64 {
        next.version = self.current.load().version + 1;
        let version = next.version;
        self.current.store(Arc::new(next));
        self.changed.send_replace(version);
        version
    }

    /// Waits until a snapshot newer than `version` is published, and gives it.
    pub async fn newer_than(&self, version: u64) -> Arc<Topology> {
        let mut changes = self.changed.subscribe();
        // The sender lives in self, so waiting cannot fail while we borrow it.
        let _ = changes.wait_for(|now| *now > version).await;
        self.load()
    }
}
