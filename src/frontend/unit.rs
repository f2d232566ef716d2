//! One unit of work: an autocommit statement or a transaction. It holds a pass (so that no switchover of ours changes the
//! primary under it) and a lease (the server connection), and lets go of both when the server says that it is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::backend::{AcquireError, ConnectFailure, Lease};
use crate::gate::{EnterError, Returning};
use crate::relay::Signals;
use crate::session::{PinReason, SessionState};
use crate::topology::{ServerId, TopologyStore};

use super::error::{self, ClientError};
use super::registry::SessionHandle;
use super::run::Attempt;
use super::session::{End, MOVED, Session};
use super::shared::Shared;
use super::work::Work;

/// Between attempts that fail although the topology has not changed.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(2),
    Duration::from_millis(10),
    Duration::from_millis(30),
    Duration::from_millis(100),
];

/// How long a unit has been waiting, over all its attempts.
#[derive(Debug, Default)]
pub(super) struct Hold {
    since: Option<Instant>,
    /// When the command arrived; taken when it has left for the server.
    arrived: Option<Instant>,
    tries: usize,
}

impl Hold {
    /// A command has arrived.
    pub(super) fn arrived() -> Self {
        Self { arrived: Some(Instant::now()), ..Self::default() }
    }

    /// The command has left: how long it was with us, if it was not held and leaves for the first time.
    pub(super) fn left(&mut self) -> Option<Duration> {
        let arrived = self.arrived.take()?;
        self.since.is_none().then(|| arrived.elapsed())
    }

    pub(super) fn deadline(&mut self, timeout: Duration) -> Instant {
        *self.since.get_or_insert_with(Instant::now) + timeout
    }

    /// What was waited for has come: another wait has its own time.
    pub(super) fn is_over(&mut self) {
        self.since = None;
    }

    /// The gate did not let the unit in. What it tells of is this visit; the client waits since the first one.
    fn refused(&self, failure: EnterError) -> ClientError {
        match (failure, self.since) {
            (EnterError::TimedOut { reasons, .. }, Some(since)) => {
                error::held(EnterError::TimedOut { waited: since.elapsed(), reasons })
            }
            (other, _) => error::held(other),
        }
    }
}

impl Session {
    /// Gets ready to lease. `Some`: it comes to something else first.
    pub(super) async fn come_in(
        &mut self,
        work: &Work,
        hold: &mut Hold,
    ) -> Result<Option<Result<Attempt, Box<ClientError>>>, End> {
        if let Some(error) = self.lost.take() {
            return Box::pin(self.tell_lost(work, error)).await.map(|told| Some(Ok(told)));
        }
        let left_something = self.wrap.aftermath.is_some();
        if let Err(error) = self.enter_somewhere(work, hold).await {
            return Ok(Some(Err(Box::new(error))));
        }
        // While it waited, the session has left the server that had what the statement may ask for.
        if !left_something && self.wrap.aftermath.is_some() {
            return Ok(Some(Ok(Attempt::Again)));
        }
        if !self.lost_pins.is_empty() {
            return self.tell_lost_pins(work).await.map(|told| Some(Ok(told)));
        }
        Ok(None)
    }

    /// Gets ready to lease: a replica, or a pass.
    async fn enter_somewhere(&mut self, work: &Work, hold: &mut Hold) -> Result<(), ClientError> {
        if !self.lost_pins.is_empty() || self.enter_replica(work, hold).await? {
            return Ok(());
        }
        self.enter(hold).await
    }

    /// Takes a pass, waiting at the gate if it is closed. The client's socket is not read meanwhile, but its departure is
    /// noticed.
    pub(super) async fn enter(&mut self, hold: &mut Hold) -> Result<(), ClientError> {
        if self.pass.is_some() {
            return Ok(());
        }
        if let Some(pass) = self.shared.gate.try_enter() {
            self.pass = Some(pass);
            self.handle.set_in_unit(true);
            return Ok(());
        }
        Box::pin(self.wait_at_gate(hold)).await
    }

    async fn wait_at_gate(&mut self, hold: &mut Hold) -> Result<(), ClientError> {
        let deadline = hold.deadline(self.shared.options().hold_timeout);
        let began = Instant::now();
        let gate = self.shared.gate.clone();
        let waiting = Waiting::new(&self.shared, &self.handle);
        let entering = gate.enter(deadline, || ());
        tokio::pin!(entering);
        let entered = loop {
            let stop = Signals::KILL | Signals::ABORT | Signals::PART;
            let signals = tokio::select! {
                entered = &mut entering => break entered.map_err(|failure| hold.refused(failure)),
                () = self.client.stream().hung_up() => break Err(gone()),
                signals = self.handle.signal.wait(stop) => signals,
            };
            if signals != Signals::PART {
                break Err(error::killed());
            }
            self.part().await;
        };
        drop(waiting);
        self.shared.metrics.hold_seconds.observe(began.elapsed().as_secs_f64());
        self.shared.flights.held(self.handle.id, began.elapsed());
        self.pass = Some(entered?);
        self.handle.set_in_unit(true);
        Ok(())
    }

