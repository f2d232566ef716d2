//! What a session has seen, as far as reads on replicas must know it: see `reading`.

use std::time::Duration;

use tideover_protocol::command::CommandKind;
use tideover_protocol::packet::SessionTrack;
use tokio::time::{Instant, timeout, timeout_at};

use crate::backend::{Lease, ServerConnection};
use crate::relay::Signals;
use crate::replay::Sent;
use crate::route::{SETTLE, everything};
use crate::sql::{Effects, Kind};
use crate::topology::{Flavor, ServerId};

use super::answer::Completion;
use super::error;
use super::journaling::LOOKS_BACK;
use super::reading::{Floor, MOST_PATIENCE, PATIENCE, REACH};
use super::session::Session;
use super::trace::MAY_COMMIT_AND_FAIL;
use super::work::Work;

/// Longer than MySQL is told to wait for what it has logged.
const ANSWERED: Duration = Duration::from_secs(5);
/// A floor that is no server: the session has seen something, and only the primary is sure to have it.
const NOWHERE: ServerId = ServerId(usize::MAX);

impl Session {
    /// Whether [`settle_or_tell`](Self::settle_or_tell) must come before the statement: it reads on the primary, without locks (which wait
    /// by themselves), what may have been seen on a replica.
    pub(super) fn must_settle(&self, work: &Work) -> bool {
        let writes =
            matches!(work.statement.kind, Kind::Insert | Kind::Update | Kind::Delete | Kind::Replace);
        self.reading.ahead.is_some()
            && !self.is_on_replica()
            && !writes
            && sees_data(work)
            && !work.statement.any(LOOKS_BACK)
    }

    /// Waits until the primary shows all that a replica may have shown. `Ok(false)`: it did not, and the client was told.
    pub(super) async fn settle_or_tell(&mut self) -> Result<bool, Sent> {
        match self.wait_settled().await {
            Settled::Shown => Ok(true),
            Settled::Gone => Err(Sent::Nothing),
            Settled::Late => {
                let waited = self.shared.options().hold_timeout;
                let _ = self.refuse(&error::not_shown(waited)).await;
                Ok(false)
            }
        }
    }

    /// A primary logs a transaction, by which replicas have it, a moment before it shows it, and with lossless semi-synchronous
    /// replication for as long before as a replica takes to confirm it. Waits until it shows what was logged.
    async fn wait_settled(&mut self) -> Settled {
        let (Some(ahead), Some(lease)) = (self.reading.ahead, &mut self.lease) else { return Settled::Shown };
        let (shared, server) = (self.shared.clone(), lease.server);
        let deadline = Instant::now() + shared.options().hold_timeout;
        let shown = async {
            if lease.flavor == Flavor::MySql {
                return shown_by_mysql(lease, deadline).await;
            }
            match timeout_at(deadline, shared.visible.wait(&shared, server, ahead)).await {
                Ok(()) => Settled::Shown,
                Err(_) => Settled::Late,
            }
        };
        // Whoever may not wait any longer gives its place up.
        let stop = Signals::KILL | Signals::ABORT | Signals::CUT | Signals::MOVED | Signals::SERVER_LOST;
        let settled = tokio::select! {
            settled = shown => settled,
            () = self.client.stream().hung_up() => Settled::Gone,
            _ = self.handle.signal.wait(stop) => Settled::Gone,
        };
        if settled == Settled::Shown {
            self.reading.ahead = None;
        }
        settled
    }

    /// A statement has ended, well or not: what the session has seen since.
    pub(super) fn note_seen(&mut self, work: &Work, done: &Completion, failed: bool) {
        if !self.shared.routing.is_on() {
            return;
        }
        let Some(lease) = &self.lease else { return };
        self.reading.noted = true;
        let server = lease.server;
        if lease.reading {
            // As of when it was chosen: it may have been lost since.
            let life = self.reading.life;
            let at = self.set_floor(server, life);
            self.read_ended(true);
            self.reading.ahead = Some(at);
            (self.reading.on_primary, self.reading.patience) = (0, PATIENCE);
            return;
        }
        let gtid = done.track.iter().rev().find_map(|item| match item {
            SessionTrack::SystemVariable { name, value } if name == b"last_gtid" => Some(value),
            SessionTrack::Gtids(gtids) => Some(gtids),
            _ => None,
        });
        let unclear = failed || lease.commits.is_unclear() || work.statement.any(MAY_SEE_MORE);
        if let Some(gtid) = gtid {
            self.reading.needs.committed(gtid);
            self.reading.committed = Some(Instant::now());
            // Commits become visible in the order of the log.
            self.reading.ahead = None;
            // All that it saw before was committed before, and is in front of this in the log.
            let one_order = self.shared.store.peek().server(server).is_none_or(|s| !has_domains(&s.gtid));
            if !unclear && one_order {
                self.reading.floor = None;
                self.reading.on_primary = 0;
                return;
            }
        }
        if unclear || gtid.is_some() || sees_data(work) {
            self.set_floor(server, self.shared.life(server));
        }
    }

