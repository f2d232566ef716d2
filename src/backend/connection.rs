//! One logged-in server connection and what we know of the session behind it.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::CommandKind;
use tideover_protocol::packet::{ErrPacket, OkPacket, SessionTrack};
use tideover_protocol::response::ResponseShape;
use tideover_protocol::status::StatusFlags;
use tideover_protocol::wire::{DecodeError, Reader};
use tokio::time::Instant;

use crate::net::PacketIo;
use crate::session::{Change, ServerStatements, SessionState, tracker_setup};
use crate::topology::{Flavor, ServerId};

use super::answers::Swallow;
use super::asking::Asking;
use super::base::Start;
use super::commits::Commits;
use super::marks::Marks;

/// Prepared statements kept open on one server connection.
/// (100 connections of the default pool stay below the servers' `max_prepared_stmt_count` of 16382).
const STATEMENTS: usize = 128;
/// What a login chooses, and a reset on MySQL takes from the global ones.
const CHARACTER_SETS: [&str; 3] = ["character_set_client", "character_set_results", "collation_connection"];
/// COM_SET_OPTION.
const MULTI_STATEMENTS_ON: [u8; 3] = [0x1b, 0, 0];
const MULTI_STATEMENTS_OFF: [u8; 3] = [0x1b, 1, 0];

/// A server connection. Who holds it may speak on it.
#[derive(Debug)]
pub struct ServerConnection {
    /// The conversation.
    pub io: PacketIo,
    /// Which server.
    pub server: ServerId,
    /// Its family.
    pub flavor: Flavor,
    /// The connection's id on the server, for KILL.
    pub thread: u32,
    /// What was negotiated.
    pub capabilities: Capabilities,
    /// What the server's session amounts to now.
    pub state: SessionState,
    /// What it amounted to after login.
    pub base: Arc<SessionState>,
    /// What it would amount to after COM_RESET_CONNECTION alone.
    pub(super) after_reset: Arc<SessionState>,
    /// Statements prepared on it.
    pub prepared: ServerStatements,
    /// How it asks whether the server has a position.
    pub(super) asking: Asking,
    /// What the commits of this connection are known by.
    pub commits: Commits,
    /// Memory to put a command together in, kept from one to the next. Says nothing.
    pub scratch: BytesMut,
    /// Status flags of the last answer.
    pub status: StatusFlags,
    /// SQL-level statements that the server would not prepare when the session was last restored, and why.
    pub unprepared: Vec<(String, ErrPacket)>,
    /// Must not be used again.
    pub broken: bool,
    /// Holds state that only a reset removes.
    pub dirty: bool,
    /// It was told by COM_SET_OPTION to take several statements in a text, or no more, and that is other than at its login.
    pub other_option: bool,
    /// A statement's time was set on it (`SET timestamp`), and the clock does not run since.
    pub clock_set: bool,
    /// What LAST_INSERT_ID() gives on it, if that is known.
    pub insert_id: Option<u64>,
    /// When it was opened.
    pub opened: Instant,
    /// When it was last given back.
    pub idle_since: Instant,
    /// The longest command that the server takes, bytes: its `max_allowed_packet`.
    pub largest: usize,
    /// Its session is read-only, for reads on replicas.
    pub reading: bool,
    /// The pool's generation at the time it was opened; an older one is closed instead of reused.
    pub generation: u64,
}

/// The server let us in and refuses what we ask first: so it does with an expired password (MariaDB, error 1820).
#[derive(Debug, thiserror::Error)]
#[error("error {} to a statement of ours: {}", .0.code, String::from_utf8_lossy(&.0.message))]
pub(super) struct SetUpRefused(ErrPacket);

impl SetUpRefused {
    /// The server's error in `error`, if it is of this kind.
    pub(super) fn of(error: &io::Error) -> Option<&ErrPacket> {
        error.get_ref()?.downcast_ref::<Self>().map(|refused| &refused.0)
    }
}

/// What a connection starts from.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) io: PacketIo,
    pub(super) server: ServerId,
    pub(super) flavor: Flavor,
    pub(super) thread: u32,
    pub(super) capabilities: Capabilities,
    pub(super) tag: Arc<[u8]>,
    pub(super) marks: Arc<Marks>,
    pub(super) generation: u64,
    pub(super) reading: bool,
    /// What is known already of what sessions start from.
    pub(super) start: Option<Start>,
}

