//! What all pools of one server share: its limit, and turns for logging in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, timeout};

use crate::topology::ServerId;

use super::connector::{ConnectFailure, Target};

/// Logins at one server at once, at most. Hundreds of sessions that all come to a new primary in the same moment would
/// otherwise be so slow together that none of them is in before its time is over.
const LOGINS: usize = 16;
/// Connections of one server that are cleaned at once, at most. A thousand transactions that are rolled back in the same
/// moment queue for InnoDB's latches, and MariaDB 10.11 then spends more than a minute on what takes it two seconds in
/// turns (measured on two cores, 100 KiB each).
const SCRUBS: usize = 16;
/// A server that has said "Too many connections" is not asked for another in place of this one for so long.
const FULL: Duration = Duration::from_secs(1);
/// Waits for a turn to be cleaned at most this long. Who has not had one then is closed.
const SCRUB_TURN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Slots {
    pub(super) id: ServerId,
    pub(super) target: Target,
    /// One for each connection in use.
    pub(super) permits: Arc<Semaphore>,
    logins: Semaphore,
    scrubs: Semaphore,
    /// When the last connection was closed that made room for nobody of ours. Locked by whoever tries to make some.
    pub(super) in_vain: tokio::sync::Mutex<Option<Instant>>,
    /// Who wait for a permit.
    waiting: AtomicUsize,
    /// Permits that are kept back because the server takes no more connections.
    withheld: AtomicUsize,
    /// Connections that are open or being opened.
    pub(super) open: AtomicUsize,
    /// Idle connections that the server has ended.
    pub(super) ended: AtomicU64,
    /// Permits that are to go once they are free.
    owed: Mutex<usize>,
    /// Connections of an older one are not used again.
    pub(super) generation: AtomicU64,
}

impl Slots {
    pub(super) fn new(id: ServerId, target: Target, limit: usize) -> Self {
        Self {
            id,
            target,
            permits: Arc::new(Semaphore::new(limit)),
            logins: Semaphore::new(LOGINS),
            scrubs: Semaphore::new(SCRUBS),
            in_vain: tokio::sync::Mutex::default(),
            waiting: AtomicUsize::new(0),
            withheld: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
            owed: Mutex::default(),
            generation: AtomicU64::new(0),
        }
    }

    /// Another limit on connections in use.
    pub(super) fn resize(&self, old: usize, new: usize) {
        let mut owed = self.owed.lock();
        let more = new.saturating_sub(old);
        let kept = more.min(*owed);
        *owed = *owed - kept + old.saturating_sub(new);
        self.permits.add_permits(more - kept);
    }

    /// Takes permits away that are owed and free by now.
    pub(super) fn pay(&self) {
        let mut owed = self.owed.lock();
        *owed -= self.permits.forget_permits(*owed);
    }

    /// The right to connect and log in, until it is dropped. Waits for it for this long at most.
    pub(super) async fn turn_to_log_in(&self, time: Duration) -> Result<SemaphorePermit<'_>, ConnectFailure> {
        match timeout(time, self.logins.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(ConnectFailure::TimedOut { address: self.target.address.clone() }),
        }
    }

    /// The right to clean a connection, until it is dropped. `None`: it took too long.
    pub(super) async fn turn_to_scrub(&self) -> Option<SemaphorePermit<'_>> {
        timeout(SCRUB_TURN, self.scrubs.acquire()).await.ok()?.ok()
    }

    /// The server takes no more, and none is idle: keeps this permit and all that are free back for a while, so that those
    /// who ask for one wait for the connections that there are.
    pub(super) fn withhold(self: &Arc<Self>, mut permit: OwnedSemaphorePermit) {
        self.withheld.fetch_add(1, Ordering::Relaxed);
        let free = u32::try_from(self.permits.available_permits()).unwrap_or(u32::MAX);
        if let Ok(more) = self.permits.clone().try_acquire_many_owned(free) {
            permit.merge(more);
        }
        let slots = self.clone();
        tokio::spawn(async move {
            sleep(FULL).await;
            slots.withheld.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
    }

    /// Whether the server has said lately that it takes no more.
    pub(super) fn is_full(&self) -> bool {
        self.withheld.load(Ordering::Relaxed) > 0
    }

    /// Counts somebody who waits for a permit, until it is dropped.
    pub(super) fn count_waiter(&self) -> Waiter<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiter(self)
    }

    /// Whether anybody waits for a permit.
    pub(super) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Counts a connection that is being opened; not one that fails, or whose opening is cancelled.
    pub(super) fn count_opening(&self) -> Opening<'_> {
        self.open.fetch_add(1, Ordering::AcqRel);
        Opening(Some(self))
    }
}

/// One who waits.
pub(super) struct Waiter<'a>(&'a Slots);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Takes a failed or cancelled opening out of the count.
pub(super) struct Opening<'a>(Option<&'a Slots>);

impl Opening<'_> {
    pub(super) fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some(slots) = self.0 {
            slots.open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_log_in_at_once_and_the_next_waits_for_its_time() {
        let slots = Slots::new(ServerId(0), Target { address: "db:3306".into() }, 100);
        let time = Duration::from_secs(5);
        let mut turns = Vec::new();
        for _ in 0..LOGINS {
            turns.push(slots.turn_to_log_in(time).await.unwrap());
        }
        let refused = slots.turn_to_log_in(time).await.unwrap_err();
        assert!(matches!(refused, ConnectFailure::TimedOut { .. }), "{refused}");
        turns.pop();
        drop(slots.turn_to_log_in(time).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_are_cleaned_at_once_and_who_waits_too_long_is_not() {
        let slots = Slots::new(ServerId(0), Target { address: "db:3306".into() }, 100);
        let mut turns = Vec::new();
        for _ in 0..SCRUBS {
            turns.push(slots.turn_to_scrub().await.unwrap());
        }
        let (late, ()) = tokio::join!(slots.turn_to_scrub(), async {
            sleep(SCRUB_TURN / 2).await;
            turns.pop();
        });
        assert!(late.is_some(), "somebody was done in time");
        assert!(slots.turn_to_scrub().await.is_none(), "nobody was");
    }

    #[test]
    fn an_opening_that_comes_to_nothing_does_not_count() {
        let slots = Slots::new(ServerId(0), Target { address: "db:3306".into() }, 100);
        slots.count_opening().keep();
        drop(slots.count_opening());
        assert_eq!(slots.open.load(Ordering::Relaxed), 1);
    }
}
