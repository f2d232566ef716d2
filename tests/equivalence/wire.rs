//! A client that keeps every byte of an answer: it knows where an answer ends, and nothing else.

use std::net::SocketAddr;

use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::CommandKind;
use tideover_protocol::frame::{FrameHeader, HEADER_LEN, MAX_PAYLOAD};
use tideover_protocol::handshake::{ConnectOptions, ConnectStep, Connector, Secret};
use tideover_protocol::packet::ChangeUser;
use tideover_protocol::response::{Control, Next, ResponseScanner, ResponseShape};
use tideover_protocol::status::StatusFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Duration, timeout};

use crate::answer::{Answer, Part};
use crate::packed::Packed;
use crate::support::TestResult;

/// No single answer takes longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The error of a connection that the other side closed.
pub(crate) const CLOSED: &str = "the connection was closed";
/// What the client has for LOAD DATA LOCAL.
const FILE: &[u8] = b"1\tone\n2\ttwo\n3\tthree\n";

/// The number of the first packet in some bytes.
fn sequence_of(bytes: &[u8]) -> u8 {
    FrameHeader::parse(bytes).map_or(0, |header| header.sequence)
}

/// A logged-in connection.
pub(crate) struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    /// What is compressed, once logged in.
    packed: Option<Packed>,
    pub(crate) capabilities: Capabilities,
    /// The collation of the login.
    collation: u8,
    /// The challenge of the greeting, of MariaDB: its client library answers that one for good.
    challenge: Option<[u8; 20]>,
    /// The id in the greeting.
    pub(crate) id: u32,
    /// The status flags of the OK that ended the login.
    pub(crate) login_status: StatusFlags,
}

