//! What a session holds on its server connection, as far as it takes to know when a pin is undone. PURE.

use std::collections::{BTreeMap, BTreeSet};

use super::{PinReason, Pins, Tracker};
use crate::sql::{Dialect, Effects, Kind, Statement, details};

/// What it takes to know when a pin is undone; rare, so kept apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    temporary: Names,
    pub(super) prepared: Names,
    handlers: Names,
    locks: BTreeMap<String, u32>,
    unnamed_lock: bool,
    lock_tables: bool,
    read_lock: bool,
    instance_lock: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    known: BTreeSet<String>,
    unknown: bool,
}

impl Names {
    pub(super) fn add(&mut self, name: Option<String>) {
        match name {
            Some(name) => {
                self.known.insert(name);
            }
            None => self.unknown = true,
        }
    }

    /// Takes one away; whether none is left.
    fn remove(&mut self, name: Option<&String>) -> bool {
        if let Some(name) = name {
            self.known.remove(name);
        }
        self.known.is_empty() && !self.unknown
    }
}

impl Tracker {
    /// Things held on the server connection, and their undoing.
    pub(super) fn holdings(&mut self, statement: &Statement, text: &[u8], dialect: Dialect) {
        let held = self.held.get_or_insert_default();
        let schema = String::from_utf8_lossy(self.state.schema().unwrap_or_default()).into_owned();
        held.temporary_tables(&mut self.pins, statement, || details::table_names(text, dialect, &schema));
        held.user_locks(&mut self.pins, statement, || details::lock_name(text, dialect));
        held.table_locks(&mut self.pins, statement, text, dialect);
        if statement.kind == Kind::Deallocate
            && held.prepared.remove(details::prepared_name(text, dialect).as_ref())
        {
            self.pins.remove(PinReason::SqlPrepare);
        }
        if statement.any(Effects::HANDLER_OPEN) {
            held.handlers.add(details::handler_name(text, dialect));
            self.pins.insert(PinReason::Handler);
        } else if statement.any(Effects::HANDLER_CLOSE)
            && held.handlers.remove(details::handler_name(text, dialect).as_ref())
        {
            self.pins.remove(PinReason::Handler);
        }
        let kept = [
            PinReason::TemporaryTable,
            PinReason::UserLock,
            PinReason::TableLock,
            PinReason::SqlPrepare,
            PinReason::Handler,
        ];
        if !kept.into_iter().any(|reason| self.pins.contains(reason)) {
            self.held = None;
        }
    }
}

impl Held {
    fn temporary_tables(
        &mut self,
        pins: &mut Pins,
        statement: &Statement,
        names: impl Fn() -> Option<Vec<String>>,
    ) {
        if statement.any(Effects::TEMPORARY_TABLE) {
            for name in names().map_or_else(|| vec![None], |names| names.into_iter().map(Some).collect()) {
                self.temporary.add(name);
            }
            pins.insert(PinReason::TemporaryTable);
        } else if pins.contains(PinReason::TemporaryTable) && statement.kind == Kind::Ddl {
            if statement.any(Effects::DROPS_TEMPORARY) {
                for name in names().unwrap_or_default() {
                    self.temporary.remove(Some(&name));
                }
            } else {
                // ALTER TABLE may have renamed one.
                self.temporary.unknown = true;
            }
            if self.temporary.remove(None) {
                pins.remove(PinReason::TemporaryTable);
            }
        }
    }

    /// Locks nest: each GET_LOCK wants its own RELEASE_LOCK. One that was not got is counted too, which only
    /// keeps the session pinned.
    fn user_locks(&mut self, pins: &mut Pins, statement: &Statement, name: impl Fn() -> Option<String>) {
        if statement.any(Effects::USER_LOCK) {
            match name() {
                Some(name) => *self.locks.entry(name).or_default() += 1,
                None => self.unnamed_lock = true,
            }
            pins.insert(PinReason::UserLock);
        }
        if statement.any(Effects::RELEASES_ALL_USER_LOCKS) && !statement.any(Effects::USER_LOCK) {
            self.locks.clear();
            self.unnamed_lock = false;
        } else if statement.any(Effects::RELEASES_USER_LOCK)
            && let Some(name) = name()
            && let Some(count) = self.locks.get_mut(&name)
        {
            *count -= 1;
            if *count == 0 {
                self.locks.remove(&name);
            }
        }
        if self.locks.is_empty() && !self.unnamed_lock {
            pins.remove(PinReason::UserLock);
        }
    }

    fn table_locks(&mut self, pins: &mut Pins, statement: &Statement, text: &[u8], dialect: Dialect) {
        if statement.any(Effects::TABLE_LOCK) {
            let tables = details::locks_tables(text, dialect);
            self.lock_tables |= tables && statement.kind == Kind::LockTables;
            self.read_lock |= tables && statement.kind != Kind::LockTables;
            self.instance_lock |= !tables;
        } else if statement.kind == Kind::UnlockTables {
            if details::unlocks_tables(text, dialect) {
                (self.lock_tables, self.read_lock) = (false, false);
            } else {
                self.instance_lock = false;
            }
        } else if matches!(statement.kind, Kind::Begin | Kind::StartTransactionReadOnly) {
            // Beginning a transaction gives LOCK TABLES back, but not a global read lock.
            self.lock_tables = false;
        }
        if self.lock_tables || self.read_lock || self.instance_lock {
            pins.insert(PinReason::TableLock);
        } else {
            pins.remove(PinReason::TableLock);
        }
    }
}
