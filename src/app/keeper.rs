//! Carries what the topology says to those who must not know the monitor: the gate, the pools, the sessions.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::Pools;
use crate::frontend::SessionRegistry;
use crate::gate::{Gate, Reasons};
use crate::metrics::Metrics;
use crate::topology::{ServerId, Topology, TopologyStore};

use super::Parts;

/// Between rounds of closing what is idle for too long.
const REAP: Duration = Duration::from_secs(1);

pub(super) fn start(parts: &Parts, (tasks, stop): (&TaskTracker, &CancellationToken)) {
    let keeper = Keeper {
        store: parts.store.clone(),
        gate: parts.gate.clone(),
        pools: parts.pools.clone(),
        registry: parts.registry.clone(),
        metrics: parts.metrics.clone(),
        primary: None,
    };
    let stopped = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = keeper.run() => {}
            () = stopped.cancelled() => {}
        }
    });
    let (pools, stopped) = (parts.pools.clone(), stop.clone());
    tasks.spawn(async move {
        while tokio::time::timeout(REAP, stopped.cancelled()).await.is_err() {
            pools.reap();
        }
    });
}

struct Keeper {
    store: Arc<TopologyStore>,
    gate: Arc<Gate>,
    pools: Arc<Pools>,
    registry: Arc<SessionRegistry>,
    metrics: Arc<Metrics>,
    /// The primary, or the last one while there is none.
    primary: Option<ServerId>,
}

impl Keeper {
    async fn run(mut self) {
        let mut before = self.store.load();
        self.apply(None, &before);
        loop {
            let now = self.store.newer_than(before.version).await;
            self.apply(Some(&before), &now);
            before = now;
        }
    }

    fn apply(&mut self, before: Option<&Topology>, now: &Topology) {
        if now.primary().is_some() {
            self.gate.open(Reasons::NO_PRIMARY);
        } else {
            self.gate.close(Reasons::NO_PRIMARY);
        }
        let Some(primary) = now.primary().map(|p| p.id).or(self.primary) else { return };
        let replaced = self.primary.replace(primary).filter(|old| *old != primary);
        if let Some(old) = replaced {
            // Somebody else's switchover: whoever still has a unit open on the old primary finds out by itself.
            self.pools.retire(old);
            if !self.gate.reasons().contains(Reasons::SWITCHOVER) {
                self.metrics.switchovers.with_label_values(&["external", "done"]).inc();
            }
        }
        let Some(before) = before else { return };
        for server in &now.servers {
            let was_up = before.server(server.id).is_some_and(crate::topology::Server::is_up);
            if was_up && !server.is_up() {
                self.lost(server.id);
            }
        }
    }

    /// A server that counts as down answers nobody any more: sessions that wait for it are told.
    fn lost(&self, server: ServerId) {
        let told = self.registry.server_lost(server);
        self.pools.retire(server);
        tracing::debug!(server = server.0, sessions = told, "a server is down");
    }
}
