use super::{Effects, Tags};

/// What a text amounts to: its sort, what it may do, and where a commit tag may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The sort of statement, `Multi` if there are several.
    pub kind: Kind,
    /// The union of what all statements in the text may do; `READS_ONLY` only if it holds for all of them.
    pub effects: Effects,
    /// Where commit tags go.
    pub tags: Tags,
}

impl Statement {
    /// Whether any of `effects` may happen.
    #[must_use]
    pub const fn any(&self, effects: Effects) -> bool {
        self.effects.intersects(effects)
    }
}

/// The sort of a statement, by its verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `SELECT`, also in parentheses, `TABLE t`, `VALUES ROW(…)`.
    Select,
    /// `INSERT`.
    Insert,
    /// `UPDATE`, also behind `WITH`.
    Update,
    /// `DELETE`, also behind `WITH`.
    Delete,
    /// `REPLACE`.
    Replace,
    /// `LOAD DATA`, `LOAD XML`.
    Load,
    /// Definitions and accounts: `CREATE`, `ALTER`, `DROP`, `TRUNCATE`, `RENAME`, `GRANT`, `REVOKE`, `IMPORT`.
    Ddl,
    /// `BEGIN`, `START TRANSACTION` unless read only.
    Begin,
    /// `START TRANSACTION READ ONLY`.
    StartTransactionReadOnly,
    /// `COMMIT`.
    Commit,
    /// `ROLLBACK` of the whole transaction.
    Rollback,
    /// `SAVEPOINT`.
    Savepoint,
    /// `RELEASE SAVEPOINT`.
    ReleaseSavepoint,
    /// `ROLLBACK TO [SAVEPOINT]`.
    RollbackTo,
    /// `SET` of any sort.
    Set,
    /// `USE`.
    Use,
    /// `SHOW`.
    Show,
    /// `CALL`.
    Call,
    /// `LOCK TABLES`, `LOCK INSTANCE`.
    LockTables,
    /// `UNLOCK TABLES`, `UNLOCK INSTANCE`.
    UnlockTables,
    /// SQL-level `PREPARE`.
    Prepare,
    /// SQL-level `EXECUTE`, `EXECUTE IMMEDIATE`.
    Execute,
    /// `DEALLOCATE PREPARE`, `DROP PREPARE`.
    Deallocate,
    /// `KILL`.
    Kill {
        /// The whole connection, not only its query.
        connection: bool,
        /// The id, if it stands there as a plain number.
        id: Option<u64>,
    },
    /// Any XA statement.
    Xa,
    /// `HANDLER`.
    Handler,
    /// `DO`.
    Do,
    /// `EXPLAIN`, `DESCRIBE`, MariaDB's `ANALYZE statement`.
    Explain,
    /// `WITH … SELECT`.
    With,
    /// `FLUSH`.
    Flush,
    /// Table maintenance, replication, plugins, shutdown.
    Administration,
    /// More than one statement.
    Multi,
    /// Nothing but blanks, comments and semicolons.
    Empty,
    /// Everything else.
    Other,
}
