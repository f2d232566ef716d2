//! One client's session: what it amounts to, and the loop that reads its commands.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tideover_protocol::capability::{Capabilities, Dialect};
use tideover_protocol::command::CommandKind;
use tideover_protocol::frame::{FrameHeader, HEADER_LEN, MAX_PAYLOAD};
use tideover_protocol::packet::OkPacket;
use tideover_protocol::status::StatusFlags;
use tokio::time::{Sleep, sleep};

use crate::backend::{Account, AccountPool, Lease};
use crate::gate::{Pass, Returning};
use crate::net::PacketIo;
use crate::relay::{Mark, Signals};
use crate::replay::{Fixed, Journal, Sent};
use crate::session::{Pins, PreparedStatements, SessionState, Tracker};
use crate::topology::{Flavor, ServerId};

use super::ahead::Here;
use super::error::{self, ClientError};
use super::handshake::{LoggedIn, LoginFailure};
use super::journaling::Recorded;
use super::raised::Untold;
use super::reading::Reading;
use super::registry::SessionHandle;
use super::reports::Reports;
use super::shared::Shared;
use super::trace::UnitTrace;
use super::work::Work;
use super::wrap::Wrap;

/// A client that stops amid a command is waited for this long, as the servers do (`net_read_timeout`).
const AMID_COMMAND: Duration = Duration::from_secs(30);
/// A session that only the warnings or counts of its last statement keep on a server connection gives it up to others who
/// wait for one, if it is silent for so long; later it looks less often.
const SILENCE: Duration = Duration::from_millis(20);
const LONGEST_SILENCE: Duration = Duration::from_millis(320);
/// Long data of all statements of one session, bytes.
const LONG_DATA: usize = 64 << 20;

/// Why a session ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client left, by COM_QUIT or otherwise.
    Client,
    /// It was killed, or the proxy leaves.
    Told,
}

/// One session.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) handle: Arc<SessionHandle>,
    pub(super) client: PacketIo,
    pub(super) capabilities: Capabilities,
    pub(super) dialect: Dialect,
    pub(super) account: Arc<Account>,
    pub(super) nonce: [u8; 20],
    /// The collation that the client asked for last, at its login or by a change of user, refused or not: what a reset goes
    /// back to.
    pub(super) asked_collation: u8,
    /// COM_CHANGE_USER was refused so often.
    pub(super) refused_changes: u8,
    /// What the client's session amounts to: what a server connection must be brought to, and why it cannot be.
    pub(super) tracker: Tracker,
    pub(super) prepared: PreparedStatements,
    /// A statement whose next execution must be refused: its long data was more than this, or for no parameter of it.
    pub(super) refused: Option<(u32, Option<usize>)>,
    /// The client's id of the statement prepared last.
    pub(super) last_prepared: u32,
    /// How texts are read, while session state (its fingerprint) and primary (its epoch) are the same.
    pub(super) lexing: Option<((u64, u64), crate::sql::Dialect)>,
    /// The pool on the present primary.
    pub(super) pool: Option<Arc<AccountPool>>,
    /// The pool of the replica that served the last read.
    pub(super) reading_pool: Option<Arc<AccountPool>>,
    /// What the session has seen, for reads on replicas.
    pub(super) reading: Reading,
    /// The server connection, while a unit is open or the session is pinned.
    pub(super) lease: Option<Lease>,
    /// The connection that the session keeps between units (`pool.mode = "session"`).
    pub(super) home: Option<Lease>,
    /// What the leased connection knows of the session.
    pub(super) here: Here,
    /// The lease is lost with its transaction, which is done again when the client goes on.
    pub(super) left_lost: bool,
    /// The right to be inside, while a unit is open.
    pub(super) pass: Option<Pass>,
    /// What is noted of the open unit for the guard.
    pub(super) unit: UnitTrace,
    /// The transaction of ours around the present statement.
    pub(super) wrap: Wrap,
    /// What servers would tell with later answers of commands that were answered in their place.
    pub(super) untold: Untold,
    /// What the client has chosen to be told of its session; `None`: what servers tell by default.
    pub(super) reports: Option<Arc<Reports>>,
    /// What the open transaction did.
    pub(super) journal: Option<Box<Journal<Recorded>>>,
    /// Keeps others at the gate while it is found out whether the transaction is to be done again.
    pub(super) returning: Option<Returning>,
    /// What was set for the present statement, so that it can be done again with the same.
    pub(super) fixed: Fixed,
    /// How much of the present command has left for the server.
    pub(super) has_left: Sent,
    /// The execution of a prepared statement as it was sent.
    pub(super) outgoing: Vec<u8>,
    /// How far the client has the present statement's answer, if that broke off.
    pub(super) resume: Option<Resume>,
    /// What is left of a text with several statements, of which some were answered.
    pub(super) rest: Option<Box<Work>>,
    /// Such a rest is the present command: the client has the beginning of the answer.
    pub(super) amid_text: bool,
    /// Status flags of the last answer.
    pub(super) status: StatusFlags,
    /// What the client is to hear of its open transaction, if that is gone and the client does not know yet.
    pub(super) lost: Option<ClientError>,
    /// Pins whose state is gone, if so and the client does not know yet.
    pub(super) lost_pins: Vec<&'static str>,
    /// The command being worked on.
    pub(super) command: Vec<u8>,
    /// Number of the next packet to the client; `None` if it holds half a frame, and nothing can follow.
    pub(super) answer_at: Option<u8>,
}

