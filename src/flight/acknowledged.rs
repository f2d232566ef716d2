//! The ledger of acknowledged commits as everybody shares it.

use parking_lot::Mutex;

use super::ledger::{Ledger, LostCommit};
use crate::topology::{GtidSet, ServerId};

/// What was acknowledged through this proxy lately, to compare it with what a new primary has.
#[derive(Debug, Default)]
pub struct Acknowledged {
    ledger: Mutex<Ledger>,
}

impl Acknowledged {
    /// A commit was acknowledged to a session: the GTID as `server` reported it. Some tens of nanoseconds.
    pub fn note(&self, session: u32, server: ServerId, gtid: &[u8]) {
        if !gtid.is_empty() {
            self.ledger.lock().note((session, server), gtid);
        }
    }

    /// How many were noted so far.
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.ledger.lock().mark()
    }

    /// What was acknowledged and is not among what the new primary has (`executed`, as of a look at it). Of its own
    /// commits only those before `mark` count. Each is given once. The flag says that there may have been more.
    #[must_use]
    pub fn take_lost(&self, primary: ServerId, mark: u64, executed: &str) -> (Vec<LostCommit>, bool) {
        self.ledger.lock().take_lost(primary, mark, &GtidSet::parse(executed))
    }
}
