//! Binary prepared statements. Their ids are the client's; each server connection has its own, made when first needed
//! there. What an execution leaves out because the server knows it (parameter types, long data) is put in again.

use std::sync::Arc;

use bytes::BytesMut;
use tideover_protocol::command::{
    CommandKind, ExecuteView, rewrite_bulk, rewrite_execute, rewrite_statement_id, statement_id,
};
use tideover_protocol::frame::write_frames;
use tideover_protocol::packet::ErrPacket;
use tideover_protocol::response::ResponseShape;
use tideover_protocol::status::StatusFlags;

use crate::backend::{Lease, Swallow};
use crate::replay::Sent;
use crate::session::{LongDataError, ParameterType, PinReason, Prepared, SessionState, StatementKey};
use crate::sql::{self, Effects, Kind, Tags};
use crate::topology::Flavor;

use super::answer::Completion;
use super::command::plain;
use super::error::{self, ClientError};
use super::session::{End, Session};
use super::work::{Text, Work};

/// MariaDB's "the statement prepared last".
const LAST_PREPARED: u32 = u32::MAX;
/// What MySQL names in errors about the ids and arguments of prepared statements.
const MYSQL_CHECKS: &str = "mysql_stmt_precheck";
/// COM_STMT_PREPARE, COM_STMT_SEND_LONG_DATA, COM_STMT_CLOSE.
const PREPARE: u8 = 0x16;
const SEND_LONG_DATA: u8 = 0x18;
const CLOSE: u8 = 0x19;
/// Bytes of a long parameter in one command.
const PIECE: usize = 1 << 20;
/// Bytes that a server connection keeps for putting an execution together.
const SCRATCH: usize = 4096;

impl Session {
    /// COM_STMT_PREPARE. It runs nothing: what the text would do matters with the execution.
    pub(super) async fn prepare(&mut self) -> Result<(), End> {
        let dialect = self.lexing();
        let (statement, _) = self.read_text(1..self.command.len(), dialect);
        self.outlive_preparation(&statement, dialect);
        let work = Work {
            kind: CommandKind::StmtPrepare,
            // Several statements are refused, and the refusal quotes the text.
            tags: if statement.kind == Kind::Multi { Tags::default() } else { statement.tags },
            statement: plain(Kind::Other, Effects::empty()),
            text: Text::None,
            dialect,
            shape: ResponseShape::Prepare,
            prepared: Some(self.prepared.next_id()),
        };
        self.perform(&work).await
    }

    /// COM_STMT_EXECUTE, COM_STMT_BULK_EXECUTE, COM_STMT_FETCH.
    pub(super) async fn execute(&mut self, kind: CommandKind) -> Result<(), End> {
        let mysql = self.flavor() == Flavor::MySql;
        let what = match kind {
            _ if mysql => MYSQL_CHECKS,
            CommandKind::StmtFetch => "mysqld_stmt_fetch",
            CommandKind::StmtBulkExecute => "mysqld_stmt_bulk_execute",
            _ => "mysqld_stmt_execute",
        };
        let Ok(mut id) = statement_id(&self.command) else {
            return self.refuse_without_id(what).await;
        };
        // Statement and number of rows.
        if mysql && kind == CommandKind::StmtFetch && self.command.len() < 9 {
            return self.refuse_malformed().await;
        }
        if id == LAST_PREPARED && self.flavor() == Flavor::MariaDb {
            id = self.last_prepared;
        }
        let Some(mut prepared) = self.prepared.get(id).map(|s| s.prepared().clone()) else {
            return self.refuse_as_server(&error::unknown_statement(id, what)).await;
        };
        if mysql
            && kind == CommandKind::StmtExecute
            && prepared.params > 0
            && let Ok(view) = ExecuteView::parse(&self.command, prepared.params, self.capabilities)
            && view.new_params_bound
            && let Some(typed) = self.prepared.begin(id, &view.types)
        {
            prepared = typed.clone();
        }
        let fetch = kind == CommandKind::StmtFetch;
        if let Some(why) = self.cannot_execute(id, fetch, mysql) {
            return self.refuse_as_server(&why).await;
        }
        let statement =
            if fetch { plain(Kind::Other, Effects::READS_ONLY) } else { prepared.statement.clone() };
        if !fetch {
            let dialect = self.lexing();
            let keeps = self.keeps_warnings(&statement, prepared.key.text(), dialect);
            self.begin_statement(&statement, keeps);
        }
        let work = Work {
            kind,
            statement,
            text: if fetch { Text::None } else { Text::Prepared(prepared) },
            dialect: self.lexing(),
            tags: Tags::default(),
            shape: CommandKind::shape_of(&self.command),
            prepared: Some(id),
        };
        let done = match work.statement.kind {
            Kind::Kill { connection, id } => Box::pin(self.kill_text(&work, id, connection)).await,
            _ => self.perform(&work).await,
        };
        if !fetch {
            self.prepared.drop_long_data(id);
        }
        done
    }

