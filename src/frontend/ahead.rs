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

/// What a leased connection knows of its session beside the session's state.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Here {
    /// The lease was taken for the present statement: nothing of this session ran on it before.
    pub(super) fresh: bool,
    /// LAST_INSERT_ID() is what it is for this session.
    pub(super) insert_id: bool,
    /// So is FOUND_ROWS().
    pub(super) found_rows: bool,
}

/// Answers that come before the statement's own.
#[derive(Debug, Clone, Default)]
pub(super) struct Ahead {
    /// To the steps that restore the session's state.
    steps: Vec<bool>,
    /// To `SET last_insert_id`.
    insert_id: bool,
    /// To what gives FOUND_ROWS() and ROW_COUNT() their values.
    counts: usize,
}

/// Whether the statement does no harm in a session that is not in the right state: it may be sent behind the steps that
/// restore the state without waiting for their success. What it answers is thrown away if one fails, and what it begins.
pub(super) fn is_harmless(statement: &Statement) -> bool {
    let begins = matches!(statement.kind, Kind::Begin | Kind::StartTransactionReadOnly);
    begins || (statement.any(Effects::READS_ONLY) && !statement.any(Effects::MULTI))
}

/// Rows from which on FOUND_ROWS() is not carried to another connection.
const MOST_ROWS: u64 = 1_000_000;

/// A query that leaves this number for FOUND_ROWS().
fn leaves_found_rows(rows: u64) -> Option<String> {
    Some(match rows {
        0 => "SELECT 1 FROM DUAL WHERE 0".to_owned(),
        1 => "SELECT 1".to_owned(),
        rows if rows <= MOST_ROWS => format!(
            "SELECT SQL_CALC_FOUND_ROWS 1 FROM JSON_TABLE(CONCAT('[',REPEAT('0,',{}),'0]'),'$[*]' \
             COLUMNS(a INT PATH '$')) AS t LIMIT 1",
            rows - 1
        ),
        _ => return None,
    })
}

/// A statement that leaves this number for ROW_COUNT() and nothing else. There is none for several rows.
const fn leaves_row_count(rows: i64) -> Option<&'static str> {
    match rows {
        -1 => Some("SELECT 1"),
        0 => Some("DO 0"),
        1 => Some("SELECT 1 INTO @`tideover text`"),
        _ => None,
    }
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
        let fresh = std::mem::take(&mut self.here.fresh);
        let Some(lease) = &mut self.lease else { return ahead };
        if lease.state.fingerprint() != self.tracker.state().fingerprint() {
            ahead.steps = lease.queue_restore(self.tracker.state());
        }
        let statement = &work.statement;
        let code = Effects::STORED_CODE | Effects::SQL_EXECUTE;
        let may_read = statement.any(Effects::READS_LAST_INSERT_ID) || (id > 0 && statement.any(code));
        // LAST_INSERT_ID() is the session's and not the connection's.
        if may_read && !self.here.insert_id {
            ahead.insert_id = true;
            lease.queue_query(&format!("SET last_insert_id={id}"));
        }
        if statement.any(Effects::READS_FOUND_ROWS)
            && !self.here.found_rows
            && let Some(sql) = self.tracker.found_rows().and_then(leaves_found_rows)
        {
            ahead.counts += 1;
            lease.queue_query(&sql);
        }
        // MariaDB keeps warnings until a statement that names a table: another session's, or those of the steps above.
        if fresh && statement.any(Effects::READS_DIAGNOSTICS) {
            ahead.counts += 1;
            lease.queue_query("SELECT 1 FROM (SELECT 1) AS t");
        }
        // A connection that was kept has it from the statement before.
        if fresh
            && statement.any(Effects::READS_ROW_COUNT)
            && let Some(sql) = leaves_row_count(self.tracker.row_count())
        {
            ahead.counts += 1;
            lease.queue_query(sql);
        }
        ahead
    }

    /// Reads the answers to everything that went in front of a statement. `Ok(false)`: as [`after_ahead`](Self::after_ahead).
    pub(super) async fn after_all(&mut self, ahead: Ahead, prelude: bool) -> Result<bool, Sent> {
        if !self.after_ahead(ahead).await? {
            return Ok(false);
        }
        self.after_opening().await?;
        if prelude {
            self.after_prelude().await?;
        }
        Ok(true)
    }

    /// Reads the answers to it. `Ok(false)`: the state could not be restored, and the client was told.
    pub(super) async fn after_ahead(&mut self, ahead: Ahead) -> Result<bool, Sent> {
        if ahead.steps.is_empty() && !ahead.insert_id && ahead.counts == 0 {
            return Ok(true);
        }
        Box::pin(self.read_ahead(ahead)).await
    }

    async fn read_ahead(&mut self, ahead: Ahead) -> Result<bool, Sent> {
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        if !ahead.steps.is_empty() {
            let restored = lease.after_restore(&ahead.steps, self.tracker.state()).await;
            if let Err(packet) = restored.map_err(|_| Sent::Something)? {
                let _ = self.refuse(&ClientError { cause: "session_restore", packet }).await;
                return Ok(false);
            }
        }
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        if ahead.insert_id {
            match lease.swallow(ResponseShape::Simple).await {
                Ok(Swallow::Done(_)) => self.here.insert_id = true,
                Ok(Swallow::Error(_)) => {}
                Err(_) => return Err(Sent::Something),
            }
        }
        for _ in 0..ahead.counts {
            // Refused, it leaves a wrong count, which is all that there was before.
            let shape = ResponseShape::ResultSets { cursor: false };
            lease.swallow(shape).await.map_err(|_| Sent::Something)?;
        }
        Ok(true)
    }
}
