use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::ParameterType;

/// What makes two prepared statements the same to a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StatementKey {
    /// The text as it was prepared.
    pub text: Arc<[u8]>,
    /// The default schema at that time.
    pub schema: Option<Arc<[u8]>>,
    /// `SessionState::prepare_environment` at that time.
    pub environment: u64,
}

/// What one server connection has prepared, bounded: the statement used longest ago is closed for a new one.
#[derive(Debug, Clone)]
pub struct ServerStatements {
    slots: HashMap<Arc<StatementKey>, Slot>,
    /// Last use, ascending, to find the oldest.
    order: BTreeMap<u64, Arc<StatementKey>>,
    clock: u64,
    limit: usize,
    to_close: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Slot {
    id: u32,
    used: u64,
    types: Option<Box<[ParameterType]>>,
}

impl ServerStatements {
    /// None yet, and at most `limit` (at least 1) at a time.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let (slots, order) = (HashMap::new(), BTreeMap::new());
        Self { slots, order, clock: 0, limit: limit.max(1), to_close: Vec::new() }
    }

    /// The server's id for a statement, if it is prepared there. Counts as a use.
    pub fn get(&mut self, key: &StatementKey) -> Option<u32> {
        let slot = self.slots.get_mut(key)?;
        if let Some(key) = self.order.remove(&slot.used) {
            self.clock += 1;
            slot.used = self.clock;
            self.order.insert(self.clock, key);
        }
        Some(slot.id)
    }

    /// Notes that a statement was prepared under `id`. If that makes too many, the oldest is to be closed.
    pub fn insert(&mut self, key: Arc<StatementKey>, id: u32) {
        self.remove(&key);
        while self.slots.len() >= self.limit {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            if let Some(slot) = self.slots.remove(&oldest) {
                self.to_close.push(slot.id);
            }
        }
        self.clock += 1;
        self.order.insert(self.clock, Arc::clone(&key));
        self.slots.insert(key, Slot { id, used: self.clock, types: None });
    }

    /// Forgets one that the server does not know (any more); its id, if it was known, is to be closed.
    pub fn remove(&mut self, key: &StatementKey) {
        if let Some(slot) = self.slots.remove(key) {
            self.order.remove(&slot.used);
            self.to_close.push(slot.id);
        }
    }

    /// The ids for which COM_STMT_CLOSE is due. Each is given out once.
    pub fn take_to_close(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.to_close)
    }

    /// Whether the server last saw this statement executed with exactly these types, so that an execution may
    /// leave them out.
    #[must_use]
    pub fn knows_types(&self, key: &StatementKey, types: &[ParameterType]) -> bool {
        self.slots.get(key).is_some_and(|slot| slot.types.as_deref() == Some(types))
    }

    /// Notes the types that an execution sent.
    pub fn set_types(&mut self, key: &StatementKey, types: &[ParameterType]) {
        if let Some(slot) = self.slots.get_mut(key)
            && slot.types.as_deref() != Some(types)
        {
            slot.types = Some(types.into());
        }
    }

    /// How many are prepared.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The connection was reset: the server has forgotten them all.
    pub fn reset(&mut self) {
        *self = Self::new(self.limit);
    }
}