    /// Why a statement that there is cannot be executed, or fetched from.
    fn cannot_execute(&mut self, id: u32, fetch: bool, mysql: bool) -> Option<ClientError> {
        // Data for no parameter of it spoils a statement until a COM_STMT_RESET (seen on all three).
        let stays = |limit: Option<usize>| limit.is_none();
        if let Some((refused, limit)) = self.refused.filter(|(refused, _)| *refused == id) {
            self.refused = self.refused.filter(|_| stays(limit));
            return Some(match limit {
                Some(limit) => error::long_data(refused, limit),
                None if mysql => error::wrong_arguments(MYSQL_CHECKS),
                None => error::wrong_arguments("mysqld_stmt_send_long_data"),
            });
        }
        let open = self.prepared.get(id).is_some_and(|s| s.cursor_open());
        (fetch && !open).then(|| error::no_cursor(id, !mysql))
    }

    /// Sends an execution or fetch on the leased connection, preparing the statement there first if need be.
    /// `Ok(false)`: it could not be prepared, and the client was told why.
    pub(super) async fn send_prepared(&mut self, work: &Work) -> Result<bool, Sent> {
        let id = work.prepared.unwrap_or_default();
        let prepared = match &work.text {
            Text::Prepared(prepared) => Some(prepared.clone()),
            _ => self.prepared.get(id).map(|s| s.prepared().clone()),
        };
        let Some(prepared) = prepared else { return Ok(false) };
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        if let Some(untyped) = &prepared.untyped {
            lease.prepared.rename(untyped, &prepared.key);
        }
        let server_id = match lease.prepared.get(&prepared.key) {
            Some(id) => id,
            None => match Box::pin(self.prepare_here(&prepared)).await? {
                Some(id) => id,
                None => return Ok(false),
            },
        };
        if !self.restore_unless_ahead(work).await? {
            return Ok(false);
        }
        let prelude = self.prelude(work);
        let journaled = self.is_journaled(work);
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        let mut command = std::mem::take(&mut lease.scratch);
        command.clear();
        if self.execution(work, &prepared, server_id, &mut command).is_err() {
            let refused = error::wrong_arguments("mysqld_stmt_execute");
            let _ = self.refuse_as_server(&refused).await;
            return Ok(false);
        }
        self.has_left = Sent::Something;
        let mut ahead = self.queue_ahead(work);
        let has_cursor = self.prepared.get(id).is_some_and(|statement| statement.cursor_open());
        if has_cursor && work.kind == CommandKind::StmtExecute && self.flavor() == Flavor::MySql {
            // Executed again without one, MySQL 9.7 breaks the protocol unless it is closed before.
            ahead.close_cursor(self.lease.as_mut(), server_id);
        }
        self.queue_opening(work);
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        queue_closes(lease);
        if let Some(set) = &prelude {
            lease.queue_query(set);
        }
        if work.kind != CommandKind::StmtFetch
            && let Some(statement) = self.prepared.get(id)
        {
            queue_long_data(lease, server_id, statement.long_data());
        }
        lease.io.queue_packet(&command, 0);
        if journaled {
            self.outgoing = command.to_vec();
        }
        if command.capacity() <= SCRATCH {
            lease.scratch = command;
        }
        lease.io.flush().await.map_err(|_| Sent::Something)?;
        self.after_all(work, ahead, prelude.is_some()).await
    }

