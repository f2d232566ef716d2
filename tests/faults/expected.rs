//! What every cell must come to, written down before it is run.

use super::column::Column;

/// The client got the answer that it would have got without the fault, and it was done exactly once.
pub(crate) const ONCE: &str = "done once";
/// The client got every row exactly once, in order.
pub(crate) const ROWS: &str = "all rows";
/// Error 1180, outcome unknown, on a living connection; done at most once.
pub(crate) const UNKNOWN: &str = "1180";

/// The server was still able to execute it and to answer, or 1180: it is shut down while it runs.
pub(crate) const EITHER: &str = "done once, or 1180";

/// Whether what was found is what was expected.
pub(crate) fn fits(expected: &str, found: &str) -> bool {
    match expected {
        EITHER => [ONCE, UNKNOWN].contains(&found),
        _ => expected == found,
    }
}

/// One row of the matrix.
type Line = (&'static str, [&'static str; Column::ALL.len()]);

const ALL_ONCE: [&str; Column::ALL.len()] = [ONCE; Column::ALL.len()];
const ALL_ROWS: [&str; Column::ALL.len()] = [ROWS; Column::ALL.len()];

/// `guard.mode = "auto"`.
pub(crate) const GUARDED: [Line; 10] = [
    ("autocommit INSERT", ALL_ONCE),
    ("autocommit UPDATE n = n + 1", ALL_ONCE),
    ("statement in a transaction", ALL_ONCE),
    ("COMMIT", ALL_ONCE),
    ("prepared INSERT", ALL_ONCE),
    ("SELECT of 100,000 rows", ALL_ROWS),
    ("INSERT; UPDATE in one text", ALL_ONCE),
    ("CALL", ALL_ONCE),
    ("SAVEPOINT", ALL_ONCE),
    ("CREATE TABLE", ALL_ONCE),
];

/// What commits by itself, and the guard is off: done where that is certain.
const DOUBTED: [&str; Column::ALL.len()] =
    [ONCE, UNKNOWN, UNKNOWN, UNKNOWN, ONCE, EITHER, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN];
const DOUBTED_CALL: [&str; Column::ALL.len()] =
    [ONCE, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, EITHER, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN];

/// `guard.mode = "off"`.
pub(crate) const UNGUARDED: [Line; 10] = [
    ("autocommit INSERT", DOUBTED),
    ("autocommit UPDATE n = n + 1", DOUBTED),
    ("statement in a transaction", ALL_ONCE),
    ("COMMIT", DOUBTED),
    ("prepared INSERT", DOUBTED),
    ("SELECT of 100,000 rows", ALL_ROWS),
    ("INSERT; UPDATE in one text", DOUBTED),
    ("CALL", DOUBTED_CALL),
    ("SAVEPOINT", ALL_ONCE),
    ("CREATE TABLE", DOUBTED),
];
