//! A text with something else in place of the calls of a function, in which every column keeps its name.

use std::ops::Range;

use super::Dialect;
use super::key::Key;
use super::lexer::Lexer;
use super::token::{Token, TokenKind};

/// Longer names of columns the servers do not take as an alias.
const LONGEST_NAME: usize = 200;
/// What ends the list of columns.
const BEHIND_LIST: [&[u8]; 11] = [
    b"from",
    b"into",
    b"where",
    b"order",
    b"group",
    b"having",
    b"limit",
    b"for",
    b"set",
    b"union",
    b"procedure",
];
/// Words behind which another one is a part of the expression and no alias.
const OPERATORS: [&[u8]; 19] = [
    b"and",
    b"or",
    b"xor",
    b"not",
    b"div",
    b"mod",
    b"is",
    b"in",
    b"like",
    b"between",
    b"regexp",
    b"rlike",
    b"collate",
    b"binary",
    b"then",
    b"else",
    b"when",
    b"case",
    b"distinct",
];

/// What may stand between SELECT and the first column.
const IN_FRONT: [&[u8]; 11] = [
    b"all",
    b"distinct",
    b"distinctrow",
    b"high_priority",
    b"straight_join",
    b"sql_small_result",
    b"sql_big_result",
    b"sql_buffer_result",
    b"sql_cache",
    b"sql_no_cache",
    b"sql_calc_found_rows",
];

/// What is to be put in place of what.
pub(super) struct Instead<'a> {
    /// The function's name, in lower case.
    pub(super) function: &'a [u8],
    /// What its calls, without arguments, become.
    pub(super) by: &'a str,
    /// Names (in lower case) with which a text must stay as it is.
    pub(super) unless: &'a [&'a [u8]],
}

/// The text with the calls that stand in `range` replaced. `None`: it has none, or must stay as it is.
pub(super) fn replaced(
    text: &[u8],
    range: Range<usize>,
    dialect: Dialect,
    instead: &Instead<'_>,
) -> Option<Vec<u8>> {
    let mut reader = Reader {
        lexer: Lexer::new(text, dialect),
        last: Token::START,
        before: Token::START,
        depth: 0,
        column: None,
        edits: Vec::new(),
    };
    reader.read(range, instead)?;
    // A quote that nothing closes would be closed by its own copy in a column's name, and what was in it would run.
    (!reader.lexer.trouble).then_some(())?;
    let edits = reader.edits;
    (!edits.is_empty()).then_some(())?;
    let mut out = Vec::with_capacity(text.len() + 32 * edits.len());
    let mut from = 0;
    for (range, by) in edits {
        out.extend_from_slice(text.get(from..range.start)?);
        out.extend_from_slice(&by);
        from = range.end;
    }
    out.extend_from_slice(text.get(from..)?);
    Some(out)
}

/// A column of the outermost list.
struct Column {
    start: usize,
    /// A call in it was replaced.
    changed: bool,
}

struct Reader<'a> {
    lexer: Lexer<'a>,
    last: Token,
    before: Token,
    depth: u32,
    column: Option<Column>,
    edits: Vec<(Range<usize>, Vec<u8>)>,
}

