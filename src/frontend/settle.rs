//! Reads from the server connection what only the server knows of the session (values of user variables, LAST_INSERT_ID()
//! after a CALL), so that the session can leave it. Done while the client is silent, or before its next statement if what
//! the last one left (warnings) had to be kept until then; never where a journal is kept, which rebuilds it all.

use std::time::Duration;

use tokio::time::timeout;

use crate::backend::Lease;

use super::session::Session;

/// Time for reading.
const READ: Duration = Duration::from_secs(2);
/// The same where a switchover waits for it.
const READ_AT_ONCE: Duration = Duration::from_millis(200);

impl Session {
    /// Gives the server connection back if nothing but what can be read keeps it. `at_once`: also if warnings or counts of
    /// the last statement get lost by it.
    pub(super) async fn settle(&mut self, at_once: bool) {
        if self.lease.is_some() && !self.tracker.pins().is_empty() {
            Box::pin(self.read_unread(at_once)).await;
        }
    }

    async fn read_unread(&mut self, at_once: bool) {
        if self.in_transaction() || self.journal.is_some() {
            return;
        }
        let Some(unread) = self.tracker.unread(at_once) else { return };
        let Some(lease) = &mut self.lease else { return };
        self.here.found_rows = false;
        let limit = if at_once { READ_AT_ONCE } else { READ };
        match timeout(limit, lease.read_session(&unread)).await {
            Ok(Ok(Some((values, last_insert_id)))) => {
                self.tracker.learn(&unread, &values, last_insert_id);
                lease.state = self.tracker.state().clone();
            }
            Ok(Ok(None)) => self.tracker.cannot_learn(),
            Ok(Err(_)) | Err(_) => {
                lease.broken = true;
                self.lose_transaction("the connection to its server was lost");
                return;
            }
        }
        self.handle.set_pins(self.tracker.pins());
        self.end_unit_if_over();
    }

    /// Takes the lease away. What the session holds on it must not be seen by anybody else.
    pub(super) fn let_go(&mut self) -> Option<Lease> {
        self.stain();
        self.handle.set_server(None);
        let mut lease = self.lease.take()?;
        // A KILL that is on its way must not meet somebody else's statement.
        lease.broken |= self.handle.is_being_killed();
        Some(lease)
    }

    /// Has the connection reset before anybody else gets it, if the session has something there.
    pub(super) fn stain(&mut self) {
        let stained = !self.tracker.pins().for_session().is_empty();
        if let Some(lease) = &mut self.lease {
            lease.dirty |= stained;
        }
    }
}
