//! Somebody else's switchover that is stuck on us: `SET GLOBAL read_only` waits for statements in flight, those wait for
//! locks of transactions of ours, and their next statements wait behind it. Nobody would move until
//! `innodb_lock_wait_timeout`. So the transactions that are open there are ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::{Account, Control, Pools};
use crate::flight::Flights;
use crate::frontend::SessionRegistry;
use crate::gate::{Gate, Reasons};
use crate::monitor::{Monitor, closers};
use crate::topology::{ServerId, TopologyStore};

use super::Parts;

/// A statement that waits for longer than this, and for less than twice as much, makes us look at its server. While no
/// unit is open, nothing is done at all.
const TICK: Duration = Duration::from_millis(60);
/// Who is at it in two looks so far apart is stuck.
const CERTAIN: Duration = Duration::from_millis(20);
/// Time for the ended to leave, and for the keeper of the gate to learn that the server is read-only.
const DRAINED: Duration = Duration::from_secs(1);
const KNOWN: Duration = Duration::from_millis(50);
/// Time for connecting.
const CONNECT: Duration = Duration::from_secs(1);

pub(super) fn start(parts: &Parts, (tasks, stop): (&TaskTracker, &CancellationToken)) {
    let unstick = Unstick {
        gate: parts.gate.clone(),
        store: parts.store.clone(),
        pools: parts.pools.clone(),
        registry: parts.registry.clone(),
        flights: parts.flights.clone(),
        monitor: parts.monitor.clone(),
        account: parts.control.clone(),
        controls: HashMap::new(),
    };
    let stopped = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = unstick.run() => {}
            () = stopped.cancelled() => {}
        }
    });
}

struct Unstick {
    gate: Arc<Gate>,
    store: Arc<TopologyStore>,
    pools: Arc<Pools>,
    registry: Arc<SessionRegistry>,
    flights: Arc<Flights>,
    monitor: Arc<Monitor>,
    account: Arc<Account>,
    /// Kept open once they were needed.
    controls: HashMap<ServerId, Control>,
}

impl Unstick {
    async fn run(mut self) {
        loop {
            sleep(TICK).await;
            // Our own switchover has means of its own.
            if self.gate.inside() == 0 || self.gate.reasons().contains(Reasons::SWITCHOVER) {
                continue;
            }
            for server in self.registry.waiting_servers() {
                if let Some(mut control) = self.control(server).await
                    && self.look(server, &mut control).await.is_ok()
                {
                    self.controls.insert(server, control);
                }
            }
        }
    }

    /// A connection that broke is not put back.
    async fn control(&mut self, server: ServerId) -> Option<Control> {
        if let Some(control) = self.controls.remove(&server) {
            return Some(control);
        }
        let target = self.pools.target(server)?;
        Control::connect(self.pools.connector(), target, &self.account, CONNECT).await.ok()
    }

    async fn look(&self, server: ServerId, control: &mut Control) -> Result<(), ()> {
        let first = closers(control).await.map_err(drop)?;
        if first.is_empty() {
            return Ok(());
        }
        sleep(CERTAIN).await;
        let still = closers(control).await.map_err(drop)?;
        if !still.iter().any(|id| first.contains(id)) || self.gate.reasons().contains(Reasons::SWITCHOVER) {
            return Ok(());
        }
        // Nobody comes in meanwhile: those who are ended stop together, and are the first to go on.
        self.gate.close(Reasons::STUCK);
        let cut = self.registry.cut_units(server);
        if cut > 0 {
            let address = self.store.load().server(server).map(|s| s.address.to_string()).unwrap_or_default();
            tracing::warn!(server = %address, cut, "somebody cannot set read_only for our transactions: ended");
            self.flights.events().tell("cut", || json!({ "server": address, "transactions": cut }));
        }
        let _ = timeout(DRAINED, self.gate.drained()).await;
        // Until it is known that there is no primary, and the gate is shut for that.
        self.monitor.look(&[server]).await;
        let deadline = Instant::now() + KNOWN;
        while !self.gate.reasons().contains(Reasons::NO_PRIMARY) && Instant::now() < deadline {
            sleep(Duration::from_millis(1)).await;
        }
        self.gate.open(Reasons::STUCK);
        Ok(())
    }
}
