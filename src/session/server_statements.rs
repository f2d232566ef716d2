use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::ParameterType;

/// What makes two prepared statements the same to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementKey {
    // First, so that different keys are told apart by it.
    hash: u64,
    text: Arc<[u8]>,
    schema: Option<Arc<[u8]>>,
    environment: u64,
}

impl StatementKey {
    /// Of the text as it was prepared, the default schema at that time, and `SessionState::prepare_environment` then.
    #[must_use]
    pub fn new(text: Arc<[u8]>, schema: Option<Arc<[u8]>>, environment: u64) -> Self {
        let mut hasher = DefaultHasher::new();
        (&text, &schema, environment).hash(&mut hasher);
        Self { hash: hasher.finish(), text, schema, environment }
    }

    /// Of another text in the same environment.
    #[must_use]
    pub fn with_text(&self, text: Arc<[u8]>) -> Self {
        Self::new(text, self.schema.clone(), self.environment)
    }

    /// Of the same text, first executed with parameters of these types.
    #[must_use]
    pub fn with_types(&self, types: &[ParameterType]) -> Self {
        let mut hasher = DefaultHasher::new();
        (self.environment, types).hash(&mut hasher);
        Self::new(self.text.clone(), self.schema.clone(), hasher.finish())
    }

    /// The text as it was prepared.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The default schema at that time.
    #[must_use]
    pub fn schema(&self) -> Option<&[u8]> {
        self.schema.as_deref()
    }
}

// Every execution looks its statement up: a text of any length is read once, when it is prepared.
impl Hash for StatementKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// What one server connection has prepared, bounded: the statement used longest ago is closed for a new one.
#[derive(Debug, Clone)]
pub struct ServerStatements {
    // The keys bring a hash of their own.
    slots: HashMap<Arc<StatementKey>, Slot, FixedState>,
    clock: u64,
    limit: usize,
    to_close: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Slot {
    id: u32,
    /// The clock at its last use.
    used: u64,
    types: Option<Box<[ParameterType]>>,
}

impl ServerStatements {
    /// None yet, and at most `limit` (at least 1) at a time.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { slots: HashMap::default(), clock: 0, limit: limit.max(1), to_close: Vec::new() }
    }

    /// The server's id for a statement, if it is prepared there. Counts as a use.
    pub fn get(&mut self, key: &StatementKey) -> Option<u32> {
        let slot = self.slots.get_mut(key)?;
        self.clock += 1;
        slot.used = self.clock;
        Some(slot.id)
    }

    /// Notes that a statement was prepared under `id`. If that makes too many, the oldest is to be closed: searched for
    /// among all, which costs less than the preparation that made it necessary.
    pub fn insert(&mut self, key: Arc<StatementKey>, id: u32) {
        self.remove(&key);
        while self.slots.len() >= self.limit {
            let Some(oldest) =
                self.slots.iter().min_by_key(|(_, slot)| slot.used).map(|(key, _)| key.clone())
            else {
                break;
            };
            self.remove(&oldest);
        }
        self.clock += 1;
        self.slots.insert(key, Slot { id, used: self.clock, types: None });
    }

    /// Forgets one that the server does not know (any more); its id, if it was known, is to be closed.
    pub fn remove(&mut self, key: &StatementKey) {
        if let Some(slot) = self.slots.remove(key) {
            self.to_close.push(slot.id);
        }
    }

    /// A statement that was never executed goes by the second of these from here on, unless there is one already.
    pub fn rename(&mut self, from: &StatementKey, to: &Arc<StatementKey>) {
        if !self.slots.contains_key(to)
            && let Some(slot) = self.slots.remove(from)
        {
            self.slots.insert(to.clone(), slot);
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
