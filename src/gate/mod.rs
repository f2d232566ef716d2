//! What every unit of work for the primary passes. Entering is one atomic step that also counts, so "drained" is a fact
//! and not a guess. Closed for named reasons; whoever comes then waits in order and is let in again at a pace that the
//! pool can serve. The only hand-made concurrency in the project. It must not know what a unit, a session or a
//! switchover is.

mod error;
mod queue;
mod word;

use std::sync::Arc;
use std::time::Duration;

use bitflags::bitflags;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

pub use error::EnterError;
use queue::Queue;
use word::Word;

bitflags! {
    /// Why the gate is closed. Several can hold at once; it opens when the last one goes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Reasons: u8 {
        /// A switchover commanded through us.
        const SWITCHOVER = 1;
        /// `tideover hold`: somebody else's script does the database part.
        const HOLD = 1 << 1;
        /// The topology has no primary.
        const NO_PRIMARY = 1 << 2;
        /// Somebody else cannot make the primary read-only, because of our open transactions: they are ended.
        const STUCK = 1 << 3;
        /// The new primary lacks what was acknowledged, and a person is to say that traffic goes on.
        const LOSS = 1 << 4;
    }
}

impl Reasons {
    /// Names as in status and errors.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            (Self::SWITCHOVER, "switchover"),
            (Self::HOLD, "hold"),
            (Self::NO_PRIMARY, "no_primary"),
            (Self::STUCK, "stuck"),
            (Self::LOSS, "lost_transactions"),
        ];
        all.iter().filter(|(r, _)| self.contains(*r)).map(|(_, n)| *n).collect()
    }
}

/// Open, draining or held, for status and `tideover_gate_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// Units pass.
    Open,
    /// Closed, and units that had entered before are still inside.
    Draining,
    /// Closed and empty.
    Held,
}

impl GateState {
    /// The metric's value: 0 open, 1 draining, 2 held.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Open => 0,
            Self::Draining => 1,
            Self::Held => 2,
        }
    }
}

/// Bounds of the gate.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many may wait at once (`hold.max_sessions`).
    pub waiting: usize,
    /// How many units released from the queue may be inside before the next of the queue follows: about what the pool
    /// can serve at once, so that a release is no stampede.
    pub pace: u64,
}

/// The gate. Shared by everyone as an `Arc`.
#[derive(Debug)]
pub struct Gate {
    word: Word,
    inner: Mutex<Inner>,
    emptied: Notify,
    returned: Notify,
    stopped: Notify,
    /// How many may wait at once.
    places: usize,
}

#[derive(Debug)]
struct Inner {
    reasons: Reasons,
    pace: u64,
    closed_at: Option<Instant>,
    queue: Queue,
    /// Who takes up again what was interrupted, and goes first.
    first: Queue,
    /// How many are about to, or at it.
    returning: usize,
    /// Until when the others wait for them, since the gate was opened.
    first_until: Option<Instant>,
    /// Which is never later than this.
    first_at_most: Option<Instant>,
    /// Units inside that have come to a stop and wait for all others to do so.
    parked: u64,
    /// Counts how often all had come to a stop.
    stops: u64,
}

/// Others wait at a gate that opens for at most this long after anything of an interrupted unit was last done again.
const PRIORITY: Duration = Duration::from_secs(2);
/// And for at most this long after it has opened: they have a time of their own to wait.
const PRIORITY_AT_MOST: Duration = Duration::from_secs(10);
/// A unit that has come to a stop waits for the others at most this long.
const STOP: Duration = Duration::from_secs(1);

impl Inner {
    /// Whether those who do something again go before all others now.
    fn waits_for_the_first(&self) -> bool {
        self.returning > 0 && self.first_until.is_some_and(|until| Instant::now() < until)
    }

    /// They get on. Once the others have been let in there is nothing to be first for, and nobody would end it again.
    fn extend_priority(&mut self) {
        if self.waits_for_the_first() {
            let until = Instant::now() + PRIORITY;
            self.first_until = Some(self.first_at_most.map_or(until, |most| until.min(most)));
        }
    }
}