    /// Prepares a statement on the leased connection, and gives its id there. `Ok(None)`: it could not be prepared, and the
    /// client was told why.
    async fn prepare_here(&mut self, prepared: &Arc<Prepared>) -> Result<Option<u32>, Sent> {
        let assigns = prepared.statement.any(Effects::SETS_USER_VARIABLE);
        if assigns && !self.read_before_prepared(&prepared.statement).await {
            return Err(Sent::Nothing);
        }
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        match prepare_on(lease, prepared, self.tracker.state()).await? {
            Ok(id) => Ok(Some(id)),
            // The primary has the last word.
            Err(_) if lease.reading => {
                self.reading.refused = !lease.broken;
                Err(Sent::Nothing)
            }
            Err(packet) => {
                let cause = if lease.broken { "session_restore" } else { "prepare" };
                let _ = self.refuse(&ClientError { cause, packet }).await;
                Ok(None)
            }
        }
    }

    /// Appends the command as the server connection needs it.
    fn execution(
        &mut self,
        work: &Work,
        prepared: &Prepared,
        server_id: u32,
        out: &mut BytesMut,
    ) -> Result<(), ()> {
        let id = work.prepared.unwrap_or_default();
        match work.kind {
            CommandKind::StmtFetch => {
                out.extend_from_slice(&self.command);
                rewrite_statement_id(out, server_id).map_err(drop)?;
            }
            CommandKind::StmtBulkExecute => {
                let types: Vec<ParameterType> =
                    self.prepared.get(id).and_then(|s| s.types()).unwrap_or_default().to_vec();
                rewrite_bulk(&self.command, server_id, &types, out).map_err(drop)?;
                self.bind_bulk(id, prepared.params);
            }
            _ => {
                let view =
                    ExecuteView::parse(&self.command, prepared.params, self.capabilities).map_err(drop)?;
                if view.new_params_bound {
                    self.prepared.bind(id, &view.types);
                }
                let types = self.prepared.get(id).and_then(|s| s.types()).unwrap_or_default();
                rewrite_execute(&self.command, &view, server_id, types, out).map_err(drop)?;
            }
        }
        Ok(())
    }

    /// Types in a bulk execution (flag 0x80) hold for later ones.
    fn bind_bulk(&mut self, id: u32, params: u16) {
        let Some(&[f0, f1]) = self.command.get(5..7) else { return };
        if u16::from_le_bytes([f0, f1]) & 0x80 == 0 {
            return;
        }
        let bytes = self.command.get(7..7 + 2 * usize::from(params)).unwrap_or_default();
        let types: Vec<ParameterType> =
            bytes.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect();
        self.prepared.bind(id, &types);
    }

    /// In place of the error that there is no such statement: why it could not be prepared on this server connection. The
    /// server that has it would say the same, and now.
    pub(super) fn refused_when_prepared(&self, work: &Work, error: &[u8]) -> Option<Vec<u8>> {
        const UNKNOWN_STATEMENT: u16 = 1243;
        let unprepared = &self.lease.as_ref()?.unprepared;
        if unprepared.is_empty()
            || work.statement.kind != Kind::Execute
            || self.error_in(error).code != UNKNOWN_STATEMENT
        {
            return None;
        }
        let name = sql::details::prepared_name(work.text.of(&self.command), work.dialect)?;
        let (_, packet) = unprepared.iter().find(|(unprepared, _)| *unprepared == name)?;
        let (mut payload, mut frame) = (BytesMut::new(), BytesMut::new());
        packet.encode(self.capabilities, &mut payload);
        write_frames(&mut frame, &payload, 1);
        Some(frame.to_vec())
    }

