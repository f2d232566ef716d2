//! Interrupted transactions take turns when they are done again. A thousand at once would have the new primary log in a
//! thousand connections and run a thousand statements in the same moment, and none would be done before all are.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// So many have their turn at once.
const AT_ONCE: usize = 32;
/// A turn is over when nothing came of it for this time, though what was begun in it goes on: one that waits for a lock does
/// not keep the others from theirs.
const STUCK: Duration = Duration::from_millis(500);

/// Turns, for all sessions.
#[derive(Debug)]
pub(super) struct Turns(Arc<Semaphore>);

/// A turn that has come.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

/// What was done in a turn, counted.
pub(super) type Steps = AtomicU32;

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
    pub(super) async fn spend<T>(self, steps: &Steps, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            let before = steps.load(Ordering::Relaxed);
            match timeout(STUCK, &mut work).await {
                Ok(done) => return done,
                Err(_) if steps.load(Ordering::Relaxed) != before => {}
                Err(_) => break,
            }
        }
        drop(self);
        work.await
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
            async move { turns.next().await.spend(&Steps::default(), sleep(Duration::from_millis(10))).await }
        };
        let all: Vec<_> = (0..3 * AT_ONCE).map(|at| tokio::spawn(work(at))).collect();
        for one in all {
            one.await.unwrap();
        }
        assert_eq!(began.elapsed(), Duration::from_millis(30));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_for_something_are_not_waited_for() {
        let turns = Arc::new(Turns::default());
        let began = Instant::now();
        for _ in 0..AT_ONCE {
            let turn = turns.next().await;
            tokio::spawn(async { turn.spend(&Steps::default(), sleep(Duration::from_secs(20))).await });
        }
        turns.next().await.spend(&Steps::default(), async {}).await;
        assert_eq!(began.elapsed(), STUCK);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_have_much_to_do_are() {
        let turns = Arc::new(Turns::default());
        let began = Instant::now();
        for _ in 0..AT_ONCE {
            let turn = turns.next().await;
            tokio::spawn(async {
                let steps = Steps::default();
                let work = async {
                    for _ in 0..10 {
                        sleep(STUCK / 2).await;
                        steps.fetch_add(1, Ordering::Relaxed);
                    }
                };
                turn.spend(&steps, work).await;
            });
        }
        turns.next().await.spend(&Steps::default(), async {}).await;
        assert_eq!(began.elapsed(), STUCK * 5);
    }
}
