//! What `/v1/status` shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The whole state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// `ok`, `two_writers` or `no_primary`.
    pub state: String,
    /// Why there is no primary, or what is wrong beside it; empty if all is well.
    pub problem: String,
    /// Address of the primary.
    pub primary: Option<String>,
    /// Grows each time another server becomes the primary.
    pub epoch: u64,
    /// The gate.
    pub gate: GateView,
    /// The servers, in configured order.
    pub servers: Vec<ServerView>,
    /// The sessions.
    pub sessions: SessionsView,
    /// Whether outcomes of units in doubt can be proven.
    #[serde(default)]
    pub guard: GuardView,
    /// Who serves reads.
    #[serde(default)]
    pub routing: RoutingView,
    /// Who promotes when the primary is lost.
    #[serde(default)]
    pub failover: FailoverView,
    /// Whether the proxy takes new clients.
    pub ready: bool,
}

/// Reads on replicas.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RoutingView {
    /// Whether any read may go to a replica.
    pub on: bool,
    /// `session`, `eventual` or `strong`.
    pub consistency: String,
    /// How often each reason decided where a statement goes. Empty while no read may go to a replica.
    pub reasons: BTreeMap<String, u64>,
    /// How often each `[[route]]` decided, in their order.
    pub rules: Vec<u64>,
    /// The servers as they serve reads, in configured order.
    pub readers: Vec<ReaderView>,
}

/// One server's part in serving reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReaderView {
    /// `host:port`.
    pub address: String,
    /// Whether it gets reads now.
    pub fit: bool,
    /// Reads that run there now.
    pub running: u32,
    /// How long a read takes there, milliseconds, smoothed.
    pub latency_ms: f64,
    /// Reads that it has served as a replica.
    pub reads: u64,
}

/// Failovers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FailoverView {
    /// `failover.mode`: `external` or `auto`.
    pub mode: String,
    /// With `auto`, while there is no primary: what a failover waits for, or why there is none.
    pub note: String,
}

/// The gate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GateView {
    /// `open`, `draining` or `held`.
    pub state: String,
    /// Why it is closed.
    pub reasons: Vec<String>,
    /// Units inside.
    pub inside: u64,
    /// Sessions waiting.
    pub held: usize,
    /// Milliseconds since it was closed.
    pub closed_ms: u64,
}

/// The guard.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GuardView {
    /// `guard.mode`.
    pub mode: String,
    /// Whether every server that is up can tell what became of a unit. Statements that carry no tag are never guarded.
    pub guarded: bool,
    /// What stands in the way, a server and a reason each.
    pub why_not: Vec<String>,
    /// What stands in the way of the commit marker, which guards what carries no tag: CALL, stored functions.
    #[serde(default)]
    pub why_no_marker: Vec<String>,
}

/// One server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerView {
    /// `host:port`.
    pub address: String,
    /// `primary`, `replica`, `detached`, `stale` or `down`.
    pub role: String,
    /// What is wrong with it; empty if nothing.
    pub problem: String,
    /// `mariadb` or `mysql`.
    pub flavor: String,
    /// Version text.
    pub version: String,
    /// Refuses writes.
    pub read_only: bool,
    /// `host:port` that it replicates from.
    pub source: Option<String>,
    /// Lag as it reports it, seconds.
    pub lag_s: Option<f64>,
    /// GTID position.
    pub gtid: String,
    /// Our connections in use.
    pub leased: usize,
    /// Our idle connections.
    pub idle: usize,
}

/// The sessions in numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionsView {
    /// Clients connected.
    pub clients: usize,
    /// Sessions that cannot move now, by reason.
    pub pinned: BTreeMap<String, usize>,
}
