//! How a pool grows: when another connection is opened, and when one that is in use is waited for instead.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout};

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
/// And by one each time that one is missing so long after it last grew: who waits is woken, and that for each read costs more
/// than the connection.
const SLOWLY: Duration = Duration::from_millis(100);
/// A server counts a connection that was closed until it has noticed that. Who has closed one to make room asks for its place
/// again after each of these.
const NOTICED: [Duration; 4] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(20),
    Duration::from_millis(50),
];
/// Who cannot make room within this time, since others do, waits for a connection like everybody.
const TURN: Duration = Duration::from_secs(1);
/// Where others outside have taken the room that was made, none is made for so long: all idle ones of ours would go that way.
const IN_VAIN: Duration = Duration::from_secs(5);

impl AccountPool {
    /// An idle connection, unless others were there before.
    pub(super) fn take_in_turn(&self, wanted: &SessionState) -> Option<Box<ServerConnection>> {
        if self.queued.load(Ordering::Relaxed) > 0 { None } else { self.take_idle(wanted) }
    }

    /// The same if no idle one fits; `None`: none would, it must be new. While the server takes no more, who is refused waits
    /// in the queue for those that there are, and has them in turn: whoever gives one back would take it again otherwise
    /// before anybody who waits wakes up.
    pub(super) async fn lease_other(
        self: &Arc<Self>,
        mut permit: OwnedSemaphorePermit,
        wanted: Option<&SessionState>,
    ) -> Result<Lease, AcquireError> {
        let limits = self.owner.limits();
        let until = Instant::now() + limits.acquire;
        loop {
            match self.with_room(wanted).await {
                Ok(connection) => return Ok(Lease::new(connection, self.clone(), permit)),
                Err(AcquireError::Connect(failure)) if failure.is_full() => {
                    if Instant::now() >= until {
                        let limit = limits.per_server;
                        return Err(AcquireError::Exhausted { limit, full: true, waited: limits.acquire });
                    }
                    if self.slots.open.load(Ordering::Acquire) == 0 {
                        return Err(failure.into());
                    }
                    self.slots.withhold(permit);
                }
                Err(failure) => return Err(failure),
            }
            permit = self.wait().await?;
            if let Some(connection) = wanted.and_then(|wanted| self.take_idle(wanted)) {
                return Ok(Lease::new(connection, self.clone(), permit));
            }
        }
    }

    /// A connection given back or a new one. Where the server takes no more, an idle one of any account makes room.
    async fn with_room(
        self: &Arc<Self>,
        wanted: Option<&SessionState>,
    ) -> Result<Box<ServerConnection>, AcquireError> {
        let refused = match self.returned_or_new(wanted).await {
            Err(AcquireError::Connect(failure)) if failure.is_full() => failure,
            other => return other,
        };
        let Ok(mut in_vain) = timeout(TURN, self.slots.in_vain.lock()).await else {
            return Err(refused.into());
        };
        let of = refused.is_full_for_account().then(|| self.account.id());
        let futile = in_vain.is_some_and(|at| at.elapsed() < IN_VAIN);
        if futile || !self.owner.evict(self.slots.id, of) {
            return Err(refused.into());
        }
        for pause in NOTICED {
            sleep(pause).await;
            match self.returned_or_new(wanted).await {
                Err(AcquireError::Connect(failure)) if failure.is_full() => {}
                other => return other,
            }
        }
        *in_vain = Some(Instant::now());
        Err(refused.into())
    }

    /// A new connection when its turn to log in has come, or one that somebody gives back before that: those who came later
    /// would get it, and be served first.
    async fn returned_or_new(
        self: &Arc<Self>,
        wanted: Option<&SessionState>,
    ) -> Result<Box<ServerConnection>, AcquireError> {
        let time = self.owner.limits().connect;
        let mut turn = pin!(self.slots.turn_to_log_in(time));
        let Some(wanted) = wanted else {
            let _turn = turn.await?;
            return self.connect_within_limit(time).await;
        };
        let mut watch = Watch::new(self);
        if self.use_ == Use::Reading && self.in_use_or_idle() >= ENOUGH && !self.grows_slowly() {
            let _queued = Queued::new(self);
            if let Ok(connection) = timeout(PATIENCE, watch.next(wanted)).await {
                return Ok(connection);
            }
        }
        let _turn = tokio::select! {
            biased;
            turn = &mut turn => turn?,
            connection = watch.next(wanted) => return Ok(connection),
        };
        self.connect_within_limit(time).await
    }

    /// Whether it is time for one more.
    fn grows_slowly(&self) -> bool {
        let mut grown = self.grown.lock();
        let now = Instant::now();
        let due = grown.is_none_or(|at| now - at >= SLOWLY);
        if due {
            *grown = Some(now);
        }
        due
    }

    /// A new connection, for whose sake an idle one of any account is closed if there are as many as may be.
    pub(super) async fn connect_within_limit(
        self: &Arc<Self>,
        time: Duration,
    ) -> Result<Box<ServerConnection>, AcquireError> {
        if self.slots.open.load(Ordering::Acquire) >= self.owner.limits().per_server {
            self.owner.evict(self.slots.id, None);
        }
        self.connect(Instant::now() + time).await
    }
}

/// One who looks at each connection that is given back.
struct Watch<'a> {
    pool: &'a AccountPool,
    /// How many had been given back at the last look; `None` before the first.
    seen: Option<u64>,
}

impl<'a> Watch<'a> {
    fn new(pool: &'a AccountPool) -> Self {
        Self { pool, seen: None }
    }

    /// The first that fits.
    async fn next(&mut self, wanted: &SessionState) -> Box<ServerConnection> {
        loop {
            self.pool.returned.notified().await;
            if let Some(connection) = self.look(wanted) {
                return connection;
            }
        }
    }

    /// One is woken for each connection, and what does not fit him, or came beside it, is for the next. Who has looked at all
    /// that is there already wakes nobody: he has been told by the others, and they would tell each other for ever.
    fn look(&mut self, wanted: &SessionState) -> Option<Box<ServerConnection>> {
        let now = Some(self.pool.given_back.load(Ordering::Acquire));
        let taken = self.pool.take_idle(wanted);
        if (taken.is_some() || self.seen != now) && !self.pool.idle.lock().is_empty() {
            self.pool.returned.notify_one();
        }
        self.seen = now;
        taken
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
