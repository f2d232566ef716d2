//! What each command of the protocol leads to.

use std::io;
use std::ops::Range;

use tideover_protocol::command::{CommandKind, query_text};
use tideover_protocol::response::ResponseShape;

use crate::relay::Signals;
use crate::session::PinReason;
use crate::sql::{self, Effects, Kind, Statement, Tags};
use crate::topology::Flavor;

use super::error;
use super::session::{End, Session};
use super::staying::unless_lost;
use super::work::{Text, Work};

/// A command without text, with the effects that its text form would have.
pub(super) fn plain(kind: Kind, effects: Effects) -> Statement {
    Statement { kind, effects, tags: Tags::default() }
}

impl Session {
    /// Runs the command in `self.command`.
    pub(super) async fn dispatch(&mut self, kind: CommandKind) -> Result<(), End> {
        match kind {
            CommandKind::Query => self.query().await,
            CommandKind::StmtExecute | CommandKind::StmtBulkExecute | CommandKind::StmtFetch => {
                self.execute(kind).await
            }
            // Boxed, so that the commands that come all the time do not carry the room that these need.
            _ => Box::pin(self.dispatch_rare(kind)).await,
        }
    }

    async fn dispatch_rare(&mut self, kind: CommandKind) -> Result<(), End> {
        match kind {
            CommandKind::Quit => Err(End::Client),
            CommandKind::Ping => {
                self.set_row_count(0);
                self.acknowledge_repeating().await
            }
            CommandKind::InitDb => self.run_plain(kind, plain(Kind::Use, Effects::SETS_SESSION)).await,
            CommandKind::StmtPrepare => self.prepare().await,
            CommandKind::StmtSendLongData => self.long_data().await,
            CommandKind::StmtClose => self.close_statement().await,
            CommandKind::StmtReset => self.reset_statement().await,
            CommandKind::ResetConnection => self.reset_connection().await,
            CommandKind::ChangeUser => Box::pin(self.change_user()).await,
            CommandKind::ProcessKill => self.process_kill().await,
            CommandKind::FieldList => self.run_plain(kind, plain(Kind::Show, Effects::READS_ONLY)).await,
            CommandKind::Statistics | CommandKind::ProcessInfo | CommandKind::Debug => {
                self.run_plain(kind, plain(Kind::Show, Effects::READS_ONLY)).await
            }
            CommandKind::SetOption => self.set_option().await,
            CommandKind::CreateDb | CommandKind::DropDb => {
                self.run_plain(kind, plain(Kind::Ddl, Effects::WRITES | Effects::IMPLICIT_COMMIT)).await
            }
            CommandKind::RegisterReplica => self.register_replica().await,
            CommandKind::BinlogDump | CommandKind::BinlogDumpGtid => self.dump().await,
            CommandKind::Refresh | CommandKind::Shutdown => {
                self.run_plain(kind, plain(Kind::Administration, Effects::WRITES)).await
            }
            _ => self.refuse_as_server(&error::unknown_command()).await,
        }
    }

    pub(super) async fn run_plain(&mut self, kind: CommandKind, statement: Statement) -> Result<(), End> {
        // Commands that are no statements leave the warnings of the statement before them (seen on all three).
        let keeps = matches!(kind, CommandKind::InitDb | CommandKind::FieldList | CommandKind::SetOption);
        if kind != CommandKind::Statistics {
            self.begin_statement(&statement, keeps);
        }
        let tags = Tags::default();
        let dialect = sql::Dialect::default();
        let work =
            Work { kind, statement, text: Text::None, dialect, tags, shape: kind.shape(), prepared: None };
        self.perform(&work).await
    }

    /// COM_QUERY.
    async fn query(&mut self) -> Result<(), End> {
        let Some(work) = self.read_query() else {
            return Box::pin(self.refuse_malformed()).await;
        };
        if let Kind::Kill { connection, id } = work.statement.kind {
            return Box::pin(self.kill_text(&work, id, connection)).await;
        }
        self.perform(&work).await?;
        if work.statement.any(Effects::RELEASE) {
            // COMMIT RELEASE: the server closes its connection, and so do we.
            self.break_lease();
            return Err(End::Client);
        }
        Ok(())
    }

    /// The text of a COM_QUERY. `None`: it cannot be read.
    fn read_query(&mut self) -> Option<Work> {
        let range = query_text(&self.command, self.capabilities).ok()?;
        let dialect = self.lexing();
        let (statement, range) = self.read_text(range, dialect);
        let text = self.command.get(range.clone()).unwrap_or_default();
        let keeps = self.keeps_warnings(&statement, text, dialect);
        self.begin_statement(&statement, keeps);
        Some(Work {
            kind: CommandKind::Query,
            tags: statement.tags.clone(),
            statement,
            text: Text::Command(range),
            dialect,
            shape: ResponseShape::ResultSets { cursor: false },
            prepared: None,
        })
    }

