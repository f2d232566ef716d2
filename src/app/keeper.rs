//! Carries what the topology says to those who must not know the monitor: the gate, the pools, the sessions.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::Pools;
use crate::flight::{Acknowledged, Cause, FlightId, Flights};
use crate::frontend::SessionRegistry;
use crate::gate::{Gate, Reasons};
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::relay::Signals;
use crate::topology::{ClusterState, Role, Server, ServerId, Topology, TopologyStore};

use super::Parts;

/// Lost transactions that are logged one by one; the flight record has more.
const LISTED: usize = 100;
/// Between rounds of closing what is idle for too long, and of opening what is to be there ahead of need.
const REAP: Duration = Duration::from_secs(1);

/// Another server is about to be the primary: nobody gets to it before the keeper has let them, and the transactions
/// that are open on the former one come first.
fn hold_for_the_first(gate: &Arc<Gate>, registry: &SessionRegistry, (before, next): (&Topology, &Topology)) {
    let (former, primary) = (before.primary().map(|p| p.id), next.primary().map(|p| p.id));
    // A switchover of ours has shut the gate, and its transactions have left.
    if primary.is_none() || primary == former || gate.reasons().contains(Reasons::SWITCHOVER) {
        return;
    }
    gate.close(Reasons::NO_PRIMARY);
    if let Some(former) = former {
        registry.follow(former, gate);
    }
}

pub(super) fn start(parts: &Parts, (tasks, stop): (&TaskTracker, &CancellationToken)) {
    let (gate, registry) = (parts.gate.clone(), parts.registry.clone());
    parts.store.before_each(move |before, next| hold_for_the_first(&gate, &registry, (before, next)));
    let keeper = Keeper {
        store: parts.store.clone(),
        gate: parts.gate.clone(),
        pools: parts.pools.clone(),
        registry: parts.registry.clone(),
        metrics: parts.metrics.clone(),
        flights: parts.flights.clone(),
        monitor: parts.monitor.clone(),
        acknowledged: parts.acknowledged.clone(),
        hold_on_loss: parts.hold_on_loss,
        primary: None,
        outage: None,
        mark: 0,
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
    let (pools, store, gate) = (parts.pools.clone(), parts.store.clone(), parts.gate.clone());
    let stopped = stop.clone();
    tasks.spawn(async move {
        while tokio::time::timeout(REAP, stopped.cancelled()).await.is_err() {
            let topology = store.load();
            // Nothing is opened while servers change their parts: what is needed then is opened for that.
            if let Some(primary) = topology.primary().filter(|_| gate.reasons().is_empty()) {
                let serving = |server: &&Server| matches!(server.role, Role::Primary | Role::Replica);
                let servers = topology.servers.iter().filter(|s| s.is_up()).filter(serving);
                pools.keep_idle(primary.id, &servers.map(|s| s.id).collect::<Vec<_>>()).await;
            }
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
    monitor: Arc<Monitor>,
    /// The primary, or the last one while there is none.
    primary: Option<ServerId>,
    /// The flight of the time without a primary, while there is none (or traffic is held for what was lost).
    outage: Option<FlightId>,
    acknowledged: Arc<Acknowledged>,
    /// How many commits had been acknowledged when the primary was lost.
    mark: u64,
    /// Whether traffic is held if any of them is missing.
    hold_on_loss: bool,
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
        let first_again = before.is_some_and(|before| before.primary().is_none());
        if let Some(primary) = now.primary().filter(|_| replaced.is_some() || first_again) {
            self.compare(primary);
        }
        if let Some(old) = replaced {
            self.registry.follow(old, &self.gate);
        }
        if now.primary().is_some() {
            self.gate.open(Reasons::NO_PRIMARY);
        } else {
            self.gate.close(Reasons::NO_PRIMARY);
        }
        let flows = now.primary().is_some() && !self.gate.reasons().contains(Reasons::LOSS);
        if let Some(flight) = self.outage.take_if(|_| flows) {
            self.flights.release(flight);
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
            let was_up = before.server(server.id).is_some_and(Server::is_up);
            if was_up && !server.is_up() {
                self.lost(server.id);
            }
            if before.server(server.id).is_some_and(|before| begins_otherwise(before, server)) {
                tracing::info!(server = %server.address, "global variables were set: new sessions begin with them");
                self.pools.retire(server.id);
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
                self.mark = self.acknowledged.mark();
            }
            return;
        };
        let ours = self.monitor.has_promoted(primary.id);
        if replaced.is_some() && !ours {
            let flight = self.outage.unwrap_or_else(|| self.flights.begin(Cause::External, &from));
            self.outage = Some(flight);
            self.flights.explain(flight, Cause::External);
            self.metrics.switchovers.with_label_values(&["external", "done"]).inc();
        }
        // Held for a loss, it has been told already.
        let Some(flight) = self.outage.filter(|_| !self.gate.reasons().contains(Reasons::LOSS)) else {
            return;
        };
        self.flights.step(flight, "primary", &primary.address, None);
        let result = if replaced.is_some() { "done" } else { "back" };
        self.flights.end(flight, result, &primary.address);
    }

    /// Before traffic goes on: has the new primary (or the old one, after a crash) what was acknowledged? The look at it
    /// that made it the primary says so.
    fn compare(&self, primary: &Server) {
        let (lost, more) = self.acknowledged.take_lost(primary.id, self.mark, &primary.executed);
        if lost.is_empty() {
            return;
        }
        for commit in &lost {
            self.flights.lost(commit.session, &commit.gtid);
        }
        for commit in lost.iter().take(LISTED) {
            tracing::error!(session = commit.session, gtid = %commit.gtid, "a transaction that was acknowledged is lost");
        }
        let at_least = if more { "at least " } else { "" };
        let (count, hold) = (lost.len(), self.hold_on_loss);
        tracing::error!(
            primary = %primary.address, count, hold,
            "the primary lacks {at_least}{count} transactions that were acknowledged (failover.on_loss)"
        );
        self.metrics.lost_transactions.inc_by(count as u64);
        if let Some(flight) = self.outage {
            let detail =
                format!("{at_least}{count} acknowledged transactions are not on {}", primary.address);
            self.flights.step(flight, "lost_transactions", &detail, None);
        }
        if hold {
            self.gate.close(Reasons::LOSS);
        }
    }

    /// For whoever listens to the events.
    fn tell(&self, now: &Topology) {
        self.flights.events().tell("topology", || {
            let server =
                |s: &Server| json!({ "address": &*s.address, "role": s.role.name(), "problem": s.problem });
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
        let told = self.registry.tell(server, Signals::SERVER_LOST);
        self.pools.retire(server);
        tracing::debug!(server = server.0, sessions = told, "a server is down");
    }
}

/// Whether new sessions on a server begin with other values than before: then connections that were made before are not
/// what a client that comes now would get.
fn begins_otherwise(before: &Server, now: &Server) -> bool {
    before.globals != 0 && now.globals != 0 && before.globals != now.globals
}
