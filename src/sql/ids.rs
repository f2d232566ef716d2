//! What a server connection would say otherwise: `CONNECTION_ID()` and `ROW_COUNT()` with the number that they shall give in their
//! place, and `KILL USER`.

use super::details::pieces;
use super::instead::{Instead, replaced};
use super::key::Key;
use super::lexer::Lexer;
use super::{Dialect, Kind, Statement};

/// Where the servers' own numbers stand in tables and functions: there a text has to speak of them throughout. And what is
/// stored.
const STAYS: [&[u8]; 10] = [
    b"processlist",
    b"threads",
    b"innodb_trx",
    b"is_used_lock",
    b"metadata_locks",
    b"data_locks",
    b"metadata_lock_info",
    b"user_variables_by_thread",
    b"create",
    b"alter",
];

/// The text with `id` in place of each call of `CONNECTION_ID()`, a column keeping its name. `None`: it has none, or what it
/// says must stay (a program that is stored, a question about the server's own connections).
#[must_use]
pub fn with_connection_id(text: &[u8], statement: &Statement, dialect: Dialect, id: u32) -> Option<Vec<u8>> {
    let known = matches!(
        statement.kind,
        Kind::Select
            | Kind::With
            | Kind::Do
            | Kind::Set
            | Kind::Insert
            | Kind::Update
            | Kind::Delete
            | Kind::Replace
            | Kind::Call
            | Kind::Kill { .. }
            | Kind::Multi
    );
    if !known {
        return None;
    }
    // Unsigned, as the function is on both servers, and no number of a column in ORDER BY; in KILL a number must stand.
    let plain = matches!(statement.kind, Kind::Kill { .. });
    let number = if plain { id.to_string() } else { format!("CAST({id} AS UNSIGNED)") };
    let instead = Instead { function: b"connection_id", by: &number, unless: &STAYS };
    replaced(text, 0..text.len(), dialect, &instead)
}

/// The text with `rows` in place of what ROW_COUNT() says of the statement before it, every column keeping name and type.
/// `None`: it has no such call, or must stay as it is.
#[must_use]
pub fn with_row_count(text: &[u8], dialect: Dialect, rows: i64) -> Option<Vec<u8>> {
    // Behind the first of several statements it speaks of that one.
    let first = pieces(text, dialect).into_iter().next()?;
    // An empty statement in front of it is a mistake, of which the error tells in the words of the text.
    (!text.get(..first.start)?.contains(&b';')).then_some(())?;
    let by = format!("IF(1,{rows},ROW_COUNT())");
    replaced(
        text,
        first,
        dialect,
        &Instead { function: b"row_count", by: &by, unless: &[b"create", b"alter"] },
    )
}

/// The user, without a host, of a `KILL [HARD | SOFT] [CONNECTION | QUERY] USER name`.
#[must_use]
pub fn killed_user(text: &[u8], dialect: Dialect) -> Option<String> {
    let mut lexer = Lexer::new(text, dialect);
    (lexer.token().key == Key::Kill).then_some(())?;
    loop {
        let token = lexer.token();
        if token.ends() {
            return None;
        }
        if token.key == Key::User {
            break;
        }
    }
    let token = lexer.token();
    let name = str::from_utf8(lexer.bytes(token)).ok()?;
    let quote = name.chars().next().filter(|c| matches!(c, '\'' | '"' | '`'));
    let name = quote.map_or(Some(name), |quote| name.strip_prefix(quote)?.strip_suffix(quote))?;
    (!name.is_empty() && !name.contains(['\\', '\'', '"', '`'])).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::classify;

    fn replaced(text: &str) -> Option<String> {
        let dialect = Dialect { mariadb: true, ..Dialect::default() };
        let statement = classify(text.as_bytes(), dialect);
        let out = with_connection_id(text.as_bytes(), &statement, dialect, 7)?;
        Some(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn users_to_be_killed() {
        let user = |text: &str| killed_user(text.as_bytes(), Dialect { mariadb: true, ..Dialect::default() });
        assert_eq!(user("KILL USER app").as_deref(), Some("app"));
        assert_eq!(user("kill hard query user 'app'@'%'").as_deref(), Some("app"));
        assert_eq!(user("KILL SOFT CONNECTION USER `app`").as_deref(), Some("app"));
        assert_eq!(user("KILL 5"), None);
        assert_eq!(user("KILL USER"), None);
    }

    #[test]
    fn row_counts_are_replaced_in_the_first_statement() {
        let counted = |text: &str| {
            let out = with_row_count(text.as_bytes(), Dialect::default(), 3)?;
            Some(String::from_utf8(out).expect("text"))
        };
        for (text, wanted) in [
            ("SET @a = ROW_COUNT(); SELECT 1", Some("SET @a = IF(1,3,ROW_COUNT()); SELECT 1")),
            ("SELECT 1; SELECT ROW_COUNT()", None),
            ("/* nothing */; DO ROW_COUNT()", None),
        ] {
            assert_eq!(counted(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn calls_are_replaced_and_columns_keep_their_names() {
        let rows = [
            ("SELECT CONNECTION_ID()", "SELECT CAST(7 AS UNSIGNED) AS `CONNECTION_ID()`"),
            ("select connection_id() as me", "select CAST(7 AS UNSIGNED) as me"),
            (
                "SELECT a, Connection_Id( ), b FROM t",
                "SELECT a, CAST(7 AS UNSIGNED) AS `Connection_Id( )`, b FROM t",
            ),
            ("SELECT CONNECTION_ID() + 1", "SELECT CAST(7 AS UNSIGNED) + 1 AS `CONNECTION_ID() + 1`"),
            ("SELECT 1 ORDER BY 1, CONNECTION_ID()", "SELECT 1 ORDER BY 1, CAST(7 AS UNSIGNED)"),
            ("INSERT INTO t VALUES (CONNECTION_ID(), 2)", "INSERT INTO t VALUES (CAST(7 AS UNSIGNED), 2)"),
            ("SET @a = CONNECTION_ID()", "SET @a = CAST(7 AS UNSIGNED)"),
            ("KILL QUERY CONNECTION_ID()", "KILL QUERY 7"),
            (
                "SELECT IF(CONNECTION_ID() = 7, 'x', 'connection_id()')",
                "SELECT IF(CAST(7 AS UNSIGNED) = 7, 'x', 'connection_id()') AS `IF(CONNECTION_ID() = 7, 'x', 'connection_id()')`",
            ),
        ];
        for (text, wanted) in rows {
            assert_eq!(replaced(text).as_deref(), Some(wanted), "{text}");
        }
        for text in [
            "SELECT 1",
            "SELECT 'connection_id()'",
            "SELECT s.connection_id()",
            "SELECT * FROM information_schema.processlist WHERE id = CONNECTION_ID()",
            "SELECT IS_USED_LOCK('a') = CONNECTION_ID()",
            "CREATE VIEW v AS SELECT CONNECTION_ID()",
            "SELECT 1; CREATE VIEW v AS SELECT CONNECTION_ID()",
        ] {
            assert_eq!(replaced(text), None, "{text}");
        }
    }
}
