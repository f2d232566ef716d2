//! A scripted server within this process: it speaks the protocol, knows roles and transactions, keeps a list of what it
//! executed, and breaks where it is told to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use tideover::net::{BufferPool, PacketIo, Raw, Stream};
use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::{CommandKind, query_text};
use tideover_protocol::handshake::{Accepted, Acceptor, Offer};
use tideover_protocol::packet::{ColumnDefinition, EofPacket, ErrPacket, OkPacket};
use tideover_protocol::status::StatusFlags;
use tideover_protocol::wire::put_lenenc_bytes;

const VERSION: &str = "10.11.0-MariaDB-fake";
const READ_ONLY: &str =
    "The MariaDB server is running with the --read-only option so it cannot execute this statement";

/// A server. It replicates nothing: tests look at what each one executed.
pub(crate) struct FakeServer {
    number: u32,
    state: Mutex<State>,
    buffers: Arc<BufferPool>,
}

#[derive(Default)]
struct State {
    read_only: bool,
    source: Option<u32>,
    executed: Vec<String>,
    cut_at: Option<&'static str>,
    hang_at: Option<&'static str>,
    /// Answers nothing any more, and ends no connection.
    hangs: bool,
    connections: u32,
    /// New connections are refused.
    full: bool,
    /// A variable that it does not know, and how often it has said so.
    lacks: Option<&'static str>,
    told: u32,
    /// What each login and each reset takes.
    pause: Duration,
    logins: Together,
    resets: Together,
}

/// How many are at the same thing.
#[derive(Clone, Copy, Debug, Default)]
struct Together {
    now: u32,
    most: u32,
}

