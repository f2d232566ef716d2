//! A server that hangs for a while is not gone. What can be done elsewhere is; who has something on it that no other server
//! has waits with it, as without us, until another server takes its place or the time to wait is over.

use tokio::time::{Instant, timeout_at};

use crate::relay::{Answer, Exchange, Signals};
use crate::topology::{ServerId, TopologyStore};

use super::answer::AnswerControls;
use super::session::Session;

impl Session {
    /// Whether only the present server connection has what the session needs: without it the client is told of a loss.
    pub(super) fn is_bound(&self) -> bool {
        let lives = self.lease.as_ref().is_some_and(|lease| !lease.broken && !lease.reading);
        if !lives || self.left_lost {
            return false;
        }
        let replayable = self.journal.as_ref().is_some_and(|journal| journal.spoiled().is_none());
        let pinned = !self.tracker.pins().for_session().is_empty();
        if self.in_transaction() { !replayable } else { pinned && !self.is_about_to_begin() }
    }

    /// A connection is used again: that its server is lost may have been said before it came back, and not have been heard.
    pub(super) fn renew_loss(&self, server: ServerId) {
        // In this order: who finds the server down says so after that is published.
        let told = self.handle.signal.raised().contains(Signals::SERVER_LOST);
        if told {
            self.handle.signal.lower(Signals::SERVER_LOST);
        }
        if self.shared.store.peek().server(server).is_some_and(|seen| !seen.is_up()) {
            self.handle.signal.raise(Signals::SERVER_LOST);
        }
    }

    /// Relays the answer. `until`: the server counts as lost, and is waited for so long. Says also whether that was in vain.
    pub(super) async fn relay(
        &mut self,
        exchange: &mut Exchange,
        controls: &mut AnswerControls,
        until: Option<Instant>,
    ) -> Option<(Answer, bool)> {
        let Self { lease, client, handle, shared, .. } = self;
        let lease = lease.as_mut()?;
        let server = lease.server;
        let run = exchange.run(client, &mut lease.io, controls, &handle.signal);
        let Some(until) = until else { return Some((run.await, false)) };
        Some(tokio::select! {
            biased;
            answer = run => (answer, false),
            () = replaced(&shared.store, server, until) => (Answer::Interrupted(Signals::SERVER_LOST), true),
        })
    }
}

/// Waits until another server is the primary, at most until `deadline`.
pub(super) async fn replaced(store: &TopologyStore, server: ServerId, deadline: Instant) {
    let _ = timeout_at(deadline, async {
        loop {
            let topology = store.load();
            if topology.primary().is_some_and(|primary| primary.id != server) {
                return;
            }
            store.newer_than(topology.version).await;
        }
    })
    .await;
}
