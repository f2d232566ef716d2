//! What new sessions of an account start from on a server.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::session::SessionState;

use super::pool::Key;

/// What sessions on new connections start from, as a connection has found it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Start {
    /// After the login.
    pub(super) state: Arc<SessionState>,
    /// After COM_RESET_CONNECTION: on MySQL with the global character sets (seen on 9.7.4), on MariaDB as after the login.
    pub(super) reset: Arc<SessionState>,
    /// The longest command that the server takes, bytes: its `max_allowed_packet`.
    pub(super) largest: usize,
}

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
    /// The server has been told something since.
    doubted: bool,
    start: Start,
}

impl Base {
    /// What was found last.
    pub(super) fn last(&self) -> Option<Start> {
        self.0.lock().as_ref().map(|known| known.start.clone())
    }

    /// What connections of this generation start from.
    pub(super) fn of(&self, generation: u64) -> Option<Start> {
        let known = self.0.lock();
        let current = known.as_ref().filter(|known| known.generation == generation && !known.doubted);
        current.map(|known| known.start.clone())
    }

    /// A connection of this generation has found this.
    pub(super) fn learn(&self, generation: u64, start: Start) {
        let mut known = self.0.lock();
        let news = |known: &Known| {
            known.generation < generation || (known.doubted && known.generation == generation)
        };
        if known.as_ref().is_none_or(news) {
            *known = Some(Known { generation, doubted: false, start });
        }
    }

    /// The server has been told something that new sessions may start from: the next connection looks again.
    pub(super) fn doubt(&self) {
        if let Some(known) = self.0.lock().as_mut() {
            known.doubted = true;
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
        here.learn(0, Start { state: Arc::default(), reset: Arc::default(), largest: 5 });
        assert_eq!(there.of(0).map(|start| start.largest), Some(5));
        assert!(elsewhere.of(0).is_none());
        // Nobody has use for it any more: it is forgotten.
        drop((here, there));
        assert!(bases.of(key(1, 0)).of(0).is_none());
        assert_eq!(bases.0.lock().len(), 2);
    }

    #[test]
    fn a_new_generation_is_looked_at_anew() {
        let found = |schema: &str, largest| {
            let mut state = SessionState::new();
            state.set_schema(Some(schema.as_bytes()));
            let state = Arc::new(state);
            Start { state: state.clone(), reset: state, largest }
        };
        let base = Base::default();
        assert!(base.last().is_none() && base.of(0).is_none());
        base.learn(0, found("a", 5));
        base.learn(0, found("b", 6));
        assert_eq!(base.of(0), Some(found("a", 5)));
        assert!(base.of(1).is_none() && base.last() == Some(found("a", 5)));
        base.learn(1, found("c", 7));
        base.learn(0, found("d", 8));
        assert_eq!((base.of(1), base.of(0)), (Some(found("c", 7)), None));
        base.doubt();
        assert_eq!((base.of(1), base.last()), (None, Some(found("c", 7))));
        base.learn(0, found("e", 9));
        assert_eq!(base.of(1), None, "what an older connection found is no answer");
        base.learn(1, found("f", 10));
        base.learn(1, found("g", 11));
        assert_eq!(base.of(1), Some(found("f", 10)));
    }
}