/// What is sent back.
enum Answer {
    Ok,
    Rows(Vec<&'static str>, Vec<String>),
    NoRows,
    Error(u16, &'static str, String),
    /// Nothing: the connection ends.
    Cut,
    /// Nothing, and the connection stays.
    None,
}

impl FakeServer {
    /// A primary if `source` is `None`, else a replica of the server with that number.
    pub(crate) fn new(number: u32, source: Option<u32>) -> Arc<Self> {
        let state = State { read_only: source.is_some(), source, ..State::default() };
        Arc::new(Self { number, state: Mutex::new(state), buffers: BufferPool::new() })
    }

    /// Refuses writes from now on.
    pub(crate) fn fence(&self) {
        self.state.lock().read_only = true;
    }

    /// Follows another server from now on.
    pub(crate) fn follow(&self, source: u32) {
        let mut state = self.state.lock();
        (state.read_only, state.source) = (true, Some(source));
    }

    /// Takes writes and follows nobody from now on.
    pub(crate) fn promote(&self) {
        let mut state = self.state.lock();
        (state.read_only, state.source) = (false, None);
    }

    /// The next statement that begins so is not answered: the connection ends instead.
    pub(crate) fn cut_at(&self, start: &'static str) {
        self.state.lock().cut_at = Some(start);
    }

    /// Whether it takes more connections than it has.
    pub(crate) fn take_no_more(&self, full: bool) {
        self.state.lock().full = full;
    }

    /// It does not know this global variable from now on; how often it says so is counted anew.
    pub(crate) fn lack(&self, name: &'static str) {
        let mut state = self.state.lock();
        (state.lacks, state.told) = (Some(name), 0);
    }

    /// How often it has said that it does not know a variable.
    pub(crate) fn told(&self) -> u32 {
        self.state.lock().told
    }

    /// The next statement that begins so is the last thing that it does: from then on it hangs.
    pub(crate) fn hang_at(&self, start: &'static str) {
        self.state.lock().hang_at = Some(start);
    }

    /// Whether it hangs now.
    pub(crate) fn hangs(&self) -> bool {
        self.state.lock().hangs
    }

    /// From now on logging in and resetting a connection take this long; how many are at it is counted anew.
    pub(crate) fn slow_down(&self, pause: Duration) {
        let mut state = self.state.lock();
        (state.pause, state.logins.most, state.resets.most) = (pause, 0, 0);
    }

    /// How many logged in at the same time, at most, and how many were reset.
    pub(crate) fn most(&self) -> (u32, u32) {
        let state = self.state.lock();
        (state.logins.most, state.resets.most)
    }

    /// Connections that were ever opened.
    pub(crate) fn connections(&self) -> u32 {
        self.state.lock().connections
    }

    /// Takes the time for something of which it is counted how many are at it.
    async fn take_time(&self, of: fn(&mut State) -> &mut Together) {
        let pause = {
            let mut state = self.state.lock();
            let together = of(&mut state);
            together.now += 1;
            together.most = together.most.max(together.now);
            state.pause
        };
        tokio::time::sleep(pause).await;
        of(&mut self.state.lock()).now -= 1;
    }

    /// Texts of the writes that were executed, in order, without commit tags.
    pub(crate) fn executed(&self) -> Vec<String> {
        self.state.lock().executed.clone()
    }

    /// A connection to it.
    pub(crate) fn dial(self: &Arc<Self>) -> io::Result<Raw> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let io = PacketIo::new(Stream::Plain(Raw::Memory(theirs)), &self.buffers);
        let server = self.clone();
        tokio::spawn(async move {
            // A client that goes away is no mistake.
            let _ = server.serve(io).await;
        });
        Ok(Raw::Memory(ours))
    }

    async fn serve(&self, mut io: PacketIo) -> io::Result<()> {
        let connection_id = {
            let mut state = self.state.lock();
            state.connections += u32::from(!state.full);
            (!state.full).then_some(self.number * 1000 + state.connections)
        };
        let Some(connection_id) = connection_id else {
            let mut payload = BytesMut::new();
            ErrPacket::new(1040, "08004", "Too many connections").encode(Capabilities::empty(), &mut payload);
            return io.send_packet(&payload, 0).await.map(drop);
        };
        let mut acceptor = Acceptor::new(Offer {
            server_version: VERSION.to_owned(),
            connection_id,
            nonce: [7; 20],
            capabilities: Capabilities::offered(Capabilities::all() - Capabilities::LONG_PASSWORD, false),
            collation: 45,
            status: StatusFlags::AUTOCOMMIT,
            plugin: "mysql_native_password".to_owned(),
            tls_available: false,
            tls_required: false,
        });
        io.send_packet(&acceptor.greeting(), 0).await?;
        let (payload, sequence) = io.read_packet(1, 1 << 16).await?;
        self.rest_if_hanging().await;
        self.take_time(|state| &mut state.logins).await;
        let Ok(Accepted::Login(login)) = acceptor.receive(&payload) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut talk = Talk { io, capabilities: login.capabilities, status: StatusFlags::AUTOCOMMIT };
        talk.ok(sequence).await?;
        loop {
            let (payload, _) = talk.io.read_packet(0, 1 << 20).await?;
            self.rest_if_hanging().await;
            let answer = match CommandKind::of(&payload) {
                CommandKind::Quit => return Ok(()),
                CommandKind::Query => {
                    let range = query_text(&payload, talk.capabilities).unwrap_or_default();
                    let text = String::from_utf8_lossy(&payload[range]).into_owned();
                    self.run(&text, &mut talk.status)
                }
                CommandKind::ResetConnection => {
                    self.take_time(|state| &mut state.resets).await;
                    talk.status = StatusFlags::AUTOCOMMIT;
                    Answer::Ok
                }
                _ => Answer::Ok,
            };
            match answer {
                Answer::Cut => return Ok(()),
                Answer::None => self.rest_if_hanging().await,
                Answer::Ok => talk.ok(1).await?,
                Answer::Error(code, state, text) => talk.error(code, state, &text).await?,
                Answer::NoRows => talk.rows(&["nothing"], None).await?,
                Answer::Rows(names, values) => talk.rows(&names, Some(&values)).await?,
            }
        }
    }

    async fn rest_if_hanging(&self) {
        if self.hangs() {
            std::future::pending::<()>().await;
        }
    }

    fn run(&self, text: &str, status: &mut StatusFlags) -> Answer {
        let tag_end = if text.starts_with("/*td:") { text.find("*/").map_or(0, |at| at + 2) } else { 0 };
        let text = text[tag_end..].trim();
        let mut state = self.state.lock();
        if state.cut_at.is_some_and(|start| text.starts_with(start)) {
            state.cut_at = None;
            return Answer::Cut;
        }
        if state.hang_at.is_some_and(|start| text.starts_with(start)) {
            state.hangs = true;
            return if text.starts_with("UPDATE bad") {
                Answer::Error(1062, "23000", "a duplicate".to_owned())
            } else {
                Answer::None
            };
        }
        let refused = || Answer::Error(1290, "HY000", READ_ONLY.to_owned());
        match text.split(' ').next().unwrap_or_default() {
            "INSERT" | "UPDATE" if state.read_only => refused(),
            "INSERT" | "UPDATE" => {
                state.executed.push(text.to_owned());
                Answer::Ok
            }
            "COMMIT" if state.read_only => {
                status.remove(StatusFlags::IN_TRANS);
                refused()
            }
            "BEGIN" => {
                status.insert(StatusFlags::IN_TRANS);
                Answer::Ok
            }
            "COMMIT" | "ROLLBACK" => {
                status.remove(StatusFlags::IN_TRANS);
                Answer::Ok
            }
            "SELECT" => match state.lacks.filter(|name| text.contains(&format!("@@global.{name}"))) {
                Some(name) => {
                    state.told += 1;
                    Answer::Error(1193, "HY000", format!("Unknown system variable '{name}'"))
                }
                None => self.select(text, &state),
            },
            "SHOW" => show(text, &state),
            _ => Answer::Ok,
        }
    }

    fn select(&self, text: &str, state: &State) -> Answer {
        let on = |value: bool| if value { "1" } else { "0" }.to_owned();
        if text.starts_with("SELECT @@version, @@server_id") {
            let number = self.number.to_string();
            let values = vec![
                VERSION.to_owned(),
                number,
                on(state.read_only),
                "0-1-1".to_owned(),
                on(true),
                on(true),
                on(true),
            ];
            return Answer::Rows(vec!["value"; 7], values);
        }
        if text.starts_with("SELECT @@session.character_set_client") {
            let values = [
                "utf8mb4",
                "utf8mb4",
                "utf8mb4_general_ci",
                "STRICT_TRANS_TABLES",
                "REPEATABLE-READ",
                "NONE",
                "ON",
                "67108864",
                "utf8mb4",
                "utf8mb4",
                "utf8mb4_general_ci",
            ];
            return Answer::Rows(vec!["value"; 11], values.map(str::to_owned).to_vec());
        }
        Answer::Rows(vec!["server"], vec![self.number.to_string()])
    }
}

fn show(text: &str, state: &State) -> Answer {
    match (text, state.source) {
        ("SHOW ALL SLAVES STATUS", Some(source)) => {
            let names = vec![
                "Master_Host",
                "Master_Port",
                "Master_Server_Id",
                "Slave_IO_Running",
                "Slave_SQL_Running",
            ];
            let values = ["fake", "1", &source.to_string(), "Yes", "Yes"];
            Answer::Rows(names, values.map(str::to_owned).to_vec())
        }
        ("SHOW MASTER STATUS", _) => {
            Answer::Rows(vec!["File", "Position"], vec!["binlog.000001".to_owned(), "4".to_owned()])
        }
        _ => Answer::NoRows,
    }
}

/// One connection as the server sees it.
struct Talk {
    io: PacketIo,
    capabilities: Capabilities,
    status: StatusFlags,
}

impl Talk {
    async fn ok(&mut self, sequence: u8) -> io::Result<()> {
        let mut payload = BytesMut::new();
        OkPacket { status: self.status, affected_rows: 1, ..OkPacket::default() }
            .encode(self.capabilities, &mut payload);
        self.io.send_packet(&payload, sequence).await.map(drop)
    }

