//! The values a topology consists of. PURE.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

/// A configured server, by its place in `cluster.servers` (0-based). Stable for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ServerId(pub usize);

/// The two families of servers. They differ in replication commands, GTID form and privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// MariaDB 10.5 or newer.
    MariaDb,
    /// MySQL 8.0 or newer (and compatible).
    MySql,
}

/// What a server is, as judged from everything that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Serves writes.
    Primary,
    /// Follows the primary, read-only.
    Replica,
    /// Reachable, but neither: read-only and following nobody, or writable beside the primary.
    Detached,
    /// Was primary, was replaced while it could not be reached, and has not been seen following its successor since.
    Stale,
    /// Cannot be reached.
    Down,
}

impl Role {
    /// The name used in metrics and status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Detached => "detached",
            Self::Stale => "stale",
            Self::Down => "down",
        }
    }
}

/// A place in a server's own binary log: file name and byte offset of the next event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BinlogPosition {
    /// File name, e.g. `binlog.000003`.
    pub file: String,
    /// Byte offset.
    pub offset: u64,
}

/// A server's replication channel, as it reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replication {
    /// Host of the source as configured on the replica.
    pub source_host: String,
    /// Port of the source.
    pub source_port: u16,
    /// `server_id` of the source, 0 when the replica has not met it yet.
    pub source_number: u32,
    /// Whether the receiver thread runs (`Yes`; `Connecting` does not count).
    pub receiving: bool,
    /// Whether the receiver thread is stopped on purpose or by an error (`No`), not just waiting for its source.
    pub receiver_stopped: bool,
    /// Whether the applier thread runs.
    pub applying: bool,
    /// Lag as the server reports it; `None` when it does not know.
    pub lag: Option<Duration>,
    /// The last error of either thread, empty when none.
    pub error: String,
    /// What it has received, applied or not: `Gtid_IO_Pos` (MariaDB) or `Retrieved_Gtid_Set` (MySQL).
    pub received: String,
}

/// How the last look at a server failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unanswered {
    /// Connection refused, reset or ended: nobody is there, or it is stopping.
    Gone,
    /// No answer in time, and no greeting: hung, or cut off.
    Silent,
    /// It lets us log in and does not answer: its commits hang (a full disk under the binary log does that).
    Stuck,
    /// It answers and will not let us look.
    Denied,
}

/// One server as last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Server {
    /// Its identity here.
    pub id: ServerId,
    /// `host:port` as configured.
    pub address: Arc<str>,
    /// What it is.
    pub role: Role,
    /// Why it is not usable, empty when it is.
    pub problem: String,
    /// Family.
    pub flavor: Flavor,
    /// Version text as the server gives it, empty until it was first seen.
    pub version: String,
    /// Its `server_id`.
    pub number: u32,
    /// Capability flags of its greeting, as the protocol numbers them; 0 until it was first seen.
    pub offers: u64,
    /// `read_only` (or `super_read_only`).
    pub read_only: bool,
    /// Its replication, if any is configured.
    pub replication: Option<Replication>,
    /// GTID position: what it has executed, in its own notation.
    pub gtid: String,
    /// What its binary log has had, by source: `gtid_binlog_state` (MariaDB) or `gtid_executed` (MySQL).
    pub executed: Arc<str>,
    /// How the last look at it failed; `None` if it did not.
    pub unanswered: Option<Unanswered>,
    /// End of its own binary log when it was last looked at; `None` without a binary log or the right to see it.
    pub binlog: Option<BinlogPosition>,
    /// Whether changes received by replication go to its own binary log too.
    pub logs_replica_updates: bool,
    /// Whether statement texts go to the binary log for new sessions (annotate rows / rows query events).
    pub logs_statements: bool,
    /// A digest of the global values that new sessions begin with; 0 if it is not known.
    pub globals: u32,
}

impl Server {
    /// A server of which nothing is known yet.
    #[must_use]
    pub fn unseen(id: ServerId, address: Arc<str>) -> Self {
        Self {
            id,
            address,
            role: Role::Down,
            problem: "not looked at yet".to_owned(),
            flavor: Flavor::MariaDb,
            version: String::new(),
            number: 0,
            offers: 0,
            read_only: true,
            replication: None,
            gtid: String::new(),
            executed: "".into(),
            unanswered: None,
            binlog: None,
            logs_replica_updates: false,
            logs_statements: false,
            globals: 0,
        }
    }

