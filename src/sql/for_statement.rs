//! MariaDB's `SET STATEMENT name = value, … FOR statement`: which variables hold for that statement alone.

use super::Dialect;
use super::details::pieces;
use super::key::Key;
use super::lexer::Lexer;
use super::token::TokenKind;

/// The variables, in lower case, that the statements of a text set for themselves, of which the server reports the value
/// that is gone when they have ended.
#[must_use]
pub fn set_for_statement(text: &[u8], dialect: Dialect) -> Vec<Vec<u8>> {
    let pieces = pieces(text, dialect);
    pieces.into_iter().filter_map(|range| text.get(range)).flat_map(|piece| of_one(piece, dialect)).collect()
}

fn of_one(text: &[u8], dialect: Dialect) -> Vec<Vec<u8>> {
    let mut lexer = Lexer::new(text, dialect);
    let mut found = Vec::new();
    if lexer.token().key != Key::Set || lexer.token().key != Key::Statement {
        return found;
    }
    let (mut depth, mut name) = (0_u32, None);
    loop {
        let token = lexer.token();
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Equals | TokenKind::Assign if depth == 0 => found.extend(name.take()),
            TokenKind::Word if depth == 0 && lexer.bytes(token).eq_ignore_ascii_case(b"for") => return found,
            TokenKind::Word | TokenKind::Quoted => {
                let word = lexer.bytes(token);
                let bare = word.strip_prefix(b"`").and_then(|word| word.strip_suffix(b"`")).unwrap_or(word);
                name = Some(bare.to_ascii_lowercase());
                continue;
            }
            _ if token.ends() => return found,
            _ => {}
        }
        name = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_variables() {
        for (text, names) in [
            ("SET STATEMENT sql_mode = '' FOR SELECT 1", vec!["sql_mode"]),
            (
                "set statement `Time_Zone`='+01:00', a := (SELECT b = 1) for SELECT c = 2",
                vec!["time_zone", "a"],
            ),
            (
                "SET sql_mode = ''; SET STATEMENT max_statement_time=1 FOR SELECT 1",
                vec!["max_statement_time"],
            ),
            ("SET sql_mode = ''", vec![]),
            ("SET STATEMENT", vec![]),
        ] {
            let found = set_for_statement(text.as_bytes(), Dialect::default());
            let names: Vec<Vec<u8>> = names.into_iter().map(|name| name.as_bytes().to_vec()).collect();
            assert_eq!(found, names, "{text}");
        }
    }
}
