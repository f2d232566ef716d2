//! What a finished statement means for the journal of its transaction. PURE.

use crate::sql::{Effects, Kind, Statement};

/// How much of what a transaction reads is locked by reading it, in InnoDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// READ UNCOMMITTED, READ COMMITTED: rows found by writes and locking reads, but not the gaps between them. Others
    /// may have added rows that a second run would find.
    Weak,
    /// REPEATABLE READ: rows and gaps, by writes and locking reads.
    Repeatable,
    /// SERIALIZABLE: everything that is read.
    Serializable,
}

impl Isolation {
    /// From the variable's value; nothing known is taken for the weakest.
    #[must_use]
    pub fn of(value: Option<&[u8]>) -> Self {
        match value {
            Some(b"REPEATABLE-READ") => Self::Repeatable,
            Some(b"SERIALIZABLE") => Self::Serializable,
            _ => Self::Weak,
        }
    }

    /// Whether each statement surely sees what is committed when it runs, and not a snapshot of the transaction's own.
    #[must_use]
    pub fn sees_commits(value: Option<&[u8]>) -> bool {
        matches!(value, Some(b"READ-COMMITTED" | b"READ-UNCOMMITTED"))
    }
}

/// One statement that has ended with a transaction open.
#[derive(Debug, Clone, Copy)]
pub struct Ended<'a> {
    /// What it was.
    pub statement: &'a Statement,
    /// Of a text with several statements, each of them.
    pub pieces: &'a [Statement],
    /// A transaction was open before it.
    pub inside_before: bool,
    /// It ended with an error, after which the transaction was still open.
    pub failed: bool,
    /// Statements outside a transaction commit by themselves (`autocommit`).
    pub by_itself: bool,
    /// It is a CALL of a procedure that certainly ends no transaction.
    pub keeps: bool,
    /// It names tables (or may).
    pub reads_tables: bool,
    /// The server reported a commit with its answer.
    pub committed: bool,
    /// The session's isolation level.
    pub isolation: Isolation,
    /// The transaction is surely one in which each statement sees what is committed when it runs; and it is no cursor,
    /// whose rows belong together over several answers.
    pub sees_commits: bool,
}

/// What follows for the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// Running it again would change nothing, and the client has its answer.
    Nothing,
    /// It is to be run again.
    Entry {
        /// Its answer may differ although nobody else writes: it read, without locks, what others may have changed since.
        soft: bool,
    },
    /// It is to be run again, and may be answered otherwise: it read without locks in a transaction that promises no more
    /// than what is committed at the time. The client's answer was true when it was given, and others may have changed the
    /// rows since without a proxy too.
    Read,
    /// A transaction began with it, and the one before it is over.
    Restart,
    /// `AND CHAIN`: the transaction before it is over, and one began like it.
    Chain,
    /// From here on the transaction cannot be done again, for this reason.
    Spoiled(&'static str),
}

/// Effects of which the text does not say enough.
const OPAQUE: Effects = Effects::STORED_CODE.union(Effects::SQL_EXECUTE);

/// Decides about one statement.
#[must_use]
pub fn recording(ended: &Ended<'_>) -> Recording {
    let statement = ended.statement;
    if let Some(why) = spoils(ended) {
        return Recording::Spoiled(why);
    }
    if statement.kind == Kind::Multi {
        return several(ended);
    }
    let runs_code = matches!(statement.kind, Kind::Call | Kind::Execute);
    if ended.failed && !runs_code {
        // The server undid it, and the transaction goes on without it.
        return Recording::Nothing;
    }
    match statement.kind {
        Kind::Begin | Kind::StartTransactionReadOnly if ended.inside_before => Recording::Restart,
        Kind::Commit | Kind::Rollback if statement.any(Effects::CHAIN) => Recording::Chain,
        Kind::Begin | Kind::StartTransactionReadOnly => Recording::Entry { soft: ended.reads_tables },
        _ if statement.any(Effects::ENDS | Effects::IMPLICIT_COMMIT) => {
            Recording::Spoiled("a statement may have committed a part of it")
        }
        _ if statement.any(Effects::READS_ONLY) && !ended.reads_tables => Recording::Nothing,
        // FOUND_ROWS() may be asked for.
        Kind::Select | Kind::With
            if ended.sees_commits
                && statement.any(Effects::READS_ONLY)
                && !statement.any(Effects::CALCULATES_FOUND_ROWS) =>
        {
            Recording::Read
        }
        _ => Recording::Entry { soft: is_soft(ended) },
    }
}

