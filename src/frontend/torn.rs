//! A transaction that loses its server connection loses its locks, and another one that waited for them goes on: it reads,
//! and may change and commit, what the first one's client still counts on. If that was the beginning of a switchover
//! (somebody ends connections one after the other), both are about to be done again elsewhere, and then only one of them
//! can have what it had. So, while the server is looked at, transactions beside a torn one pause: their clients get no
//! answers, and send nothing. If the server turns out to be on its way out, they move as they were before the lock came
//! free; if not, they go on.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::relay::Signals;
use crate::topology::{ServerId, Topology};

use super::registry::SessionRegistry;
use super::session::Session;

/// Whoever ends connections ends the next one within this time.
const LINGER: Duration = Duration::from_millis(20);
/// Nobody pauses longer, whatever happens.
const LONGEST: Duration = Duration::from_millis(300);
/// How often the others are told at most.
const AGAIN: Duration = Duration::from_millis(2);

/// Torn transactions whose servers are being looked at.
#[derive(Debug, Default)]
pub(super) struct Torn {
    inner: Mutex<Inner>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    looking: usize,
    /// When the last look ended.
    last: Option<Instant>,
    told: Option<Instant>,
}

impl Torn {
    /// A transaction on `server` was torn: tells the others there to pause, until the guard is dropped and a little longer.
    pub(super) fn begin(self: &Arc<Self>, registry: &SessionRegistry, server: ServerId) -> Tearing {
        let tell = {
            let mut inner = self.inner.lock();
            inner.looking += 1;
            let tell = inner.looking == 1 || inner.told.is_none_or(|told| told.elapsed() >= AGAIN);
            if tell {
                inner.told = Some(Instant::now());
            }
            tell
        };
        if tell {
            registry.tell_transactions(server, Signals::TORN);
        }
        Tearing(self.clone())
    }

    /// Waits until no server is being looked at any more, for a bounded time.
    pub(super) async fn calm(&self) {
        let _ = timeout(LONGEST, async {
            loop {
                let ended = self.ended.notified();
                let left = {
                    let inner = self.inner.lock();
                    let quiet = inner.last.map_or(LINGER, |last| last.elapsed());
                    (inner.looking == 0).then(|| LINGER.saturating_sub(quiet))
                };
                match left {
                    Some(Duration::ZERO) => return,
                    Some(left) => drop(timeout(left, ended).await),
                    None => ended.await,
                }
            }
        })
        .await;
    }
}

impl Session {
    /// Another transaction on the same server has lost its locks: waits until the server was looked at. Gives whether ours
    /// may go on there.
    pub(super) async fn pause_for_torn(&mut self) -> bool {
        let Some(server) = self.lease.as_ref().map(|lease| lease.server) else { return true };
        self.handle.signal.lower(Signals::TORN);
        // Boxed: hardly anybody pauses, and it would make room for that in every command.
        Box::pin(self.calm_or_condemned(server)).await
    }

    /// Waits until all is calm, or the server is known to be on its way out. Gives whether it is not.
    pub(super) async fn calm_or_condemned(&self, server: ServerId) -> bool {
        let condemned = async {
            loop {
                let topology = self.shared.store.load();
                if !is_writable(&topology, server) {
                    return;
                }
                let _ = self.shared.store.newer_than(topology.version).await;
            }
        };
        tokio::select! {
            biased;
            () = condemned => false,
            () = self.shared.registry.torn.calm() => is_writable(&self.shared.store.peek(), server),
        }
    }

    /// Whether a transaction of ours is open on a server where another one has just lost its locks.
    pub(super) fn is_beside_torn(&self) -> bool {
        let told = self.handle.signal.raised().contains(Signals::TORN);
        told && is_concerned(self.in_transaction(), self.journal.is_some(), self.is_on_replica())
    }
}

/// Whether a transaction may have got locks of a torn one. One on a replica has none: that its session was told so was
/// meant for a transaction before.
const fn is_concerned(inside: bool, journaled: bool, on_replica: bool) -> bool {
    inside && journaled && !on_replica
}

/// Whether transactions can be finished on a server, as far as is known.
fn is_writable(topology: &Topology, server: ServerId) -> bool {
    topology.primary().is_none_or(|primary| primary.id == server)
        && topology.server(server).is_some_and(|seen| !seen.is_up() || !seen.read_only)
}

/// A look at the server of a torn transaction.
#[derive(Debug)]
pub(super) struct Tearing(Arc<Torn>);

impl Drop for Tearing {
    fn drop(&mut self) {
        let mut inner = self.0.inner.lock();
        inner.looking = inner.looking.saturating_sub(1);
        inner.last = Some(Instant::now());
        drop(inner);
        self.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn others_wait_for_the_look_and_a_little_longer() {
        let (torn, registry) = (Arc::new(Torn::default()), SessionRegistry::new());
        let began = Instant::now();
        let tearing = torn.begin(&registry, ServerId(0));
        let ends = async {
            tokio::time::sleep(Duration::from_millis(7)).await;
            drop(tearing);
        };
        tokio::join!(torn.calm(), ends);
        assert_eq!(began.elapsed(), Duration::from_millis(7) + LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let (torn, registry) = (Arc::new(Torn::default()), SessionRegistry::new());
        let _tearing = torn.begin(&registry, ServerId(0));
        let began = Instant::now();
        torn.calm().await;
        assert_eq!(began.elapsed(), LONGEST);
    }

    #[test]
    fn whose_locks_matter() {
        assert!(is_concerned(true, true, false));
        assert!(!is_concerned(true, true, true), "on a replica there are none");
        assert!(!is_concerned(false, true, false) && !is_concerned(true, false, false));
    }

    #[tokio::test]
    async fn only_transactions_on_that_server_are_told() {
        let (torn, registry) = (Arc::new(Torn::default()), SessionRegistry::new());
        let (there, elsewhere, idle) =
            (registry.register(None), registry.register(None), registry.register(None));
        for (session, server, inside) in [(&there, 0, true), (&elsewhere, 1, true), (&idle, 0, false)] {
            session.handle.set_server(Some((ServerId(server), 7)));
            session.handle.set_in_transaction(inside);
        }
        drop(torn.begin(&registry, ServerId(0)));
        assert_eq!(there.handle.signal.raised(), Signals::TORN);
        assert!(elsewhere.handle.signal.raised().is_empty() && idle.handle.signal.raised().is_empty());
    }
}