impl ServerConnection {
    /// Takes over a fresh login and sets the session up: trackers on, base state read.
    pub(super) async fn set_up(opened: Opened) -> io::Result<Self> {
        let now = Instant::now();
        let mut connection = Self {
            io: opened.io,
            server: opened.server,
            flavor: opened.flavor,
            thread: opened.thread,
            capabilities: opened.capabilities,
            state: SessionState::default(),
            base: Arc::default(),
            after_reset: Arc::default(),
            prepared: ServerStatements::new(STATEMENTS),
            asking: Asking::Never,
            commits: Commits::new(opened.tag, opened.marks),
            scratch: BytesMut::new(),
            status: StatusFlags::empty(),
            unprepared: Vec::new(),
            broken: false,
            dirty: false,
            other_option: false,
            clock_set: false,
            insert_id: Some(0),
            opened: now,
            idle_since: now,
            generation: opened.generation,
            largest: 0,
            reading: opened.reading,
        };
        connection.track().await?;
        let start = match opened.start {
            Some(start) => start,
            None => connection.read_start().await?,
        };
        (connection.base, connection.after_reset, connection.largest) =
            (start.state, start.reset, start.largest);
        connection.state = (*connection.base).clone();
        connection.say_commit_mode().await?;
        Ok(connection)
    }

    /// Under a global `autocommit=0` the flags of MySQL's answers say AUTOCOMMIT all the same, until a session says
    /// otherwise (seen on 9.7.4). What a transaction is goes by these flags.
    async fn say_commit_mode(&mut self) -> io::Result<()> {
        if self.flavor == Flavor::MySql && self.base.variable("autocommit") == Some(b"OFF") {
            self.set_own("SET autocommit=1, autocommit=0").await?;
        }
        Ok(())
    }

    /// Switches session tracking on.
    async fn track(&mut self) -> io::Result<()> {
        self.set_own(tracker_setup(self.flavor == Flavor::MariaDb)).await?;
        if self.reading {
            self.set_own("SET SESSION TRANSACTION READ ONLY").await?;
        }
        Ok(())
    }

    /// A setting of ours, which is no part of the client's session.
    async fn set_own(&mut self, sql: &str) -> io::Result<()> {
        match self.query(sql).await? {
            Swallow::Done(_) => Ok(()),
            Swallow::Error(error) => Err(io::Error::other(SetUpRefused(error))),
        }
    }

    /// The session's character set variables after login: what a SET NAMES of one client is undone with for the next; its
    /// isolation level, which says what a transaction locks; whether it commits by itself. And the longest command.
    async fn read_start(&mut self) -> io::Result<Start> {
        // MariaDB has the other name for the level only since 11.1, MySQL this one no more since 8.0.
        let isolation = if self.flavor == Flavor::MariaDb { "tx_isolation" } else { "transaction_isolation" };
        let [client, results, collation] = CHARACTER_SETS;
        let names = [client, results, collation, "sql_mode", isolation];
        let variables = names.map(|n| format!("@@session.{n}")).join(",");
        let globals = CHARACTER_SETS.map(|n| format!("@@global.{n}")).join(",");
        let sql = format!(
            "SELECT {variables},CURRENT_ROLE(),IF(@@session.autocommit,'ON','OFF'),@@max_allowed_packet,{globals}"
        );
        let mut values = self.query_row(&sql, names.len() + 3 + CHARACTER_SETS.len()).await?;
        let globals = values.split_off(values.len().saturating_sub(CHARACTER_SETS.len()));
        let largest = values.pop().and_then(|bytes| str::from_utf8(&bytes).ok()?.parse().ok());
        let mut base = SessionState::new();
        // As the trackers report it.
        base.set_variable(b"autocommit", &values.pop().unwrap_or_default());
        for (name, value) in names.iter().zip(&values) {
            base.set_variable(name.as_bytes(), value);
        }
        base.note_results(true);
        let role = values.last().and_then(|role| str::from_utf8(role).ok()).unwrap_or_default();
        base.set_role(&match role {
            "" | "NONE" => "NONE".to_owned(),
            // MySQL writes its list as SET ROLE takes it.
            list if list.starts_with('`') => list.to_owned(),
            name => format!("`{}`", name.replace('`', "``")),
        });
        let state = Arc::new(base);
        let mut reset = state.clone();
        if self.flavor == Flavor::MySql {
            let reset = Arc::make_mut(&mut reset);
            for (name, value) in CHARACTER_SETS.iter().zip(&globals) {
                reset.set_variable(name.as_bytes(), value);
            }
            reset.note_results(true);
        }
        Ok(Start { state, reset, largest: largest.unwrap_or(usize::MAX) })
    }