fn spoils(ended: &Ended<'_>) -> Option<&'static str> {
    let statement = ended.statement;
    let code = statement.any(OPAQUE) && matches!(statement.kind, Kind::Call | Kind::Execute | Kind::Multi);
    if statement.any(Effects::UNSURE) {
        Some("a statement was not understood")
    } else if statement.any(Effects::LOCAL_INFILE) {
        Some("the file of LOAD DATA LOCAL is with the client")
    } else if statement.any(Effects::XA) {
        Some("it is an XA transaction")
    } else if statement.any(Effects::OUTFILE) {
        Some("it wrote a file on its server")
    } else if code && ended.committed {
        Some("a stored program committed a part of it")
    } else if code && !ended.inside_before && ended.by_itself {
        Some("a stored program began it")
    } else if code && ended.failed && !ended.keeps && statement.kind != Kind::Execute {
        // Errors do not tell what was committed.
        Some("a stored program failed, and may have committed a part of it")
    } else {
        None
    }
}

/// Several statements in one text: all are run again, if no transaction begins or ends among them but by the first.
fn several(ended: &Ended<'_>) -> Recording {
    let turns = Effects::BEGINS | Effects::ENDS | Effects::IMPLICIT_COMMIT;
    let mut pieces = ended.pieces.iter();
    let first = pieces.next();
    let begins = first.is_some_and(|p| matches!(p.kind, Kind::Begin | Kind::StartTransactionReadOnly));
    let first_turns = first.is_none_or(|p| p.any(turns));
    if pieces.any(|p| p.any(turns)) || (first_turns && (!begins || ended.inside_before)) {
        return Recording::Spoiled(
            "statements that were sent together ended one transaction and began another",
        );
    }
    Recording::Entry { soft: true }
}

/// Whether its answer may differ although its locks are held to the end: reads without locks see what others commit.
fn is_soft(ended: &Ended<'_>) -> bool {
    let (statement, isolation) = (ended.statement, ended.isolation);
    if statement.any(OPAQUE) {
        return true;
    }
    match statement.kind {
        Kind::Insert | Kind::Replace => ended.reads_tables && isolation == Isolation::Weak,
        Kind::Update | Kind::Delete => isolation == Isolation::Weak,
        Kind::Select | Kind::With if statement.any(Effects::LOCKING) => isolation == Isolation::Weak,
        Kind::Select | Kind::With => isolation != Isolation::Serializable,
        Kind::Savepoint | Kind::ReleaseSavepoint | Kind::RollbackTo | Kind::Use => false,
        Kind::Set | Kind::Do => ended.reads_tables,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, classify, details};

    fn decided(text: &str, inside_before: bool, failed: bool, committed: bool) -> Recording {
        decided_at(Isolation::Repeatable, text, (inside_before, failed, committed))
    }

    fn decided_at(
        isolation: Isolation,
        text: &str,
        (inside_before, failed, committed): (bool, bool, bool),
    ) -> Recording {
        let dialect = Dialect::default();
        let statement = classify(text.as_bytes(), dialect);
        let pieces: Vec<Statement> = details::pieces(text.as_bytes(), dialect)
            .into_iter()
            .map(|range| classify(text.as_bytes().get(range).expect("a piece"), dialect))
            .collect();
        let reads_tables = details::mentions(text.as_bytes(), dialect, &[b"from", b"snapshot"]);
        let statement = &statement;
        recording(&Ended {
            statement,
            pieces: &pieces,
            inside_before,
            failed,
            by_itself: true,
            keeps: true,
            reads_tables,
            committed,
            isolation,
            sees_commits: isolation == Isolation::Weak,
        })
    }

    #[test]
    fn the_table() {
        use Recording::{Chain, Entry, Nothing, Restart, Spoiled};
        let (firm, soft) = (Entry { soft: false }, Entry { soft: true });
        let rows = [
            ("BEGIN", false, firm),
            ("START TRANSACTION WITH CONSISTENT SNAPSHOT", false, soft),
            ("BEGIN", true, Restart),
            ("COMMIT AND CHAIN", true, Chain),
            ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", false, firm),
            ("INSERT INTO t VALUES (1)", true, firm),
            ("INSERT INTO t VALUES (1)", false, firm),
            ("UPDATE t SET a = a + 1 WHERE id = 3", true, firm),
            ("UPDATE t SET a = f(1)", true, soft),
            ("SELECT a FROM t", true, soft),
            ("SELECT a FROM t FOR UPDATE", true, firm),
            ("SELECT 1, SLEEP(3)", true, Nothing),
            ("SELECT UUID()", true, Nothing),
            ("SHOW WARNINGS", true, Nothing),
            ("SAVEPOINT s", true, firm),
            ("ROLLBACK TO s", true, firm),
            ("SET @a = 3", true, firm),
            ("SET @a = (SELECT a FROM t)", true, soft),
            ("CALL p()", true, soft),
            ("SET time_zone='+01:00'", true, firm),
            ("BEGIN; INSERT INTO t VALUES (1)", false, soft),
            ("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", true, soft),
        ];
        for (text, inside, wanted) in rows {
            assert_eq!(decided(text, inside, false, false), wanted, "{text}");
        }
        for (text, inside) in [
            ("CALL p()", false),
            ("INSERT INTO t VALUES (1); BEGIN", false),
            ("INSERT INTO t VALUES (1); COMMIT; BEGIN", true),
            ("BEGIN; COMMIT; BEGIN", false),
            ("UNLOCK TABLES", true),
            ("XA START 'a'", false),
            ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", true),
            ("SELECT * FROM t INTO OUTFILE '/tmp/x'", true),
        ] {
            let is = decided(text, inside, false, false);
            assert!(matches!(is, Spoiled(_)), "{text}: {is:?}");
        }
        assert!(matches!(decided("CALL p()", true, false, true), Spoiled(_)));
    }

    #[test]
    fn the_isolation_level_says_what_is_locked() {
        let soft = |isolation, text| {
            decided_at(isolation, text, (true, false, false)) == Recording::Entry { soft: true }
        };
        for (text, weak, repeatable, serializable) in [
            ("INSERT INTO t VALUES (1)", false, false, false),
            ("INSERT INTO t SELECT * FROM u", true, false, false),
            ("UPDATE t SET a=1 WHERE b>2", true, false, false),
            ("SELECT * FROM t FOR UPDATE", true, false, false),
            ("SELECT *, f(a) FROM t", true, true, true),
        ] {
            assert_eq!(soft(Isolation::Weak, text), weak, "{text}");
            assert_eq!(soft(Isolation::Repeatable, text), repeatable, "{text}");
            assert_eq!(soft(Isolation::Serializable, text), serializable, "{text}");
        }
    }

    #[test]
    fn reads_that_promise_no_more_than_what_is_committed() {
        let decided = |isolation, text| decided_at(isolation, text, (true, false, false));
        for text in ["SELECT * FROM t", "WITH c AS (SELECT a FROM t) SELECT * FROM c"] {
            assert_eq!(decided(Isolation::Weak, text), Recording::Read, "{text}");
            assert_eq!(decided(Isolation::Repeatable, text), Recording::Entry { soft: true }, "{text}");
            assert_eq!(decided(Isolation::Serializable, text), Recording::Entry { soft: false }, "{text}");
        }
        for text in [
            "SELECT * FROM t FOR UPDATE",
            "SELECT a INTO @a FROM t",
            "SELECT @a:=a FROM t",
            "SELECT f(a) FROM t",
            "SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 1",
            "SELECT 1; SELECT a FROM t",
        ] {
            assert_eq!(decided(Isolation::Weak, text), Recording::Entry { soft: true }, "{text}");
        }
        for (value, wanted) in [
            (Some(b"READ-COMMITTED".as_slice()), true),
            (Some(b"READ-UNCOMMITTED"), true),
            (Some(b"REPEATABLE-READ"), false),
            (Some(b"SERIALIZABLE"), false),
            (None, false),
        ] {
            assert_eq!(Isolation::sees_commits(value), wanted);
        }
    }

    /// Without autocommit a transaction begins with any statement; and what fails half-way may have ended one before.
    #[test]
    fn stored_programs() {
        let statement = classify(b"CALL p()", Dialect::default());
        let recorded = |inside_before, failed, by_itself, keeps, committed| {
            recording(&Ended {
                statement: &statement,
                pieces: &[],
                inside_before,
                failed,
                by_itself,
                keeps,
                reads_tables: true,
                committed,
                isolation: Isolation::Repeatable,
                sees_commits: false,
            })
        };
        let entry = Recording::Entry { soft: true };
        assert_eq!(recorded(false, false, false, false, false), entry);
        assert_eq!(recorded(true, false, true, false, false), entry);
        assert_eq!(recorded(true, true, true, true, false), entry);
        for (inside, failed, by_itself, keeps, committed) in [
            (false, false, true, true, false),
            (false, false, false, false, true),
            (true, true, true, false, false),
            (false, true, false, false, false),
        ] {
            let is = recorded(inside, failed, by_itself, keeps, committed);
            assert!(matches!(is, Recording::Spoiled(_)), "{inside} {failed} {by_itself} {keeps}: {is:?}");
        }
    }

    /// What the server undid is not done again; of what ran in part, all is.
    #[test]
    fn failures() {
        assert_eq!(decided("INSERT INTO t VALUES (1)", true, true, false), Recording::Nothing);
        assert_eq!(decided("CALL p()", true, true, false), Recording::Entry { soft: true });
        let two = "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)";
        assert_eq!(decided(two, true, true, false), Recording::Entry { soft: true });
    }
}
