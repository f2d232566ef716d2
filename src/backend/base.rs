//! What new sessions of an account start from on a server.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::session::SessionState;

use super::pool::Key;

/// What is known of all accounts on all servers, for as long as there is a pool that has use for it. A client that comes to
/// another thread than the one before finds the same, and need not wait at a closed gate to learn it.
#[derive(Debug, Default)]
pub(super) struct Bases(Mutex<HashMap<Key, Weak<Base>>>);

impl Bases {
    /// For a pool: the same for the pools of all shards.
    pub(super) fn of(&self, key: Key) -> Arc<Base> {
        let mut bases = self.0.lock();
        let key = Key { shard: 0, ..key };
        if let Some(base) = bases.get(&key).and_then(Weak::upgrade) {
            return base;
        }
        bases.retain(|_, base| base.strong_count() > 0);
        let base = Arc::<Base>::default();
        bases.insert(key, Arc::downgrade(&base));
        base
    }
}

/// What the sessions of a pool start from: what its first connection of a generation found. A server may be told otherwise
/// while it runs (SET GLOBAL), which begins a new generation.
#[derive(Debug, Default)]
pub(super) struct Base(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    generation: u64,
    state: Arc<SessionState>,
    largest: usize,
}

impl Base {
    /// What was found last.
    pub(super) fn state(&self) -> Option<Arc<SessionState>> {
        self.0.lock().as_ref().map(|known| known.state.clone())
    }

    /// What connections of this generation start from, and the longest command that they take, in bytes.
    pub(super) fn of(&self, generation: u64) -> Option<(Arc<SessionState>, usize)> {
        let known = self.0.lock();
        let current = known.as_ref().filter(|known| known.generation == generation);
        current.map(|known| (known.state.clone(), known.largest))
    }

    /// A connection of this generation was made.
    pub(super) fn learn(&self, generation: u64, (state, largest): (Arc<SessionState>, usize)) {
        let mut known = self.0.lock();
        if known.as_ref().is_none_or(|known| known.generation < generation) {
            *known = Some(Known { generation, state, largest });
        }
    }
}

#[cfg(test)]
mod tests {
    use tideover_protocol::capability::{Capabilities, Dialect};

    use crate::topology::ServerId;

    use super::super::pool::Use;
    use super::*;

    fn key(shard: usize, server: usize) -> Key {
        let dialect = Dialect::new(Capabilities::empty(), 45);
        Key { shard, server: ServerId(server), account: 1, dialect, use_: Use::Anything }
    }

    #[test]
    fn shards_share_what_they_know_and_servers_do_not() {
        let bases = Bases::default();
        let (here, there, elsewhere) = (bases.of(key(0, 0)), bases.of(key(3, 0)), bases.of(key(0, 1)));
        here.learn(0, (Arc::default(), 5));
        assert_eq!(there.of(0).map(|(_, largest)| largest), Some(5));
        assert!(elsewhere.of(0).is_none());
        // Nobody has use for it any more: it is forgotten.
        drop((here, there));
        assert!(bases.of(key(1, 0)).of(0).is_none());
        assert_eq!(bases.0.lock().len(), 2);
    }

    #[test]
    fn a_new_generation_is_looked_at_anew() {
        let base = Base::default();
        let found = |schema: &str| {
            let mut state = SessionState::new();
            state.set_schema(Some(schema.as_bytes()));
            Arc::new(state)
        };
        assert!(base.state().is_none() && base.of(0).is_none());
        base.learn(0, (found("a"), 5));
        base.learn(0, (found("b"), 6));
        assert_eq!(base.of(0), Some((found("a"), 5)));
        assert!(base.of(1).is_none() && base.state() == Some(found("a")));
        base.learn(1, (found("c"), 7));
        base.learn(0, (found("d"), 8));
        assert_eq!((base.of(1), base.of(0)), (Some((found("c"), 7)), None));
    }
}
