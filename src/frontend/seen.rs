//! What a session has seen, as far as reads on replicas must know it: see `reading`.

use std::time::Duration;

use tideover_protocol::command::CommandKind;
use tideover_protocol::packet::SessionTrack;
use tokio::time::{Instant, sleep_until, timeout};

use crate::backend::Lease;
use crate::route::{SETTLE, everything};
use crate::sql::{Effects, Kind};
use crate::topology::{Flavor, ServerId};

use super::answer::Completion;
use super::journaling::LOOKS_BACK;
use super::reading::{MOST_PATIENCE, PATIENCE, REACH};
use super::session::Session;
use super::trace::MAY_COMMIT_AND_FAIL;
use super::work::Work;

/// MariaDB shows what it has logged within this time, unless it is starved: for where it cannot be asked.
const MOMENT: Duration = Duration::from_millis(5);
/// Longer than MySQL is told to wait for the same.
const SETTLED: Duration = Duration::from_secs(2);
/// A floor that is no server: the session has seen something, and only the primary is sure to have it.
const NOWHERE: ServerId = ServerId(usize::MAX);

impl Session {
    /// Whether [`wait_settled`](Self::wait_settled) must come before the statement: it reads on the primary, without locks (which wait
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

    /// A primary logs a transaction, by which replicas have it, a moment before it shows it. Waits until it shows what was
    /// logged. `false`: the connection is of no use any more.
    pub(super) async fn wait_settled(&mut self) -> bool {
        let Some(ahead) = self.reading.ahead.take() else { return true };
        let Some(lease) = &mut self.lease else { return true };
        if lease.flavor == Flavor::MariaDb {
            let (shared, server) = (self.shared.clone(), lease.server);
            if !shared.visible.wait(&shared, server, ahead).await {
                sleep_until(ahead + MOMENT).await;
            }
            return true;
        }
        lease.broken = true;
        // Without the right to see who owns what, nothing can be waited for.
        let settled = matches!(timeout(SETTLED, lease.query(SETTLE)).await, Ok(Ok(_)));
        lease.broken = !settled;
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
            self.reading.floor = Some((server, self.shared.routing.lives(server)));
            self.read_ended(true);
            self.reading.ahead = Some(Instant::now());
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
            self.reading.floor = Some((server, self.shared.routing.lives(server)));
        }
    }

    /// A statement is over: whether [`capture`](Self::capture) is due. If nothing was noted of it, it was answered otherwise
    /// than by a server: the guard may have found out that it was committed, under a GTID that is not known here.
    pub(super) fn read_is_over(&mut self) -> bool {
        (self.reading.avoid, self.reading.counted) = (0, false);
        self.reading.transaction &= self.in_transaction();
        self.read_ended(false);
        if !std::mem::take(&mut self.reading.noted) && self.shared.routing.is_on() {
            self.reading.floor = Some((NOWHERE, 0));
        }
        std::mem::take(&mut self.reading.capture)
    }

    /// Behind an answer, which the client has: asks the server for its position, so that the session may leave its floor.
    pub(super) async fn capture(&mut self) {
        self.reading.on_primary = 0;
        self.reading.patience = (self.reading.patience.max(PATIENCE) * 2).min(MOST_PATIENCE);
        let free = !self.in_transaction() && self.tracker.pins().is_empty();
        let floor = self.reading.floor;
        // The primary has what every floor had.
        let fits = |lease: &&mut Lease| {
            !lease.broken && (!lease.reading || floor.is_some_and(|(of, _)| of == lease.server))
        };
        let Some(lease) = self.lease.as_mut().filter(|_| free).filter(fits) else { return };
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
