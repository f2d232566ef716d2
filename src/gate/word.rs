//! The one atomic word behind the gate: a shut bit and the number of passes out. Kept apart so that loom can try every
//! interleaving of it (`--cfg gate_loom`).

#[cfg(gate_loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(gate_loom))]
use std::sync::atomic::{AtomicU64, Ordering};

const SHUT: u64 = 1 << 63;

/// Shut bit and pass count in one word, so that entering is one atomic step that also counts.
#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

/// What leaving found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    /// The shut bit was set: somebody may wait for this departure.
    pub(crate) shut: bool,
    /// Passes still out.
    pub(crate) remaining: u64,
}

impl Word {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Enters unless shut. One atomic step: whoever sees the bit clear is counted in the same instruction.
    pub(crate) fn try_enter(&self) -> bool {
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            if now & SHUT != 0 {
                return false;
            }
            match self.0.compare_exchange_weak(now, now + 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(seen) => now = seen,
            }
        }
    }

    /// Enters although shut: for whoever serves the queue, under the queue's lock.
    pub(crate) fn force_enter(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// Leaves.
    pub(crate) fn leave(&self) -> Left {
        let before = self.0.fetch_sub(1, Ordering::AcqRel);
        Left { shut: before & SHUT != 0, remaining: (before & !SHUT) - 1 }
    }

    /// Sets or clears the shut bit.
    pub(crate) fn set_shut(&self, shut: bool) {
        if shut {
            self.0.fetch_or(SHUT, Ordering::AcqRel);
        } else {
            self.0.fetch_and(!SHUT, Ordering::AcqRel);
        }
    }

    /// Passes out.
    pub(crate) fn inside(&self) -> u64 {
        self.0.load(Ordering::Acquire) & !SHUT
    }
}

#[cfg(all(test, gate_loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    /// Once the bit is set and the count read as zero, nobody is inside and nobody can get in.
    #[test]
    fn drained_means_nobody_inside() {
        loom::model(|| {
            let word = Arc::new(Word::new());
            let inside = Arc::new(AtomicU64::new(0));
            let clients: Vec<_> = (0..2)
                .map(|_| {
                    let (word, inside) = (word.clone(), inside.clone());
                    loom::thread::spawn(move || {
                        if word.try_enter() {
                            inside.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            word.leave();
                        }
                    })
                })
                .collect();
            word.set_shut(true);
            if word.inside() == 0 {
                assert_eq!(inside.load(Ordering::SeqCst), 0);
                assert!(!word.try_enter());
            }
            for client in clients {
                client.join().expect("client");
            }
            assert_eq!(word.inside(), 0);
        });
    }

    /// Of several leaving while shut, exactly one sees zero remaining: the drain is signalled once and always.
    #[test]
    fn last_one_out_sees_zero() {
        loom::model(|| {
            let word = Arc::new(Word::new());
            assert!(word.try_enter());
            assert!(word.try_enter());
            word.set_shut(true);
            let leavers: Vec<_> = (0..2)
                .map(|_| {
                    let word = word.clone();
                    loom::thread::spawn(move || word.leave())
                })
                .collect();
            let last = leavers.into_iter().map(|l| l.join().expect("leaver")).filter(|l| l.remaining == 0);
            assert_eq!(last.count(), 1);
        });
    }
}
