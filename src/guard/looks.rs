//! Looks at a server's connections that many ask for at once: one that begins behind their question answers all of them.

use std::future::Future;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// The last look at one server, `None` in it if the server did not answer.
#[derive(Debug)]
pub(super) struct Looks<T>(Mutex<Option<(Instant, Option<T>)>>);

impl<T> Default for Looks<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Looks<T> {
    /// What `read` says of a look that began no earlier than this call. Sessions that ask together while one looks wait for
    /// the next look together; nobody waits for more than two.
    pub(super) async fn tell<L, R>(&self, look: L, read: impl FnOnce(&T) -> R) -> Option<R>
    where
        L: Future<Output = Option<T>>,
    {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if last.as_ref().is_none_or(|(began, _)| *began < asked) {
            // Given up amid the look, none is left.
            *last = None;
            let began = Instant::now();
            *last = Some((began, look.await));
        }
        last.as_ref().and_then(|(_, seen)| seen.as_ref()).map(read)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use futures_util::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_look_answers_all_who_asked_before_it() {
        let (looks, count) = (Looks::default(), Cell::new(0));
        let look = || async {
            count.set(count.get() + 1);
            sleep(Duration::from_secs(1)).await;
            // The server does not answer the third time.
            (count.get() != 3).then(|| count.get())
        };
        let ask = || looks.tell(look(), |seen| *seen);
        // The clock of these tests stands still: the first look begins when all have asked.
        assert_eq!(join_all((0..50).map(|_| ask())).await, [Some(1); 50]);
        advance(Duration::from_millis(1)).await;
        assert_eq!(ask().await, Some(2));
        advance(Duration::from_millis(1)).await;
        assert_eq!(join_all((0..50).map(|_| ask())).await, [None; 50]);
        assert_eq!(count.get(), 3);
        advance(Duration::from_millis(1)).await;
        // One that asks while a look is under way gets the next.
        let late = async {
            sleep(Duration::from_millis(1)).await;
            ask().await
        };
        assert_eq!(futures_util::join!(ask(), late), (Some(4), Some(5)));
    }
}
