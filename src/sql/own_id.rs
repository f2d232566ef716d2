//! What the text of an INSERT says of the ids that it may generate.

use super::Dialect;
use super::key::Key;
use super::lexer::Lexer;
use super::token::TokenKind;

/// Whether an INSERT or REPLACE that reports the id `id` may have given its AUTO_INCREMENT column that value itself: then the
/// id is not LAST_INSERT_ID(), and the answer is the same. So it may if the number stands in the text or values come from
/// elsewhere (a query, a variable, an operator, ON DUPLICATE KEY UPDATE), at which only the `careful` look. Values of parameters
/// are the caller's to look at.
#[must_use]
pub fn may_name_id(text: &[u8], dialect: Dialect, id: u64, careful: bool) -> bool {
    let digits = id.to_string();
    let mut lexer = Lexer::new(text, dialect);
    loop {
        let token = lexer.token();
        let found = match token.kind {
            TokenKind::End => return false,
            TokenKind::Number => {
                let bytes = lexer.bytes(token);
                bytes == digits.as_bytes() || bytes.iter().any(|byte| !byte.is_ascii_digit())
            }
            TokenKind::Text => lexer
                .bytes(token)
                .get(1..)
                .unwrap_or_default()
                .trim_ascii_start()
                .starts_with(digits.as_bytes()),
            _ if !careful => false,
            TokenKind::UserVariable | TokenKind::SystemVariable | TokenKind::Other => true,
            TokenKind::Word => {
                token.key == Key::Select || lexer.bytes(token).eq_ignore_ascii_case(b"duplicate")
            }
            _ => false,
        };
        if found {
            return true;
        }
    }
}

/// Longer texts are taken for several rows, unread.
const LONGEST: usize = 64 << 10;

/// Whether an INSERT, REPLACE or LOAD may insert several rows.
#[must_use]
pub fn inserts_several(text: &[u8], dialect: Dialect) -> bool {
    if text.len() > LONGEST {
        return true;
    }
    let mut lexer = Lexer::new(text, dialect);
    let (mut depth, mut last, mut before) = (0_u32, TokenKind::Other, TokenKind::Other);
    loop {
        let token = lexer.token();
        match token.kind {
            TokenKind::End => return false,
            TokenKind::Open if depth == 0 && (before, last) == (TokenKind::Close, TokenKind::Comma) => {
                return true;
            }
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            // VALUES ROW(1), ROW(2)
            TokenKind::Word if depth == 0 && (before, last) == (TokenKind::Close, TokenKind::Comma) => {
                return true;
            }
            TokenKind::Word if matches!(token.key, Key::Select | Key::Table | Key::Load | Key::With) => {
                return true;
            }
            _ => {}
        }
        (before, last) = (last, token.kind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inserts_of_several_rows() {
        let rows: &[(&str, bool)] = &[
            ("INSERT INTO t (a, b) VALUES (1, (2))", false),
            ("INSERT INTO t VALUES (1), (2)", true),
            ("INSERT INTO t VALUES ROW(1), ROW(2)", true),
            ("REPLACE t VALUES (1, 'a'),(f(2), 'b')", true),
            ("INSERT INTO t SET a = 1, b = (2)", false),
            ("INSERT INTO t SELECT * FROM u", true),
            ("INSERT INTO t TABLE u", true),
            ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", true),
            ("INSERT INTO t VALUES ('(1), (2)') -- ), (", false),
        ];
        for (text, several) in rows {
            assert_eq!(inserts_several(text.as_bytes(), Dialect::default()), *several, "{text}");
        }
        assert!(inserts_several(&[b'x'; LONGEST + 1], Dialect::default()));
    }

    #[test]
    fn ids_that_stand_in_the_text() {
        let rows: &[(&str, bool, bool)] = &[
            ("INSERT INTO t (a) VALUES ('x'), (NULL)", false, false),
            ("INSERT INTO t VALUES (17, 'x')", true, true),
            ("INSERT INTO t VALUES ('17', 'x')", true, true),
            ("INSERT INTO t VALUES (17.0)", true, true),
            ("INSERT INTO t VALUES (117, '1 17')", false, false),
            ("INSERT INTO t VALUES (?, NOW())", false, false),
            ("INSERT INTO t VALUES (8 + 9)", false, true),
            ("INSERT INTO t VALUES (@a)", false, true),
            ("INSERT INTO t SELECT * FROM u", false, true),
            ("INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 2", false, true),
            ("REPLACE INTO t SET id = 17", true, true),
            ("INSERT INTO t (a) VALUES (1) /* 17 */ -- 17", false, false),
        ];
        for (text, plain, careful) in rows {
            let found = |careful| may_name_id(text.as_bytes(), Dialect::default(), 17, careful);
            assert_eq!((found(false), found(true)), (*plain, *careful), "{text}");
        }
    }
}
