//! Where the commit marker can be used, and where not and why. PURE but for its lock.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::topology::ServerId;

/// A refusal is believed for this long; then the marker is tried again.
const BELIEVED: Duration = Duration::from_secs(30);
/// Refusals kept. Beyond that the marker is tried again sooner, which is harmless.
const KEPT: usize = 1000;

/// Errors that say that an account or a server cannot use the marker, not just this once: no such database, table or
/// procedure, no right to it, or its maker has none.
const LASTING: [u16; 8] = [1044, 1049, 1142, 1143, 1146, 1305, 1370, 1449];

#[derive(Debug, Default)]
pub(super) struct Markers {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the monitor account saw, server by server; one that was not looked at is tried.
    problems: BTreeMap<usize, String>,
    refused: BTreeMap<(usize, String), (Instant, String)>,
}

impl Markers {
    /// Notes what a look at a server showed.
    pub(super) fn looked(&self, server: ServerId, problem: Option<String>) {
        let mut state = self.state.lock();
        match problem {
            Some(why) => state.problems.insert(server.0, why),
            None => state.problems.remove(&server.0),
        };
    }

    /// What was seen at the last look; `None` if nothing stands in the way.
    pub(super) fn problem(&self, server: ServerId) -> Option<String> {
        self.state.lock().problems.get(&server.0).cloned()
    }

    /// The server refused the marker to an account.
    pub(super) fn refused(&self, (server, user): (ServerId, &str), (code, why): (u16, String), now: Instant) {
        let mut state = self.state.lock();
        if LASTING.contains(&code) && state.refused.len() < KEPT {
            state.refused.insert((server.0, user.to_owned()), (now, why));
        }
    }

    /// Whether an account should try.
    pub(super) fn is_usable(&self, server: ServerId, user: &str, now: Instant) -> bool {
        let mut state = self.state.lock();
        if !state.refused.is_empty() {
            state.refused.retain(|_, (since, _)| now.saturating_duration_since(*since) < BELIEVED);
        }
        !state.problems.contains_key(&server.0)
            && (state.refused.is_empty() || !state.refused.contains_key(&(server.0, user.to_owned())))
    }

    /// Refusals that are believed, as (server, account, why).
    pub(super) fn refusals(&self) -> Vec<(ServerId, String, String)> {
        let state = self.state.lock();
        let each = state.refused.iter();
        each.map(|((server, user), (_, why))| (ServerId(*server), user.clone(), why.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_believed_for_a_while() {
        let (markers, server, now) = (Markers::default(), ServerId(1), Instant::now());
        let usable = |user: &str, now| markers.is_usable(server, user, now);
        assert!(usable("app", now));
        markers.refused((server, "app"), (1213, "deadlock".to_owned()), now);
        assert!(usable("app", now), "just this once");
        markers.refused((server, "app"), (1370, "no right".to_owned()), now);
        assert!(!usable("app", now));
        assert!(usable("other", now));
        assert!(usable("app", now + BELIEVED));
        markers.looked(server, Some("not there".to_owned()));
        assert!(!usable("other", now));
        markers.looked(server, None);
        assert!(usable("other", now));
    }
}
