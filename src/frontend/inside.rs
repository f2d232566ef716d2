//! A CALL or EXECUTE in an open transaction: it may commit what came before it, and then do more. If nothing of what it runs can do so, it
//! is like any other statement of the transaction. If something can, only the server knows what it has come to.

use crate::replay::Place;
use crate::sql::{Effects, Kind, Statement, classify};
use crate::topology::Flavor;

use super::doubt::NOT_LOGGED;
use super::session::Session;
use super::staying::unless_lost;
use super::work::Work;

impl Session {
    /// Whether it matters if what the statement calls ends transactions.
    pub(super) fn calls_inside(&self, work: &Work) -> bool {
        let own = self.in_transaction()
            || !self.status.contains(tideover_protocol::status::StatusFlags::AUTOCOMMIT);
        let matters = match work.statement.kind {
            Kind::Call => own,
            // By itself too: one statement that is refused has done nothing.
            kind => kind == Kind::Execute,
        };
        matters && !self.is_on_replica()
    }

    /// Finds that out, before the statement is sent. `false`: the server was lost meanwhile.
    pub(super) async fn look_up_call(&mut self, work: &Work) -> bool {
        self.wrap.open = false;
        if work.statement.kind == Kind::Execute {
            let text = self.tracker.executed(work.text.of(&self.command), work.dialect);
            let executed = text.map(|text| classify(&text, work.dialect)).filter(is_plain);
            self.wrap.keeps = executed.is_some();
            self.wrap.reads = executed.is_some_and(|statement| statement.any(Effects::READS_ONLY));
            return true;
        }
        self.wrap.keeps = false;
        let Some((server, name)) = self.called(work) else { return true };
        let patience = self.own_patience();
        let keeps = async { Ok(self.shared.guard.keeps_transaction(server, &name).await) };
        match unless_lost(&patience, keeps).await {
            Ok(keeps) => self.wrap.keeps = keeps,
            Err(_) => return false,
        }
        true
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
        let patience = self.own_patience();
        let Some(lease) = self.lease.as_mut().filter(|lease| lease.flavor == Flavor::MariaDb && logs) else {
            return false;
        };
        let asked = lease.query_row("SELECT @@last_gtid LIMIT 1", 1);
        let Ok(row) = unless_lost(&patience, asked).await else {
            lease.broken = true;
            return false;
        };
        !lease.commits.is_unclear() && row.first().is_some_and(|last| last == lease.commits.last())
    }
}

/// Whether a statement that is run by EXECUTE certainly leaves a transaction as open as it was. Stored functions do.
fn is_plain(statement: &Statement) -> bool {
    let turns = Effects::BEGINS | Effects::ENDS | Effects::IMPLICIT_COMMIT | Effects::MULTI | Effects::UNSURE;
    let plain = matches!(
        statement.kind,
        Kind::Select | Kind::With | Kind::Insert | Kind::Update | Kind::Delete | Kind::Replace
    );
    plain && !statement.any(turns | Effects::SQL_EXECUTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Dialect;

    #[test]
    fn what_execute_may_run_in_a_transaction() {
        for (text, plain) in [
            ("INSERT INTO t VALUES (?)", true),
            ("UPDATE t SET a = f(?)", true),
            ("SELECT * FROM t FOR UPDATE", true),
            ("CALL p(?)", false),
            ("COMMIT", false),
            ("BEGIN", false),
            ("TRUNCATE t", false),
            ("CREATE TABLE t (a INT)", false),
            ("SET autocommit = 1", false),
            ("EXECUTE IMMEDIATE 'COMMIT'", false),
        ] {
            assert_eq!(is_plain(&classify(text.as_bytes(), Dialect::default())), plain, "{text}");
        }
    }
}
