//! A control connection: the monitor account's own conversation with a server, in the text protocol, small answers,
//! always with a deadline. Used for probes, for the steps of a switchover, and to end other connections.

use std::sync::Arc;
use std::time::Duration;

use tideover_protocol::capability::{Capabilities, Dialect};
use tideover_protocol::packet::ErrPacket;
use tideover_protocol::wire::Reader;
use tokio::time::{Instant, timeout_at};

use crate::net::PacketIo;
use crate::topology::Flavor;

use super::account::Account;
use super::connector::{ConnectFailure, Connector, Target};

/// Largest answer packet of a control query, bytes. A GTID set of thousands of intervals fits.
const ANSWER_PACKET: usize = 16 << 20;

/// Collation id of utf8mb4_general_ci on both families.
const UTF8MB4_GENERAL_CI: u8 = 45;

/// Why a control query brought nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectFailure),
    /// The connection broke.
    #[error("{address}: {error}")]
    Lost {
        /// Which server.
        address: Arc<str>,
        /// How.
        error: std::io::Error,
    },
    /// No answer in time. The connection cannot be used any more.
    #[error("{address}: no answer within {} ms to: {query}", .after.as_millis())]
    TimedOut {
        /// Which server.
        address: Arc<str>,
        /// The bound.
        after: Duration,
        /// What was asked.
        query: String,
    },
    /// The server's own error.
    #[error("{address}: error {} to: {query}: {}", .error.code, String::from_utf8_lossy(&.error.message))]
    Server {
        /// Which server.
        address: Arc<str>,
        /// Its words.
        error: ErrPacket,
        /// What was asked.
        query: String,
    },
}

impl ControlError {
    /// The server's error number, if it was the server that refused.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Server { error, .. } => Some(error.code),
            Self::Connect(ConnectFailure::Refused { error, .. }) => Some(error.code),
            _ => None,
        }
    }

    /// Whether the connection is of no use any more.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Server { .. })
    }
}

/// An answer's rows.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Column names as the server gives them.
    pub columns: Arc<[String]>,
    /// The rows.
    pub rows: Vec<Row>,
}

/// One row of text values.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Option<Vec<u8>>>,
}

impl Row {
    /// A value by column name (any case), as text; `None` for NULL and for columns that are not there.
    #[must_use]
    pub fn text(&self, column: &str) -> Option<String> {
        let at = self.columns.iter().position(|c| c.eq_ignore_ascii_case(column))?;
        self.at(at)
    }

    /// A value by place.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<String> {
        self.values.get(place)?.as_ref().map(|v| String::from_utf8_lossy(v).into_owned())
    }

    /// The first of several names for the same thing (the servers renamed columns over the years).
    #[must_use]
    pub fn any(&self, columns: &[&str]) -> Option<String> {
        columns.iter().find_map(|c| self.text(c))
    }

    /// A value by place, as bytes.
    #[must_use]
    pub fn bytes(&self, place: usize) -> Option<&[u8]> {
        self.values.get(place)?.as_deref()
    }
}

impl Rows {
    /// The first row.
    #[must_use]
    pub fn first(&self) -> Option<&Row> {
        self.rows.first()
    }

    /// The first value of the first row.
    #[must_use]
    pub fn scalar(&self) -> Option<String> {
        self.first()?.at(0)
    }
}

/// A logged-in control connection.
#[derive(Debug)]
pub struct Control {
    io: PacketIo,
    address: Arc<str>,
    flavor: Flavor,
    version: String,
    thread: u32,
    offers: Capabilities,
}

impl Control {
    /// Logs in within `within`.
    ///
    /// # Errors
    /// [`ControlError::Connect`].
    pub async fn connect(
        connector: &Connector,
        target: &Target,
        account: &Account,
        within: Duration,
    ) -> Result<Self, ControlError> {
        let deadline = Instant::now() + within;
        let (io, connected) = connector.login(target, account, control_dialect(), deadline).await?;
        let greeted = &connected.greeting.server_version;
        let flavor = flavor_of(greeted);
        let version = version_of(greeted).to_owned();
        let thread = connected.greeting.connection_id;
        let offers = connected.greeting.capabilities;
        Ok(Self { io, address: target.address.clone(), flavor, version, thread, offers })
    }

    /// The server's family.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// Its version, as `@@version` has it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the server's greeting offers.
    #[must_use]
    pub fn offers(&self) -> Capabilities {
        self.offers
    }

    /// Our connection's id on the server.
    #[must_use]
    pub fn thread(&self) -> u32 {
        self.thread
    }

    /// Where it is connected to.
    #[must_use]
    pub fn address(&self) -> &Arc<str> {
        &self.address
    }

    /// The conversation itself, for what is not a statement: reading the binary log.
    #[must_use]
    pub fn into_io(self) -> PacketIo {
        self.io
    }