impl Reader<'_> {
    fn read(&mut self, range: Range<usize>, instead: &Instead<'_>) -> Option<()> {
        loop {
            let token = self.lexer.token();
            let word = self.lexer.bytes(token);
            let bare = word.strip_prefix(b"`").and_then(|w| w.strip_suffix(b"`")).unwrap_or(word);
            let named =
                range.contains(&token.start()) && matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
            if named && instead.unless.iter().any(|name| bare.eq_ignore_ascii_case(name)) {
                return None;
            }
            let outermost = self.depth == 0;
            let behind = BEHIND_LIST.iter().any(|end| word.eq_ignore_ascii_case(end));
            match token.kind {
                _ if token.ends() => self.end_column()?,
                TokenKind::Open => self.depth += 1,
                TokenKind::Close => self.depth = self.depth.saturating_sub(1),
                TokenKind::Comma if outermost && self.column.is_some() => {
                    self.end_column()?;
                    self.column = Some(Column { start: token.end(), changed: false });
                }
                TokenKind::Word if outermost && token.key == Key::Select => {
                    self.column = Some(Column { start: token.end(), changed: false });
                }
                TokenKind::Word if outermost && behind => self.end_column()?,
                TokenKind::Word if outermost && self.last.key == Key::Select => self.skip_in_front(token),
                _ => {}
            }
            let called = token.kind == TokenKind::Word
                && word.eq_ignore_ascii_case(instead.function)
                && self.last.kind != TokenKind::Dot
                && range.contains(&token.start());
            (self.before, self.last) = (self.last, token);
            if called {
                self.call(token, instead)?;
            }
            if token.kind == TokenKind::End {
                return Some(());
            }
        }
    }

    /// Words between SELECT and the first column are no part of its name.
    fn skip_in_front(&mut self, token: Token) {
        let mut lexer = self.lexer.clone();
        let mut token = token;
        while IN_FRONT.iter().any(|word| lexer.bytes(token).eq_ignore_ascii_case(word)) {
            if let Some(column) = &mut self.column {
                column.start = token.end();
            }
            token = lexer.token();
        }
    }

    /// A call of the function begins with this token.
    fn call(&mut self, name: Token, instead: &Instead<'_>) -> Option<()> {
        let (open, close) = (self.lexer.token(), self.lexer.token());
        if open.kind != TokenKind::Open || close.kind != TokenKind::Close {
            return None;
        }
        self.edits.push((name.start()..close.end(), instead.by.as_bytes().to_vec()));
        (self.before, self.last) = (open, close);
        if let Some(column) = &mut self.column {
            column.changed = true;
        }
        Some(())
    }

    /// A column that has no alias gets the name that it had.
    fn end_column(&mut self) -> Option<()> {
        let Some(column) = self.column.take().filter(|column| column.changed) else { return Some(()) };
        if self.has_alias() {
            return Some(());
        }
        let end = self.last.end();
        let name = self.lexer.text.get(column.start..end)?.trim_ascii();
        (name.len() <= LONGEST_NAME).then_some(())?;
        let mut alias = b" AS `".to_vec();
        for byte in name {
            alias.extend_from_slice(if *byte == b'`' { b"``" } else { std::slice::from_ref(byte) });
        }
        alias.push(b'`');
        self.edits.push((end..end, alias));
        Some(())
    }

    fn has_alias(&self) -> bool {
        let (last, before) = (self.lexer.bytes(self.last), self.lexer.bytes(self.before));
        let is_name = matches!(self.last.kind, TokenKind::Word | TokenKind::Quoted | TokenKind::Text);
        if !is_name || last.eq_ignore_ascii_case(b"end") {
            return false;
        }
        match self.before.kind {
            TokenKind::Word => !OPERATORS.iter().any(|word| before.eq_ignore_ascii_case(word)),
            TokenKind::Close
            | TokenKind::Number
            | TokenKind::Text
            | TokenKind::Quoted
            | TokenKind::UserVariable
            | TokenKind::SystemVariable
            | TokenKind::Parameter => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_seven(text: &str, range: Range<usize>) -> Option<String> {
        let dialect = Dialect { mariadb: true, ..Dialect::default() };
        let instead = Instead { function: b"row_count", by: "7", unless: &[b"create"] };
        let out = replaced(text.as_bytes(), range, dialect, &instead)?;
        Some(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn columns_keep_their_names() {
        let rows = [
            ("SELECT ROW_COUNT()", Some("SELECT 7 AS `ROW_COUNT()`")),
            ("select row_count( ) , 1 from t", Some("select 7 AS `row_count( )` , 1 from t")),
            ("SELECT ALL DISTINCT ROW_COUNT()", Some("SELECT ALL DISTINCT 7 AS `ROW_COUNT()`")),
            ("SELECT ROW_COUNT() AS n, 2", Some("SELECT 7 AS n, 2")),
            ("SELECT ROW_COUNT() n", Some("SELECT 7 n")),
            ("SELECT 1 + ROW_COUNT() \"n\"", Some("SELECT 1 + 7 \"n\"")),
            ("SELECT 1 + row_count() > `a`;", Some("SELECT 1 + 7 > `a` AS `1 + row_count() > ``a```;")),
            ("SELECT ROW_COUNT() IS NULL", Some("SELECT 7 IS NULL AS `ROW_COUNT() IS NULL`")),
            (
                "SELECT IF(ROW_COUNT(), 'a', 'b')",
                Some("SELECT IF(7, 'a', 'b') AS `IF(ROW_COUNT(), 'a', 'b')`"),
            ),
            ("SELECT ROW_COUNT() INTO @a", Some("SELECT 7 AS `ROW_COUNT()` INTO @a")),
            ("SET @a = ROW_COUNT()", Some("SET @a = 7")),
            ("INSERT INTO t VALUES (ROW_COUNT(), 2)", Some("INSERT INTO t VALUES (7, 2)")),
            ("SELECT a.row_count()", None),
            ("SELECT ROW_COUNT() - \"a; DROP TABLE t", None),
            ("SELECT ROW_COUNT() /* a; DROP TABLE t", None),
            ("SELECT 'row_count()'", None),
            ("CREATE VIEW v AS SELECT ROW_COUNT()", None),
        ];
        for (text, wanted) in rows {
            assert_eq!(with_seven(text, 0..text.len()).as_deref(), wanted, "{text}");
        }
        let several = "SELECT ROW_COUNT(); SELECT ROW_COUNT()";
        let wanted = "SELECT 7 AS `ROW_COUNT()`; SELECT ROW_COUNT()";
        assert_eq!(with_seven(several, 0..18).as_deref(), Some(wanted));
    }
}
