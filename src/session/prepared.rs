use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use foldhash::fast::FixedState;
use thiserror::Error;

use super::{Setting, StatementKey};
use crate::sql::Statement;

/// A parameter's type as COM_STMT_EXECUTE sends it: type code and flags (0x80: unsigned).
pub type ParameterType = (u8, u8);

/// A statement that some client prepared. Shared by all that prepared the same text in the same environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Text, schema and environment: what makes two of them the same on a server.
    pub key: Arc<StatementKey>,
    /// What the text is.
    pub statement: Statement,
    /// The settings that decided how it was read, as they were when it was prepared.
    pub settings: Vec<Setting>,
    /// The key that it had before its first execution, where the types of that are a part of it.
    pub untyped: Option<Arc<StatementKey>>,
    /// Number of parameters.
    pub params: u16,
    /// Number of result columns, 0 if there is no result set.
    pub columns: u16,
}

/// One client's handle of a prepared statement.
#[derive(Debug, Clone)]
pub struct ClientStatement {
    prepared: Arc<Prepared>,
    types: Option<Box<[ParameterType]>>,
    long_data: BTreeMap<u16, Vec<u8>>,
    cursor_open: bool,
}

impl ClientStatement {
    /// The statement.
    #[must_use]
    pub const fn prepared(&self) -> &Arc<Prepared> {
        &self.prepared
    }

    /// The parameter types that the client bound last; later executions may leave them out.
    #[must_use]
    pub fn types(&self) -> Option<&[ParameterType]> {
        self.types.as_deref()
    }

    /// Notes the types that came with an execution.
    pub fn bind(&mut self, types: &[ParameterType]) {
        if self.types.as_deref() != Some(types) {
            self.types = Some(types.into());
        }
    }

    /// Parameter data sent ahead, by parameter number, ascending.
    pub fn long_data(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.long_data.iter().map(|(param, data)| (*param, data.as_slice()))
    }

    /// Whether a cursor is open on it.
    #[must_use]
    pub const fn cursor_open(&self) -> bool {
        self.cursor_open
    }
}

/// Why parameter data was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LongDataError {
    /// There is no such statement. Servers pass over this: the command has no answer.
    #[error("no prepared statement {0}")]
    UnknownStatement(u32),
    /// There is no such parameter; the servers report it with the next execution (1210).
    #[error("the statement has {params} parameters, not {param}")]
    UnknownParameter {
        /// The one that was meant, counted from 0.
        param: u16,
        /// How many there are.
        params: u16,
    },
    /// The session's bound for data sent ahead is used up. What was kept for the statement is dropped, and its
    /// next execution must be refused.
    #[error("more than {limit} bytes of parameter data sent ahead")]
    OverLimit {
        /// The bound in bytes.
        limit: usize,
    },
}

/// The prepared statements of one client, under the ids that it knows them by.
#[derive(Debug, Clone)]
pub struct PreparedStatements {
    // We give the ids: nobody can choose some that collide.
    statements: HashMap<u32, ClientStatement, FixedState>,
    next_id: u32,
    kept: usize,
    limit: usize,
    cursors: usize,
}

impl PreparedStatements {
    /// None yet. At most `long_data_limit` bytes of parameter data are kept for all of them together.
    #[must_use]
    pub fn new(long_data_limit: usize) -> Self {
        Self { statements: HashMap::default(), next_id: 1, kept: 0, limit: long_data_limit, cursors: 0 }
    }

    /// The id that the next one will get: 1, 2, 3 … as servers do, going round past ids in use.
    #[must_use]
    pub fn next_id(&self) -> u32 {
        let mut id = self.next_id.max(1);
        while self.statements.contains_key(&id) {
            id = id.wrapping_add(1).max(1);
        }
        id
    }

    /// Adds one and gives it [`next_id`](Self::next_id).
    pub fn insert(&mut self, prepared: Arc<Prepared>) -> u32 {
        let id = self.next_id();
        self.next_id = id.wrapping_add(1);
        let statement =
            ClientStatement { prepared, types: None, long_data: BTreeMap::new(), cursor_open: false };
        self.statements.insert(id, statement);
        id
    }

    /// The statement with this id.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&ClientStatement> {
        self.statements.get(&id)
    }

    /// On MySQL: its first execution brings these types, which decide there what a parameter is that the text leaves open, for
    /// all executions to come (seen on 9.7). Sessions with other types have a server's statement of their own.
    pub fn begin(&mut self, id: u32, types: &[ParameterType]) -> Option<&Arc<Prepared>> {
        let statement = self.statements.get_mut(&id)?;
        if statement.types.is_none() && statement.prepared.untyped.is_none() {
            let plain = &statement.prepared;
            let key = Arc::new(plain.key.with_types(types));
            let typed = Prepared { untyped: Some(plain.key.clone()), key, ..(**plain).clone() };
            statement.prepared = Arc::new(typed);
        }
        Some(&statement.prepared)
    }

    /// Notes the parameter types that an execution brought along.
    pub fn bind(&mut self, id: u32, types: &[ParameterType]) {
        if let Some(statement) = self.statements.get_mut(&id) {
            statement.bind(types);
        }
    }

    /// COM_STMT_CLOSE: forgets it. Whether it was there.
    pub fn close(&mut self, id: u32) -> bool {
        self.clear(id);
        self.statements.remove(&id).is_some()
    }

    /// COM_STMT_RESET, or the end of an execution: drops its parameter data and closes its cursor. Whether there
    /// is such a statement.
    pub fn clear(&mut self, id: u32) -> bool {
        self.set_cursor(id, false);
        self.drop_long_data(id);
        self.statements.contains_key(&id)
    }

    /// Drops its parameter data, as every execution does.
    pub fn drop_long_data(&mut self, id: u32) {
        if let Some(statement) = self.statements.get_mut(&id) {
            self.kept -= statement.long_data.values().map(Vec::len).sum::<usize>();
            statement.long_data.clear();
        }
    }

    /// COM_STMT_SEND_LONG_DATA: appends to a parameter's data.
    ///
    /// # Errors
    /// See `LongDataError`.
    pub fn append_long_data(&mut self, id: u32, param: u16, data: &[u8]) -> Result<(), LongDataError> {
        let statement = self.statements.get_mut(&id).ok_or(LongDataError::UnknownStatement(id))?;
        let params = statement.prepared.params;
        if param >= params {
            return Err(LongDataError::UnknownParameter { param, params });
        }
        if data.len() > self.limit.saturating_sub(self.kept) {
            self.drop_long_data(id);
            return Err(LongDataError::OverLimit { limit: self.limit });
        }
        self.kept += data.len();
        statement.long_data.entry(param).or_default().extend_from_slice(data);
        Ok(())
    }

    /// Whether any statement has parameter data waiting.
    #[must_use]
    pub fn has_long_data(&self) -> bool {
        self.kept > 0 || self.statements.values().any(|statement| !statement.long_data.is_empty())
    }

    /// Notes that a cursor was opened or closed.
    pub fn set_cursor(&mut self, id: u32, open: bool) {
        if let Some(statement) = self.statements.get_mut(&id)
            && statement.cursor_open != open
        {
            statement.cursor_open = open;
            self.cursors = if open { self.cursors + 1 } else { self.cursors - 1 };
        }
    }

    /// Number of open cursors.
    #[must_use]
    pub const fn open_cursors(&self) -> usize {
        self.cursors
    }

    /// How many statements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The session was reset: all are gone, and ids go on.
    pub fn reset(&mut self) {
        *self = Self { next_id: self.next_id, ..Self::new(self.limit) };
    }
}
