//! FOUND_ROWS(), as far as statements and their answers tell it. What leaves a number there differs from server to server:
//! all that is said of it here was seen on MariaDB 10.11 and 11.8 and MySQL 9.7. PURE.

use super::{Outcome, PinReason, Tracker};
use crate::sql::{Dialect, Effects, Kind, Statement, details, skips_rows};

/// What FOUND_ROWS() gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FoundRows {
    Known(u64),
    /// Only the server connection knows.
    Unknown,
}

impl Default for FoundRows {
    fn default() -> Self {
        Self::Known(0)
    }
}

/// What a statement does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touch {
    No,
    /// It is the number of rows of the answer.
    Rows,
    /// It sets it to what only the server knows.
    Yes,
    /// It sets it or leaves it alone.
    Perhaps,
}

/// Errors of a query that did not begin: syntax, names, rights, columns.
const NOT_BEGUN: [u16; 31] = [
    1, 1044, 1045, 1046, 1049, 1052, 1054, 1055, 1060, 1064, 1066, 1086, 1109, 1111, 1140, 1142, 1143, 1146,
    1193, 1221, 1222, 1227, 1235, 1241, 1248, 1267, 1305, 1327, 1370, 1582, 1630,
];

impl Tracker {
    /// What FOUND_ROWS() gives, if that is known.
    #[must_use]
    pub const fn found_rows(&self) -> Option<u64> {
        match self.found_rows {
            FoundRows::Known(rows) => Some(rows),
            FoundRows::Unknown => None,
        }
    }

    /// The server was asked for what FOUND_ROWS() gives.
    pub fn learn_found_rows(&mut self, rows: u64) {
        self.found_rows = FoundRows::Known(rows);
        self.pins.remove(PinReason::FoundRows);
    }

    /// Whether the connection must have the session's FOUND_ROWS() when the statement begins: it asks for it, or it may leave
    /// it as it is, and the session asks for it now and then.
    #[must_use]
    pub fn wants_found_rows(&self, statement: &Statement, text: &[u8], dialect: Dialect) -> bool {
        statement.any(Effects::READS_FOUND_ROWS)
            || (self.asks_found_rows && touch(statement, text, dialect) == Touch::Perhaps)
    }

    /// A statement has ended. Whether FOUND_ROWS() on its connection is the session's from here on, if it was not before.
    pub(super) fn keep_found_rows(
        &mut self,
        statement: &Statement,
        (text, dialect): (&[u8], Dialect),
        outcome: &Outcome<'_>,
    ) -> bool {
        let touch = match outcome.error {
            Some(code) => touch_of_failed(statement, (text, dialect), code),
            None => touch_of_done(statement, (text, dialect), outcome),
        };
        match touch {
            Touch::No => return false,
            Touch::Rows => self.found_rows = FoundRows::Known(outcome.rows),
            Touch::Yes | Touch::Perhaps => self.found_rows = FoundRows::Unknown,
        }
        let unknown = self.found_rows == FoundRows::Unknown;
        if unknown && (self.asks_found_rows || statement.any(Effects::CALCULATES_FOUND_ROWS)) {
            self.pins.insert(PinReason::FoundRows);
        } else if !unknown {
            self.pins.remove(PinReason::FoundRows);
        }
        true
    }
}

/// What it does if it is not refused.
fn touch(statement: &Statement, text: &[u8], dialect: Dialect) -> Touch {
    let queries = || details::mentions(text, dialect, &[b"select", b"table"]);
    let if_queries = || if queries() { Touch::Perhaps } else { Touch::No };
    match statement.kind {
        Kind::Select | Kind::With => Touch::Yes,
        Kind::Show if statement.any(Effects::READS_DIAGNOSTICS) => {
            if details::mentions(text, dialect, &[b"count"]) { Touch::Yes } else { Touch::No }
        }
        Kind::Show
        | Kind::Explain
        | Kind::Update
        | Kind::Delete
        | Kind::Call
        | Kind::Execute
        | Kind::Multi => Touch::Perhaps,
        Kind::Do if !dialect.mariadb => Touch::Perhaps,
        Kind::Set | Kind::Do | Kind::Insert | Kind::Replace | Kind::Ddl => if_queries(),
        _ if statement.any(Effects::UNSURE | Effects::STORED_CODE) => Touch::Perhaps,
        _ => Touch::No,
    }
}

