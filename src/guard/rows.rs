//! What the log tells of a statement's rows: the numbers that an OK packet carries. PURE.
//!
//! Exact for INSERT, UPDATE (rows changed; a client that asked for rows found gets those too), DELETE and ON DUPLICATE KEY
//! UPDATE (2 for each row changed). A REPLACE by a row that is the same in every column counts 1 on the server and leaves no
//! trace, so the count may be lower there. Rows of other tables that triggers changed are left out where the statement's text
//! does not name those tables.

use tideover_protocol::binlog::{LoggedStatement, StatementKind, TableChanges};

use super::case::{Inserted, Writing};

/// Rows that the statement affected; `None` where the log does not tell.
pub(super) fn affected(writing: Writing, text: &[u8], statement: &LoggedStatement) -> Option<u64> {
    if writing == Writing::Other {
        return Some(0);
    }
    if statement.kind == StatementKind::Text || !statement.counted {
        return None;
    }
    let tables = named(text, &statement.changes);
    let sum = |of: fn(&TableChanges) -> u64| tables.iter().map(|t| of(t)).sum::<u64>();
    let (inserted, updated, deleted) = (sum(|t| t.inserted), sum(|t| t.updated), sum(|t| t.deleted));
    Some(match writing {
        Writing::Insert | Writing::Replace => inserted + 2 * updated + deleted,
        // A row that moves to another partition is deleted and inserted.
        Writing::Update => updated + inserted.min(deleted),
        Writing::Delete => deleted,
        Writing::Other => 0,
    })
}

/// What was inserted, if it was into one table and nothing was updated.
pub(super) fn inserted(writing: Writing, text: &[u8], statement: &LoggedStatement) -> Option<Inserted> {
    if !matches!(writing, Writing::Insert | Writing::Replace) {
        return None;
    }
    if statement.kind == StatementKind::Text {
        let id = statement.insert_id?;
        return Some(Inserted {
            schema: Vec::new(),
            table: Vec::new(),
            rows: 0,
            first: Vec::new(),
            id: Some(id),
        });
    }
    let tables = named(text, &statement.changes);
    let [table] = tables.as_slice() else { return None };
    if table.updated > 0 || table.inserted == 0 {
        return None;
    }
    Some(Inserted {
        schema: table.schema.clone(),
        table: table.table.clone(),
        rows: table.inserted,
        first: table.first_insert.as_ref()?.integers.clone(),
        id: None,
    })
}

/// The tables that the statement names; the one that there is, whatever its name.
fn named<'a>(text: &[u8], changes: &'a [TableChanges]) -> Vec<&'a TableChanges> {
    if let [one] = changes {
        return vec![one];
    }
    changes.iter().filter(|change| contains(text, &change.table)).collect()
}

/// Whether `word` stands in `text`, in any case, with no letters around it.
fn contains(text: &[u8], word: &[u8]) -> bool {
    let is_word = |byte: Option<&u8>| {
        byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | 0x80..))
    };
    !word.is_empty()
        && text.windows(word.len()).enumerate().any(|(at, part)| {
            let before = at.checked_sub(1).and_then(|at| text.get(at));
            part.eq_ignore_ascii_case(word) && !is_word(before) && !is_word(text.get(at + word.len()))
        })
}

#[cfg(test)]
mod tests {
    use tideover_protocol::binlog::InsertedRow;

    use super::*;

    fn table(name: &str, [inserted, updated, deleted]: [u64; 3]) -> TableChanges {
        let first_insert = (inserted > 0).then(|| InsertedRow { integers: vec![Some(7), None] });
        TableChanges { schema: b"app".to_vec(), table: name.into(), inserted, updated, deleted, first_insert }
    }

    fn statement(changes: Vec<TableChanges>) -> LoggedStatement {
        LoggedStatement {
            text: bytes::Bytes::new(),
            kind: StatementKind::Rows,
            changes,
            counted: true,
            insert_id: None,
        }
    }

    #[test]
    fn counts_as_the_servers_count() {
        let rows = [
            (Writing::Insert, "INSERT INTO t", vec![table("t", [3, 0, 0])], Some(3)),
            (Writing::Insert, "INSERT INTO t … ON DUPLICATE KEY", vec![table("t", [1, 2, 0])], Some(5)),
            (
                Writing::Insert,
                "INSERT INTO t",
                vec![table("audit", [1, 0, 0]), table("t", [2, 0, 0])],
                Some(2),
            ),
            (Writing::Replace, "REPLACE t", vec![table("t", [1, 0, 1])], Some(2)),
            (Writing::Update, "UPDATE t", vec![table("t", [0, 4, 0])], Some(4)),
            (Writing::Update, "UPDATE t, u", vec![table("t", [0, 4, 0]), table("u", [0, 1, 0])], Some(5)),
            (Writing::Update, "UPDATE ttt, t_u", vec![table("t", [0, 4, 0]), table("u", [0, 1, 0])], Some(0)),
            (Writing::Delete, "DELETE FROM `t`", vec![table("t", [0, 0, 2]), table("x", [0, 0, 9])], Some(2)),
            (Writing::Other, "TRUNCATE t", vec![], Some(0)),
        ];
        for (writing, text, changes, expected) in rows {
            assert_eq!(affected(writing, text.as_bytes(), &statement(changes)), expected, "{text}");
        }
        let uncounted = LoggedStatement { counted: false, ..statement(vec![table("t", [1, 0, 0])]) };
        assert_eq!(affected(Writing::Insert, b"", &uncounted), None);
    }

    #[test]
    fn an_insert_id_comes_from_one_table_without_updates() {
        let one = inserted(Writing::Insert, b"", &statement(vec![table("t", [2, 0, 0])])).unwrap();
        assert_eq!((one.rows, one.first), (2, vec![Some(7), None]));
        let none = [
            statement(vec![table("t", [1, 1, 0])]),
            statement(vec![table("t", [0, 0, 1])]),
            statement(vec![table("t", [1, 0, 0]), table("u", [1, 0, 0])]),
        ];
        for statement in none {
            assert_eq!(inserted(Writing::Insert, b"", &statement), None);
        }
        assert_eq!(inserted(Writing::Update, b"", &statement(vec![table("t", [1, 0, 0])])), None);
    }
}