    /// What the server said against a query, if `error` is no socket's.
    #[must_use]
    pub fn refusal(error: &io::Error) -> Option<&ErrPacket> {
        SetUpRefused::of(error)
    }

    /// One row of our own text query: for answers that are known to be one row of `columns` values. NULL is empty. No values if
    /// there is none.
    ///
    /// # Errors
    /// The socket's; also if the server refuses.
    pub async fn query_row(&mut self, sql: &str, columns: usize) -> io::Result<Vec<Vec<u8>>> {
        let payload = self.text_command(sql);
        self.io.send_packet(&payload, 0).await?;
        self.read_row(columns).await
    }

    /// The answer to such a query that was queued and sent.
    ///
    /// # Errors
    /// As [`query_row`](Self::query_row).
    pub async fn read_row(&mut self, columns: usize) -> io::Result<Vec<Vec<u8>>> {
        const SMALL: usize = 1 << 20;
        let invalid = |e: DecodeError| io::Error::new(io::ErrorKind::InvalidData, e.to_string());
        let (head, mut sequence) = self.io.read_packet(1, SMALL).await?;
        if head.first() == Some(&0xff) {
            let error = ErrPacket::decode(&head, self.capabilities).map_err(invalid)?;
            return Err(io::Error::other(SetUpRefused(error)));
        }
        let definitions = !self.capabilities.contains(Capabilities::DEPRECATE_EOF);
        for _ in 0..columns + usize::from(definitions) {
            (_, sequence) = self.io.read_packet(sequence, SMALL).await?;
        }
        let (row, next) = self.io.read_packet(sequence, SMALL).await?;
        if row.first() == Some(&0xfe) {
            // No row: the session has `sql_select_limit=0`.
            return Ok(Vec::new());
        }
        if row.first() == Some(&0xff) {
            let error = ErrPacket::decode(&row, self.capabilities).map_err(invalid)?;
            return Err(io::Error::other(SetUpRefused(error)));
        }
        self.io.read_packet(next, SMALL).await?;
        let mut reader = Reader::new(&row);
        (0..columns)
            .map(|_| match reader.rest().first() {
                Some(0xfb) => reader.u8().map(|_| Vec::new()).map_err(invalid),
                _ => reader.lenenc_bytes().map(<[u8]>::to_vec).map_err(invalid),
            })
            .collect()
    }

    fn text_command(&self, sql: &str) -> Vec<u8> {
        let mut payload = Vec::with_capacity(sql.len() + 3);
        payload.push(0x03);
        if self.capabilities.contains(Capabilities::QUERY_ATTRIBUTES) {
            payload.extend_from_slice(&[0, 1]);
        }
        payload.extend_from_slice(sql.as_bytes());
        payload
    }

    /// Queues one of our own text statements; its answer is to be read before that of what follows it.
    pub fn queue_query(&mut self, sql: &str) {
        let payload = self.text_command(sql);
        self.io.queue_packet(&payload, 0);
    }

    /// Runs one of our own text statements.
    pub async fn query(&mut self, sql: &str) -> io::Result<Swallow> {
        let payload = self.text_command(sql);
        self.command(&payload).await
    }

    /// Sends a command of ours and reads its answer, taking in what it says of the session.
    pub async fn command(&mut self, payload: &[u8]) -> io::Result<Swallow> {
        self.io.queue_packet(payload, 0);
        self.io.flush().await?;
        let shape = CommandKind::shape_of(payload);
        self.swallow(shape).await
    }

    /// Runs several statements in one text, of which none returns rows; the server stops at the first that it refuses.
    /// Gives the OK packets' payloads and that error. The connection need not have multi statements.
    ///
    /// # Errors
    /// The socket's, also where it ends amid the answers.
    pub async fn query_each(&mut self, sql: &str) -> io::Result<(Vec<Vec<u8>>, Option<ErrPacket>)> {
        let option = !self.takes_several();
        if option {
            self.io.queue_packet(&MULTI_STATEMENTS_ON, 0);
        }
        self.queue_query(sql);
        if option {
            self.io.queue_packet(&MULTI_STATEMENTS_OFF, 0);
        }
        self.io.flush().await?;
        if option && matches!(self.swallow(ResponseShape::Simple).await?, Swallow::Error(_)) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let answers = self.each_answer().await?;
        if option && matches!(self.swallow(ResponseShape::Simple).await?, Swallow::Error(_)) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(answers)
    }

