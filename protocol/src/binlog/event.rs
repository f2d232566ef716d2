use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::gtid::MysqlGtid;
use super::rows::Rows;
use super::table_map::TableMap;

/// One event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Seconds since 1970 on the server where it happened.
    pub timestamp: u32,
    /// Id of the server where it happened first.
    pub server_id: u32,
    /// Where the next event starts in this log's file, modulo 2^32; 0 in events that were made for the dump alone.
    pub next_position: u32,
    /// What happened.
    pub body: EventBody,
}

/// What happened. Texts are shared with the packet, not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody {
    /// The log goes on in another file (also the first event of a dump).
    Rotate {
        /// Its name.
        file: Bytes,
        /// Where in it.
        position: u64,
    },
    /// The head of a file.
    FormatDescription {
        /// Version of the server that wrote it.
        server_version: String,
    },
    /// A statement as text: DDL, BEGIN, COMMIT, XA, or anything with binlog_format=STATEMENT.
    Query(Query),
    /// A statement whose text is compressed (MariaDB, log_bin_compress).
    QueryCompressed,
    /// MariaDB: a transaction begins.
    MariadbGtid(MariadbGtid),
    /// MySQL: a transaction begins.
    MysqlGtid(MysqlGtid),
    /// MySQL without GTIDs: a transaction begins.
    AnonymousGtid,
    /// MariaDB: text of the statement whose row events follow.
    AnnotateRows(Bytes),
    /// MySQL: text of the statement whose row events follow.
    RowsQuery(Bytes),
    /// A table that row events will name; `None` when it has columns of types not known here.
    TableMap(Option<Arc<TableMap>>),
    /// Rows.
    Rows(Rows),
    /// The transaction is committed.
    Xid(u64),
    /// INSERT_ID (true) or LAST_INSERT_ID (false) for the Query event that follows.
    Intvar {
        /// True for INSERT_ID.
        is_insert_id: bool,
        /// Its value.
        value: u64,
    },
    /// Nothing happened for a while.
    Heartbeat,
    /// MySQL: a whole transaction, compressed.
    TransactionPayload,
    /// The transaction is prepared (XA).
    XaPrepare {
        /// XA COMMIT … ONE PHASE: it is committed.
        one_phase: bool,
    },
    /// Any other type; its number.
    Other(u8),
}

/// A statement as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The connection's id on the server where it ran first. In a replica's log of MySQL it may be stale.
    pub thread_id: u32,
    /// Error that it ended with, 0 for none.
    pub error_code: u16,
    /// Default database.
    pub schema: Bytes,
    /// The statement.
    pub text: Bytes,
}

/// The head of a transaction in MariaDB. Shown as session tracking reports it: `domain-server-sequence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MariadbGtid {
    /// Replication domain.
    pub domain: u32,
    /// Server of origin.
    pub server_id: u32,
    /// Sequence number in the domain.
    pub sequence: u64,
    /// Flags, see the constants.
    pub flags: u8,
}

impl MariadbGtid {
    /// A single statement that no COMMIT follows.
    pub const STANDALONE: u8 = 1;
    /// The transaction ends as XA PREPARE.
    pub const PREPARED_XA: u8 = 64;
    /// XA COMMIT or XA ROLLBACK.
    pub const COMPLETED_XA: u8 = 128;
}

impl fmt::Display for MariadbGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server_id, self.sequence)
    }
}
