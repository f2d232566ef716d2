//! A CALL in an open transaction: it may commit what came before it, and then do more. If nothing of what it runs can do so, it
//! is like any other statement of the transaction. If something can, only the server knows what it has come to.

use crate::replay::Place;
use crate::sql::{Effects, Kind};
use crate::topology::Flavor;

use super::doubt::NOT_LOGGED;
use super::marking::unless_lost;
use super::session::Session;
use super::work::Work;

impl Session {
    /// Whether it matters if what the statement calls ends transactions.
    pub(super) fn calls_inside(&self, work: &Work) -> bool {
        let own = self.in_transaction()
            || !self.status.contains(tideover_protocol::status::StatusFlags::AUTOCOMMIT);
        work.statement.kind == Kind::Call && own && !self.is_on_replica()
    }

    /// Finds that out, before the statement is sent.
    pub(super) async fn look_up_call(&mut self, work: &Work) {
        self.wrap.open = false;
        self.wrap.keeps = match self.called(work) {
            Some((server, name)) => self.shared.guard.keeps_transaction(server, &name).await,
            None => false,
        };
    }

    /// A command of several steps was refused or ended on a connection that lives: whether one of them may have committed the
    /// transaction.
    pub(super) async fn may_have_committed(&mut self, work: &Work, place: Place) -> bool {
        match work.statement.kind {
            _ if place != Place::Code => false,
            // The guard can tell.
            Kind::Multi => true,
            Kind::Call => !self.has_committed_nothing(work).await,
            _ => work.statement.any(Effects::UNSURE),
        }
    }

    /// MariaDB knows the last commit of each session.
    async fn has_committed_nothing(&mut self, work: &Work) -> bool {
        let logs = self.blind_spot(work) != Some(NOT_LOGGED);
        let Self { lease, handle, .. } = self;
        let Some(lease) = lease.as_mut().filter(|lease| lease.flavor == Flavor::MariaDb && logs) else {
            return false;
        };
        let asked = lease.query_row("SELECT @@last_gtid", 1);
        let Ok(row) = unless_lost(&handle.signal, asked).await else {
            lease.broken = true;
            return false;
        };
        !lease.commits.is_unclear() && row.first().is_some_and(|last| last == lease.commits.last())
    }
}