impl Wire {
    /// Logs in as `user`, whose password is its name, with these capabilities and collation.
    pub(crate) async fn connect(
        address: SocketAddr,
        user: &str,
        database: Option<&str>,
        (capabilities, collation): (Capabilities, u8),
    ) -> TestResult<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (input, packed, challenge) = (Vec::new(), None, None);
        let login_status = StatusFlags::empty();
        let mut wire =
            Self { stream, input, packed, capabilities, collation, challenge, id: 0, login_status };
        let mut machine = Connector::new(ConnectOptions {
            user: user.into(),
            secret: Secret::Password(user.as_bytes().to_vec().into()),
            database: database.map(Into::into),
            capabilities,
            collation,
            max_packet: 1 << 30,
            ..ConnectOptions::default()
        });
        loop {
            let (payload, sequence) = wire.packet().await?;
            match machine.receive(&payload)? {
                ConnectStep::Wait => {}
                ConnectStep::Send(payload) => {
                    let mut payload = payload.to_vec();
                    // The connector does not compress by itself: the first packet it sends is the one that asks for it.
                    if sequence == 0 && capabilities.contains(Capabilities::COMPRESS) {
                        payload[0] |= Capabilities::COMPRESS.bits() as u8;
                    }
                    wire.send(&payload, sequence.wrapping_add(1)).await?;
                }
                ConnectStep::Done(connected) => {
                    wire.capabilities = connected.capabilities;
                    wire.packed = capabilities.contains(Capabilities::COMPRESS).then(Packed::default);
                    wire.id = connected.greeting.connection_id;
                    wire.login_status = connected.ok.status;
                    let mariadb = connected.greeting.server_version.contains("MariaDB");
                    wire.challenge = mariadb.then_some(connected.greeting.nonce);
                    return Ok(wire);
                }
                other => return Err(format!("login: {other:?}").into()),
            }
        }
    }

    /// Sends a command and reads its answer.
    pub(crate) async fn command(&mut self, payload: &[u8]) -> TestResult<Answer> {
        self.send(payload, 0).await?;
        self.answer(CommandKind::shape_of(payload)).await
    }

    /// Sends a text query.
    pub(crate) async fn query(&mut self, text: &str) -> TestResult<Answer> {
        self.command(&[&[3], text.as_bytes()].concat()).await
    }

    /// The same, which must succeed.
    pub(crate) async fn run(&mut self, text: &str) -> TestResult<Answer> {
        let answer = self.query(text).await?;
        match answer.error() {
            Some((code, message)) => Err(format!("{text}: {code} {message}").into()),
            None => Ok(answer),
        }
    }

    /// Sends a command that is not answered, or whose answer is read later with [`answer`](Self::answer).
    pub(crate) async fn send(&mut self, payload: &[u8], mut sequence: u8) -> TestResult {
        let mut bytes = Vec::with_capacity(payload.len() + HEADER_LEN);
        let mut rest = payload;
        loop {
            let (head, tail) = rest.split_at(rest.len().min(MAX_PAYLOAD));
            bytes.extend_from_slice(&FrameHeader { payload_len: head.len(), sequence }.to_bytes());
            bytes.extend_from_slice(head);
            (rest, sequence) = (tail, sequence.wrapping_add(1));
            if head.len() < MAX_PAYLOAD {
                break;
            }
        }
        if let Some(packed) = &mut self.packed {
            bytes = packed.pack(&bytes, sequence_of(&bytes))?;
        }
        Ok(self.stream.write_all(&bytes).await?)
    }

    /// Reads the answer to a command of this shape.
    pub(crate) async fn answer(&mut self, shape: ResponseShape) -> TestResult<Answer> {
        match timeout(PATIENCE, self.read_answer(shape)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no whole answer within {PATIENCE:?}; {:?} is left", self.input).into()),
        }
    }

    async fn read_answer(&mut self, shape: ResponseShape) -> TestResult<Answer> {
        let mut answer = Answer::new(self.capabilities);
        if shape == ResponseShape::None {
            return Ok(answer);
        }
        let mut scanner = ResponseScanner::new(shape, self.capabilities, 1);
        loop {
            let scan = scanner.scan(&self.input).map_err(|v| format!("not an answer: {v}"))?;
            let opaque: Vec<u8> = self.input.drain(..scan.opaque).collect();
            answer.opaque(&opaque);
            let Next::Control { len, control } = scan.next else {
                self.fill().await?;
                continue;
            };
            let frame: Vec<u8> = self.input.drain(..len).collect();
            answer.parts.push(Part::Control(control, frame.clone()));
            match control {
                Control::LocalInfile => {
                    let sequence = frame[3].wrapping_add(1);
                    self.send(FILE, sequence).await?;
                    self.send(b"", sequence.wrapping_add(1)).await?;
                    scanner.resume_after_infile(sequence.wrapping_add(2));
                }
                Control::Auth => {
                    let payload = self.authenticate(&frame[HEADER_LEN..]);
                    let Some(payload) = payload else { continue };
                    self.send(&payload, frame[3].wrapping_add(1)).await?;
                    scanner.resume(frame[3].wrapping_add(2));
                }
                control if control.is_last() => return Ok(answer),
                _ => {}
            }
        }
    }

    /// The answer to an AuthSwitchRequest for a user whose password is its name. Nothing for AuthMoreData.
    fn authenticate(&self, payload: &[u8]) -> Option<Vec<u8>> {
        use tideover_protocol::auth::{caching_sha2, native};
        use tideover_protocol::packet::AuthSwitch;
        let switch = AuthSwitch::decode(payload).ok().filter(|_| payload.first() == Some(&0xfe))?;
        let nonce = self.challenge.or_else(|| switch.data.get(..20)?.try_into().ok())?;
        Some(match switch.plugin.as_str() {
            "caching_sha2_password" => caching_sha2::scramble(b"app", &nonce).to_vec(),
            _ => native::scramble(&native::stage1(b"app"), &nonce).to_vec(),
        })
    }

    /// COM_CHANGE_USER to `app`, with the collation of the login or this one.
    pub(crate) fn change_user(&self, database: &str, collation: &str) -> Vec<u8> {
        let collation = match collation {
            "" => Some(self.collation.into()),
            number => number.parse().ok(),
        };
        let change = ChangeUser {
            user: b"app".to_vec(),
            auth_response: Vec::new(),
            database: database.into(),
            collation,
            plugin: None,
            attributes: Vec::new(),
        };
        let mut out = bytes::BytesMut::new();
        change.encode(self.capabilities, &mut out);
        out.to_vec()
    }

    /// The next packet and its number.
    pub(crate) async fn packet(&mut self) -> TestResult<(Vec<u8>, u8)> {
        loop {
            if let Some(header) = FrameHeader::parse(&self.input)
                && self.input.len() >= HEADER_LEN + header.payload_len
            {
                let frame: Vec<u8> = self.input.drain(..HEADER_LEN + header.payload_len).collect();
                return Ok((frame[HEADER_LEN..].to_vec(), header.sequence));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> TestResult {
        let mut piece = vec![0; 16 << 10];
        match self.stream.read(&mut piece).await? {
            0 => Err(CLOSED.into()),
            count => {
                match &mut self.packed {
                    Some(packed) => packed.unpack(&piece[..count], &mut self.input)?,
                    None => self.input.extend_from_slice(&piece[..count]),
                }
                Ok(())
            }
        }
    }
}