    /// Notes what an answer says of prepared statements and cursors.
    pub(super) fn note_prepared(&mut self, work: &Work, done: &Completion) {
        let Some(id) = work.prepared else { return };
        if let Some((server_id, params, columns)) = done.prepared {
            let text: Arc<[u8]> = self.command.get(1..).unwrap_or_default().into();
            let state = self.tracker.state();
            let key = StatementKey::new(text, state.schema().map(Into::into), state.prepare_environment());
            let key = Arc::new(key);
            let statement = self.shared.texts.lock().classify(key.text(), work.dialect);
            if let Some(lease) = &mut self.lease {
                lease.prepared.insert(key.clone(), server_id);
            }
            let settings = state.preparation();
            self.tracker.prepared(&statement, key.text(), work.dialect);
            let prepared = Prepared { key, statement, settings, untyped: None, params, columns };
            let id = self.prepared.insert(Arc::new(prepared));
            self.last_prepared = id;
            return;
        }
        let may_open =
            matches!(work.shape, ResponseShape::ResultSets { cursor: true } | ResponseShape::Fetch);
        // Executing a statement closes its cursor.
        if work.kind == CommandKind::StmtExecute && self.prepared.get(id).is_some_and(|s| s.cursor_open()) {
            self.close_cursor(id);
        }
        if may_open && done.status.contains(StatusFlags::CURSOR_EXISTS) {
            self.prepared.set_cursor(id, true);
            self.tracker.pin(PinReason::OpenCursor);
            self.handle.set_pins(self.tracker.pins());
        }
        if done.status.contains(StatusFlags::LAST_ROW_SENT) {
            self.close_cursor(id);
        }
    }

    fn close_cursor(&mut self, id: u32) {
        self.prepared.set_cursor(id, false);
        if self.prepared.open_cursors() == 0 {
            self.tracker.unpin(PinReason::OpenCursor);
            self.handle.set_pins(self.tracker.pins());
        }
    }

    /// COM_STMT_SEND_LONG_DATA: id, parameter number, data. It has no answer; errors come with the execution.
    pub(super) async fn long_data(&mut self) -> Result<(), End> {
        let (Ok(id), Some(&[p, q])) = (statement_id(&self.command), self.command.get(5..7)) else {
            return Ok(());
        };
        let data = self.command.get(7..).unwrap_or_default();
        match self.prepared.append_long_data(id, u16::from_le_bytes([p, q]), data) {
            Err(LongDataError::OverLimit { limit }) => self.refused = Some((id, Some(limit))),
            Err(LongDataError::UnknownParameter { .. }) => self.refused = Some((id, None)),
            Ok(()) | Err(LongDataError::UnknownStatement(_)) => {}
        }
        Ok(())
    }

    /// COM_STMT_CLOSE has no answer. Server connections keep the statement for others until it is the oldest there.
    pub(super) async fn close_statement(&mut self) -> Result<(), End> {
        let Ok(id) = statement_id(&self.command) else { return Ok(()) };
        if let Some(statement) = self.prepared.get(id)
            && statement.cursor_open()
        {
            let key = statement.prepared().key.clone();
            if let Some(lease) = &mut self.lease {
                lease.prepared.remove(&key);
            }
            self.close_cursor(id);
        }
        self.prepared.close(id);
        self.end_unit_if_over();
        Ok(())
    }

    /// A command too short for its id. Of fetches and resets MariaDB takes what is missing for zeros.
    async fn refuse_without_id(&mut self, what: &str) -> Result<(), End> {
        let zeros = matches!(CommandKind::of(&self.command), CommandKind::StmtFetch | CommandKind::StmtReset);
        if zeros && self.flavor() == Flavor::MariaDb {
            return self.refuse_as_server(&error::unknown_statement(0, what)).await;
        }
        self.refuse_malformed().await
    }