    /// Like [`enter`](Self::enter), for a transaction that is to be done again.
    pub(super) async fn enter_again(
        &mut self,
        returning: &Returning,
        hold: &mut Hold,
    ) -> Result<(), ClientError> {
        if self.pass.is_some() {
            return Ok(());
        }
        let deadline = hold.deadline(self.shared.options().hold_timeout);
        let gate = self.shared.gate.clone();
        let waiting = Waiting::new(&self.shared, &self.handle);
        let entered = tokio::select! {
            entered = gate.enter_first(returning, deadline) => entered.map_err(|failure| hold.refused(failure)),
            () = self.client.stream().hung_up() => Err(gone()),
            _ = self.handle.signal.wait(Signals::KILL | Signals::ABORT) => Err(error::killed()),
        };
        drop(waiting);
        self.pass = Some(entered?);
        self.handle.set_in_unit(true);
        Ok(())
    }

    /// There is no primary in the topology although the gate let us in: waits for the next topology. The pass must have
    /// been given up.
    pub(super) async fn await_topology(&mut self, hold: &mut Hold) -> Result<(), ClientError> {
        let deadline = hold.deadline(self.shared.options().hold_timeout);
        let store: &TopologyStore = &self.shared.store;
        let version = store.peek().version;
        if store.peek().primary().is_some() {
            return Ok(());
        }
        let waiting = Waiting::new(&self.shared, &self.handle);
        let waited = timeout_at(deadline, store.newer_than(version)).await;
        drop(waiting);
        waited.map(drop).map_err(|_| self.timed_out(hold))
    }

    fn timed_out(&self, hold: &Hold) -> ClientError {
        let reasons = self.shared.gate.reasons();
        hold.refused(EnterError::TimedOut { waited: Duration::ZERO, reasons })
    }

    /// A server was not what the topology says: lets the monitor look, gives pass and lease up (a lease that cannot be
    /// replaced is kept), and waits a moment longer each time. Afterwards the caller tries again from the gate.
    pub(super) async fn after_failure(
        &mut self,
        server: ServerId,
        hold: &mut Hold,
    ) -> Result<(), ClientError> {
        if self.is_tied() {
            self.pass = None;
            self.handle.set_in_unit(false);
        } else {
            self.end_unit();
        }
        let deadline = hold.deadline(self.shared.options().hold_timeout);
        if Instant::now() >= deadline {
            return Err(self.timed_out(hold));
        }
        let pause = PAUSES.get(hold.tries).or(PAUSES.last()).copied().unwrap_or_default();
        hold.tries += 1;
        let waiting = Waiting::new(&self.shared, &self.handle);
        let monitor = self.shared.monitor.clone();
        let replaced = self.shared.store.peek().primary().is_some_and(|primary| primary.id != server);
        let looked = timeout_at(deadline, async {
            // One that was replaced because it hangs would take its time, while others wait for this session.
            if !replaced {
                monitor.look(&[server]).await;
            }
            if hold.tries > 1 {
                tokio::time::sleep(pause).await;
            }
        });
        let result = tokio::select! {
            looked = looked => looked.map_err(|_| None),
            () = self.client.stream().hung_up() => Err(Some(gone())),
        };
        drop(waiting);
        result.map_err(|gone| gone.unwrap_or_else(|| self.timed_out(hold)))
    }

    /// Whether a connection that lives has what no other one has. Its server may become writable again: as long as it is not
    /// replaced, nothing is lost.
    fn is_tied(&self) -> bool {
        let lives = self.lease.as_ref().is_some_and(|lease| !lease.broken && !lease.reading);
        lives && !self.in_transaction() && !self.tracker.pins().for_session().is_empty()
    }

    /// A lease on the present primary. `restored`: in the session's state; else [`queue_ahead`](Self::queue_ahead) sees
    /// to that.
    pub(super) async fn lease(&mut self, restored: bool, hold: &mut Hold) -> Result<Leased, ClientError> {
        self.lease_as((None, restored), hold).await
    }

