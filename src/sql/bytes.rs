//! What single bytes mean to the lexer, one by one and eight at once.

use super::token::TokenKind;

/// What begins with a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Space,
    /// May start an identifier.
    Letter,
    Digit,
    Quote,
    /// A token of its own, whatever follows: see [`single`].
    Single,
    /// It depends on what follows.
    Punctuation,
    /// Has no business outside quotes and comments.
    Stray,
}

static CLASSES: [Class; 256] = {
    let mut table = [Class::Single; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | 0x09..=0x0d => Class::Space,
            0..=0x1f | 0x7f => Class::Stray,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' | 0x80..=0xff => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'\'' | b'"' | b'`' => Class::Quote,
            b'@' | b'.' | b':' | b'\\' | b'#' | b'-' | b'/' | b'*' => Class::Punctuation,
            _ => Class::Single,
        };
        byte += 1;
    }
    table
};

static SINGLES: [TokenKind; 256] = {
    let mut table = [TokenKind::Nothing; 256];
    let mut byte = 0;
    while byte < 256 {
        if matches!(CLASSES[byte], Class::Single) {
            table[byte] = match byte as u8 {
                b'(' => TokenKind::Open,
                b')' => TokenKind::Close,
                b',' => TokenKind::Comma,
                b';' => TokenKind::Semicolon,
                b'=' => TokenKind::Equals,
                b'?' => TokenKind::Parameter,
                _ => TokenKind::Other,
            };
        }
        byte += 1;
    }
    table
};

/// The token that a byte is by itself, whatever follows.
#[inline(always)]
pub(super) fn single(byte: u8) -> TokenKind {
    SINGLES.get(byte as usize).copied().unwrap_or(TokenKind::Nothing)
}

#[inline(always)]
pub(super) fn class(byte: u8) -> Class {
    CLASSES.get(byte as usize).copied().unwrap_or(Class::Stray)
}

pub(super) fn in_word(byte: u8) -> bool {
    matches!(class(byte), Class::Letter | Class::Digit)
}

/// The highest bit of each of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The same byte eight times.
const fn all(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// Eight bytes from `at`, the first lowest, with zeros behind the end of the text.
#[inline]
pub(super) fn eight(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => rest.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}

/// Of eight bytes the highest bit of each that is no letter, digit or `_`: all that most words consist of.
#[inline]
fn not_plain(eight: u64) -> u64 {
    // Sums of bytes below 0x80 do not carry into the next.
    let low = eight & !HIGH;
    let small = low | all(0x20);
    let letters = small.wrapping_add(all(0x80 - b'a')) & !small.wrapping_add(all(0x7f - b'z'));
    let digits = low.wrapping_add(all(0x80 - b'0')) & !low.wrapping_add(all(0x7f - b'9'));
    let underscores = !(low ^ all(b'_')).wrapping_add(all(0x7f));
    (!(letters | digits | underscores) | eight) & HIGH
}

/// The same with a bit for each byte, the lowest for the first.
#[inline]
fn ends(eight: u64) -> u64 {
    // Gathers the lowest bit of each byte in the highest byte.
    (not_plain(eight) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Which of 64 bytes are no letter, digit or `_`. Known before the words among them are cut, so that where a word begins
/// does not wait for a look at the bytes of the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    first: usize,
    bits: u64,
}

impl Ends {
    pub(super) const NONE: Self = Self { first: 0, bits: 0 };

    /// Of the bytes from `first`; behind the end of the text is no word.
    #[inline(never)]
    pub(super) fn after(text: &[u8], first: usize) -> Self {
        let rest = text.get(first..).unwrap_or_default();
        if let Some(bytes) = rest.first_chunk::<64>() {
            let (eights, _) = bytes.as_chunks::<8>();
            let bits =
                eights.iter().rev().fold(0, |bits, eight| bits << 8 | ends(u64::from_le_bytes(*eight)));
            return Self { first, bits };
        }
        let mut bits = u64::MAX << rest.len();
        for at in (0..rest.len()).step_by(8) {
            bits |= ends(eight(rest, at)) << at;
        }
        Self { first, bits }
    }

    /// One bit for each byte from `at`, the lowest for that byte; 0 if no end is known.
    #[inline(always)]
    pub(super) const fn from(self, at: usize) -> u64 {
        let skip = at.wrapping_sub(self.first);
        if skip < 64 { self.bits >> skip } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dialect;
    use super::super::key::Key;
    use super::super::lexer::Lexer;
    use super::*;

    #[test]
    fn many_bytes_at_once_are_as_one_by_one() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        for byte in 0..=255_u8 {
            for around in [b'a', b' ', 0xff, b'_', 0] {
                for (length, place) in [(1, 0), (8, 7), (9, 8), (63, 30), (64, 63), (70, 64)] {
                    let mut text = vec![around; length];
                    text[place] = byte;
                    for first in [0, place.saturating_sub(3), place] {
                        let ends = Ends::after(&text, first);
                        for at in first..first + 64 {
                            let ended = !text.get(at).copied().is_some_and(plain);
                            assert_eq!(
                                ends.from(at) & 1 == 1,
                                ended,
                                "{byte:x} in {length} of {around:x}, {at}"
                            );
                        }
                        assert_eq!((ends.from(first + 64), ends.from(first.wrapping_sub(1))), (0, 0));
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
