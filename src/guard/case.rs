//! A unit in doubt, and what became of it. PURE.

use std::ops::Range;
use std::sync::Arc;

use tokio::time::Instant;

use crate::backend::Mark;
use crate::topology::{ServerId, Topology};

/// What was sent and not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// A statement outside a transaction, committed by itself.
    Statement,
    /// The end of a transaction: COMMIT, or a statement that is not logged itself and commits first (BEGIN, LOCK TABLES).
    Commit,
    /// A statement amid a transaction that commits it first and is logged then by itself (DDL).
    Definition,
}

/// What a statement does to rows: from this its row count follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// INSERT, LOAD DATA.
    Insert,
    /// REPLACE.
    Replace,
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// Anything that counts no rows.
    Other,
}

/// A unit whose answer was lost.
#[derive(Debug, Clone)]
pub struct Case {
    /// Where it ran.
    pub server: ServerId,
    /// Its connection's id there.
    pub thread: u32,
    /// When that connection was opened.
    pub opened: Instant,
    /// The connection's tag, a whole comment.
    pub tag: Arc<[u8]>,
    /// Numbers of the text commands of this unit.
    pub numbers: Range<u64>,
    /// The number of the command in doubt, if it was a tagged text command.
    pub own: Option<u64>,
    /// Whether tagged prepared statements ran in this unit.
    pub prepared: bool,
    /// GTID of the last commit that the connection acknowledged; empty if none.
    pub acknowledged: Vec<u8>,
    /// Whether later acknowledged commits are possible.
    pub unclear: bool,
    /// The topology before the command was sent: its log positions are where the search begins.
    pub bookmark: Arc<Topology>,
    /// What was in doubt.
    pub doubt: Doubt,
    /// What the statement does to rows.
    pub writing: Writing,
    /// The statement's text, for the names of its tables.
    pub text: Vec<u8>,
    /// The mark that was sent in front of its COMMIT, in one command with it: then that row is the evidence, and the log is
    /// not read.
    pub mark: Option<Mark>,
    /// Why it proves nothing if no trace is found; `None` if it does.
    pub blind: Option<&'static str>,
    /// Why its answer cannot be made again if it was executed; `None` if it can.
    pub unanswerable: Option<&'static str>,
}

/// The rows of an INSERT, for its insert id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inserted {
    /// Database.
    pub schema: Vec<u8>,
    /// Table.
    pub table: Vec<u8>,
    /// Rows.
    pub rows: u64,
    /// The integers of the first row, a place for each column of the table.
    pub first: Vec<Option<u64>>,
    /// The insert id, where the log names it itself (statement-based logging).
    pub id: Option<u64>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// It was committed, as a whole.
    Committed {
        /// Rows changed, as the server would have counted them, as far as the log tells.
        affected_rows: Option<u64>,
        /// What was inserted, if it was an INSERT into one table.
        inserted: Option<Box<Inserted>>,
        /// Its GTID; empty without GTIDs.
        gtid: String,
    },
    /// It was not committed and never will be.
    NotCommitted,
    /// That is not known; why.
    CannotTell(String),
}
