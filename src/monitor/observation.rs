//! What one look at one server brought. PURE.

use crate::topology::{BinlogPosition, Flavor, Replication, ServerId};

/// One look at one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Which server.
    pub id: ServerId,
    /// What it said, or why it said nothing.
    pub result: Result<Seen, Unseen>,
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Family, from the version text.
    pub flavor: Flavor,
    /// `@@version`.
    pub version: String,
    /// `@@server_id`.
    pub number: u32,
    /// Capability flags of its greeting.
    pub offers: u64,
    /// `@@read_only` or, on MySQL, `@@super_read_only`.
    pub read_only: bool,
    /// Its replication channel.
    pub replication: Option<Replication>,
    /// `@@gtid_current_pos` (MariaDB) or `@@gtid_executed` (MySQL).
    pub gtid: String,
    /// `@@gtid_binlog_state` (MariaDB) or `@@gtid_executed` (MySQL).
    pub executed: String,
    /// End of its binary log.
    pub binlog: Option<BinlogPosition>,
    /// `log_slave_updates` / `log_replica_updates`, with a binary log.
    pub logs_replica_updates: bool,
    /// `binlog_annotate_row_events` / `binlog_rows_query_log_events`.
    pub logs_statements: bool,
    /// A digest of the global values that new sessions begin with; 0 if it is not known.
    pub globals: u32,
}

/// Why a server said nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// It cannot be there: connection refused, reset, end of stream, or it says that it is shutting down.
    Gone(String),
    /// No answer in time: it may be slow, hung or cut off.
    Silent(String),
    /// It lets us log in, and then there is no answer in time: something inside hangs.
    Stuck(String),
    /// It answers and will not let us look (account, rights).
    Denied(String),
}

impl Unseen {
    /// The reason in words.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Gone(why) | Self::Silent(why) | Self::Stuck(why) | Self::Denied(why) => why,
        }
    }
}