    async fn error(&mut self, code: u16, state: &str, text: &str) -> io::Result<()> {
        let mut payload = BytesMut::new();
        ErrPacket::new(code, state, text).encode(self.capabilities, &mut payload);
        self.io.send_packet(&payload, 1).await.map(drop)
    }

    async fn rows(&mut self, names: &[&str], values: Option<&[String]>) -> io::Result<()> {
        let mut packets = vec![vec![u8::try_from(names.len()).unwrap_or(u8::MAX)]];
        for name in names {
            let mut out = BytesMut::new();
            let column = ColumnDefinition {
                schema: Vec::new(),
                table: Vec::new(),
                org_table: Vec::new(),
                name: name.as_bytes().to_vec(),
                org_name: Vec::new(),
                extended: Vec::new(),
                collation: 45,
                length: 255,
                kind: 0xfd,
                flags: 0,
                decimals: 0,
            };
            column.encode(self.capabilities, &mut out);
            packets.push(out.to_vec());
        }
        if !self.capabilities.contains(Capabilities::DEPRECATE_EOF) {
            packets.push(self.end());
        }
        if let Some(values) = values {
            let mut out = BytesMut::new();
            for value in values {
                put_lenenc_bytes(&mut out, value.as_bytes());
            }
            packets.push(out.to_vec());
        }
        packets.push(self.end());
        let mut sequence = 1;
        for packet in &packets {
            sequence = self.io.queue_packet(packet, sequence);
        }
        self.io.flush().await
    }

    fn end(&self) -> Vec<u8> {
        let mut out = BytesMut::new();
        if self.capabilities.contains(Capabilities::DEPRECATE_EOF) {
            OkPacket { status: self.status, ..OkPacket::default() }
                .encode_as_end(self.capabilities, &mut out);
        } else {
            EofPacket { warnings: 0, status: self.status }.encode(self.capabilities, &mut out);
        }
        out.to_vec()
    }
}
