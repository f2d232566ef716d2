//! What goes in front of a statement, in the same write, so that it finds the session as the client knows it: the session's
//! state where that is safe, and LAST_INSERT_ID().

use tideover_protocol::command::CommandKind;
use tideover_protocol::response::ResponseShape;

use crate::backend::{Lease, Restoring, Swallow};
use crate::replay::Sent;
use crate::session::PinReason;
use crate::sql::{Dialect, Effects, Kind, Statement, details};
use crate::topology::Flavor;

use super::error::{self, ClientError};
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
    /// ROW_COUNT() is not, since something was answered in the server's place.
    pub(super) no_row_count: bool,
}

/// Answers that come before the statement's own.
#[derive(Debug, Clone, Default)]
pub(super) struct Ahead {
    /// To what waits until a replica has all that the session must see.
    position: bool,
    /// To the steps that restore the session's state.
    restoring: Restoring,
    /// To `SET last_insert_id`, and what it sets.
    insert_id: Option<u64>,
    /// To what gives FOUND_ROWS() and ROW_COUNT() their values, and closes a cursor.
    counts: usize,
}

impl Ahead {
    /// Queues what closes the cursor of a statement.
    pub(super) fn close_cursor(&mut self, lease: Option<&mut Lease>, statement: u32) {
        const RESET: u8 = 0x1a;
        let Some(lease) = lease else { return };
        let [a, b, c, d] = statement.to_le_bytes();
        lease.io.queue_packet(&[RESET, a, b, c, d], 0);
        self.counts += 1;
    }

    /// Whether there are none, but for the position's.
    fn is_empty(&self) -> bool {
        self.restoring.is_empty() && self.insert_id.is_none() && self.counts == 0
    }
}

/// How a statement may follow the steps that restore the session's state on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// In the same write: it does no harm in a session that is not in the right state. What it answers is thrown away if a
    /// step fails, and what it does goes with the connection.
    AtOnce,
    /// In the same write, if the steps are such that the server refuses a write unless all have succeeded.
    Barred,
    /// When all have succeeded.
    Afterwards,
}

/// What may outlast the connection, or see to it that something does, however little a text says of it.
const LASTS: Effects = Effects::WRITES
    .union(Effects::STORED_CODE)
    .union(Effects::SQL_EXECUTE)
    .union(Effects::UNSURE)
    .union(Effects::MULTI)
    .union(Effects::SETS_GLOBAL)
    .union(Effects::OUTFILE)
    .union(Effects::TABLE_LOCK)
    .union(Effects::USER_LOCK)
    .union(Effects::SEQUENCE)
    .union(Effects::XA)
    .union(Effects::RELEASE)
    .union(Effects::LOCAL_INFILE)
    .union(Effects::SETS_FOR_STATEMENT);

/// What a read-only session of the servers does not refuse although it lasts.
const NOT_BARRED: Effects = LASTS.difference(Effects::WRITES);

/// How `work` may follow.
pub(super) fn follows(work: &Work) -> Follows {
    let statement = &work.statement;
    if work.kind == CommandKind::StmtPrepare {
        return Follows::AtOnce;
    }
    match statement.kind {
        _ if statement.any(Effects::READS_ONLY) && !statement.any(Effects::MULTI) => Follows::AtOnce,
        Kind::Select
        | Kind::With
        | Kind::Set
        | Kind::Use
        | Kind::Begin
        | Kind::StartTransactionReadOnly
        | Kind::Commit
        | Kind::Rollback
        | Kind::Prepare
        | Kind::Deallocate
            if !statement.any(LASTS) =>
        {
            Follows::AtOnce
        }
        Kind::Insert | Kind::Update | Kind::Delete | Kind::Replace if !statement.any(NOT_BARRED) => {
            Follows::Barred
        }
        _ => Follows::Afterwards,
    }
}

/// Rows from which on FOUND_ROWS() is not carried to another connection.
const MOST_ROWS: u64 = 1_000_000;

/// Rows that are sent, rather than counted alone.
const FEW_ROWS: u64 = 50;

