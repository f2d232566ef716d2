//! What single bytes mean to the lexer, one by one and eight at once.

use super::lexer::TokenKind;

/// What begins with a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Space,
    /// May start an identifier.
    Letter,
    Digit,
    Quote,
    /// A token of its own, whatever follows.
    Single(TokenKind),
    /// It depends on what follows.
    Punctuation,
    /// Has no business outside quotes and comments.
    Stray,
}

static CLASSES: [Class; 256] = {
    let mut table = [Class::Single(TokenKind::Other); 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | 0x09..=0x0d => Class::Space,
            0..=0x1f | 0x7f => Class::Stray,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80..=0xff => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'\'' | b'"' | b'`' => Class::Quote,
            b'(' => Class::Single(TokenKind::Open),
            b')' => Class::Single(TokenKind::Close),
            b',' => Class::Single(TokenKind::Comma),
            b';' => Class::Single(TokenKind::Semicolon),
            b'=' => Class::Single(TokenKind::Equals),
            b'?' => Class::Single(TokenKind::Parameter),
            b'@' | b'.' | b':' | b'\\' | b'#' | b'-' | b'/' | b'*' => Class::Punctuation,
            _ => Class::Single(TokenKind::Other),
        };
        byte += 1;
    }
    table
};

pub(super) fn class(byte: u8) -> Class {
    CLASSES.get(byte as usize).copied().unwrap_or(Class::Stray)
}

pub(super) fn in_word(byte: u8) -> bool {
    matches!(class(byte), Class::Letter | Class::Digit)
}

/// The highest bit of each of eight bytes.
pub(super) const HIGH: u64 = 0x8080_8080_8080_8080;

/// The same byte eight times.
const fn all(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// Eight bytes from `at`, the first lowest, with zeros behind the end of the text.
pub(super) fn eight(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => rest.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}

/// Of eight bytes the highest bit of each that is in no word: what [`in_word`] says of one.
pub(super) fn ends_of_words(eight: u64) -> u64 {
    // Sums of bytes below 0x80 do not carry into the next.
    let low = eight & !HIGH;
    let small = low | all(0x20);
    let from = |bytes: u64, first: u8| bytes.wrapping_add(all(0x80 - first));
    let beyond = |bytes: u64, last: u8| bytes.wrapping_add(all(0x7f - last));
    let letters = from(small, b'a') & !beyond(small, b'z');
    let digits = from(low, b'0') & !beyond(low, b'9');
    let is = |byte: u8| !(low ^ all(byte)).wrapping_add(all(0x7f));
    !(letters | digits | is(b'_') | is(b'$') | eight) & HIGH
}

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::super::key::Key;
    use super::super::lexer::Lexer;
    use super::*;

    #[test]
    fn eight_bytes_at_once_are_as_one_by_one() {
        for byte in 0..=255_u8 {
            for place in 0..8 {
                for around in [b'a', b' ', 0xff, b'_', 0] {
                    let mut bytes = [around; 8];
                    bytes[place] = byte;
                    let ends = ends_of_words(u64::from_le_bytes(bytes));
                    for (at, byte) in bytes.iter().enumerate() {
                        assert_eq!(ends >> (8 * at + 7) & 1 == 1, !in_word(*byte), "{bytes:x?} at {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn words_of_any_length_end_where_they_end() {
        let letters = "select_a_very_long_name_of_something_that_goes_on_and_on";
        for len in 1..letters.len() {
            for behind in ["", " ", "(", ".b", "\u{0}", "        x"] {
                let text = format!("{}{behind}", &letters[..len]);
                let token = Lexer::new(text.as_bytes(), Dialect::default()).token();
                assert_eq!((token.kind, token.start(), token.end()), (TokenKind::Word, 0, len), "{text:?}");
                assert_eq!(token.key == Key::Select, len == 6, "{text:?}");
            }
        }
    }
}
