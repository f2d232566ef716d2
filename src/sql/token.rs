//! What the lexer cuts a text into.

use super::key::Key;
use super::words::{self, WordId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// None.
    Nothing,
    /// The end of the text.
    End,
    Semicolon,
    /// An identifier or keyword without quotes.
    Word,
    /// An identifier in quotes.
    Quoted,
    /// A string.
    Text,
    Number,
    UserVariable,
    SystemVariable,
    Open,
    Close,
    Comma,
    Dot,
    Equals,
    /// `:=`
    Assign,
    /// `?`
    Parameter,
    /// Any other operator or byte.
    Other,
}

impl TokenKind {
    /// Whether a token of this kind may say something by itself.
    #[inline(always)]
    pub(super) const fn says(self) -> bool {
        SILENT & (1 << self as u32) == 0
    }
}

const SILENT: u32 = (1 << TokenKind::Number as u32)
    | (1 << TokenKind::Text as u32)
    | (1 << TokenKind::Quoted as u32)
    | (1 << TokenKind::Comma as u32)
    | (1 << TokenKind::Equals as u32)
    | (1 << TokenKind::Other as u32)
    | (1 << TokenKind::Parameter as u32)
    | (1 << TokenKind::End as u32)
    | (1 << TokenKind::Semicolon as u32);

/// What a token is, and the offsets of its first byte and behind its last one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    kind: TokenKind,
    start: u32,
    end: u32,
}

impl Cut {
    /// `classify` refuses texts whose offsets would not fit.
    pub(super) const fn new(kind: TokenKind, start: usize, end: usize) -> Self {
        Self { kind, start: start as u32, end: end as u32 }
    }

    /// The offset of its first byte.
    pub(super) const fn start(self) -> usize {
        self.start as usize
    }

    /// The offset behind its last byte.
    pub(super) const fn end(self) -> usize {
        self.end as usize
    }

    pub(super) const fn kind(self) -> TokenKind {
        self.kind
    }

    /// Whether it ends a statement.
    pub(super) const fn ends(self) -> bool {
        matches!(self.kind, TokenKind::End | TokenKind::Semicolon)
    }

    /// The same, being the word with this number.
    #[inline(always)]
    pub(super) fn token(self, word: WordId) -> Token {
        let Self { kind, start, end } = self;
        Token { kind, word, key: words::key(word), start, end }
    }
}

/// A token of which it is known which word it is. It fits in two registers: read from memory right after its fields were
/// written one by one, it would have to wait for the cache.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) word: WordId,
    pub(super) key: Key,
    start: u32,
    end: u32,
}

impl Token {
    pub(super) const START: Self = Self { kind: TokenKind::Other, word: 0, key: Key::None, start: 0, end: 0 };

    /// The offset of its first byte.
    pub(super) const fn start(self) -> usize {
        self.start as usize
    }

    /// The offset behind its last byte.
    pub(super) const fn end(self) -> usize {
        self.end as usize
    }

    /// The same without what word it is.
    pub(super) const fn cut(self) -> Cut {
        Cut { kind: self.kind, start: self.start, end: self.end }
    }

    /// Whether it ends a statement.
    pub(super) const fn ends(&self) -> bool {
        self.cut().ends()
    }
}