    /// The same in another state of the session.
    pub(super) async fn lease_as(
        &mut self,
        (state, restored): (Option<&SessionState>, bool),
        hold: &mut Hold,
    ) -> Result<Leased, ClientError> {
        if self.lease.is_some() {
            self.here.fresh = false;
            return Ok(self.check_kept_lease());
        }
        self.here.fresh = true;
        (self.here.insert_id, self.here.found_rows) = (false, false);
        let Some(pool) = self.pool_of_primary() else {
            self.end_unit();
            Box::pin(self.await_topology(hold)).await?;
            return Ok(Leased::Again);
        };
        let home = self.home.take();
        let state = state.unwrap_or_else(|| self.tracker.state());
        let acquired = match home {
            Some(home) => Box::pin(pool.resume(home, state, restored)).await,
            None if restored => pool.acquire(state).await,
            None => pool.acquire_near(state).await,
        };
        match acquired {
            Ok(lease) => {
                self.handle.set_server(Some((lease.server, lease.thread)));
                self.lease = Some(lease);
                self.left_lost = false;
                Ok(Leased::Ready)
            }
            Err(AcquireError::Connect(failure @ ConnectFailure::Refused { .. })) if !is_passing(&failure) => {
                self.end_unit();
                Err(error::no_connection(&AcquireError::Connect(failure)))
            }
            Err(failure @ (AcquireError::Restore(_) | AcquireError::Exhausted { .. })) => {
                self.end_unit();
                Err(error::no_connection(&failure))
            }
            // Nothing of the client's was sent: hold, and try again.
            Err(failure) => {
                tracing::debug!(session = self.handle.id, %failure, "no server connection");
                Box::pin(self.after_failure(pool.server(), hold)).await?;
                Ok(Leased::Again)
            }
        }
    }

    /// A lease that was kept (open transaction, pins) is of use only while its server is the primary and the connection
    /// lives.
    fn check_kept_lease(&self) -> Leased {
        let primary = self.shared.store.peek().primary().map(|p| p.id);
        let Some(lease) = &self.lease else { return Leased::Again };
        if !lease.reading && primary.is_some_and(|primary| primary != lease.server) {
            Leased::Lost(MOVED)
        } else if lease.broken || lease.io.stream().has_input() {
            Leased::Lost("the connection to its server was lost")
        } else {
            self.renew_loss(lease.server);
            Leased::Ready
        }
    }

    /// Whether a journal has all that the session has on its server: what it said of its next transaction.
    pub(super) fn is_about_to_begin(&self) -> bool {
        let next = PinReason::NextTransaction;
        let mut pins = self.tracker.pins().for_session().iter();
        !self.in_transaction() && self.journal.is_some() && pins.next() == Some(next) && pins.next().is_none()
    }

    /// Whether it is between LOCK TABLES (or FLUSH TABLES WITH READ LOCK) and UNLOCK TABLES: one unit, like a transaction,
    /// which cannot be done again.
    pub(super) fn holds_tables(&self) -> bool {
        self.tracker.pins().contains(PinReason::TableLock)
    }

    /// Ends the unit unless the server or a pin says that it goes on.
    pub(super) fn end_unit_if_over(&mut self) {
        if self.in_transaction() {
            return;
        }
        if !self.tracker.pins().contains(PinReason::NextTransaction) {
            self.journal = None;
        }
        if self.holds_tables() {
            // Who closes the server waits for them, and they for the next statement: it must find the gate passed.
            return;
        }
        if !self.tracker.pins().is_empty() {
            // The connection stays with the session; the gate does not wait for idle sessions.
            self.pass = None;
            self.handle.set_in_unit(false);
            return;
        }
        if self.shared.options().keeps_connection {
            self.go_home();
        }
        self.end_unit();
    }

    /// `pool.mode = "session"`: the connection stays with the session, which is free to leave it all the same. For everybody
    /// else it is as if it had gone back to the pool and come out of it again with the next statement.
    fn go_home(&mut self) {
        if self.lease.as_ref().is_some_and(|lease| !lease.reading) {
            self.home = self.let_go().and_then(Lease::rest);
        }
    }

    /// Ends the unit: whatever is held goes back.
    pub(super) fn end_unit(&mut self) {
        self.status.remove(tideover_protocol::status::StatusFlags::IN_TRANS);
        self.handle.set_in_transaction(false);
        self.journal = None;
        let lease: Option<Lease> = self.let_go();
        if let Some(lease) = lease {
            lease.scrub();
        }
        self.pass = None;
        self.handle.set_in_unit(false);
        self.handle.set_server(None);
    }
}

/// What became of asking for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leased {
    /// It is there.
    Ready,
    /// Something was waited for: start again from the gate.
    Again,
    /// The kept one is of no use any more, for this reason, and with it a transaction or pinned state.
    Lost(&'static str),
}

/// Refusals of a login that say "not now" and not "not you": too many connections, shutting down.
pub(super) fn is_passing(failure: &ConnectFailure) -> bool {
    match failure {
        ConnectFailure::Refused { error, .. } => matches!(error.code, 1040 | 1053 | 1077 | 1203 | 1129),
        _ => true,
    }
}

/// The client left while it was held.
fn gone() -> ClientError {
    error::killed()
}

/// Counts a session among the held for as long as it waits.
pub(super) struct Waiting {
    shared: Arc<Shared>,
    handle: Arc<SessionHandle>,
}

impl Waiting {
    pub(super) fn new(shared: &Arc<Shared>, handle: &Arc<SessionHandle>) -> Self {
        handle.set_held(true);
        shared.metrics.held_sessions.inc();
        Self { shared: shared.clone(), handle: handle.clone() }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.handle.set_held(false);
        self.shared.metrics.held_sessions.dec();
    }
}
