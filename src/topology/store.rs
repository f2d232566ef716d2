//! Publishes topologies: readers load the current snapshot without a lock, waiters are told of each new one.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::model::Topology;

/// What is done with the present and the next topology before the next is published.
type Before = Box<dyn Fn(&Topology, &Topology) + Send + Sync>;

/// The current [`Topology`] and its changes.
pub struct TopologyStore {
    current: ArcSwap<Topology>,
    changed: watch::Sender<u64>,
    before: OnceLock<Before>,
}

impl fmt::Debug for TopologyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TopologyStore").field("current", &self.current).finish_non_exhaustive()
    }
}

impl TopologyStore {
    /// Starts with `first`.
    #[must_use]
    pub fn new(first: Topology) -> Self {
        let (changed, _) = watch::channel(first.version);
        Self { current: ArcSwap::from_pointee(first), changed, before: OnceLock::new() }
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

    /// From now on `before` is called with the present and the next topology, before anybody sees the next one. Only the
    /// first call counts.
    pub fn before_each(&self, before: impl Fn(&Topology, &Topology) + Send + Sync + 'static) {
        let _ = self.before.set(Box::new(before));
    }

    /// Publishes `next`; its version is set to one more than the current one. Only one task publishes at a time
    /// (the monitor serialises it).
    pub fn publish(&self, mut next: Topology) -> u64 {
        let present = self.current.load();
        next.version = present.version + 1;
        if let Some(before) = self.before.get() {
            before(&present, &next);
        }
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