    /// Runs one statement within `within`.
    ///
    /// # Errors
    /// [`ControlError`]; after one that [`is_fatal`](ControlError::is_fatal) the connection must be dropped.
    pub async fn query(&mut self, sql: &str, within: Duration) -> Result<Rows, ControlError> {
        match timeout_at(Instant::now() + within, self.converse(sql)).await {
            Ok(Ok(Ok(rows))) => Ok(rows),
            Ok(Ok(Err(error))) => {
                Err(ControlError::Server { address: self.address.clone(), error, query: sql.to_owned() })
            }
            Ok(Err(error)) => Err(ControlError::Lost { address: self.address.clone(), error }),
            Err(_) => Err(ControlError::TimedOut {
                address: self.address.clone(),
                after: within,
                query: sql.to_owned(),
            }),
        }
    }

    /// Runs `sql`, or `instead` if the server refuses that. MySQL 9 refuses each look at its PROCESSLIST and INNODB_TRX while
    /// any statement runs whose text its three-byte characters cannot hold: an emoji, a picture (error 3854).
    ///
    /// # Errors
    /// [`ControlError`]: if both are refused, what was said of the first.
    pub async fn query_or(
        &mut self,
        sql: &str,
        instead: &str,
        within: Duration,
    ) -> Result<Rows, ControlError> {
        match self.query(sql, within).await {
            Err(error) if !error.is_fatal() => match self.query(instead, within).await {
                Err(second) if !second.is_fatal() => Err(error),
                done => done,
            },
            done => done,
        }
    }

    async fn converse(&mut self, sql: &str) -> std::io::Result<Result<Rows, ErrPacket>> {
        let mut command = Vec::with_capacity(sql.len() + 1);
        command.push(0x03);
        command.extend_from_slice(sql.as_bytes());
        let mut sequence = self.io.send_packet(&command, 0).await?;
        let mut head = self.packet(&mut sequence).await?;
        let count = match head.first() {
            Some(0x00) => return Ok(Ok(Rows::default())),
            Some(0xff) => return Ok(Err(error_packet(&head))),
            _ => Reader::new(&head).lenenc_int().map_err(invalid)?,
        };
        let mut names = Vec::new();
        for _ in 0..count {
            head = self.packet(&mut sequence).await?;
            names.push(column_name(&head).map_err(invalid)?);
        }
        self.packet(&mut sequence).await?; // EOF after the columns
        let columns: Arc<[String]> = names.into();
        let mut rows = Vec::new();
        loop {
            let packet = self.packet(&mut sequence).await?;
            match packet.first() {
                Some(0xfe) if packet.len() < 9 => return Ok(Ok(Rows { columns, rows })),
                Some(0xff) => return Ok(Err(error_packet(&packet))),
                _ => {}
            }
            let values = row_values(&packet, columns.len()).map_err(invalid)?;
            rows.push(Row { columns: columns.clone(), values });
        }
    }

    async fn packet(&mut self, sequence: &mut u8) -> std::io::Result<Vec<u8>> {
        let (payload, next) = self.io.read_packet(*sequence, ANSWER_PACKET).await?;
        *sequence = next;
        Ok(payload)
    }
}

/// Plain: EOF packets, no multi statements, utf8mb4.
fn control_dialect() -> Dialect {
    Dialect::new(Capabilities::empty(), UTF8MB4_GENERAL_CI)
}

/// MariaDB says so in its version text; everything else is taken for MySQL.
pub(super) fn flavor_of(version: &str) -> Flavor {
    if version.contains("MariaDB") || version.starts_with("5.5.5-") { Flavor::MariaDb } else { Flavor::MySql }
}

/// MariaDB before 11 puts this in front of its version in a greeting, for the sake of old replicas.
fn version_of(greeted: &str) -> &str {
    greeted.strip_prefix("5.5.5-").unwrap_or(greeted)
}

fn invalid(error: impl std::fmt::Debug) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, format!("{error:?}"))
}

fn error_packet(payload: &[u8]) -> ErrPacket {
    ErrPacket::decode(payload, control_dialect().asked())
        .unwrap_or_else(|_| ErrPacket::new(2027, "HY000", "malformed error packet"))
}

/// The column's name: the fifth length-encoded string of a column definition.
fn column_name(payload: &[u8]) -> Result<String, tideover_protocol::wire::DecodeError> {
    let mut reader = Reader::new(payload);
    for _ in 0..4 {
        reader.lenenc_bytes()?;
    }
    Ok(String::from_utf8_lossy(reader.lenenc_bytes()?).into_owned())
}

fn row_values(
    payload: &[u8],
    columns: usize,
) -> Result<Vec<Option<Vec<u8>>>, tideover_protocol::wire::DecodeError> {
    let mut reader = Reader::new(payload);
    let mut values = Vec::with_capacity(columns);
    for _ in 0..columns {
        if reader.rest().first() == Some(&0xfb) {
            reader.u8()?;
            values.push(None);
        } else {
            values.push(Some(reader.lenenc_bytes()?.to_vec()));
        }
    }
    Ok(values)
}