    /// What the text at `range` of the command is, and where it stands, once the id in it is the one that this client knows.
    pub(super) fn read_text(
        &mut self,
        range: Range<usize>,
        dialect: sql::Dialect,
    ) -> (Statement, Range<usize>) {
        let text = self.command.get(range.clone()).unwrap_or_default();
        let statement = self.shared.texts.lock().classify(text, dialect);
        if statement.any(Effects::READS_CONNECTION_ID)
            && let Some(text) = sql::with_connection_id(text, &statement, dialect, self.handle.id)
        {
            self.command.truncate(range.start);
            self.command.extend_from_slice(&text);
            return (sql::classify(&text, dialect), range.start..self.command.len());
        }
        (statement, range)
    }

    /// How the server would read a text of this session.
    pub(super) fn lexing(&mut self) -> sql::Dialect {
        let topology = self.shared.store.peek();
        let key = (self.tracker.state().fingerprint(), topology.epoch);
        if let Some((known, dialect)) = &self.lexing
            && *known == key
        {
            return *dialect;
        }
        let server =
            self.pool.as_ref().and_then(|p| topology.server(p.server())).or_else(|| topology.primary());
        let mariadb = server.is_none_or(|s| s.flavor == Flavor::MariaDb);
        let dialect = self.tracker.state().dialect(mariadb, server.map_or(0, |s| version_number(&s.version)));
        self.lexing = Some((key, dialect));
        dialect
    }

    /// COM_SET_OPTION switches multi statements on a connection, which the pool key says of all its connections alike.
    /// A server would apply it to this one: the session gets a pool of its own dialect from here on.
    async fn set_option(&mut self) -> Result<(), End> {
        use tideover_protocol::capability::Capabilities;
        // MariaDB takes what is missing for zeros.
        let on = match self.command.get(1..).unwrap_or_default() {
            [0, 0, ..] => true,
            [1, 0, ..] => false,
            [_, _, ..] => return self.refuse_as_server(&error::unknown_command()).await,
            _ if self.flavor() == Flavor::MySql => return self.refuse_malformed().await,
            short => !short.contains(&1),
        };
        if self.lease.is_some() {
            // In a transaction or pinned the connection cannot be exchanged: it is told itself, and not reused.
            let result =
                self.run_plain(CommandKind::SetOption, plain(Kind::Set, Effects::SETS_SESSION)).await;
            if let Some(lease) = &mut self.lease {
                lease.dirty = true;
                lease.other_option = on != lease.capabilities.contains(Capabilities::MULTI_STATEMENTS);
            }
            self.take_several(on);
            return result;
        }
        self.take_several(on);
        // An end of rows is what the answer is.
        self.set_row_count(-1);
        self.say_end_of_option();
        self.flush().await
    }

    /// The connections that it is given from here on take several statements in a text, or do not.
    fn take_several(&mut self, on: bool) {
        use tideover_protocol::capability::{Capabilities, Dialect};
        self.capabilities.set(Capabilities::MULTI_STATEMENTS, on);
        self.dialect = Dialect::new(self.capabilities, self.dialect.collation);
        (self.pool, self.reading_pool) = (None, None);
        // By which the family of the server is known.
        let _ = self.pool_of_primary();
    }

    /// Servers answer COM_SET_OPTION with EOF, or OK with DEPRECATE_EOF.
    fn say_end_of_option(&mut self) {
        use tideover_protocol::capability::Capabilities;
        if self.capabilities.contains(Capabilities::DEPRECATE_EOF) {
            self.say_ok_for((0, self.repeated_conditions()), self.answer_at.unwrap_or(1));
            return;
        }
        let [s0, s1] = self.status.bits().to_le_bytes();
        let [w0, w1] = self.repeated_conditions().to_le_bytes();
        self.client.queue_packet(&[0xfe, w0, w1, s0, s1], 1);
    }

    /// We answer in the server's place, where that would have set ROW_COUNT().
    pub(super) fn set_row_count(&mut self, rows: i64) {
        self.tracker.set_row_count(rows);
        self.here.no_row_count = true;
        self.handle.set_pins(self.tracker.pins());
    }

