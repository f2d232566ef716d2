//! The rows: statements. `{}` in their texts is the cell's own name.

/// A statement that meets a fault, and what stands around it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// What the client did before, in the same unit.
    pub(crate) before: &'static [&'static str],
    /// What meets the fault.
    pub(crate) strike: Strike,
    /// What the client does afterwards, in the same unit.
    pub(crate) after: &'static [&'static str],
    /// Each must say how often the unit was done.
    pub(crate) stored: &'static [&'static str],
    /// Must be there never.
    pub(crate) never: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    /// One or several statements in text.
    Text(&'static str),
    /// A statement in text that inserts one row into `t` by itself: row count and insert id are looked at.
    Insert(&'static str),
    /// The same, prepared; the cell's name is its parameter.
    Prepared(&'static str),
    /// The rows of `many`.
    Rows(&'static str),
}

impl Strike {
    pub(crate) fn is_rows(self) -> bool {
        matches!(self, Self::Rows(_))
    }
}

/// What exists before any cell.
pub(crate) const TABLES: &[&str] = &[
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60) NOT NULL, KEY (v))",
    "CREATE TABLE counters (v VARCHAR(60) PRIMARY KEY, n INT NOT NULL)",
    "CREATE TABLE many (id INT PRIMARY KEY, v VARCHAR(60) NOT NULL)",
    // With the rights of root, its definer, it would write on a MariaDB server that is read-only.
    "CREATE PROCEDURE p(x VARCHAR(60)) SQL SECURITY INVOKER INSERT INTO t (v) VALUES (x)",
    "CREATE TABLE digits (d INT PRIMARY KEY)",
    "INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)",
    "INSERT INTO many SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d, 'twenty bytes of text' \
     FROM digits AS a, digits AS b, digits AS c, digits AS e, digits AS f",
];
/// How many rows `many` has.
pub(crate) const MANY: u64 = 100_000;

const INSERT: &str = "INSERT INTO t (v) VALUES ('{}')";
const UPDATE: &str = "UPDATE counters SET n = n + 1 WHERE v = '{}'";
const IN_T: &str = "SELECT COUNT(*) FROM app.t WHERE v = '{}'";
const IN_COUNTERS: &str = "SELECT n FROM app.counters WHERE v = '{}'";

pub(crate) const ROWS: [Row; 10] = [
    Row { stored: &[IN_T], ..plain("autocommit INSERT", Strike::Insert(INSERT)) },
    Row { stored: &[IN_COUNTERS], ..plain("autocommit UPDATE n = n + 1", Strike::Text(UPDATE)) },
    Row {
        before: &["BEGIN", INSERT],
        after: &["COMMIT"],
        stored: &[IN_T, IN_COUNTERS],
        ..plain("statement in a transaction", Strike::Text(UPDATE))
    },
    Row {
        before: &["BEGIN", INSERT, UPDATE],
        stored: &[IN_T, IN_COUNTERS],
        ..plain("COMMIT", Strike::Text("COMMIT /* {} */"))
    },
    Row { stored: &[IN_T], ..plain("prepared INSERT", Strike::Prepared("INSERT INTO t (v) VALUES (?)")) },
    plain("SELECT of 100,000 rows", Strike::Rows("SELECT id, v /* {} */ FROM many ORDER BY id")),
    Row {
        stored: &[IN_T, IN_COUNTERS],
        ..plain(
            "INSERT; UPDATE in one text",
            Strike::Text("INSERT INTO t (v) VALUES ('{}'); UPDATE counters SET n = n + 1 WHERE v = '{}'"),
        )
    },
    Row { stored: &[IN_T], ..plain("CALL", Strike::Text("CALL p('{}')")) },
    Row {
        before: &["BEGIN", INSERT],
        after: &["INSERT INTO t (v) VALUES ('{} undone')", "ROLLBACK TO s_{}", UPDATE, "COMMIT"],
        stored: &[IN_T, IN_COUNTERS],
        never: Some("SELECT COUNT(*) FROM app.t WHERE v = '{} undone'"),
        ..plain("SAVEPOINT", Strike::Text("SAVEPOINT s_{}"))
    },
    Row {
        stored: &["SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'made_{}'"],
        ..plain("CREATE TABLE", Strike::Text("CREATE TABLE made_{} (a INT)"))
    },
];

const fn plain(name: &'static str, strike: Strike) -> Row {
    Row { name, before: &[], strike, after: &[], stored: &[], never: None }
}
