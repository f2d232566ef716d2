//! How a pool grows: when another connection is opened, and when one that is in use is waited for instead.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::session::SessionState;

use super::acquire::AcquireError;
use super::connection::ServerConnection;
use super::lease::Lease;
use super::pool::{AccountPool, Use};

/// A pool for reads that has so many connections does not grow at once. When a replica dies its readers come to the others in
/// the same moment, and more reads at once than this make nothing faster, but each login costs as much as ten reads.
const ENOUGH: usize = 8;
/// It grows if none has come back within this time: what they are used for takes long.
const PATIENCE: Duration = Duration::from_millis(25);

impl AccountPool {
    /// An idle connection, unless others were there before.
    pub(super) fn take_in_turn(&self, wanted: &SessionState) -> Option<Box<ServerConnection>> {
        if self.queued.load(Ordering::Relaxed) > 0 { None } else { self.take_idle(wanted) }
    }

    /// The same if no idle one fits. While the server takes no more, who is refused waits in the queue for those that there
    /// are, and has them in turn: whoever gives one back would take it again otherwise before anybody who waits wakes up.
    pub(super) async fn lease_other(
        self: &Arc<Self>,
        mut permit: OwnedSemaphorePermit,
        wanted: &SessionState,
    ) -> Result<Lease, AcquireError> {
        let limits = self.owner.limits();
        let until = Instant::now() + limits.acquire;
        loop {
            match self.returned_or_new(wanted).await {
                Ok(connection) => return Ok(Lease::new(connection, self.clone(), permit)),
                Err(AcquireError::Connect(failure)) if failure.is_full() => {
                    if Instant::now() >= until {
                        let limit = limits.per_server;
                        return Err(AcquireError::Exhausted { limit, full: true, waited: limits.acquire });
                    }
                    if self.owner.evict(self.slots.id) {
                        continue;
                    }
                    if self.slots.open.load(Ordering::Acquire) == 0 {
                        return Err(failure.into());
                    }
                    self.slots.withhold(permit);
                }
                Err(failure) => return Err(failure),
            }
            permit = self.wait().await?;
            if let Some(connection) = self.take_idle(wanted) {
                return Ok(Lease::new(connection, self.clone(), permit));
            }
        }
    }

    /// A new connection when its turn to log in has come, or one that somebody gives back before that: those who came later
    /// would get it, and be served first.
    async fn returned_or_new(
        self: &Arc<Self>,
        wanted: &SessionState,
    ) -> Result<Box<ServerConnection>, AcquireError> {
        if self.use_ == Use::Reading
            && self.in_use_or_idle() >= ENOUGH
            && let Ok(connection) = timeout(PATIENCE, self.returned(wanted)).await
        {
            return Ok(connection);
        }
        let time = self.owner.limits().connect;
        let mut turn = pin!(self.slots.turn_to_log_in(time));
        let _turn = loop {
            tokio::select! {
                biased;
                turn = &mut turn => break turn?,
                () = self.returned.notified() => {
                    if let Some(connection) = self.take_idle(wanted) {
                        return Ok(connection);
                    }
                }
            }
        };
        self.connect_within_limit(time).await
    }

    /// One that somebody gives back.
    async fn returned(&self, wanted: &SessionState) -> Box<ServerConnection> {
        let _queued = Queued::new(self);
        loop {
            self.returned.notified().await;
            let taken = self.take_idle(wanted);
            if let Some(connection) = taken {
                // Several may have come back for one who was woken.
                if !self.idle.lock().is_empty() {
                    self.returned.notify_one();
                }
                return connection;
            }
        }
    }

    /// A new connection, for whose sake an idle one of any account is closed if there are as many as may be.
    pub(super) async fn connect_within_limit(
        self: &Arc<Self>,
        time: Duration,
    ) -> Result<Box<ServerConnection>, AcquireError> {
        if self.slots.open.load(Ordering::Acquire) >= self.owner.limits().per_server {
            self.owner.evict(self.slots.id);
        }
        self.connect(Instant::now() + time).await
    }
}

/// One who waits for a connection to come back.
struct Queued<'a>(&'a AccountPool);

impl<'a> Queued<'a> {
    fn new(pool: &'a AccountPool) -> Self {
        pool.queued.fetch_add(1, Ordering::Relaxed);
        Self(pool)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::Relaxed);
    }
}