impl Gate {
    /// An open gate.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            word: Word::new(),
            inner: Mutex::new(Inner {
                reasons: Reasons::empty(),
                pace: limits.pace,
                closed_at: None,
                queue: Queue::default(),
                first: Queue::default(),
                returning: 0,
                first_until: None,
                first_at_most: None,
                parked: 0,
                stops: 0,
            }),
            emptied: Notify::new(),
            returned: Notify::new(),
            stopped: Notify::new(),
            places: limits.waiting,
        })
    }

    /// Another pace from here on ([`Limits::pace`]). Who is inside stays.
    pub fn set_pace(self: &Arc<Self>, pace: u64) {
        let mut inner = self.inner.lock();
        inner.pace = pace;
        self.admit(&mut inner);
    }

    /// Enters at once, or not at all. The hot path: one atomic step.
    #[must_use]
    pub fn try_enter(self: &Arc<Self>) -> Option<Pass> {
        self.word.try_enter().then(|| Pass { gate: self.clone(), armed: true })
    }

    /// Waits while the gate is closed and until those who came earlier went in, up to `deadline`. Cancelling gives the
    /// place up. `on_wait` is called once if there is a wait at all.
    ///
    /// # Errors
    /// [`EnterError`]: nothing was executed.
    pub async fn enter(
        self: &Arc<Self>,
        deadline: Instant,
        on_wait: impl FnOnce(),
    ) -> Result<Pass, EnterError> {
        if let Some(pass) = self.try_enter() {
            return Ok(pass);
        }
        let started = Instant::now();
        let ticket = {
            let mut inner = self.inner.lock();
            // The bit only changes under this lock, so the state seen here is the state.
            if self.word.try_enter() {
                return Ok(Pass { gate: self.clone(), armed: true });
            }
            if inner.queue.len() >= self.places {
                return Err(EnterError::Full { limit: self.places, reasons: inner.reasons });
            }
            inner.queue.push()
        };
        on_wait();
        self.wait(ticket, (started, deadline), false).await
    }

    /// For a unit that was interrupted and is about to be done again: while the gate is shut, or opening, nobody but its
    /// kind goes in before the returned value is dropped. Does nothing to an open gate.
    #[must_use]
    pub fn returning(self: &Arc<Self>) -> Returning {
        self.inner.lock().returning += 1;
        Returning { gate: self.clone() }
    }

    /// Like [`enter`](Self::enter), before all who do not return. There is a place for every one of them.
    ///
    /// # Errors
    /// [`EnterError::TimedOut`].
    pub async fn enter_first(
        self: &Arc<Self>,
        _returning: &Returning,
        deadline: Instant,
    ) -> Result<Pass, EnterError> {
        if let Some(pass) = self.try_enter() {
            return Ok(pass);
        }
        let ticket = {
            let mut inner = self.inner.lock();
            let ticket = inner.first.push();
            self.admit(&mut inner);
            ticket
        };
        self.wait(ticket, (Instant::now(), deadline), true).await
    }

    /// Waits until nobody is about to do an interrupted unit again, or the time for that is over. What has been done again
    /// must not go on earlier: its next statement could take what another one had (an AUTO_INCREMENT id) and will ask for.
    pub async fn all_returned(&self) {
        loop {
            let returned = self.returned.notified();
            if !self.inner.lock().waits_for_the_first() {
                return;
            }
            returned.await;
        }
    }

    /// A statement of an interrupted unit was done again: the others are still waited for, however slow the server is.
    pub fn progressed(&self) {
        self.inner.lock().extend_priority();
    }

    /// Lets the others in when those who are to be first make no progress any more.
    async fn end_priority(self: Arc<Self>) {
        loop {
            let until = self.inner.lock().first_until;
            match until {
                Some(until) if Instant::now() < until => tokio::time::sleep_until(until).await,
                _ => break,
            }
        }
        self.admit(&mut self.inner.lock());
        self.returned.notify_waiters();
    }

    /// For a unit inside that is about to give up what it has locked: waits until all others inside have stopped too, or
    /// a second has passed. Otherwise one of them could take the lock, change what this one has read, and finish.
    pub async fn stop_together(&self, _pass: &Pass) {
        let generation = {
            let mut inner = self.inner.lock();
            inner.parked += 1;
            inner.stops
        };
        let parked = Parked(self);
        let _ = tokio::time::timeout(STOP, async {
            loop {
                let stopped = self.stopped.notified();
                if self.all_stopped(generation) {
                    return;
                }
                stopped.await;
            }
        })
        .await;
        drop(parked);
    }

    /// Whether all inside have stopped, now or since `generation`. Nobody new comes in while the gate is shut.
    fn all_stopped(&self, generation: u64) -> bool {
        let mut inner = self.inner.lock();
        if inner.stops == generation && (inner.reasons.is_empty() || inner.parked >= self.word.inside()) {
            inner.stops += 1;
            self.stopped.notify_waiters();
        }
        inner.stops != generation
    }

    async fn wait(
        self: &Arc<Self>,
        (number, receiver): (u64, oneshot::Receiver<Pass>),
        (started, deadline): (Instant, Instant),
        first: bool,
    ) -> Result<Pass, EnterError> {
        let mut place = Place { gate: self, number, receiver, first };
        match tokio::time::timeout_at(deadline, &mut place.receiver).await {
            Ok(Ok(pass)) => Ok(pass),
            _ => Err(EnterError::TimedOut { waited: started.elapsed(), reasons: self.reasons() }),
        }
    }

    /// Closes for `reason`. Nobody enters from this moment on; who is inside stays.
    pub fn close(&self, reason: Reasons) {
        let mut inner = self.inner.lock();
        if inner.reasons.is_empty() {
            inner.closed_at = Some(Instant::now());
        }
        inner.reasons |= reason;
        self.word.set_shut(true);
        drop(inner);
        if self.word.inside() == 0 {
            self.emptied.notify_waiters();
        }
    }

    /// Takes `reason` away; when it was the last one, the held go in, in order and paced.
    pub fn open(self: &Arc<Self>, reason: Reasons) {
        let mut inner = self.inner.lock();
        inner.reasons &= !reason;
        let opened = inner.reasons.is_empty() && inner.closed_at.take().is_some();
        if opened && inner.returning > 0 {
            inner.first_until = Some(Instant::now() + PRIORITY);
            inner.first_at_most = Some(Instant::now() + PRIORITY_AT_MOST);
            tokio::spawn(self.clone().end_priority());
        }
        self.admit(&mut inner);
    }

    /// Waits until nobody is inside. Meaningful only while closed.
    pub async fn drained(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.word.inside() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Units inside.
    #[must_use]
    pub fn inside(&self) -> u64 {
        self.word.inside()
    }

    /// Sessions waiting.
    #[must_use]
    pub fn held(&self) -> usize {
        let inner = self.inner.lock();
        inner.queue.len() + inner.first.len()
    }

    /// Why it is closed; empty when open.
    #[must_use]
    pub fn reasons(&self) -> Reasons {
        self.inner.lock().reasons
    }

    /// Since when it is closed.
    #[must_use]
    pub fn closed_at(&self) -> Option<Instant> {
        self.inner.lock().closed_at
    }

    /// Open, draining or held.
    #[must_use]
    pub fn state(&self) -> GateState {
        match (self.reasons().is_empty(), self.word.inside()) {
            (true, _) => GateState::Open,
            (false, 0) => GateState::Held,
            (false, _) => GateState::Draining,
        }
    }

    /// Lets waiters in while the pace allows, and clears the shut bit when none is left. Under the lock.
    fn admit(self: &Arc<Self>, inner: &mut Inner) {
        if !inner.reasons.is_empty() {
            return;
        }
        while self.word.inside() < inner.pace {
            let rest = inner.returning == 0 || !inner.waits_for_the_first();
            let Some(waiter) = inner.first.pop().or_else(|| if rest { inner.queue.pop() } else { None })
            else {
                if rest {
                    self.word.set_shut(false);
                }
                return;
            };
            self.word.force_enter();
            // A waiter that has gone drops the pass inside `send`'s error; leaving under our own lock must not lock again.
            if let Err(mut pass) = waiter.send(Pass { gate: self.clone(), armed: true }) {
                pass.armed = false;
                self.word.leave();
            }
        }
    }

    fn left(self: &Arc<Self>) {
        let left = self.word.leave();
        if !left.shut {
            return;
        }
        if left.remaining == 0 {
            self.emptied.notify_waiters();
        }
        self.stopped.notify_waiters();
        self.admit(&mut self.inner.lock());
    }
}

