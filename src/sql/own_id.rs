//! Whether the id that an INSERT reports may be one that it named itself.

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

#[cfg(test)]
mod tests {
    use super::*;

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