impl Session {
    /// Takes over a logged-in client: lets a server check the account and the schema, unless one has before, and says OK.
    pub(super) async fn begin(
        shared: Arc<Shared>,
        handle: Arc<SessionHandle>,
        logged_in: LoggedIn,
    ) -> Result<Box<Self>, Box<LoginFailure>> {
        let LoggedIn { client, login, account, dialect, sequence, nonce, password } = logged_in;
        // Boxed: the task would have room for it three times, as long as the client stays.
        let mut session = Box::new(Self {
            shared,
            handle,
            client,
            capabilities: login.capabilities,
            dialect,
            account,
            nonce,
            asked_collation: dialect.collation,
            refused_changes: 0,
            tracker: Tracker::default(),
            prepared: PreparedStatements::new(LONG_DATA),
            refused: None,
            last_prepared: 0,
            lexing: None,
            pool: None,
            reading_pool: None,
            reading: Reading::default(),
            lease: None,
            home: None,
            here: Here::default(),
            left_lost: false,
            pass: None,
            unit: UnitTrace::default(),
            wrap: Wrap::default(),
            untold: Untold::default(),
            reports: None,
            journal: None,
            returning: None,
            fixed: Fixed::default(),
            has_left: Sent::Nothing,
            outgoing: Vec::new(),
            resume: None,
            rest: None,
            amid_text: false,
            status: StatusFlags::AUTOCOMMIT,
            lost: None,
            lost_pins: Vec::new(),
            command: Vec::new(),
            answer_at: Some(1),
        });
        let schema = login.database.as_deref().filter(|s| !s.is_empty());
        if let Err(refused) = session.check_in(schema, password).await {
            let ClientError { packet, .. } = *refused;
            let client = Box::new(session.client);
            return Err(Box::new(LoginFailure::Refuse { client, sequence, error: packet }));
        }
        session.say_ok(sequence);
        if let Err(error) = session.client.flush().await {
            return Err(Box::new(LoginFailure::Gone(error)));
        }
        // What follows the OK is compressed.
        if let Some(codec) = super::handshake::codec(&login) {
            session.client = session.client.compress(codec);
        }
        Ok(session)
    }

    /// The session is as a new connection's, with this schema.
    pub(super) fn start_from(&mut self, base: &SessionState, schema: Option<&[u8]>) {
        let mut state = base.clone();
        if schema.is_some() {
            state.set_schema(schema);
        }
        // Servers may be told that nothing commits by itself (`autocommit=0` in their configuration), or how texts are read.
        let commits = state.variable("autocommit") != Some(b"OFF");
        self.status.set(StatusFlags::AUTOCOMMIT, commits);
        let texts = state.dialect(false, 0);
        self.status.set(StatusFlags::NO_BACKSLASH_ESCAPES, texts.no_backslash_escapes);
        let mariadb = self.shared.accounts.flavor() == Flavor::MariaDb;
        self.status.set(StatusFlags::ANSI_QUOTES, mariadb && texts.ansi_quotes);
        self.tracker.reset(self.shared.states.shared(&state).unwrap_or(state));
    }

    /// The family of the server that the client believes to talk to.
    pub(super) fn flavor(&self) -> Flavor {
        let topology = self.shared.store.peek();
        let seen = self.pool.as_ref().and_then(|p| topology.server(p.server()));
        seen.map_or(Flavor::MariaDb, |s| s.flavor)
    }

    /// Reads and runs commands until somebody ends it.
    pub(super) async fn run(mut self: Box<Self>) {
        let end = loop {
            if self.client.input().is_empty() && !self.settle(false).await {
                break End::Client;
            }
            let end = match self.next_command().await {
                Ok(kind) => self.dispatch(kind).await,
                Err(end) => Err(end),
            };
            if let Err(end) = end {
                break end;
            }
        };
        tracing::debug!(session = self.handle.id, ?end, "session ends");
        self.leave_home();
        if let Some(lease) = self.let_go() {
            lease.scrub();
        }
        let _ = tokio::time::timeout(Duration::from_secs(1), self.client.flush()).await;
        self.client.close().await;
    }

