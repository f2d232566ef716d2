//! Logs in to a server: drives the protocol's `Connector` over a socket.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tideover_protocol::capability::{Capabilities, Dialect};
use tideover_protocol::handshake::{
    ConnectError, ConnectOptions, ConnectStep, Connected, Connector as Machine, TlsWish,
};
use tideover_protocol::packet::{ErrPacket, Greeting};
use tideover_protocol::proxy_header::{self, Version};
use tokio::time::{Instant, timeout_at};

use crate::net::{
    BufferPool, ClientTls, ClientTlsMode, Codec, PacketIo, Raw, Stream, dial, encrypt_with_pem,
};
use crate::topology::Flavor;

use super::account::Account;
use super::control::flavor_of;

/// Largest packet in a login conversation, bytes.
const LOGIN_PACKET: usize = 1 << 20;

/// ER_SECURE_TRANSPORT_REQUIRED: the server has `require_secure_transport`, also for its own machine.
const NEEDS_TLS: u16 = 3159;

/// Where to connect.
#[derive(Debug, Clone)]
pub struct Target {
    /// `host:port`.
    pub address: Arc<str>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// The server cannot be reached or went away while we logged in.
    #[error("{address}: {error}")]
    Unreachable {
        /// Which server.
        address: Arc<str>,
        /// Why.
        error: io::Error,
    },
    /// No answer in time.
    #[error("{address}: no answer within the time allowed for connecting")]
    TimedOut {
        /// Which server.
        address: Arc<str>,
    },
    /// The server said no, in its own words.
    #[error("{address}: error {} ({})", .error.code, String::from_utf8_lossy(&.error.message))]
    Refused {
        /// Which server.
        address: Arc<str>,
        /// Its words.
        error: ErrPacket,
    },
    /// We cannot log in there the way it asks.
    #[error("{address}: {problem}")]
    Unable {
        /// Which server.
        address: Arc<str>,
        /// What stands in the way.
        problem: String,
    },
}

impl ConnectFailure {
    /// Whether the server itself refused this account (as opposed to not being there).
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unable { .. })
    }

    /// Whether the server has as many connections as it takes, of all or of this account: ER_CON_COUNT_ERROR,
    /// ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Refused { error, .. } if matches!(error.code, 1040 | 1203 | 1226))
    }

    /// Whether it is this account that has as many connections as it may have.
    #[must_use]
    pub fn is_full_for_account(&self) -> bool {
        matches!(self, Self::Refused { error, .. } if matches!(error.code, 1203 | 1226))
    }

    /// Whether it cannot be there at all, as opposed to being slow.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// Opens streams in place of the system, by address: to servers within this process.
pub type Dial = dyn Fn(&str) -> io::Result<Raw> + Send + Sync;

/// What connections to servers have beside TLS.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wire {
    /// Servers are told the address of the client, if the account's manner names one (`pool.proxy_protocol`). MariaDB
    /// takes that; MySQL does not, and is not told.
    pub proxy_header: Option<Version>,
    /// How packets are compressed where a server can (`pool.compression`).
    pub compression: Option<Codec>,
}