    /// Whether it was reachable when last looked at.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.role != Role::Down
    }

    /// Whether it is up and lets the monitor's account in: one that refuses it serves its clients, and can be asked
    /// nothing.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_up() && self.unanswered != Some(Unanswered::Denied)
    }
}

/// Why there is no primary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum NoPrimary {
    /// Nothing was looked at yet.
    NotLooked,
    /// No server can be reached.
    AllDown,
    /// Servers are up, all of them read-only (or following another).
    AllReadOnly,
    /// Nobody is seen to accept writes, and some that live refuse the monitor's account.
    Refused {
        /// What they say.
        problems: Vec<String>,
    },
    /// Several servers accept writes and none of them is the known primary.
    TwoWriters {
        /// Their addresses.
        writers: Vec<String>,
    },
    /// The only writable server was replaced earlier and may lack transactions.
    OnlyStaleWriter {
        /// Its address.
        writer: String,
    },
}

impl fmt::Display for NoPrimary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLooked => write!(f, "the servers were not looked at yet"),
            Self::AllDown => write!(f, "no server can be reached"),
            Self::AllReadOnly => write!(f, "no server accepts writes"),
            Self::Refused { problems } => {
                write!(
                    f,
                    "the monitor's account is refused (monitor.user, monitor.password): {}",
                    problems.join("; ")
                )
            }
            Self::TwoWriters { writers } => {
                write!(f, "{} servers accept writes: {}", writers.len(), writers.join(", "))
            }
            Self::OnlyStaleWriter { writer } => write!(
                f,
                "the only writable server, {writer}, was replaced earlier and may lack transactions"
            ),
        }
    }
}

/// The state of the cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ClusterState {
    /// One primary.
    Ok {
        /// Which.
        primary: ServerId,
    },
    /// The known primary goes on, but other servers accept writes as well.
    TwoWriters {
        /// The known primary.
        primary: ServerId,
        /// The others.
        others: Vec<ServerId>,
    },
    /// Nobody to write to.
    None {
        /// Why.
        why: NoPrimary,
    },
}

impl ClusterState {
    /// The name used in status.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ok { .. } => "ok",
            Self::TwoWriters { .. } | Self::None { why: NoPrimary::TwoWriters { .. } } => "two_writers",
            Self::None { .. } => "no_primary",
        }
    }
}

/// An immutable snapshot of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topology {
    /// Grows by one with each published snapshot.
    pub version: u64,
    /// Grows by one each time another server becomes the primary.
    pub epoch: u64,
    /// All configured servers, in configured order: `servers[id.0]`.
    pub servers: Vec<Server>,
    /// The judgement.
    pub state: ClusterState,
}

impl Topology {
    /// The topology before anything was looked at.
    #[must_use]
    pub fn unseen(addresses: &[Arc<str>]) -> Self {
        let servers =
            addresses.iter().enumerate().map(|(at, a)| Server::unseen(ServerId(at), a.clone())).collect();
        Self { version: 0, epoch: 0, servers, state: ClusterState::None { why: NoPrimary::NotLooked } }
    }

    /// The primary, if there is one.
    #[must_use]
    pub fn primary(&self) -> Option<&Server> {
        match &self.state {
            ClusterState::Ok { primary } | ClusterState::TwoWriters { primary, .. } => self.server(*primary),
            ClusterState::None { .. } => None,
        }
    }

    /// A server by its identity.
    #[must_use]
    pub fn server(&self, id: ServerId) -> Option<&Server> {
        self.servers.get(id.0)
    }

    /// A server by `host:port` as configured; `localhost` and `127.0.0.1` are taken for the same.
    #[must_use]
    pub fn find(&self, address: &str) -> Option<&Server> {
        let wanted = normal(address);
        self.servers.iter().find(|s| normal(&s.address) == wanted)
    }
}

/// `localhost` is what people write and `127.0.0.1` what servers report.
fn normal(address: &str) -> String {
    address.trim().replace("localhost", "127.0.0.1").to_ascii_lowercase()
}
