//! A checked-out server connection.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::connection::ServerConnection;
use super::pool::AccountPool;

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
        Self { connection: Some(connection), pool, _permit: permit }
    }

    /// Rolls back and cleans the connection before it goes back, in a task of its own: for sessions that end amid a
    /// transaction or leave state behind.
    pub fn scrub(mut self) {
        let clean = self.is_reusable();
        if clean || self.broken || !self.io.input().is_empty() || self.io.unsent() > 0 {
            return;
        }
        tokio::spawn(async move {
            // Its locks are held until it is reset or closed: a reset that hangs is given up soon.
            let limit = std::time::Duration::from_secs(2);
            // Broken until proven clean: a cancelled or failed reset must not reach the pool.
            self.broken = true;
            if matches!(tokio::time::timeout(limit, self.reset()).await, Ok(Ok(()))) {
                self.broken = false;
            }
        });
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
        if let Some(mut connection) = self.connection.take() {
            connection.idle_since = Instant::now();
            connection.io.rest();
            self.pool.give_back(connection);
        }
    }
}
