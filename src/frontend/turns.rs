//! Interrupted transactions take turns when they are done again. A thousand at once would have the new primary log in a
//! thousand connections and run a thousand statements in the same moment, and none would be done before all are.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// So many have their turn at once.
const AT_ONCE: usize = 32;
/// A turn is over after this time, though what was begun in it goes on: one that waits for a lock, or has much to do, does
/// not keep the others from theirs.
const TURN: Duration = Duration::from_millis(500);

/// Turns, for all sessions.
#[derive(Debug)]
pub(super) struct Turns(Arc<Semaphore>);

/// A turn that has come.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Turns {
    /// Waits for a turn, first come, first served.
    pub(super) async fn next(&self) -> Turn {
        // The semaphore is never closed.
        Turn { _permit: self.0.clone().acquire_owned().await.ok() }
    }
}

impl Turn {
    /// Does something, in this turn as long as that lasts.
    pub(super) async fn spend<T>(self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        match timeout(TURN, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                drop(self);
                work.await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_work_at_once() {
        let turns = Arc::new(Turns::default());
        let began = Instant::now();
        let work = |_| {
            let turns = turns.clone();
            async move { turns.next().await.spend(sleep(Duration::from_millis(10))).await }
        };
        let all: Vec<_> = (0..3 * AT_ONCE).map(|at| tokio::spawn(work(at))).collect();
        for one in all {
            one.await.unwrap();
        }
        assert_eq!(began.elapsed(), Duration::from_millis(30));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_take_long_are_not_waited_for() {
        let turns = Arc::new(Turns::default());
        let began = Instant::now();
        for _ in 0..AT_ONCE {
            let turn = turns.next().await;
            tokio::spawn(turn.spend(sleep(Duration::from_secs(20))));
        }
        turns.next().await.spend(async {}).await;
        assert_eq!(began.elapsed(), TURN);
    }
}
