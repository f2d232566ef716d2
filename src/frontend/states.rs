//! What many sessions are alike in, kept once: clients of one kind set the same few variables when they connect, and thousands
//! of them idle.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::session::SessionState;

/// So many are known. Whoever makes up more begins anew, and loses nothing but memory.
const MOST: usize = 64;

/// States of sessions of one shard, by their fingerprints.
#[derive(Debug, Default)]
pub struct States(Mutex<HashMap<u64, SessionState>>);

impl States {
    /// The same state, from one place for all that are equal. `None`: it is not shared.
    pub(super) fn shared(&self, state: &SessionState) -> Option<SessionState> {
        if !state.is_common() {
            return None;
        }
        let mut known = self.0.lock();
        if let Some(same) = known.get(&state.fingerprint()) {
            return (same == state).then(|| same.clone());
        }
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(state.fingerprint(), state.clone());
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_states_are_kept_once_and_few_of_them() {
        let states = States::default();
        let set = |value: &str| {
            let mut state = SessionState::new();
            state.set_variable(b"sql_mode", value.as_bytes());
            state
        };
        assert_eq!(states.shared(&set("ANSI")), None, "the first is what others share");
        let shared = states.shared(&set("ANSI")).expect("known");
        assert_eq!(shared, set("ANSI"));
        assert!(shared.shares_with(&states.shared(&set("ANSI")).expect("known")));
        let mut own = set("ANSI");
        own.set_user_variable("a", "1");
        assert_eq!(states.shared(&own), None);
        assert_eq!(states.shared(&own), None, "what only one session has is not kept");
        for number in 0..MOST {
            states.shared(&set(&number.to_string()));
        }
        assert!(states.0.lock().len() <= MOST);
    }
}