    /// COM_RESET_CONNECTION: the session is as after login, but for its schema, its role and MySQL's character sets.
    async fn reset_connection(&mut self) -> Result<(), End> {
        let role = self.tracker.state().role().map(str::to_owned);
        let patience = self.own_patience();
        if self.tracker.pins().contains(PinReason::FoundRows)
            && let Some(lease) = &mut self.lease
        {
            match unless_lost(&patience, lease.query_row("SELECT FOUND_ROWS() LIMIT 1", 1)).await {
                Ok(row) => {
                    let rows = row.first().and_then(|rows| str::from_utf8(rows).ok()?.parse().ok());
                    rows.into_iter().for_each(|rows| self.tracker.learn_found_rows(rows));
                }
                // The answer may still come, and nobody else must read it.
                Err(_) => lease.broken = true,
            }
        }
        self.forget_everything();
        if self.dialect.collation != self.asked_collation {
            self.dialect.collation = self.asked_collation;
            (self.pool, self.reading_pool) = (None, None);
        }
        let schema = self.tracker.state().schema().map(<[u8]>::to_vec);
        self.start_over(schema.as_deref());
        // The servers keep the role (seen on all three).
        if let Some(role) = role {
            self.tracker.set_role(&role);
        }
        self.acknowledge().await
    }

    /// The session is as after COM_RESET_CONNECTION, in this schema.
    pub(super) fn start_over(&mut self, schema: Option<&[u8]>) {
        match self.pool_of_primary().and_then(|p| p.base_after_reset()) {
            Some(base) => self.start_from(&base, schema),
            // Without a primary the base is not to be had: what the last one had is as good.
            None => self.start_from(&crate::session::SessionState::new(), schema),
        }
    }

    /// Everything that the session holds on a server or remembers of one.
    pub(super) fn forget_everything(&mut self) {
        self.end_unit();
        self.leave_home();
        let state = self.tracker.state().clone();
        self.tracker.reset(state);
        self.prepared.reset();
        self.refused = None;
        self.lost = None;
        self.lost_pins.clear();
        self.wrap = super::wrap::Wrap::default();
        self.untold = super::raised::Untold::default();
        self.reports = None;
        self.status = tideover_protocol::status::StatusFlags::AUTOCOMMIT;
        self.handle.set_pins(crate::session::Pins::NONE);
    }

    /// Relays the client's file to the server, up to and including the empty packet; gives the next sequence number.
    pub(super) async fn relay_file(&mut self) -> Result<u8, End> {
        use tideover_protocol::frame::{FrameHeader, HEADER_LEN};
        let mut sequence = self.answer_at.unwrap_or_default();
        self.flush().await?;
        loop {
            let Some(header) = FrameHeader::parse(self.client.input()) else {
                self.more_of_file().await?;
                continue;
            };
            let whole = HEADER_LEN + header.payload_len;
            while self.client.input().len() < whole {
                self.more_of_file().await?;
            }
            if self.client.stream().is_compressed()
                && let Some(number) = self.client.input_mut().get_mut(HEADER_LEN - 1)
            {
                *number = sequence;
            }
            sequence = sequence.wrapping_add(1);
            let patience = self.own_patience();
            let Self { lease, client, .. } = self;
            let Some(lease) = lease else { return Err(End::Client) };
            if !lease.broken {
                lease.io.queue(client.input().get(..whole).unwrap_or_default());
                // The server is gone amid the file: the answer's relay finds that out. The client sends on to the end.
                lease.broken = unless_lost(&patience, lease.io.flush()).await.is_err();
            }
            client.consume(whole);
            if header.payload_len == 0 {
                let compressed = self.client.stream().is_compressed();
                return Ok(if compressed { sequence } else { header.sequence.wrapping_add(1) });
            }
        }
    }

    async fn more_of_file(&mut self) -> Result<(), End> {
        let filled = tokio::select! {
            filled = self.client.fill() => filled,
            _ = self.handle.signal.wait(Signals::KILL | Signals::ABORT) => Err(io::ErrorKind::Interrupted.into()),
        };
        if !matches!(filled, Ok(count) if count > 0) {
            // Half a file must not be loaded: the connection is cut, the server rolls the statement back.
            self.break_lease();
            return Err(End::Client);
        }
        Ok(())
    }
}

/// `10.11.18-MariaDB-…` as executable comments spell it: 101118. `9.7.4` is 90704.
fn version_number(version: &str) -> u32 {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|p| p.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    next() * 10_000 + next() * 100 + next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_comments_spell_them() {
        assert_eq!(version_number("10.11.18-MariaDB-deb12u1"), 101_118);
        assert_eq!(version_number("9.7.4"), 90_704);
        assert_eq!(version_number(""), 0);
    }
}
