//! `tideover hold` and `release`: somebody else's script does the database part. A hold has a time to live; the proxy
//! never stays shut because its commander died.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until, timeout};

use crate::flight::{Cause, FlightId, Flights};
use crate::gate::{Gate, Reasons};
use crate::monitor::Monitor;

/// Time that cut units get to leave.
const CUT: Duration = Duration::from_secs(1);

/// The answer to a hold or release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldReport {
    /// Whether traffic is held now.
    pub held: bool,
    /// Whether nothing is inside any more: the script may go on.
    pub drained: bool,
    /// Units still inside.
    pub inside: u64,
    /// Units that had to be ended at the end of the drain time.
    pub cut_units: usize,
    /// Sessions waiting.
    pub held_sessions: usize,
    /// Milliseconds until the hold ends by itself.
    pub ttl_ms: u64,
}

/// Holds and releases.
pub struct Holder {
    gate: Arc<Gate>,
    monitor: Arc<Monitor>,
    cut: Arc<dyn Fn() -> usize + Send + Sync>,
    drain_timeout: Mutex<Duration>,
    flights: Arc<Flights>,
    until: Mutex<Option<Instant>>,
    flight: Mutex<Option<FlightId>>,
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holder").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Holder {
    /// Nothing is held at first.
    #[must_use]
    pub fn new(
        gate: Arc<Gate>,
        monitor: Arc<Monitor>,
        cut: Arc<dyn Fn() -> usize + Send + Sync>,
        (drain_timeout, flights): (Duration, Arc<Flights>),
    ) -> Arc<Self> {
        let (until, flight) = (Mutex::new(None), Mutex::new(None));
        let drain_timeout = Mutex::new(drain_timeout);
        Arc::new(Self { gate, monitor, cut, drain_timeout, flights, until, flight })
    }

    /// Another drain time, for holds that begin from here on.
    pub fn set_drain_timeout(&self, drain_timeout: Duration) {
        *self.drain_timeout.lock() = drain_timeout;
    }

    /// Closes the gate for at most `ttl` and waits until nothing is inside; what is left at the end of the drain time is
    /// ended. A second call prolongs the hold.
    pub async fn hold(self: &Arc<Self>, ttl: Duration) -> HoldReport {
        let until = Instant::now() + ttl;
        let first = self.until.lock().replace(until).is_none();
        self.gate.close(Reasons::HOLD);
        if first {
            tracing::info!(ttl_s = ttl.as_secs(), "held");
            let primary = self.monitor.store().load().primary().map(|p| p.address.clone());
            *self.flight.lock() = Some(self.flights.begin(Cause::Hold, &primary.unwrap_or_default()));
            let holder = self.clone();
            tokio::spawn(async move { holder.expire().await });
        }
        let mut cut_units = 0;
        let drain = (*self.drain_timeout.lock()).min(ttl);
        if timeout(drain, self.gate.drained()).await.is_err() {
            cut_units = (self.cut)();
            let _ = timeout(CUT, self.gate.drained()).await;
        }
        self.report(cut_units)
    }

    /// Opens the gate, after a fresh look at the servers: ends a hold, and the hold after a loss (`failover.on_loss`).
    /// Without either it does nothing.
    pub async fn release(&self) -> HoldReport {
        if self.gate.reasons().contains(Reasons::LOSS) {
            tracing::warn!("released in spite of lost transactions");
            self.gate.open(Reasons::LOSS);
            self.monitor.kick();
        }
        if self.until.lock().take().is_some() {
            self.monitor.look_at_all().await;
            let held = self.gate.held();
            self.gate.open(Reasons::HOLD);
            self.end_flight(held);
            tracing::info!(held, "released");
        }
        self.report(0)
    }

    fn end_flight(&self, held: usize) {
        let Some(flight) = self.flight.lock().take() else { return };
        let primary = self.monitor.store().load().primary().map(|p| p.address.clone());
        self.flights.step(flight, "release", &format!("{held} sessions were held"), None);
        self.flights.release(flight);
        self.flights.end(flight, "done", &primary.unwrap_or_default());
    }

    async fn expire(&self) {
        loop {
            let Some(until) = *self.until.lock() else { return };
            if Instant::now() >= until {
                tracing::warn!("the hold was not released within its time: released now");
                self.release().await;
                return;
            }
            sleep_until(until).await;
        }
    }

    fn report(&self, cut_units: usize) -> HoldReport {
        let until = *self.until.lock();
        let left = until.map(|u| u.saturating_duration_since(Instant::now())).unwrap_or_default();
        HoldReport {
            held: until.is_some(),
            drained: until.is_some() && self.gate.inside() == 0,
            inside: self.gate.inside(),
            cut_units,
            held_sessions: self.gate.held(),
            ttl_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