    /// COM_STMT_RESET: drops long data and closes the cursor.
    pub(super) async fn reset_statement(&mut self) -> Result<(), End> {
        let Ok(id) = statement_id(&self.command) else {
            return self.refuse_without_id("mysqld_stmt_reset").await;
        };
        let Some(statement) = self.prepared.get(id) else {
            let mysql = self.flavor() == Flavor::MySql;
            let what = if mysql { MYSQL_CHECKS } else { "mysqld_stmt_reset" };
            return self.refuse_as_server(&error::unknown_statement(id, what)).await;
        };
        if statement.cursor_open() {
            let key = statement.prepared().key.clone();
            // Closing the statement closes its cursor; it is prepared again when next executed.
            if let Some(lease) = &mut self.lease {
                lease.prepared.remove(&key);
            }
            self.close_cursor(id);
        }
        self.prepared.clear(id);
        self.refused.take_if(|(refused, _)| *refused == id);
        self.set_row_count(0);
        self.clear_conditions();
        self.acknowledge().await?;
        self.end_unit_if_over();
        Ok(())
    }
}

/// Queues the end of statements that have become too many.
fn queue_closes(lease: &mut Lease) {
    for closed in lease.prepared.take_to_close() {
        let [a, b, c, d] = closed.to_le_bytes();
        lease.io.queue_packet(&[CLOSE, a, b, c, d], 0);
    }
}

/// Queues the parameters of an execution that were sent ahead of it. In pieces, as clients send them: what is too long
/// altogether the server refuses with the execution, but a packet that is too long ends its connection.
pub(super) fn queue_long_data<'a>(
    lease: &mut Lease,
    server_id: u32,
    long_data: impl Iterator<Item = (u16, &'a [u8])>,
) {
    let [a, b, c, d] = server_id.to_le_bytes();
    let longest = (lease.largest / 2).clamp(1, PIECE);
    for (param, data) in long_data {
        let [p, q] = param.to_le_bytes();
        let head = [SEND_LONG_DATA, a, b, c, d, p, q];
        let empty = data.is_empty().then_some(data);
        for piece in data.chunks(longest).chain(empty) {
            lease.io.queue_parts(&[&head, piece], 0);
        }
    }
}

/// The id of a statement on a server connection, where it is prepared if need be; `state` is the session's. The inner
/// error is the server's: it would not prepare it.
pub(super) async fn prepare_on(
    lease: &mut Lease,
    prepared: &Arc<Prepared>,
    state: &SessionState,
) -> Result<Result<u32, ErrPacket>, Sent> {
    if let Some(untyped) = &prepared.untyped {
        lease.prepared.rename(untyped, &prepared.key);
    }
    if let Some(id) = lease.prepared.get(&prepared.key) {
        return Ok(Ok(id));
    }
    // What its names and words mean was settled when the client prepared it: in the schema and with the modes of that time.
    let there = state.prepared_with(prepared.key.schema(), &prepared.settings);
    let elsewhere = there.fingerprint() != state.fingerprint();
    // Prepared in the wrong state it goes with its connection.
    let restoring = lease.queue_restore(&there);
    let mut command = vec![PREPARE];
    prepared.statement.tags.write(prepared.key.text(), lease.commits.tag(), &mut command);
    lease.io.queue_packet(&command, 0);
    lease.io.flush().await.map_err(|_| Sent::Nothing)?;
    match lease.after_restore(&restoring, &there).await.map_err(|_| Sent::Nothing)? {
        Ok(()) => {}
        // The schema of that time is gone, and not the session's.
        Err(_) if elsewhere => return Err(Sent::Nothing),
        Err(not) => return Ok(Err(not.refused)),
    }
    let answer = lease.swallow(ResponseShape::Prepare).await.map_err(|_| Sent::Nothing)?;
    let assigns = prepared.statement.any(Effects::SETS_USER_VARIABLE);
    if assigns {
        // Those that it assigns may be of another collation now; see the tracker.
        lease.state.doubt_user_variables();
    }
    if (elsewhere || assigns) && !matches!(lease.restore(state).await, Ok(Ok(()))) {
        lease.broken = true;
        return Err(Sent::Nothing);
    }
    match answer {
        Swallow::Done(payload) => {
            let Some(&[a, b, c, d]) = payload.get(1..5) else { return Err(Sent::Nothing) };
            let id = u32::from_le_bytes([a, b, c, d]);
            lease.prepared.insert(prepared.key.clone(), id);
            Ok(Ok(id))
        }
        Swallow::Error(packet) => Ok(Err(packet)),
    }
}