/// A query that leaves this number for FOUND_ROWS().
fn leaves_found_rows(rows: u64) -> Option<String> {
    Some(match rows {
        0 => "SELECT 1 FROM DUAL WHERE 0".to_owned(),
        1 => "SELECT 1 LIMIT 1".to_owned(),
        rows if rows > MOST_ROWS => return None,
        rows => {
            // MySQL warns of SQL_CALC_FOUND_ROWS, which is in the way of a statement that asks for warnings too.
            let (counting, limit) = if rows > FEW_ROWS { ("SQL_CALC_FOUND_ROWS ", 1) } else { ("", rows) };
            format!(
                "SELECT {counting}1 FROM JSON_TABLE(CONCAT('[',REPEAT('0,',{}),'0]'),'$[*]' \
                 COLUMNS(a INT PATH '$')) AS t LIMIT {limit}",
                rows - 1
            )
        }
    })
}

/// A statement that leaves this number for ROW_COUNT(), and with 0 FOUND_ROWS() as it is. There is none for several rows.
const fn leaves_row_count(rows: i64) -> Option<&'static str> {
    match rows {
        -1 => Some("SELECT 1"),
        0 => Some("SET @`tideover text`=NULL"),
        // Without FROM, or with INTO at its end, it leaves a warning as well.
        1 => Some("SELECT 1 INTO @`tideover text` FROM DUAL LIMIT 1"),
        _ => None,
    }
}

/// Whether a statement leaves the warnings of the one before it: on MariaDB all do that name no table (seen on 10.11 and
/// 11.8, as its manual says).
pub(super) fn names_no_table(statement: &Statement, text: &[u8], dialect: Dialect) -> bool {
    match statement.kind {
        Kind::Select | Kind::With | Kind::Do | Kind::Set | Kind::Multi => {
            !details::mentions(text, dialect, &[b"from", b"table", b"into", b"update"])
        }
        Kind::Begin | Kind::StartTransactionReadOnly | Kind::Commit | Kind::Rollback | Kind::Use => true,
        Kind::Savepoint | Kind::ReleaseSavepoint | Kind::RollbackTo => true,
        Kind::Prepare | Kind::Deallocate | Kind::Call | Kind::Execute | Kind::Empty => true,
        Kind::UnlockTables => true,
        _ => false,
    }
}

impl Session {
    /// Whether the warnings of the last statement outlive this one. Only looked at where there are any.
    pub(super) fn keeps_warnings(&self, statement: &Statement, text: &[u8], dialect: Dialect) -> bool {
        (self.tracker.pins().contains(PinReason::Warnings) || self.has_raised())
            && self.flavor() == Flavor::MariaDb
            && names_no_table(statement, text, dialect)
    }

    /// Before anything of the statement is sent: restores the session's state unless that can go in front of it in the same
    /// write. `Ok(false)`: it could not be restored, and the client was told.
    pub(super) async fn restore_unless_ahead(&mut self, work: &Work) -> Result<bool, Sent> {
        let Some(lease) = &self.lease else { return Err(Sent::Nothing) };
        let state = self.tracker.state();
        if lease.state.fingerprint() == state.fingerprint()
            || match follows(work) {
                Follows::AtOnce => true,
                Follows::Barred => !self.may_wrap(work) && lease.can_restore_barred(state),
                Follows::Afterwards => false,
            }
        {
            return Ok(true);
        }
        Box::pin(self.restore_first()).await
    }

