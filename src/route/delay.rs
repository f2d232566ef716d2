use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Below this nothing is gained by asking later: timers tick in milliseconds.
const WORTH: Duration = Duration::from_millis(1);
/// An answer that took so long beyond what reads take had to be waited for in the server.
const BLOCKED: Duration = Duration::from_millis(1);
/// Longer delays are not told apart.
const MOST: Duration = Duration::from_secs(1);

/// How long after the answer to a commit a replica has it, as far as reads tell that asked for it.
///
/// To wait inside a server is not cheap: MySQL wakes all who wait for a GTID with every transaction that it applies, and a
/// connection is taken meanwhile. So a read that would only wait there asks a little later, when the answer is there; and by
/// then another session's answer may have told enough.
#[derive(Debug, Default)]
pub(super) struct Delay {
    /// Smoothed, microseconds.
    usual: AtomicU32,
}

impl Delay {
    /// A read asked for a commit `since` after its answer and had its own after `took`, where reads take `latency`.
    pub(super) fn note(&self, since: Duration, took: Duration, latency: Duration) {
        // What another session notes in between is lost, which matters to nobody.
        let usual = Duration::from_micros(self.usual.load(Ordering::Relaxed).into());
        let next = next(usual, since.min(MOST), took.min(MOST), latency);
        self.usual.store(u32::try_from(next.as_micros()).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// How long a read does well to wait before it asks, this time after the commit. `None`: it may ask now.
    pub(super) fn left(&self, since: Duration) -> Option<Duration> {
        let usual = Duration::from_micros(self.usual.load(Ordering::Relaxed).into());
        // A timer's tick is half over on average.
        let left = usual.saturating_sub(since).saturating_sub(WORTH / 2);
        (left >= WORTH / 2).then_some(left)
    }
}

/// One that had to be waited for says how long it takes; one that was there that it takes no longer than that. Where reads ask
/// when they expect it to be there, the latter is all that is heard, so the expectation sinks by itself.
fn next(usual: Duration, since: Duration, took: Duration, latency: Duration) -> Duration {
    if took > latency + BLOCKED {
        let took = since + took;
        return if took > usual { usual + (took - usual) / 4 } else { usual - (usual - took) / 8 };
    }
    match usual.checked_sub(since) {
        Some(early) => usual - early / 8 - usual / 64,
        None => usual - usual / 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// What is noted and what is left settle a little under the true delay: nearly none waits in the server for long.
    #[test]
    fn reads_ask_when_it_is_about_to_be_there() {
        for truth in [ms(0), ms(2), ms(5), ms(40)] {
            let delay = Delay::default();
            let mut waited = Duration::ZERO;
            for round in 0..400 {
                let since = delay.left(Duration::ZERO).unwrap_or_default();
                let blocked = truth.saturating_sub(since);
                delay.note(since, blocked + Duration::from_micros(100), Duration::from_micros(200));
                if round >= 200 {
                    waited += blocked;
                }
            }
            let usual = delay.left(Duration::ZERO).unwrap_or_default();
            assert!(usual <= truth, "{truth:?}: {usual:?}");
            assert!(waited / 200 <= ms(2), "{truth:?}: {:?}", waited / 200);
        }
    }

    #[test]
    fn nobody_waits_for_a_quick_replica() {
        let delay = Delay::default();
        delay.note(Duration::ZERO, Duration::from_micros(900), Duration::from_micros(100));
        assert_eq!(delay.left(Duration::ZERO), None);
    }

    #[test]
    fn what_has_passed_is_not_waited_for_again() {
        let delay = Delay::default();
        (0..100).for_each(|_| delay.note(Duration::ZERO, ms(10), ms(1)));
        let left = delay.left(Duration::ZERO).unwrap();
        assert!(left > ms(8) && left < ms(10), "{left:?}");
        assert!(delay.left(ms(6)).unwrap() < ms(4));
        assert_eq!(delay.left(ms(10)), None);
        // It has become quick.
        (0..200).for_each(|_| delay.note(ms(1), ms(1), ms(1)));
        assert_eq!(delay.left(Duration::ZERO), None);
    }
}
