//! What a LIMIT of a query says.

use super::Dialect;
use super::lexer::Lexer;
use super::token::TokenKind;

/// Whether it leaves rows at the beginning out: `LIMIT 2, 3`, `LIMIT 3 OFFSET 2`, `OFFSET 2 ROWS`. Only to be asked of texts
/// with [`Effects::LIMITS`](super::Effects::LIMITS); others have none.
#[must_use]
pub fn skips_rows(text: &[u8], dialect: Dialect) -> bool {
    let mut lexer = Lexer::new(text, dialect);
    let mut limit = false;
    loop {
        let token = lexer.token();
        match token.kind {
            TokenKind::End => return false,
            TokenKind::Comma if limit => return true,
            TokenKind::Word => {
                let word = lexer.bytes(token);
                if word.eq_ignore_ascii_case(b"offset") {
                    return true;
                }
                limit = word.eq_ignore_ascii_case(b"limit");
            }
            TokenKind::Number | TokenKind::Parameter | TokenKind::UserVariable => {}
            _ => limit = false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_left_out() {
        for (text, wanted) in [
            ("SELECT a FROM t LIMIT 3", false),
            ("SELECT a FROM t LIMIT ?, ?", true),
            ("SELECT a FROM t LIMIT 3 OFFSET 2", true),
            ("SELECT a FROM t OFFSET 2 ROWS FETCH NEXT 1 ROWS ONLY", true),
            ("SELECT (SELECT b FROM u LIMIT 1), 2 FROM t LIMIT 3", false),
        ] {
            assert_eq!(skips_rows(text.as_bytes(), Dialect::default()), wanted, "{text}");
        }
    }
}