    /// A round trip of its own. `Ok(false)`: the client was told why not.
    async fn restore_first(&mut self) -> Result<bool, Sent> {
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        match lease.restore(self.tracker.state()).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(packet)) => {
                lease.broken = true;
                let _ = self.refuse(&ClientError { cause: "session_restore", packet }).await;
                Ok(false)
            }
            Err(_) => Err(Sent::Nothing),
        }
    }

    /// Queues what is to go in front of the statement.
    pub(super) fn queue_ahead(&mut self, work: &Work) -> Ahead {
        let mut ahead = Ahead::default();
        let id = self.tracker.last_insert_id();
        let several = self.inserts_several(work);
        let fresh = std::mem::take(&mut self.here.fresh);
        let raised = self.raise(&work.statement);
        let counts_indirectly = self.counts_indirectly(work);
        let Some(lease) = &mut self.lease else { return ahead };
        if let Some((gtids, within)) = self.reading.ask.take().filter(|_| lease.reading) {
            ahead.position = true;
            lease.queue_wait(&gtids, within);
        }
        let state = self.tracker.state();
        if lease.state.fingerprint() != state.fingerprint() {
            let barred = follows(work) == Follows::Barred;
            let barred = if barred { lease.queue_restore_barred(state) } else { None };
            ahead.restoring = barred.unwrap_or_else(|| lease.queue_restore(state));
        }
        let statement = &work.statement;
        // LAST_INSERT_ID() is the session's and not the connection's.
        self.here.insert_id |= lease.insert_id == Some(id);
        if !self.here.insert_id && self.tracker.wants_insert_id(statement, several) {
            ahead.insert_id = Some(id);
            lease.insert_id = None;
            lease.queue_query(&format!("SET last_insert_id={id}"));
        }
        // MariaDB keeps warnings until a statement that names a table: another session's, or those of the steps above.
        if fresh && statement.any(Effects::READS_DIAGNOSTICS) {
            ahead.counts += 1;
            lease.queue_query("SELECT 1 FROM (SELECT 1) AS t");
        }
        let counted = !self.here.found_rows
            && self.tracker.wants_found_rows(statement, work.text.of(&self.command), work.dialect)
            && match self.tracker.found_rows().and_then(leaves_found_rows) {
                Some(sql) => {
                    ahead.counts += 1;
                    self.here.found_rows = true;
                    lease.queue_query(&sql);
                    true
                }
                None => false,
            };
        let raised = raised.is_some_and(|sql| {
            ahead.counts += 1;
            lease.queue_query(&sql);
            true
        });
        if raised {
            self.tracker.pin(PinReason::Warnings);
        }
        // A connection that was kept has it from the statement before.
        // A query for FOUND_ROWS() has left -1, and so has an error.
        let counted = (counted || raised) && self.tracker.row_count() == -1;
        let other = fresh || ahead.insert_id.is_some() || self.here.no_row_count;
        if other
            && !counted
            && (statement.any(Effects::READS_ROW_COUNT) || counts_indirectly)
            && let Some(sql) = leaves_row_count(self.tracker.row_count())
        {
            ahead.counts += 1;
            lease.queue_query(sql);
        }
        ahead
    }

    /// Whether what an EXECUTE runs may ask for ROW_COUNT().
    fn counts_indirectly(&self, work: &Work) -> bool {
        let asks = |text: &[u8]| text.windows(9).any(|word| word.eq_ignore_ascii_case(b"row_count"));
        work.statement.any(Effects::SQL_EXECUTE) && {
            let text = work.text.of(&self.command);
            asks(text) || self.tracker.executed(text, work.dialect).is_some_and(|text| asks(&text))
        }
    }

    /// Reads the answers to everything that went in front of a statement. `Ok(false)`: as [`after_ahead`](Self::after_ahead).
    pub(super) async fn after_all(&mut self, work: &Work, ahead: Ahead, prelude: bool) -> Result<bool, Sent> {
        if ahead.position {
            let nothing_else = ahead.is_empty() && !prelude;
            Box::pin(self.after_position(nothing_else.then_some(work.shape))).await?;
        }
        if !self.after_ahead(ahead).await? {
            return Ok(false);
        }
        // Boxed, like what was above: few statements have anything in front of them, and all would make room for it.
        if self.wrap.open {
            Box::pin(self.after_opening()).await?;
        }
        if prelude {
            Box::pin(self.after_prelude()).await?;
        }
        Ok(true)
    }

    /// Reads the answers to it. `Ok(false)`: the state could not be restored, and the client was told.
    async fn after_ahead(&mut self, ahead: Ahead) -> Result<bool, Sent> {
        if ahead.is_empty() {
            return Ok(true);
        }
        Box::pin(self.read_ahead(ahead)).await
    }

    async fn read_ahead(&mut self, ahead: Ahead) -> Result<bool, Sent> {
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        if !ahead.restoring.is_empty() {
            let restored = lease.after_restore(&ahead.restoring, self.tracker.state()).await;
            if let Err(not) = restored.map_err(|_| Sent::Something)? {
                let error = if not.open {
                    error::unknown_outcome("its session could not be restored on a server connection")
                } else {
                    ClientError { cause: "session_restore", packet: not.refused }
                };
                let _ = self.refuse(&error).await;
                return Ok(false);
            }
        }
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        if ahead.insert_id.is_some() {
            match lease.swallow(ResponseShape::Simple).await {
                Ok(Swallow::Done(_)) => (self.here.insert_id, lease.insert_id) = (true, ahead.insert_id),
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
