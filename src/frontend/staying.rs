//! A server that hangs for a while is not gone. What can be done elsewhere is; who has something on it that no other server
//! has waits with it, as without us, until another server takes its place or the time to wait is over.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::backend::ServerConnection;
use crate::relay::{Answer, Exchange, Signals};
use crate::replay::Place;
use crate::topology::ServerId;

use super::answer::AnswerControls;
use super::registry::SessionHandle;
use super::session::Session;
use super::shared::Shared;
use super::unit::Hold;

/// A server that is back answers what it was asked before within this time, or is asked what became of it.
const ANSWERS: Duration = Duration::from_secs(1);

impl Session {
    /// Whether the present server connection is waited for if its server hangs: only it has what the session needs, or nobody
    /// of ours is about to replace that server and a transaction is open there.
    pub(super) fn is_bound(&self) -> bool {
        self.has_no_other() || (self.in_transaction() && self.stays())
    }

    /// Whether without the present server connection the client is told of a loss.
    fn has_no_other(&self) -> bool {
        if !self.has_live_lease() {
            return false;
        }
        let replayable = self.journal.as_ref().is_some_and(|journal| journal.spoiled().is_none());
        let pinned = !self.tracker.pins().for_session().is_empty();
        if self.in_transaction() { !replayable } else { pinned && !self.is_about_to_begin() }
    }

    fn has_live_lease(&self) -> bool {
        !self.left_lost && self.lease.as_ref().is_some_and(|lease| !lease.broken && !lease.reading)
    }

    /// Whether what is under way on the primary is waited for there, since it will be done again there if at all.
    fn stays(&self) -> bool {
        self.shared.options().waits_for_primary && self.has_live_lease()
    }

    /// Whether a command that is under way is waited for. A ROLLBACK has what it wants at once.
    fn is_worth_waiting(&self, place: Place) -> bool {
        match place {
            Place::Rollback => self.has_no_other(),
            Place::Autocommit | Place::Program | Place::Wrapped => self.is_bound() || self.stays(),
            _ => self.is_bound(),
        }
    }

    /// The server counts as lost while it runs a statement: whether that is waited for all the same.
    pub(super) fn waits_out(&self, signals: Signals, place: Place) -> bool {
        let waits = signals.contains(Signals::SERVER_LOST) && self.is_worth_waiting(place);
        if waits {
            self.handle.signal.lower(Signals::SERVER_LOST);
        }
        waits
    }

    /// A connection is used again: that its server is lost may have been said before it came back, and not have been heard.
    pub(super) fn renew_loss(&self, server: ServerId) {
        // In this order: who finds the server down says so after that is published.
        let told = self.handle.signal.raised().contains(Signals::SERVER_LOST);
        if told {
            self.handle.signal.lower(Signals::SERVER_LOST);
        }
        if self.shared.store.peek().server(server).is_some_and(|seen| !seen.is_up()) {
            self.handle.signal.raise(Signals::SERVER_LOST);
        }
    }

    /// Relays the answer. `waits`: the server counts as lost, and is waited for. Says also whether that was in vain.
    pub(super) async fn relay(
        &mut self,
        exchange: &mut Exchange,
        controls: &mut AnswerControls,
        (hold, waits): (&mut Hold, &mut bool),
    ) -> Option<(Answer, bool)> {
        loop {
            if !*waits {
                let Self { lease, client, handle, .. } = self;
                let lease = lease.as_mut()?;
                let answer = exchange.run(client, &mut lease.io, controls, &handle.signal).await;
                return Some((answer, false));
            }
            let until = hold.deadline(self.shared.options().hold_timeout);
            // Boxed: hardly any command waits so, and all would make room for it.
            let relayed = Box::pin(self.relay_until_back(exchange, controls, until)).await?;
            if let Some(relayed) = relayed {
                return Some(relayed);
            }
            // As if it had not been away.
            hold.is_over();
            *waits = false;
        }
    }