fn touch_of_done(statement: &Statement, (text, dialect): (&[u8], Dialect), outcome: &Outcome<'_>) -> Touch {
    const CURSOR_EXISTS: u16 = 0x40;
    if !matches!(statement.kind, Kind::Select | Kind::With) {
        return touch(statement, text, dialect);
    }
    if starts_with_values(text) {
        return Touch::No;
    }
    let counted = outcome.result_set
        && outcome.status & CURSOR_EXISTS == 0
        && !statement.any(Effects::CALCULATES_FOUND_ROWS)
        && !(statement.any(Effects::LIMITS)
            && (skips_rows(text, dialect) || details::mentions(text, dialect, &[b"union"])));
    if counted { Touch::Rows } else { Touch::Yes }
}

/// MySQL leaves it as it is behind a query that is refused, when it has begun too; MariaDB when it has not.
fn touch_of_failed(statement: &Statement, (text, dialect): (&[u8], Dialect), code: u16) -> Touch {
    let query = matches!(statement.kind, Kind::Select | Kind::With);
    let several = matches!(statement.kind, Kind::Multi | Kind::Call | Kind::Execute);
    if (NOT_BEGUN.contains(&code) && !several) || (query && !dialect.mariadb) {
        return Touch::No;
    }
    touch(statement, text, dialect)
}

/// `VALUES (1), (2)` is a query that leaves no number.
fn starts_with_values(text: &[u8]) -> bool {
    text.trim_ascii_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"values"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::classify;

    fn dialect(mariadb: bool) -> Dialect {
        Dialect { mariadb, ..Dialect::default() }
    }

    #[test]
    fn what_leaves_a_number() {
        let rows = [
            ("SELECT a FROM t", Touch::Rows),
            ("SELECT a FROM t LIMIT 3", Touch::Rows),
            ("SELECT a FROM t LIMIT 2, 3", Touch::Yes),
            ("SELECT a FROM t LIMIT 3 OFFSET 2", Touch::Yes),
            ("SELECT a FROM t OFFSET 2 ROWS FETCH FIRST 3 ROWS ONLY", Touch::Yes),
            ("SELECT a FROM t UNION SELECT b FROM u", Touch::Rows),
            ("SELECT a FROM t UNION SELECT b FROM u LIMIT 3", Touch::Yes),
            ("SELECT SQL_CALC_FOUND_ROWS a FROM t LIMIT 3", Touch::Yes),
            ("VALUES (1), (2)", Touch::No),
            ("SHOW WARNINGS", Touch::No),
            ("SHOW COUNT(*) WARNINGS", Touch::Yes),
            ("SHOW TABLES", Touch::Perhaps),
            ("SET @a = 1", Touch::No),
            ("SET @a = (SELECT 1)", Touch::Perhaps),
            ("INSERT INTO t VALUES (1)", Touch::No),
            ("INSERT INTO t SELECT 1", Touch::Perhaps),
            ("UPDATE t SET a = 1", Touch::Perhaps),
            ("CREATE TABLE u (a INT)", Touch::Perhaps),
            ("COMMIT", Touch::No),
            ("CALL p()", Touch::Perhaps),
            ("SELECT 1; SELECT 2", Touch::Perhaps),
        ];
        for (text, wanted) in rows {
            let statement = classify(text.as_bytes(), dialect(true));
            let outcome = Outcome { result_set: true, rows: 3, ..Outcome::default() };
            let touch = touch_of_done(&statement, (text.as_bytes(), dialect(true)), &outcome);
            assert_eq!(touch, wanted, "{text}");
        }
    }

    #[test]
    fn what_a_refused_statement_leaves() {
        let rows = [
            ("SELECT a FROM t", 1054, Touch::No, Touch::No),
            ("SELECT a FROM t", 1242, Touch::Yes, Touch::No),
            ("SELECT a INTO @a FROM t", 1172, Touch::Yes, Touch::No),
            ("SELECT 1, 2 INTO @a", 1222, Touch::No, Touch::No),
            ("SET @a = (SELECT a FROM t)", 1242, Touch::Perhaps, Touch::Perhaps),
            ("SELECT 1; SELECT nonsense", 1054, Touch::Perhaps, Touch::Perhaps),
        ];
        for (text, code, mariadb, mysql) in rows {
            for (is_mariadb, wanted) in [(true, mariadb), (false, mysql)] {
                let statement = classify(text.as_bytes(), dialect(is_mariadb));
                let touch = touch_of_failed(&statement, (text.as_bytes(), dialect(is_mariadb)), code);
                assert_eq!(touch, wanted, "{text} {code} {is_mariadb}");
            }
        }
    }
}