    /// The session has seen what this server has now.
    fn set_floor(&mut self, server: ServerId, life: u64) -> Instant {
        let at = Instant::now();
        self.reading.floor = Some(Floor { server, life, at });
        at
    }

    /// A statement is over: whether [`capture`](Self::capture) is due. If nothing was noted of it, it was answered otherwise
    /// than by a server: the guard may have found out that it was committed, under a GTID that is not known here.
    pub(super) fn read_is_over(&mut self) -> bool {
        (self.reading.avoid, self.reading.counted, self.reading.waited) = (0, false, false);
        self.reading.transaction &= self.in_transaction();
        (self.reading.ask, self.reading.deferred) = (None, Duration::ZERO);
        self.read_ended(false);
        if !std::mem::take(&mut self.reading.noted) && self.shared.routing.is_on() {
            self.set_floor(NOWHERE, 0);
        }
        std::mem::take(&mut self.reading.capture)
    }

    /// Behind an answer, which the client has: learns a position by which the session may leave its floor.
    pub(super) async fn capture(&mut self) {
        if self.in_transaction() || !self.tracker.pins().is_empty() {
            return;
        }
        let Some(floor) = self.reading.floor else { return };
        let Some(lease) = self.lease.as_mut().filter(|lease| !lease.broken) else { return };
        if !lease.reading {
            self.reading.on_primary = 0;
            self.reading.patience = (self.reading.patience.max(PATIENCE) * 2).min(MOST_PATIENCE);
            self.learn_bound().await;
            return;
        }
        if lease.server != floor.server {
            return;
        }
        // The replica's own position is closer than the primary's.
        lease.broken = true;
        let sql = everything(lease.flavor);
        if let Ok(Ok(row)) = timeout(REACH, lease.query_row(sql, 1)).await {
            lease.broken = false;
            if let Some(position) = row.first() {
                self.reading.needs.seen(&String::from_utf8_lossy(position));
                self.reading.floor = None;
            }
        }
    }
}

/// What became of waiting for the primary to show what it has logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// It shows it.
    Shown,
    /// The connection is of no use any more, or the unit must leave it.
    Gone,
    /// It did not within `hold.timeout`.
    Late,
}

/// Waits until MySQL shows what it has logged.
async fn shown_by_mysql(lease: &mut Lease, deadline: Instant) -> Settled {
    loop {
        // Cancelled it must not be used again.
        lease.broken = true;
        let answer = timeout(ANSWERED, lease.query_row(SETTLE, 1)).await;
        lease.broken = match &answer {
            Ok(Ok(_)) => false,
            // Without the right to see who owns what, nothing can be waited for.
            Ok(Err(error)) => ServerConnection::refusal(error).is_none(),
            Err(_) => true,
        };
        return match answer {
            _ if lease.broken => Settled::Gone,
            Ok(Ok(row)) if row.first().is_some_and(|answer| answer == b"1") => {
                if Instant::now() < deadline {
                    continue;
                }
                Settled::Late
            }
            _ => Settled::Shown,
        };
    }
}

/// What may show the session more than its commit has, or leaves open what was committed.
const MAY_SEE_MORE: Effects = MAY_COMMIT_AND_FAIL.difference(Effects::ENDS.union(Effects::IMPLICIT_COMMIT));

/// Whether the answer may tell of data.
fn sees_data(work: &Work) -> bool {
    let silent = matches!(
        work.statement.kind,
        Kind::Set
            | Kind::Use
            | Kind::Begin
            | Kind::StartTransactionReadOnly
            | Kind::Commit
            | Kind::Rollback
            | Kind::Savepoint
            | Kind::ReleaseSavepoint
            | Kind::RollbackTo
            | Kind::Empty
            | Kind::Prepare
            | Kind::Deallocate
    );
    !silent && work.kind != CommandKind::StmtPrepare
}

/// MariaDB's GTID domains have an order each.
fn has_domains(gtid: &str) -> bool {
    !gtid.contains(':') && gtid.contains(',')
}
