//! What all sessions share, handed in by `app`.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard as Held};
use parking_lot::Mutex;

use crate::backend::{Account, Pools};
use crate::flight::{Acknowledged, Flights};
use crate::gate::Gate;
use crate::guard::Guard;
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::net::{BufferPool, RsaKey, ServerTls};
use crate::replay::Budget;
use crate::route::Desk;
use crate::sql;
use crate::topology::{ServerId, TopologyStore};

use super::accounts::AccountDirectory;
use super::bounds::Bounds;
use super::network::Network;
use super::registry::SessionRegistry;
use super::states::States;
use super::visible::Visible;

/// Bounds and choices of sessions, from the configuration.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// A unit waits at the gate at most (`hold.timeout`).
    pub hold_timeout: Duration,
    /// A client must have logged in within (`login_timeout`).
    pub login_timeout: Duration,
    /// Clients at most (`max_connections`).
    pub max_connections: usize,
    /// Largest command of a client, bytes (`max_packet`).
    pub max_packet: usize,
    /// Whether TLS is offered only if the servers offer it: so it is without a certificate of our own.
    pub tls_like_servers: bool,
    /// Whether TLS is demanded.
    pub tls_required: bool,
    /// Whether a session keeps its server connection to its end, unless that has to be left (`pool.mode`).
    pub keeps_connection: bool,
    /// Who may say with a PROXY header whose connection it is (`proxy_protocol_networks`).
    pub proxy_networks: Arc<[Network]>,
    /// Whether a primary that hangs is waited for with what is open there, as no failover of ours (`failover.mode`) is about
    /// to put another server in its place.
    pub waits_for_primary: bool,
    /// Whether servers are told the client's address (`pool.proxy_protocol`).
    pub tells_address: bool,
}

/// What all sessions of one shard share.
pub struct Shared {
    /// Number of the shard.
    pub shard: usize,
    /// Bounds; others after a reload.
    pub live: Arc<ArcSwap<SessionOptions>>,
    /// What every unit passes.
    pub gate: Arc<Gate>,
    /// Who is the primary.
    pub store: Arc<TopologyStore>,
    /// Server connections.
    pub pools: Arc<Pools>,
    /// Told when something on the data path was not as expected.
    pub monitor: Arc<Monitor>,
    /// Proves outcomes.
    pub guard: Arc<Guard>,
    /// What became of sessions in switchovers and failovers.
    pub flights: Arc<Flights>,
    /// Bounds of journals, and what is used of them.
    pub journals: Arc<Budget>,
    /// What was acknowledged to sessions.
    pub acknowledged: Arc<Acknowledged>,
    /// Who serves reads.
    pub routing: Arc<Desk>,
    /// Live sessions.
    pub registry: Arc<SessionRegistry>,
    /// Who may log in.
    pub accounts: Arc<AccountDirectory>,
    /// Ends statements on servers.
    pub control: Arc<Account>,
    /// Handles of metrics.
    pub metrics: Arc<Metrics>,
    /// TLS towards clients, if offered.
    pub tls: Option<Arc<ServerTls>>,
    /// For passwords without TLS.
    pub rsa: Arc<RsaKey>,
    /// What sessions are alike in.
    pub states: States,
    /// What nobody can have seen more than.
    pub bounds: Bounds,
    /// What a primary shows of what it has logged.
    pub visible: Visible,
    /// What texts were that came before on this shard.
    pub texts: Mutex<sql::Cache>,
    /// Buffers of this shard.
    pub buffers: Arc<BufferPool>,
}

impl Shared {
    /// The bounds that hold now. Not to be kept over an await.
    #[must_use]
    pub fn options(&self) -> Held<Arc<SessionOptions>> {
        self.live.load()
    }

    /// Another number each time that a server may have been restarted: what it was seen to have holds within one life.
    pub(super) fn life(&self, server: ServerId) -> u64 {
        self.routing.life(server, self.pools.ended(server))
    }
}
