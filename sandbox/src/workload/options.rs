use std::{net::SocketAddr, ops::Range, time::Duration};

use tokio::sync::watch;

use super::Mix;

/// What a client does about error 1213 inside an open transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadlockPolicy {
    /// It is an error like any other.
    Count,
    /// Applications must expect it: the transaction is run again, and counted apart.
    Retry,
}

/// How a workload is run.
#[derive(Clone, Debug)]
pub struct WorkloadOptions {
    /// The proxy's or the server's address.
    pub address: SocketAddr,
    /// Where the primary is at the moment, for clients connected directly: they go there when they connect, as with a
    /// name that somebody keeps up to date, and they connect anew when their server refuses a write as read-only (1290).
    pub follow: Option<watch::Receiver<SocketAddr>>,
    /// The account.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The database; its tables are made if they are not there.
    pub database: String,
    /// How many clients, each with a connection of its own; 1 to 65,535.
    pub clients: u16,
    /// Units per second of all clients together; `None` for as fast as they can.
    pub pace: Option<u32>,
    /// What the clients do.
    pub mix: Mix,
    /// How long a transfer pauses between its statements while it holds its locks, chosen at random. An empty range
    /// means no pause.
    pub transaction_hold: Range<Duration>,
    /// How long a [`super::Kind::Long`] transaction takes, beside its statements: short ones are as frequent as long ones of
    /// ten times their length.
    pub long_hold: Range<Duration>,
    /// What a client does about error 1213.
    pub deadlocks: DeadlockPolicy,
    /// Between how many accounts money is moved: fewer means that transactions wait for each other more.
    pub accounts: u32,
}

impl WorkloadOptions {
    /// 32 clients of account `app` in database `app`, unpaced, without pauses, with a bit of everything.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            follow: None,
            user: "app".into(),
            password: "app".into(),
            database: "app".into(),
            clients: 32,
            pace: None,
            mix: Mix::default(),
            transaction_hold: Duration::ZERO..Duration::ZERO,
            long_hold: Duration::from_millis(50)..Duration::from_secs(2),
            deadlocks: DeadlockPolicy::Count,
            accounts: 200,
        }
    }

    /// Where a client connects now.
    pub(crate) fn current_address(&self) -> SocketAddr {
        self.follow.as_ref().map_or(self.address, |follow| *follow.borrow())
    }

    /// How long a client waits from one unit's start to the next.
    pub(crate) fn interval(&self) -> Option<Duration> {
        let rate = f64::from(self.pace.filter(|&rate| rate > 0)?);
        Some(Duration::from_secs_f64(f64::from(self.clients.max(1)) / rate))
    }
}
