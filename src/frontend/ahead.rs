//! What goes in front of a statement, in the same write, so that it finds the session as the client knows it: the session's
//! state where that is safe, and LAST_INSERT_ID().

use tideover_protocol::response::ResponseShape;

use crate::backend::Swallow;
use crate::replay::Sent;
use crate::session::PinReason;
use crate::sql::{Dialect, Effects, Kind, Statement, details};
use crate::topology::Flavor;

use super::error::ClientError;
use super::session::Session;
use super::work::Work;

/// Answers that come before the statement's own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ahead {
    /// To the steps that restore the session's state.
    steps: usize,
    /// To `SET last_insert_id`.
    insert_id: bool,
}

/// Whether the statement does no harm in a session that is not in the right state: it may be sent behind the steps that
/// restore the state without waiting for their success. What it answers is thrown away if one fails, and what it begins.
pub(super) fn is_harmless(statement: &Statement) -> bool {
    let begins = matches!(statement.kind, Kind::Begin | Kind::StartTransactionReadOnly);
    begins || (statement.any(Effects::READS_ONLY) && !statement.any(Effects::MULTI))
}

/// Whether a statement leaves the warnings of the one before it: on MariaDB all do that name no table (seen on 10.11 and
/// 11.8, as its manual says).
fn names_no_table(statement: &Statement, text: &[u8], dialect: Dialect) -> bool {
    match statement.kind {
        Kind::Select | Kind::With | Kind::Do | Kind::Set | Kind::Multi => {
            !details::mentions(text, dialect, &[b"from", b"table", b"into", b"update"])
        }
        Kind::Begin | Kind::StartTransactionReadOnly | Kind::Commit | Kind::Rollback | Kind::Use => true,
        Kind::Savepoint | Kind::ReleaseSavepoint | Kind::RollbackTo => true,
        Kind::Prepare | Kind::Deallocate | Kind::Call | Kind::Execute | Kind::Empty => true,
        _ => false,
    }
}

impl Session {
    /// Whether the warnings of the last statement outlive this one. Only looked at where there are any.
    pub(super) fn keeps_warnings(&self, statement: &Statement, text: &[u8], dialect: Dialect) -> bool {
        self.tracker.pins().contains(PinReason::Warnings)
            && self.flavor() == Flavor::MariaDb
            && names_no_table(statement, text, dialect)
    }

    /// Queues what is to go in front of the statement.
    pub(super) fn queue_ahead(&mut self, work: &Work) -> Ahead {
        let mut ahead = Ahead::default();
        let id = self.tracker.last_insert_id();
        let Some(lease) = &mut self.lease else { return ahead };
        if lease.state.fingerprint() != self.tracker.state().fingerprint() {
            ahead.steps = lease.queue_restore(self.tracker.state());
        }
        let statement = &work.statement;
        let code = Effects::STORED_CODE | Effects::SQL_EXECUTE;
        let may_read = statement.any(Effects::READS_LAST_INSERT_ID) || (id > 0 && statement.any(code));
        // LAST_INSERT_ID() is the session's and not the connection's.
        if may_read && !self.insert_id_here {
            ahead.insert_id = true;
            lease.queue_query(&format!("SET last_insert_id={id}"));
        }
        ahead
    }

    /// Reads the answers to it. `Ok(false)`: the state could not be restored, and the client was told.
    pub(super) async fn after_ahead(&mut self, ahead: Ahead) -> Result<bool, Sent> {
        if ahead.steps == 0 && !ahead.insert_id {
            return Ok(true);
        }
        Box::pin(self.read_ahead(ahead)).await
    }

    async fn read_ahead(&mut self, ahead: Ahead) -> Result<bool, Sent> {
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        if ahead.steps > 0 {
            let restored = lease.after_restore(ahead.steps, self.tracker.state()).await;
            if let Err(packet) = restored.map_err(|_| Sent::Something)? {
                let _ = self.refuse(&ClientError { cause: "session_restore", packet }).await;
                return Ok(false);
            }
        }
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        if ahead.insert_id {
            match lease.swallow(ResponseShape::Simple).await {
                Ok(Swallow::Done(_)) => self.insert_id_here = true,
                Ok(Swallow::Error(_)) => {}
                Err(_) => return Err(Sent::Something),
            }
        }
        Ok(true)
    }
}