/// The right to be inside, held for one unit of work. Dropping it leaves.
#[derive(Debug)]
#[must_use]
pub struct Pass {
    gate: Arc<Gate>,
    armed: bool,
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.armed {
            self.gate.left();
        }
    }
}

/// Somebody who does an interrupted unit again; see [`Gate::returning`]. Dropping it lets the others follow.
#[derive(Debug)]
pub struct Returning {
    gate: Arc<Gate>,
}

impl Drop for Returning {
    fn drop(&mut self) {
        let mut inner = self.gate.inner.lock();
        inner.returning -= 1;
        if inner.returning == 0 {
            inner.first_until = None;
            self.gate.returned.notify_waiters();
        } else {
            inner.extend_priority();
        }
        self.gate.admit(&mut inner);
    }
}

/// A unit that has stopped.
struct Parked<'a>(&'a Gate);

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.0.inner.lock().parked -= 1;
    }
}

/// A place in the queue; dropping it (cancelled, timed out) gives the place up.
struct Place<'a> {
    gate: &'a Arc<Gate>,
    number: u64,
    receiver: oneshot::Receiver<Pass>,
    first: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.receiver.close();
        let granted = self.receiver.try_recv();
        let mut inner = self.gate.inner.lock();
        let queue = if self.first { &mut inner.first } else { &mut inner.queue };
        queue.remove(self.number);
        // The queue may have become empty with the gate open: then the bit must go.
        self.gate.admit(&mut inner);
        drop(inner);
        drop(granted);
    }
}

// Outside a loom model loom's types cannot be used.
#[cfg(all(test, not(gate_loom)))]
mod tests;
