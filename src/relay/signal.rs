//! A word of flags that somebody else raises and one task waits for, beside whatever else it waits for. Costs a few
//! nanoseconds a wait and no allocation.

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;
use bitflags::bitflags;

bitflags! {
    /// What a session can be told.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Signals: u32 {
        /// The drain time is over: end the open unit.
        const CUT = 1;
        /// Somebody killed the session.
        const KILL = 1 << 1;
        /// The proxy leaves: end as soon as no unit is open.
        const LEAVE = 1 << 2;
        /// The server behind the current unit counts as lost.
        const SERVER_LOST = 1 << 3;
        /// The proxy leaves now.
        const ABORT = 1 << 4;
        /// The primary is another server now: an open transaction follows.
        const MOVED = 1 << 5;
        /// The primary changes now: state that only its server has is given up.
        const PART = 1 << 6;
        /// Another transaction on the same server has lost its locks: pause until the server was looked at.
        const TORN = 1 << 7;
    }
}

/// The flags of one session.
#[derive(Debug, Default)]
pub struct Signal {
    raised: AtomicU32,
    waker: AtomicWaker,
}

impl Signal {
    /// Raises flags and wakes the session.
    pub fn raise(&self, what: Signals) {
        self.raised.fetch_or(what.bits(), Ordering::AcqRel);
        self.waker.wake();
    }

    /// Takes flags back.
    pub fn lower(&self, what: Signals) {
        self.raised.fetch_and(!what.bits(), Ordering::AcqRel);
    }

    /// What is raised now.
    #[must_use]
    pub fn raised(&self) -> Signals {
        Signals::from_bits_truncate(self.raised.load(Ordering::Acquire))
    }

    /// Ready with those of `wanted` that are raised. One task at a time may poll.
    pub fn poll(&self, wanted: Signals, context: &Context<'_>) -> Poll<Signals> {
        let now = self.raised() & wanted;
        if !now.is_empty() {
            return Poll::Ready(now);
        }
        self.waker.register(context.waker());
        let now = self.raised() & wanted;
        if now.is_empty() { Poll::Pending } else { Poll::Ready(now) }
    }

    /// Waits for one of `wanted`.
    pub async fn wait(&self, wanted: Signals) -> Signals {
        std::future::poll_fn(|cx| self.poll(wanted, cx)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn wakes_the_waiter_for_what_it_waits_for() {
        let signal = Arc::new(Signal::default());
        let other = signal.clone();
        let waiting = tokio::spawn(async move { other.wait(Signals::CUT | Signals::KILL).await });
        tokio::task::yield_now().await;
        signal.raise(Signals::LEAVE);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        signal.raise(Signals::CUT);
        assert_eq!(waiting.await.expect("task"), Signals::CUT);
        signal.lower(Signals::CUT);
        assert_eq!(signal.raised(), Signals::LEAVE);
    }
}