    /// The same beside waiting for the server. `Some(None)`: it is back.
    async fn relay_until_back(
        &mut self,
        exchange: &mut Exchange,
        controls: &mut AnswerControls,
        until: Instant,
    ) -> Option<Option<(Answer, bool)>> {
        let Self { lease, client, handle, shared, .. } = self;
        let lease = lease.as_mut()?;
        let awaited = Awaited::of(lease);
        Some(tokio::select! {
            biased;
            answer = exchange.run(client, &mut lease.io, controls, &handle.signal) => Some((answer, false)),
            back = awaited.is_back(shared, until) => {
                (!back).then_some((Answer::Interrupted(Signals::SERVER_LOST), true))
            }
        })
    }

    /// How long is waited for what the session itself asks its server.
    pub(super) fn own_patience(&self) -> Patience {
        self.patience_if(self.is_bound())
    }

    /// The same for what belongs to a command.
    pub(super) fn patience_for(&self, place: Place) -> Patience {
        self.patience_if(self.is_worth_waiting(place))
    }

    fn patience_if(&self, waits: bool) -> Patience {
        let awaited = self.lease.as_ref().filter(|_| waits).map(|lease| Awaited::of(lease));
        Patience { handle: self.handle.clone(), shared: self.shared.clone(), awaited }
    }
}

/// A server connection that is waited for.
#[derive(Debug, Clone, Copy)]
struct Awaited {
    server: ServerId,
    thread: u32,
    opened: Instant,
}

impl Awaited {
    fn of(connection: &ServerConnection) -> Self {
        Self { server: connection.server, thread: connection.thread, opened: connection.opened }
    }

    /// Waits until the server is back and still runs what it was sent. `false`: another one has taken its place, it knows
    /// nothing of the connection any more, or the deadline has passed.
    async fn is_back(&self, shared: &Shared, deadline: Instant) -> bool {
        // Boxed: hardly anybody waits so, and it would make room for asking a server in every command.
        let back = Box::pin(async {
            let mut due = None;
            loop {
                let topology = shared.store.load();
                match topology.primary().map(|primary| primary.id == self.server) {
                    Some(false) => return false,
                    None => due = None,
                    Some(true) if *due.get_or_insert_with(|| Instant::now() + ANSWERS) > Instant::now() => {}
                    Some(true) => {
                        match shared.guard.still_runs(self.server, (self.thread, self.opened)).await {
                            Some(runs) => return runs,
                            None => due = None,
                        }
                    }
                }
                let _ = timeout(ANSWERS, shared.store.newer_than(topology.version)).await;
            }
        });
        timeout_at(deadline, back).await.unwrap_or(false)
    }
}

/// How long a session waits for a server that may hang.
pub(super) struct Patience {
    handle: Arc<SessionHandle>,
    shared: Arc<Shared>,
    awaited: Option<Awaited>,
}

impl Patience {
    /// Over when the session is ended, or its server is lost for it: gives which.
    pub(super) async fn over(&self) -> Signals {
        let ended = Signals::KILL | Signals::ABORT;
        let signal = &self.handle.signal;
        loop {
            let signals = signal.wait(ended | Signals::SERVER_LOST).await;
            let Some(awaited) = self.awaited.filter(|_| !signals.intersects(ended)) else { return signals };
            signal.lower(Signals::SERVER_LOST);
            let until = Instant::now() + self.shared.options().hold_timeout;
            let back = tokio::select! {
                signals = signal.wait(ended) => return signals,
                back = awaited.is_back(&self.shared, until) => back,
            };
            if !back {
                return Signals::SERVER_LOST;
            }
        }
    }
}

/// Waits for a server that may hang, for as long as there is patience.
pub(super) async fn unless_lost<T>(
    patience: &Patience,
    run: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::select! {
        biased;
        done = run => done,
        _ = patience.over() => Err(io::ErrorKind::BrokenPipe.into()),
    }
}