    /// Waits for the next command and puts its payload into `self.command`.
    async fn next_command(&mut self) -> Result<CommandKind, End> {
        let mut silent = SILENCE;
        loop {
            if let Some(error) = self.misfit() {
                Box::pin(self.farewell(error)).await;
                return Err(End::Client);
            }
            if let Some(length) = self.client.whole_packet() {
                return Ok(self.take_command(length));
            }
            let amid = !self.client.input().is_empty();
            if !amid {
                self.client.rest();
                if self.command.capacity() > 1024 {
                    self.command = Vec::new();
                }
            }
            match self.wait_for_input(amid, silent).await {
                Waited::Input => {}
                Waited::Gone => return Err(End::Client),
                Waited::Told(signals) => Box::pin(self.told_while_idle(signals)).await?,
                Waited::Torn => Box::pin(self.torn_while_idle()).await?,
                Waited::Silent if self.is_lease_wanted() => {
                    if !Box::pin(self.leave()).await {
                        return Err(End::Client);
                    }
                }
                Waited::Silent => silent = (2 * silent).min(LONGEST_SILENCE),
            }
        }
    }

    /// What is wrong with the head of the command that comes in: its frames start with number 0, anything else is out of
    /// order, and there is a limit to its size.
    fn misfit(&self) -> Option<ClientError> {
        let header = FrameHeader::parse(self.client.input())?;
        if header.sequence != 0 && !self.client.stream().is_compressed() {
            let packet = tideover_protocol::packet::ErrPacket::new(1156, "08S01", "Got packets out of order");
            return Some(ClientError { cause: "malformed_packet", packet });
        }
        let limit = self.shared.options().max_packet;
        let too_large =
            header.payload_len > limit || self.client.input().len() > limit.saturating_add(MAX_PAYLOAD);
        too_large.then(|| error::too_large(limit))
    }

    async fn farewell(&mut self, error: ClientError) {
        self.shared.metrics.client_errors.with_label_values(&[error.cause]).inc();
        self.queue_error(&error, 1);
        let _ = tokio::time::timeout(Duration::from_secs(1), self.client.flush()).await;
    }

    /// Joins the frames of a whole packet into `self.command`.
    fn take_command(&mut self, length: usize) -> CommandKind {
        self.command.clear();
        let mut at = 0;
        let mut frames = 0_u8;
        while at < length {
            let rest = self.client.input().get(at..length).unwrap_or_default();
            let Some(header) = FrameHeader::parse(rest) else { break };
            let end = HEADER_LEN + header.payload_len;
            self.command.extend_from_slice(rest.get(HEADER_LEN..end).unwrap_or_default());
            at += end;
            frames = frames.wrapping_add(1);
        }
        self.answer_at = Some(frames);
        self.client.consume(length);
        CommandKind::of(&self.command)
    }

