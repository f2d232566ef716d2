//! Connection ids in texts: `CONNECTION_ID()` with the number that it shall give in its place, and `KILL USER`.

use super::key::Key;
use super::lexer::Lexer;
use super::token::{Token, TokenKind};
use super::{Dialect, Kind, Statement};

/// Where the servers' own numbers stand in tables and functions: there a text has to speak of them throughout.
const SPEAKS_OF_SERVERS: [&[u8]; 8] = [
    b"processlist",
    b"threads",
    b"innodb_trx",
    b"is_used_lock",
    b"metadata_locks",
    b"data_locks",
    b"metadata_lock_info",
    b"user_variables_by_thread",
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
    let mut reader = Calls { lexer: Lexer::new(text, dialect), last: Token::START, depth: 0, in_list: false };
    let mut out = Vec::with_capacity(text.len() + 32);
    let mut from = 0;
    while let Some(call) = reader.next_call()? {
        out.extend_from_slice(text.get(from..call.start)?);
        // Unsigned, as the function is on both servers, and no number of a column in ORDER BY; in KILL a number must stand.
        let plain = matches!(statement.kind, Kind::Kill { .. });
        let number = if plain { id.to_string() } else { format!("CAST({id} AS UNSIGNED)") };
        out.extend_from_slice(number.as_bytes());
        if call.is_column {
            out.extend_from_slice(b" AS `");
            out.extend_from_slice(text.get(call.start..call.end)?);
            out.push(b'`');
        }
        from = call.end;
    }
    (from > 0).then_some(())?;
    out.extend_from_slice(text.get(from..)?);
    Some(out)
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

struct Call {
    start: usize,
    end: usize,
    /// It is a column of the result, whose name is its text.
    is_column: bool,
}

struct Calls<'a> {
    lexer: Lexer<'a>,
    last: Token,
    depth: u32,
    /// Amid the outermost list of columns.
    in_list: bool,
}

impl Calls<'_> {
    fn next(&mut self) -> Token {
        let token = self.lexer.token();
        match token.kind {
            TokenKind::Open => self.depth += 1,
            TokenKind::Close => self.depth = self.depth.saturating_sub(1),
            TokenKind::Semicolon => self.in_list = false,
            TokenKind::Word if self.depth == 0 => {
                let ends = [
                    b"from".as_slice(),
                    b"into",
                    b"where",
                    b"order",
                    b"group",
                    b"having",
                    b"limit",
                    b"for",
                    b"set",
                ];
                let is = |word: &&[u8]| self.lexer.bytes(token).eq_ignore_ascii_case(word);
                if token.key == Key::Select {
                    self.in_list = true;
                } else if ends.iter().any(is) {
                    self.in_list = false;
                }
            }
            _ => {}
        }
        token
    }

    /// The outer `None`: the text must stay as it is.
    #[allow(clippy::option_option, reason = "two different ends")]
    fn next_call(&mut self) -> Option<Option<Call>> {
        loop {
            let before = self.last;
            let token = self.next();
            self.last = token;
            if token.kind == TokenKind::End {
                return Some(None);
            }
            let word = self.lexer.bytes(token);
            if token.kind != TokenKind::Word && token.kind != TokenKind::Quoted {
                continue;
            }
            let bare = word.strip_prefix(b"`").and_then(|w| w.strip_suffix(b"`")).unwrap_or(word);
            if SPEAKS_OF_SERVERS.iter().any(|name| bare.eq_ignore_ascii_case(name))
                || bare.eq_ignore_ascii_case(b"create")
                || bare.eq_ignore_ascii_case(b"alter")
            {
                return None;
            }
            let called = token.kind == TokenKind::Word
                && word.eq_ignore_ascii_case(b"connection_id")
                && before.kind != TokenKind::Dot;
            if !called {
                continue;
            }
            let depth = self.depth;
            let (open, close) = (self.next(), self.next());
            if open.kind != TokenKind::Open || close.kind != TokenKind::Close {
                return None;
            }
            self.last = close;
            let following = self.lexer.clone().token();
            let starts = before.key == Key::Select || before.kind == TokenKind::Comma;
            let ends = following.ends()
                || following.kind == TokenKind::Comma
                || self.lexer.bytes(following).eq_ignore_ascii_case(b"from");
            let is_column = depth == 0 && self.in_list && starts && ends;
            return Some(Some(Call { start: token.start(), end: close.end(), is_column }));
        }
    }
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
    fn calls_are_replaced_and_columns_keep_their_names() {
        let rows = [
            ("SELECT CONNECTION_ID()", "SELECT CAST(7 AS UNSIGNED) AS `CONNECTION_ID()`"),
            ("select connection_id() as me", "select CAST(7 AS UNSIGNED) as me"),
            (
                "SELECT a, Connection_Id( ), b FROM t",
                "SELECT a, CAST(7 AS UNSIGNED) AS `Connection_Id( )`, b FROM t",
            ),
            ("SELECT CONNECTION_ID() + 1", "SELECT CAST(7 AS UNSIGNED) + 1"),
            ("SELECT 1 ORDER BY 1, CONNECTION_ID()", "SELECT 1 ORDER BY 1, CAST(7 AS UNSIGNED)"),
            ("INSERT INTO t VALUES (CONNECTION_ID(), 2)", "INSERT INTO t VALUES (CAST(7 AS UNSIGNED), 2)"),
            ("SET @a = CONNECTION_ID()", "SET @a = CAST(7 AS UNSIGNED)"),
            ("KILL QUERY CONNECTION_ID()", "KILL QUERY 7"),
            (
                "SELECT IF(CONNECTION_ID() = 7, 'x', 'connection_id()')",
                "SELECT IF(CAST(7 AS UNSIGNED) = 7, 'x', 'connection_id()')",
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
