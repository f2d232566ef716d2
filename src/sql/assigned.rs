//! Which user variables a statement assigns when it runs.

use super::Dialect;
use super::details::Reader;
use super::key::Key;
use super::token::{Token, TokenKind};

/// The user variables (names in lower case, without `@`) that a single statement assigns with `:=` or SET, and whether to
/// nothing but a parameter. `None` if one of them cannot be written in plain ASCII.
#[must_use]
pub fn assigned_variables(text: &[u8], dialect: Dialect) -> Option<Vec<(String, bool)>> {
    let mut reader = Reader::new(text, dialect);
    let (mut before, mut depth, mut found) = (Token::START, 0_u32, Vec::new());
    let mut sets = None;
    loop {
        let variable = reader.last;
        let token = reader.next();
        let sets = *sets.get_or_insert(token.key == Key::Set);
        let target = sets && depth == 0 && (before.key == Key::Set || before.kind == TokenKind::Comma);
        match token.kind {
            TokenKind::End => return Some(found),
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Assign | TokenKind::Equals
                if variable.kind == TokenKind::UserVariable
                    && (target || token.kind == TokenKind::Assign) =>
            {
                let name = reader.variable(variable)?;
                let by_parameter = reader.following().kind == TokenKind::Parameter && {
                    reader.next();
                    let next = reader.following();
                    next.ends() || matches!(next.kind, TokenKind::Comma | TokenKind::Close | TokenKind::Word)
                };
                found.push((name, by_parameter));
            }
            _ => {}
        }
        before = variable;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_assigned() {
        for (text, wanted) in [
            ("SELECT @a := ?, LAST_INSERT_ID()", "a? "),
            ("SELECT @A := ? + 1, @`b c`:=@a", "a b c "),
            ("SET @a = ?, @b := (@c := ?), @d = @e = 5, time_zone = '+02:00'", "a? b c? d "),
            ("SET @a = (@b = ?), @@sql_mode = ?", "a "),
            ("SELECT @a = ?, @b", ""),
            ("SELECT 1 INTO @a", ""),
            ("UPDATE t SET a = @b = ?, c = @d := ? WHERE @e = 1", "d? "),
            ("DO @a := ?", "a? "),
            ("SELECT '@a := ?' -- @a := ?", ""),
        ] {
            let found = assigned_variables(text.as_bytes(), Dialect::default()).expect("plain names");
            let found: String =
                found.iter().map(|(name, by)| format!("{name}{} ", if *by { "?" } else { "" })).collect();
            assert_eq!(found, wanted, "{text}");
        }
        assert_eq!(assigned_variables("SET @`ä` = ?".as_bytes(), Dialect::default()), None);
    }
}
