//! Carries what the topology says to those who must not know the monitor: the gate, the pools, the sessions.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::Pools;
use crate::flight::{Cause, FlightId, Flights};
use crate::frontend::SessionRegistry;
use crate::gate::{Gate, Reasons};
use crate::metrics::Metrics;
use crate::topology::{ClusterState, ServerId, Topology, TopologyStore};

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
        flights: parts.flights.clone(),
        primary: None,
        outage: None,
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
    flights: Arc<Flights>,
    /// The primary, or the last one while there is none.
    primary: Option<ServerId>,
    /// The flight of the time without a primary, while there is none.
    outage: Option<FlightId>,
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
        let replaced = self.primary.filter(|old| now.primary().is_some_and(|p| p.id != *old));
        self.record(replaced, now);
        if now.primary().is_some() {
            self.gate.open(Reasons::NO_PRIMARY);
        } else {
            self.gate.close(Reasons::NO_PRIMARY);
        }
        if let Some(flight) = self.outage.filter(|_| now.primary().is_some()) {
            self.flights.release(flight);
            self.outage = None;
        }
        self.primary = now.primary().map(|p| p.id).or(self.primary);
        if let Some(old) = replaced {
            // Somebody else's switchover: whoever still has a unit open on the old primary finds out by itself.
            self.pools.retire(old);
        }
        let Some(before) = before else { return };
        if before.state != now.state {
            self.tell(now);
        }
        for server in &now.servers {
            let was_up = before.server(server.id).is_some_and(crate::topology::Server::is_up);
            if was_up && !server.is_up() {
                self.lost(server.id);
            }
        }
    }

    /// Keeps the flight record: times without a primary, and switchovers that are not ours.
    fn record(&mut self, replaced: Option<ServerId>, now: &Topology) {
        let Some(known) = self.primary else { return };
        let from = now.server(known).map(|s| s.address.to_string()).unwrap_or_default();
        let Some(primary) = now.primary() else {
            if self.outage.is_none() {
                let flight = self.flights.begin(Cause::Outage, &from);
                let why = match &now.state {
                    ClusterState::None { why } => why.to_string(),
                    _ => String::new(),
                };
                self.flights.step(flight, "no_primary", &why, None);
                self.outage = Some(flight);
            }
            return;
        };
        let ours = self.gate.reasons().contains(Reasons::SWITCHOVER);
        if replaced.is_some() && !ours {
            let flight = self.outage.unwrap_or_else(|| self.flights.begin(Cause::External, &from));
            self.outage = Some(flight);
            self.flights.explain(flight, Cause::External);
            self.metrics.switchovers.with_label_values(&["external", "done"]).inc();
        }
        let Some(flight) = self.outage else { return };
        self.flights.step(flight, "primary", &primary.address, None);
        let result = if replaced.is_some() { "done" } else { "back" };
        self.flights.end(flight, result, &primary.address);
    }

    /// For whoever listens to the events.
    fn tell(&self, now: &Topology) {
        self.flights.events().tell("topology", || {
            let server = |s: &crate::topology::Server| {
                json!({ "address": &*s.address, "role": s.role.name(), "problem": s.problem })
            };
            let servers: Vec<_> = now.servers.iter().map(server).collect();
            let primary = now.primary().map(|p| p.address.to_string());
            json!({ "state": now.state.name(), "primary": primary, "epoch": now.epoch, "servers": servers })
        });
        let gate = &self.gate;
        self.flights
            .events()
            .tell("gate", || json!({ "state": gate.state(), "reasons": gate.reasons().names() }));
    }

    /// A server that counts as down answers nobody any more: sessions that wait for it are told.
    fn lost(&self, server: ServerId) {
        let told = self.registry.server_lost(server);
        self.pools.retire(server);
        tracing::debug!(server = server.0, sessions = told, "a server is down");
    }
}
