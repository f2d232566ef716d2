//! What the coordinator is made with, and what it is asked for.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::backend::{Account, Pools};
use crate::flight::Flights;
use crate::gate::Gate;
use crate::monitor::Monitor;
use crate::topology::ServerId;

/// From `[switchover]`.
#[derive(Debug, Clone)]
pub struct SwitchoverOptions {
    /// Units inside may take this long to finish (`switchover.drain_timeout`).
    pub drain_timeout: Duration,
    /// Transactions that can surely be done again are waited for this long only (`switchover.move_after`).
    pub move_after: Duration,
    /// The target may take this long to get everything (`switchover.catch_up_timeout`).
    pub catch_up_timeout: Duration,
    /// Setting the old primary read-only may take this long (`switchover.fence_timeout`).
    pub fence_timeout: Duration,
    /// The target may be behind by this at preflight (`switchover.max_lag`).
    pub max_lag: Duration,
    /// Replication account for repointing (`switchover.replication_user`).
    pub replication_user: String,
    /// Its password.
    pub replication_password: String,
    /// Connections opened ahead of need, at most.
    pub warm: usize,
}

/// What the coordinator works with.
#[derive(Clone)]
pub struct CoordinatorParts {
    /// Holds and releases units.
    pub gate: Arc<Gate>,
    /// Sees the servers.
    pub monitor: Arc<Monitor>,
    /// Retires and warms connections.
    pub pools: Arc<Pools>,
    /// Who gives commands to the servers.
    pub account: Arc<Account>,
    /// The record of it.
    pub flights: Arc<Flights>,
    /// Ends the units that are still inside; gives their number.
    pub cut: Arc<dyn Fn() -> usize + Send + Sync>,
    /// Whether all units inside could surely be done again if they were ended now.
    pub movable: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Has sessions give up what only this server has for them; gives the number of those that still have something.
    pub part: Arc<dyn Fn(ServerId) -> usize + Send + Sync>,
    /// Whom a command has made primary.
    pub commanded: Commanded,
}

/// The server that was made primary by command, since the last failover. Whoever watches for failovers tells a switchover of ours
/// from somebody else's by it.
#[derive(Debug, Clone, Default)]
pub struct Commanded(Arc<Mutex<Option<ServerId>>>);

impl Commanded {
    pub(super) fn note(&self, primary: Option<ServerId>) {
        *self.0.lock() = primary;
    }

    pub(super) fn is(&self, primary: ServerId) -> bool {
        *self.0.lock() == Some(primary)
    }
}

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `host:port`, or the best replica.
    pub to: Option<String>,
    /// Only checks.
    pub dry_run: bool,
    /// In place of the configured one.
    pub drain_timeout: Option<Duration>,
}
