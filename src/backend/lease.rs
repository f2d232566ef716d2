//! A checked-out server connection.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::connection::ServerConnection;
use super::pool::AccountPool;

/// A connection's locks are held until it is reset or closed: a reset that hangs is given up after this time.
const SCRUB: Duration = Duration::from_secs(2);

/// The right to use one server connection. Dropping it gives a clean connection back and closes any other.
#[derive(Debug)]
#[must_use]
pub struct Lease {
    connection: Option<Box<ServerConnection>>,
    pool: Arc<AccountPool>,
    // Released after the connection is back (fields drop after `drop`), so that the next in line finds it.
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    pub(super) fn new(
        connection: Box<ServerConnection>,
        pool: Arc<AccountPool>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        pool.leased.fetch_add(1, Ordering::Relaxed);
        Self { connection: Some(connection), pool, _permit: permit }
    }

    /// Rolls back and cleans the connection before it goes back, in a task of its own: for sessions that end amid a
    /// transaction or leave state behind.
    pub fn scrub(self) {
        if self.needs_scrubbing() {
            tokio::spawn(self.scrubbed());
        }
    }

    /// The same, and done when it is done: what the session left is gone from the server, or the connection is closed.
    pub async fn scrubbed(mut self) {
        if !self.needs_scrubbing() {
            return;
        }
        // Broken until proven clean: a cancelled or failed reset must not reach the pool.
        self.broken = true;
        let pool = self.pool.clone();
        let Some(_turn) = pool.slots().turn_to_scrub().await else { return };
        if matches!(tokio::time::timeout(SCRUB, self.reset()).await, Ok(Ok(()))) {
            self.broken = false;
        }
    }

    fn needs_scrubbing(&self) -> bool {
        !self.is_reusable() && !self.broken && self.io.input().is_empty() && self.io.unsent() == 0
    }

    /// The pool it came from.
    #[must_use]
    pub fn pool(&self) -> &Arc<AccountPool> {
        &self.pool
    }
}

impl Deref for Lease {
    type Target = ServerConnection;

    fn deref(&self) -> &ServerConnection {
        self.connection.as_deref().expect("present until dropped")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut ServerConnection {
        self.connection.as_deref_mut().expect("present until dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.leased.fetch_sub(1, Ordering::Relaxed);
        if let Some(mut connection) = self.connection.take() {
            connection.idle_since = Instant::now();
            connection.io.rest();
            self.pool.give_back(connection);
        }
    }
}
