use bytes::Bytes;

use super::rows::{Change, InsertedRow, Rows};
use super::table_map::TableMap;

/// How a statement stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatementKind {
    /// By the rows that it changed.
    Rows,
    /// By its text: DDL, transaction control, anything with binlog_format=STATEMENT.
    Text,
}

/// What a statement did to one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableChanges {
    /// Database.
    pub schema: Vec<u8>,
    /// Table.
    pub table: Vec<u8>,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows changed. An INSERT … ON DUPLICATE KEY UPDATE, or a REPLACE, may stand as changes.
    pub updated: u64,
    /// Rows removed.
    pub deleted: u64,
    /// Integers of the first inserted row: if the caller knows which column is AUTO_INCREMENT, its first value.
    pub first_insert: Option<InsertedRow>,
}

/// A statement in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedStatement {
    /// Its text, cut at [`super::TransactionReader`]'s limit; empty when the log has none (annotations off).
    pub text: Bytes,
    /// How it stands in the log.
    pub kind: StatementKind,
    /// What it did, a table each, triggers' work included; empty for `Text`.
    pub changes: Vec<TableChanges>,
    /// False when some of its rows could not be counted.
    pub counted: bool,
    /// `Text`: the first AUTO_INCREMENT value, if the log has it.
    pub insert_id: Option<u64>,
}

impl LoggedStatement {
    pub(super) fn new(kind: StatementKind, text: Bytes) -> Self {
        Self { text, kind, changes: Vec::new(), counted: kind == StatementKind::Rows, insert_id: None }
    }

    /// Rows inserted, changed and removed in all tables; `None` when that is not known.
    pub fn rows(&self) -> Option<u64> {
        let of_table = |table: &TableChanges| table.inserted + table.updated + table.deleted;
        self.counted.then(|| self.changes.iter().map(of_table).sum())
    }

    /// Counts a row event.
    pub(super) fn add(&mut self, rows: Rows) {
        let Some(count) = rows.count else {
            self.counted = false;
            return;
        };
        let Some(map) = rows.table else { return };
        let known = self.changes.iter().any(|have| have.is_of(&map));
        if !known {
            let (schema, table) = (map.schema.clone(), map.table.clone());
            self.changes.push(TableChanges { schema, table, ..TableChanges::default() });
        }
        let Some(changes) = self.changes.iter_mut().find(|have| have.is_of(&map)) else { return };
        match rows.change {
            Change::Insert => changes.inserted += count,
            Change::Update => changes.updated += count,
            Change::Delete => changes.deleted += count,
        }
        if changes.first_insert.is_none() {
            changes.first_insert = rows.first_insert;
        }
    }
}

impl TableChanges {
    fn is_of(&self, map: &TableMap) -> bool {
        self.table == map.table && self.schema == map.schema
    }
}
