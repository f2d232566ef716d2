use std::sync::Arc;

use parking_lot::Mutex;

use crate::session::SessionState;

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
    use super::*;

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