    /// Takes in what an OK packet says of the session, and the status flags of an EOF packet; other packets say nothing.
    pub fn take_in(&mut self, payload: &[u8]) {
        if !matches!(payload.first(), Some(0x00 | 0xfe)) {
            return;
        }
        // COM_SET_OPTION is answered so on connections of old clients.
        if let &[0xfe, _, _, s0, s1] = payload {
            self.status = StatusFlags::from_wire(u16::from_le_bytes([s0, s1]));
            return;
        }
        if let Ok(ok) = OkPacket::decode(payload, self.capabilities) {
            self.status = ok.status;
            self.observe(&ok.track);
        }
    }

    /// Takes in session-track items.
    pub fn observe(&mut self, items: &[SessionTrack]) {
        let mut changes = Vec::with_capacity(items.len());
        for item in items {
            match item {
                SessionTrack::SystemVariable { name, value } => {
                    changes.push(Change::Variable { name, value });
                }
                SessionTrack::Schema(name) => changes.push(Change::Schema(name)),
                _ => {}
            }
        }
        self.state.apply(&changes);
        self.commits.note(items);
    }

    /// COM_RESET_CONNECTION: rolls back, drops temporary tables, locks, variables and statements; keeps the schema.
    pub async fn reset(&mut self) -> io::Result<()> {
        if let Swallow::Error(error) = self.command(&[0x1f]).await? {
            return Err(io::Error::other(String::from_utf8_lossy(&error.message).into_owned()));
        }
        self.prepared = ServerStatements::new(STATEMENTS);
        self.asking = Asking::Never;
        self.unprepared.clear();
        if std::mem::take(&mut self.other_option) {
            // A reset leaves that as it is (seen on all three).
            let several = self.capabilities.contains(Capabilities::MULTI_STATEMENTS);
            self.command(if several { &MULTI_STATEMENTS_ON } else { &MULTI_STATEMENTS_OFF }).await?;
        }
        let schema = self.state.schema().map(<[u8]>::to_vec);
        if let Some(schema) = &schema {
            // The schema stays, but the default database's character set becomes the global one (seen on 11.8).
            let use_again = [b"\x02", schema.as_slice()].concat();
            if let Swallow::Error(error) = self.command(&use_again).await? {
                return Err(io::Error::other(String::from_utf8_lossy(&error.message).into_owned()));
            }
        }
        self.track().await?;
        // The servers keep the role (seen on all three): whatever the next session's is, it must be set.
        let same_role = self.state.role() == self.base.role();
        let mut wanted = (*self.base).clone();
        wanted.set_schema(schema.as_deref());
        if !same_role {
            wanted.set_role("");
        }
        self.names_of_login().await?;
        self.say_commit_mode().await?;
        self.state = wanted;
        self.dirty = false;
        self.clock_set = false;
        self.insert_id = Some(0);
        Ok(())
    }

    /// A reset leaves a MariaDB session with the character sets of its login, and one of MySQL (seen on 9.7.4) with the
    /// global ones.
    async fn names_of_login(&mut self) -> io::Result<()> {
        if self.flavor != Flavor::MySql {
            return Ok(());
        }
        // Character sets and collations have plain names. As SET NAMES, since that also gives results their collation.
        let name = |variable: &str| {
            self.base.variable(variable).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default()
        };
        let set = format!(
            "SET NAMES '{}' COLLATE '{}'",
            name("character_set_client"),
            name("collation_connection")
        );
        match self.query(&set).await? {
            Swallow::Done(_) => Ok(()),
            Swallow::Error(error) => {
                Err(io::Error::other(String::from_utf8_lossy(&error.message).into_owned()))
            }
        }
    }

    /// Whether it takes several statements in one text now.
    #[must_use]
    pub fn takes_several(&self) -> bool {
        self.capabilities.contains(Capabilities::MULTI_STATEMENTS) != self.other_option
    }

    /// Whether it may serve somebody else now.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        !self.broken
            && !self.dirty
            && !self.status.contains(StatusFlags::IN_TRANS)
            && self.io.input().is_empty()
            && self.io.unsent() == 0
    }
}
