//! Reads on replicas: which replica a session may read from without seeing less than it has seen, and what follows when
//! that replica does not serve.
//!
//! Two things bound a session. `needs` is a position that is known: its own commits. `floor` is a server whose data it has
//! seen as of a moment whose position is not known; it may read on there, and on the primary, which has all that a replica
//! has. It leaves its floor when it has a position that bounds what it saw: the primary's (`bounds`), which one session asks for
//! all, at once if the floor serves no more, else behind an answer (`capture`), when the client has the answer already. `seen`
//! keeps both, `choosing` goes by them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tideover_protocol::command::CommandKind;
use tideover_protocol::response::ResponseShape;
use tokio::time::{Instant, sleep, timeout};

use crate::backend::{AcquireError, ConnectFailure, Lease, Use};
use crate::relay::Signals;
use crate::replay::{Broke, Sent};
use crate::route::{Desk, Fallback, Position, Route, Why, route};
use crate::sql::{Effects, Kind};
use crate::topology::ServerId;

use super::choosing::{Chosen, Reader};
use super::error::{self, ClientError};
use super::run::Attempt;
use super::session::Session;
use super::unit::{Hold, Waiting, is_passing};
use super::work::Work;

/// Getting a connection to a replica takes at most this long; then the primary serves.
pub(super) const REACH: Duration = Duration::from_millis(500);
/// Beyond the time that a server is to wait for a position, its answer is waited for so long.
const GRACE: Duration = Duration::from_millis(200);
/// Reads that the primary serves for want of a known position, before it is asked for one; doubled each time in vain.
pub(super) const PATIENCE: u32 = 1;
pub(super) const MOST_PATIENCE: u32 = 64;
/// How often a read that waits for a replica looks for one.
const AGAIN: Duration = Duration::from_millis(10);
/// Every server: for a statement that only the primary may run now.
pub(super) const ALL_SERVERS: u64 = u64::MAX;
/// Errors by which a statement ends as the client wanted: killed, or out of the time that it was given.
const WANTED: [u16; 4] = [1028, 1317, 1969, 3024];

/// Where a session has seen data last, as of a moment whose position is not known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floor {
    pub(super) server: ServerId,
    /// The server's life: what it had may be gone when it comes back.
    pub(super) life: u64,
    /// Not before the session saw it.
    pub(super) at: Instant,
}

/// What a session has seen, and where it may read.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub(super) needs: Position,
    /// When the last of its own commits was answered.
    pub(super) committed: Option<Instant>,
    /// So long the present read has waited before it asked a replica for that.
    pub(super) deferred: Duration,
    /// When it last read on a replica, if the primary may not show yet what it saw there.
    pub(super) ahead: Option<Instant>,
    pub(super) floor: Option<Floor>,
    /// The server, its life and the version of `needs` for which it is known that the server has all of it.
    pub(super) covered: Option<(ServerId, u64, u64)>,
    /// Servers that must not serve the present statement, by bit.
    pub(super) avoid: u64,
    /// Servers that do not let this account in, by bit.
    pub(super) closed: u64,
    /// To take a read out of the count that is under way when the session ends.
    pub(super) desk: Option<Arc<Desk>>,
    /// Reads that the primary has served because `floor` is the primary, and after how many it is asked.
    pub(super) on_primary: u32,
    pub(super) patience: u32,
    /// A replica does not prepare the present statement.
    pub(super) refused: bool,
    /// What the replica is asked for in front of the present read, in the same write: it waits until it has that, at most so long.
    pub(super) ask: Option<(String, Duration)>,
    /// The present statement was waited for in vain on a replica, and whether that connection is of further use.
    pub(super) behind: Option<bool>,
    /// The present statement was, on some replica.
    pub(super) waited: bool,
    /// Where the present statement goes was counted.
    pub(super) counted: bool,
    /// The present statement's end was taken in.
    pub(super) noted: bool,
    /// The floor is to be asked for its position behind the present answer.
    pub(super) capture: bool,
    /// A READ ONLY transaction runs, or is about to begin, on a replica.
    pub(super) transaction: bool,
    /// One of this session's had to leave its replica: the next ones run on the primary.
    pub(super) has_left: bool,
    /// When the present read has left for a replica.
    pub(super) left: Option<(ServerId, Instant)>,
    /// In which life of it.
    pub(super) life: u64,
    pub(super) draw: u32,
    /// Whether the session's settings allow reads elsewhere, for this fingerprint of its state.
    pub(super) settings: Option<(u64, bool)>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let (Some(desk), Some((server, _))) = (&self.desk, self.left.take()) {
            desk.end(server, None);
        }
    }
}