    async fn wait_for_input(&mut self, amid: bool, silent: Duration) -> Waited {
        let mut wanted = Signals::KILL | Signals::LEAVE | Signals::ABORT;
        if self.pass.is_some() {
            wanted |= Signals::CUT | Signals::SERVER_LOST | Signals::MOVED;
        }
        if self.lease.is_some() && self.pass.is_none() {
            wanted |= Signals::PART;
        }
        if self.in_transaction() || self.holds_tables() || amid {
            // The unit is let finish; the drain time of the shutdown bounds it.
            wanted.remove(Signals::LEAVE);
        }
        // A timer only where one can matter: idle clients have none.
        let limit = if amid { Some(AMID_COMMAND) } else { self.could_leave().then_some(silent) };
        let mut patience: Option<std::pin::Pin<Box<Sleep>>> = limit.map(|limit| Box::pin(sleep(limit)));
        let bound = self.in_transaction() || self.holds_tables();
        let server = self.lease.as_ref().filter(|_| bound && !self.left_lost);
        let (client, signal) = (&mut self.client, &self.handle.signal);
        poll_fn(|cx| {
            match client.poll_fill(cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Waited::Gone),
                Poll::Ready(Ok(_)) => return Poll::Ready(Waited::Input),
                Poll::Pending => {}
            }
            if let Some(patience) = &mut patience
                && patience.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(if amid { Waited::Gone } else { Waited::Silent });
            }
            if server.is_some_and(|lease| lease.io.stream().poll_unasked(cx).is_ready()) {
                return Poll::Ready(Waited::Torn);
            }
            signal.poll(wanted, cx).map(Waited::Told)
        })
        .await
    }

    /// The open transaction is gone, and nothing is known of what it did; the client hears of it with its next statement.
    pub(super) fn lose_transaction(&mut self, why: &'static str) {
        if self.in_transaction() {
            self.lost = Some(error::rolled_back(why));
        }
        self.lost_pins = self.take_pins();
        if let Some(lease) = self.let_go() {
            lease.scrub();
        }
        self.end_unit();
    }

    /// Takes all pins away: what they stood for is gone. Gives the names of those that a client would miss.
    pub(super) fn take_pins(&mut self) -> Vec<&'static str> {
        self.stain();
        let pins = self.tracker.pins();
        for pin in pins.iter() {
            self.tracker.unpin(pin);
        }
        self.handle.set_pins(Pins::NONE);
        pins.for_session().iter().map(|pin| pin.name()).collect()
    }

    /// Whether a transaction is open on our server connection.
    pub(super) fn in_transaction(&self) -> bool {
        self.status.contains(StatusFlags::IN_TRANS)
    }

    /// An OK of our own.
    pub(super) fn say_ok(&mut self, sequence: u8) {
        self.say_ok_for((0, 0), sequence);
    }

    /// An OK of our own with these numbers of rows and warnings.
    pub(super) fn say_ok_for(&mut self, (affected_rows, warnings): (u64, u16), sequence: u8) {
        let ok = OkPacket { affected_rows, warnings, status: self.client_status(), ..OkPacket::default() };
        let mut payload = BytesMut::new();
        ok.encode(self.capabilities, &mut payload);
        self.client.queue_packet(&payload, sequence);
    }

    pub(super) fn client_status(&self) -> StatusFlags {
        let told = StatusFlags::AUTOCOMMIT
            | StatusFlags::IN_TRANS
            | StatusFlags::IN_TRANS_READONLY
            | StatusFlags::NO_BACKSLASH_ESCAPES
            | StatusFlags::ANSI_QUOTES;
        self.status & told
    }

    /// Queues an error of ours.
    pub(super) fn queue_error(&mut self, error: &ClientError, sequence: u8) {
        let mut payload = BytesMut::new();
        error.packet.encode(self.capabilities, &mut payload);
        self.client.queue_packet(&payload, sequence);
    }

    /// Answers the command with an error of ours; the connection lives on.
    pub(super) async fn refuse(&mut self, error: &ClientError) -> Result<(), End> {
        self.shared.metrics.client_errors.with_label_values(&[error.cause]).inc();
        let Some(sequence) = self.answer_at else { return Err(End::Client) };
        self.queue_error(error, sequence);
        self.flush().await
    }

    /// Answers a command that cannot be read.
    pub(super) async fn refuse_malformed(&mut self) -> Result<(), End> {
        let mariadb = self.flavor() == Flavor::MariaDb;
        self.refuse_as_server(&error::malformed(mariadb)).await
    }

    /// Answers the command with OK.
    pub(super) async fn acknowledge(&mut self) -> Result<(), End> {
        let Some(sequence) = self.answer_at else { return Err(End::Client) };
        self.say_ok(sequence);
        self.flush().await
    }

    /// The same, with the number of conditions that the servers repeat.
    pub(super) async fn acknowledge_repeating(&mut self) -> Result<(), End> {
        let Some(sequence) = self.answer_at else { return Err(End::Client) };
        self.say_ok_for((0, self.repeated_conditions()), sequence);
        self.flush().await
    }

    pub(super) async fn flush(&mut self) -> Result<(), End> {
        self.client.flush().await.map_err(|_: io::Error| End::Client)
    }

    /// The connection that the session kept is for others now.
    pub(super) fn leave_home(&mut self) {
        if let Some(home) = self.home.take() {
            home.scrub();
        }
    }

    /// The pool of this account on the present primary, if there is one.
    pub(super) fn pool_of_primary(&mut self) -> Option<Arc<AccountPool>> {
        let primary: ServerId = self.shared.store.peek().primary()?.id;
        if let Some(pool) = &self.pool
            && pool.server() == primary
        {
            return Some(pool.clone());
        }
        let pool = self.shared.pools.of(self.shared.shard, primary, &self.account, self.dialect);
        self.pool = Some(pool.clone());
        Some(pool)
    }
}

/// Why a transaction goes elsewhere.
pub(super) const MOVED: &str = "its server is no longer the primary";

/// How far a client has an answer that broke off.
#[derive(Debug)]
pub(super) struct Resume {
    pub(super) mark: Mark,
    /// Number of the first packet of the answer.
    pub(super) first: u8,
    /// Number of the next packet to the client; `None` amid a frame.
    pub(super) next: Option<u8>,
}

enum Waited {
    Input,
    /// For a while.
    Silent,
    Gone,
    Told(Signals),
    Torn,
}