/// Makes logged-in connections.
#[derive(Clone)]
pub struct Connector {
    tls: ClientTls,
    wire: Wire,
    /// It was said that a server takes no PROXY header.
    warned: Arc<AtomicBool>,
    buffers: Arc<BufferPool>,
    max_packet: u32,
    dial: Option<Arc<Dial>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Connector {
    /// With the TLS settings of `[server_tls]`.
    #[must_use]
    pub fn new(tls: ClientTls, buffers: Arc<BufferPool>) -> Self {
        Self { tls, wire: Wire::default(), warned: Arc::default(), buffers, max_packet: 1 << 30, dial: None }
    }

    /// The same, with connections of this kind.
    #[must_use]
    pub fn over(self, wire: Wire) -> Self {
        Self { wire, ..self }
    }

    /// The same, over streams of the caller's making: a test or a simulation needs no sockets.
    #[must_use]
    pub fn dialing(self, dial: Arc<Dial>) -> Self {
        Self { dial: Some(dial), ..self }
    }

    /// Dials and logs in.
    ///
    /// # Errors
    /// [`ConnectFailure`], by what kept us out.
    pub async fn login(
        &self,
        target: &Target,
        account: &Account,
        dialect: Dialect,
        deadline: Instant,
    ) -> Result<(PacketIo, Box<Connected>), ConnectFailure> {
        let address = &target.address;
        let over_tls = account.manner().tls;
        let done = match timeout_at(deadline, self.converse(address, account, dialect, over_tls)).await {
            Ok(Err(ConnectFailure::Refused { error, .. })) if error.code == NEEDS_TLS && !over_tls => {
                timeout_at(deadline, self.converse(address, account, dialect, true)).await
            }
            done => done,
        };
        match done {
            Ok(done) => done,
            Err(_) => Err(ConnectFailure::TimedOut { address: address.clone() }),
        }
    }

    async fn converse(
        &self,
        address: &Arc<str>,
        account: &Account,
        dialect: Dialect,
        over_tls: bool,
    ) -> Result<(PacketIo, Box<Connected>), ConnectFailure> {
        let lost = |error| ConnectFailure::Unreachable { address: address.clone(), error };
        let unable = |problem| ConnectFailure::Unable { address: address.clone(), problem };
        let raw = match &self.dial {
            None => dial(address).await.map_err(lost)?,
            Some(dial) => dial(address).map_err(lost)?,
        };
        let mut io = PacketIo::new(Stream::Plain(raw), &self.buffers);
        let certified = account.manner().certificate;
        let mut machine =
            Machine::new(self.options(address, account, dialect, (io.stream().is_secure(), over_tls)));
        let (payload, mut sequence) = io.read_packet(0, LOGIN_PACKET).await.map_err(lost)?;
        // It is read with the first packet of ours, and belongs in front of it.
        io.queue(&self.proxy_header(&payload, account));
        let mut payload = Some(payload);
        loop {
            let payload = match payload.take() {
                Some(greeting) => greeting,
                None => {
                    let (payload, next) = io.read_packet(sequence, LOGIN_PACKET).await.map_err(lost)?;
                    sequence = next;
                    payload
                }
            };
            let step = machine.receive(&payload).map_err(|error| refused(address, error))?;
            match step {
                ConnectStep::Wait => {}
                ConnectStep::Send(payload) => {
                    sequence = io.send_packet(&payload, sequence).await.map_err(lost)?;
                }
                ConnectStep::SendThenTls(payload) => {
                    sequence = io.send_packet(&payload, sequence).await.map_err(lost)?;
                    let raw = io.into_raw().ok_or_else(|| unable("asked for TLS inside TLS".to_owned()))?;
                    let stream = self.tls.connect(raw, address, certified).await;
                    let stream = stream.map_err(|e| unable(format!("TLS: {e}")))?;
                    io = PacketIo::new(stream, &self.buffers);
                    let payload = machine.tls_established();
                    sequence = io.send_packet(&payload, sequence).await.map_err(lost)?;
                }
                ConnectStep::EncryptRsa { public_key_pem, plaintext } => {
                    let encrypted = encrypt_with_pem(&public_key_pem, &plaintext)
                        .ok_or_else(|| unable("the server's RSA key cannot be used".to_owned()))?;
                    let payload = machine.encrypted(encrypted);
                    sequence = io.send_packet(&payload, sequence).await.map_err(lost)?;
                }
                ConnectStep::Done(connected) => return Ok((self.compressed(io, &connected), connected)),
            }
        }
    }

    /// What goes in front of our first packet, after this greeting.
    fn proxy_header(&self, greeting: &[u8], account: &Account) -> Vec<u8> {
        let (Some(version), Some(client)) = (self.wire.proxy_header, account.manner().client) else {
            return Vec::new();
        };
        let understood = Greeting::decode(greeting)
            .is_ok_and(|greeting| flavor_of(&greeting.server_version) == Flavor::MariaDb);
        // Connections are shared by the clients at this address, so no port is named.
        if understood {
            return proxy_header::write(version, SocketAddr::new(client, 0));
        }
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "MySQL takes no PROXY header: its servers see this proxy's address (pool.proxy_protocol)"
            );
        }
        Vec::new()
    }

    /// What follows a login is compressed as both have said in it.
    fn compressed(&self, io: PacketIo, connected: &Connected) -> PacketIo {
        let agreed = match self.wire.compression {
            Some(Codec::Zlib) => connected.capabilities.contains(Capabilities::COMPRESS),
            Some(Codec::Zstd(_)) => connected.capabilities.contains(Capabilities::ZSTD_COMPRESSION),
            None => false,
        };
        match self.wire.compression {
            Some(codec) if agreed => io.compress_as_client(codec),
            _ => io,
        }
    }

    fn options(
        &self,
        address: &str,
        account: &Account,
        dialect: Dialect,
        (secure, over_tls): (bool, bool),
    ) -> ConnectOptions {
        let mut random = [0; 32];
        if aws_lc_rs::rand::fill(&mut random).is_err() {
            // A constant draw would be no draw; see `fresh_nonce`.
            std::process::abort();
        }
        let local = address.starts_with("unix:") || is_loopback(address);
        let tls = match self.tls.mode() {
            ClientTlsMode::Off => TlsWish::Off,
            // On the machine itself there is no wire to protect, and TLS would double the cost of every query.
            ClientTlsMode::Preferred if local && !over_tls => TlsWish::Off,
            ClientTlsMode::Preferred => TlsWish::Preferred,
            ClientTlsMode::Required | ClientTlsMode::VerifyCa | ClientTlsMode::VerifyIdentity => {
                TlsWish::Required
            }
        };
        ConnectOptions {
            user: account.user().to_vec(),
            secret: account.secret().as_ref().clone(),
            database: None,
            capabilities: dialect.asked(),
            collation: dialect.collation,
            attributes: vec![
                (b"_client_name".to_vec(), b"tideover".to_vec()),
                (b"_client_version".to_vec(), env!("CARGO_PKG_VERSION").as_bytes().to_vec()),
                (b"_pid".to_vec(), std::process::id().to_string().into_bytes()),
            ],
            tls,
            compression: match self.wire.compression {
                Some(Codec::Zlib) => Capabilities::COMPRESS,
                Some(Codec::Zstd(_)) => Capabilities::ZSTD_COMPRESSION,
                None => Capabilities::empty(),
            },
            zstd_level: match self.wire.compression {
                Some(Codec::Zstd(level)) => level,
                _ => 0,
            },
            secure_channel: secure,
            max_packet: self.max_packet,
            random,
        }
    }
}

fn refused(address: &Arc<str>, error: ConnectError) -> ConnectFailure {
    let address = address.clone();
    match error {
        ConnectError::Refused(error) => ConnectFailure::Refused { address, error },
        other => ConnectFailure::Unable { address, problem: other.to_string() },
    }
}

fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