impl Session {
    /// Whether the present lease is one of a replica.
    pub(super) fn is_on_replica(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.reading)
    }

    /// Before each attempt: whether there is a lease of a replica for it. Then it passes no gate: no switchover changes
    /// who answers a read. An error: no replica serves it, and nobody else shall.
    pub(super) async fn enter_replica(&mut self, work: &Work, hold: &mut Hold) -> Result<bool, ClientError> {
        if self.is_on_replica() {
            if self.in_transaction() || !self.tracker.pins().is_empty() {
                // It asks for what its last read left there.
                return Ok(true);
            }
            self.end_unit();
        }
        if !self.shared.routing.is_on() || self.lease.is_some() || self.pass.is_some() {
            return Ok(false);
        }
        let avoid = self.reading.avoid;
        self.reading.ask = None;
        // A whole transaction must not begin where it cannot stay.
        let at_once = work.statement.kind != Kind::StartTransactionReadOnly;
        // Who does not serve is not chosen again.
        for _ in 0..self.shared.routing.options().shares.len() {
            match self.choose_reader(work).await {
                Reader::Replica(chosen) if self.reading.waited && chosen.wait => break,
                Reader::Replica(chosen) if chosen.wait && self.let_it_catch_up(chosen.server).await => {}
                Reader::Replica(chosen) => {
                    if self.lease_replica(chosen, at_once).await {
                        return Ok(true);
                    }
                }
                Reader::Primary => return Ok(false),
                Reader::Nobody | Reader::Unbound => break,
            }
        }
        if self.shared.routing.options().fallback == Fallback::Primary {
            return Ok(false);
        }
        self.reading.avoid = avoid;
        Box::pin(self.insist_on_replica(work, hold)).await
    }

    /// Waits a little, once for each statement, if the replica will hardly have the session's commit yet.
    async fn let_it_catch_up(&mut self, server: ServerId) -> bool {
        let Some(committed) = self.reading.committed.filter(|_| self.reading.deferred.is_zero()) else {
            return false;
        };
        let Some(left) = self.shared.routing.ask_later(server, committed.elapsed()) else { return false };
        self.reading.deferred = left;
        Box::pin(sleep(left)).await;
        true
    }

    /// For how long the replica may be waited for now.
    fn patience(&self) -> Duration {
        self.shared.routing.options().wait.saturating_sub(self.reading.deferred)
    }

    /// No replica served at once: waits for one if so configured.
    async fn insist_on_replica(&mut self, work: &Work, hold: &mut Hold) -> Result<bool, ClientError> {
        let (began, shared) = (Instant::now(), self.shared.clone());
        let deadline = hold.deadline(shared.options().hold_timeout);
        let avoid = self.reading.avoid;
        let mut tries = shared.routing.options().shares.len();
        loop {
            match self.choose_reader(work).await {
                Reader::Replica(chosen) if self.lease_replica(chosen, false).await => return Ok(true),
                Reader::Primary => return Ok(false),
                Reader::Replica(_) if tries > 0 => tries -= 1,
                _ if shared.routing.options().fallback == Fallback::Error => {
                    return Err(error::no_replica(None));
                }
                _ if Instant::now() >= deadline => return Err(error::no_replica(Some(began.elapsed()))),
                _ => {
                    self.reading.avoid = avoid;
                    let waiting = Waiting::new(&shared, &self.handle);
                    tokio::select! {
                        () = sleep(AGAIN) => {}
                        () = self.client.stream().hung_up() => return Err(error::killed()),
                        _ = self.handle.signal.wait(Signals::KILL | Signals::ABORT) => return Err(error::killed()),
                    }
                    drop(waiting);
                }
            }
        }
    }

    /// Whether a statement of a READ ONLY transaction on a replica must run on the primary, and the transaction with it.
    pub(super) fn must_leave_replica(&mut self, work: &Work) -> bool {
        if !self.is_on_replica() || !self.in_transaction() || work.kind == CommandKind::StmtPrepare {
            return false;
        }
        let ends = Effects::ENDS.union(Effects::HINT_PRIMARY);
        let stays = match (work.statement.kind, route(&work.statement)) {
            (Kind::Commit | Kind::Rollback, _) => !work.statement.any(Effects::MULTI),
            (Kind::Savepoint | Kind::ReleaseSavepoint | Kind::RollbackTo | Kind::Empty, _) => true,
            (_, Route::Replica(_)) => self.is_plain(work),
            // All of a transaction's answers may be about the server that it runs on.
            (
                _,
                Route::Primary(Why::ServerState | Why::Varies | Why::Clock | Why::UniqueId | Why::LooksBack),
            ) => self.is_plain(work) && !work.statement.any(ends),
            _ => false,
        };
        self.reading.has_left |= !stays;
        !stays
    }

    /// Takes a connection of the replica; if it must be waited for, one on which all that is needed is there. `at_once`: the read
    /// may follow what waits in the same write.
    async fn lease_replica(&mut self, chosen: Chosen, at_once: bool) -> bool {
        let server = chosen.server;
        let (account, dialect) = (&self.account, self.dialect);
        let pool = match &self.reading_pool {
            Some(pool) if pool.server() == server => pool.clone(),
            _ => self.shared.pools.of_use(self.shared.shard, (server, Use::Reading), account, dialect),
        };
        self.reading_pool = Some(pool.clone());
        let lease = match timeout(REACH, pool.acquire_now(self.tracker.state())).await {
            Ok(Ok(lease)) => lease,
            failed => {
                tracing::debug!(session = self.handle.id, ?failed, "no connection to a replica");
                match failed {
                    Ok(Err(AcquireError::Exhausted { .. } | AcquireError::Restore(_))) => {
                        self.reading.avoid |= bit(server);
                    }
                    Ok(Err(AcquireError::Connect(failure @ ConnectFailure::Refused { .. })))
                        if !is_passing(&failure) =>
                    {
                        self.reading.closed |= bit(server);
                    }
                    _ => self.shared.routing.suspect(server),
                }
                return false;
            }
        };
        if self.shared.life(server) != chosen.life {
            // Connections to it were found dead: what was known of it may be so no more.
            self.shared.monitor.kick();
            return false;
        }
        let lease = if !chosen.wait {
            Some(lease)
        } else if at_once {
            let within = self.patience();
            self.reading.ask = self.reading.needs.list(lease.flavor).map(|gtids| (gtids, within));
            self.reading.ask.is_some().then_some(lease)
        } else {
            Box::pin(self.caught_up(lease)).await
        };
        let Some(lease) = lease else {
            self.reading.waited = true;
            self.shared.routing.behind(server);
            return false;
        };
        self.handle.set_server(Some((lease.server, lease.thread)));
        self.lease = Some(lease);
        self.left_lost = false;
        self.shared.routing.begin(server);
        self.reading.desk.get_or_insert_with(|| self.shared.routing.clone());
        self.reading.left = Some((server, Instant::now()));
        self.reading.life = chosen.life;
        true
    }

    /// Waits on the replica until it has all that is needed. `None`: not within the time that there is for it.
    async fn caught_up(&mut self, mut lease: Lease) -> Option<Lease> {
        let within = self.patience();
        let gtids = self.reading.needs.list(lease.flavor)?;
        let life = self.shared.life(lease.server);
        // Cancelled it must not be used again.
        lease.broken = true;
        lease.queue_wait(&gtids, within);
        let answer = timeout(within + GRACE, async {
            lease.io.flush().await?;
            lease.read_wait().await
        });
        let answer = answer.await;
        lease.broken = !matches!(answer, Ok(Ok(_)));
        self.note_position(answer.ok(), (lease.server, life)).then_some(lease)
    }

    /// Reads the answer to the same, which went in front of the present read. If it was in vain, what the read gives is not for
    /// the client. `only`: the form of that, if nothing else went with it.
    pub(super) async fn after_position(&mut self, only: Option<ResponseShape>) -> Result<(), Sent> {
        let within = self.shared.routing.options().wait + GRACE;
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        let (server, life) = (lease.server, self.shared.life(lease.server));
        let answer = timeout(within, lease.read_wait()).await;
        let answered = matches!(answer, Ok(Ok(_)));
        if self.note_position(answer.ok(), (server, life)) {
            if let (Some(committed), Some((_, left))) = (self.reading.committed, self.reading.left) {
                let since = left.saturating_duration_since(committed);
                self.shared.routing.caught_up(server, since, left.elapsed());
            }
            return Ok(());
        }
        let mut clean = false;
        if let (Some(lease), Some(shape), true) = (&mut self.lease, only, answered) {
            clean = matches!(timeout(GRACE, lease.swallow(shape)).await, Ok(Ok(_)));
        }
        self.reading.behind = Some(clean);
        Err(Sent::Something)
    }

    /// What a replica answered that was to wait until it has all that is needed: whether it has.
    fn note_position(&mut self, answer: Option<io::Result<bool>>, (server, life): (ServerId, u64)) -> bool {
        match answer {
            Some(Ok(true)) => {
                self.reading.covered = Some((server, life, self.reading.needs.version()));
                self.shared.routing.prove(server, life, &mut self.reading.needs);
                return true;
            }
            Some(Err(_)) => {
                self.shared.routing.lost(server);
                self.shared.monitor.kick();
            }
            _ => self.shared.routing.behind(server),
        }
        tracing::debug!(session = self.handle.id, server = server.0, "a replica was waited for in vain");
        self.reading.waited = true;
        false
    }

    /// A replica did not serve: the read is run again, on another or on the primary. `answered`: the server is well, it
    /// is the statement that it does not run.
    pub(super) fn replica_failed(&mut self, broke: Broke, answered: bool) -> Attempt {
        let Some(server) = self.lease.as_ref().map(|lease| lease.server) else { return Attempt::Again };
        let answered = answered || std::mem::take(&mut self.reading.refused);
        tracing::debug!(
            session = self.handle.id,
            server = server.0,
            ?broke,
            answered,
            "a read goes elsewhere"
        );
        self.read_ended(false);
        if let Some(clean) = self.reading.behind.take() {
            // It was noted what that means.
            if !clean {
                self.break_lease();
            }
        } else if answered {
            // Whatever a replica has against a statement, the primary has the last word.
            self.reading.avoid = ALL_SERVERS;
        } else {
            self.break_lease();
            self.reading.avoid |= bit(server);
            self.shared.routing.lost(server);
            self.shared.monitor.kick();
        }
        self.take_pins();
        self.handle.signal.lower(Signals::SERVER_LOST);
        self.end_unit();
        Attempt::Again
    }

    /// Whether the error of a replica is the client's own; any other is for the primary to give.
    pub(super) fn is_wanted_error(broke: Broke) -> bool {
        matches!(broke, Broke::Answered(code) if WANTED.contains(&code))
    }

    pub(super) fn read_ended(&mut self, served: bool) {
        if let Some((server, left)) = self.reading.left.take() {
            self.shared.routing.end(server, served.then(|| left.elapsed()));
        }
    }
}

pub(super) fn bit(server: ServerId) -> u64 {
    u32::try_from(server.0).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or(ALL_SERVERS)
}
