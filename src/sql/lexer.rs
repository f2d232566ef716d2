//! Tokens over bytes, cut where the servers' own lexers cut.
//!
//! The rules follow `sql/sql_lex.cc` of both servers as documented in the manuals' "Language Structure"
//! chapters. Where a byte could be read in two ways (a control character, an open quote, a broken multi-byte
//! character) the lexer says so in `trouble` instead of choosing.

use memchr::{memchr, memchr2, memmem};

use super::bytes::{Class, Ends, class, in_word, single};
use super::token::{Cut, Token, TokenKind};
use super::words;
use super::{Dialect, Effects};

#[derive(Clone)]
pub(super) struct Lexer<'a> {
    pub(super) text: &'a [u8],
    pub(super) dialect: Dialect,
    at: usize,
    ends: Ends,
    /// Where the executable comment began that the lexer is inside of.
    executable: Option<usize>,
    /// The text may be read in more than one way.
    pub(super) trouble: bool,
    /// What plain comments ask for.
    pub(super) hints: Effects,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(text: &'a [u8], dialect: Dialect) -> Self {
        Self {
            text,
            dialect,
            at: 0,
            ends: Ends::NONE,
            executable: None,
            trouble: false,
            hints: Effects::empty(),
        }
    }

    /// Where the executable comment around the last token began, if it is in one.
    pub(super) const fn executable_start(&self) -> Option<usize> {
        self.executable
    }

    /// Reads on from `at`, where a token ended.
    pub(super) const fn go_on(&mut self, at: usize) {
        self.at = at;
    }

    /// Where the last token ended.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The bytes of a token.
    pub(super) fn bytes(&self, token: Token) -> &'a [u8] {
        self.slice(token.start(), token.end())
    }

    pub(super) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.text.get(start..end).unwrap_or_default()
    }

    /// The next token; `End` again and again at the end.
    pub(super) fn token(&mut self) -> Token {
        let (cut, _) = self.cut(self.text, self.at);
        self.at = cut.end();
        self.known(cut)
    }

    /// Looks up which word a token is.
    #[inline(always)]
    pub(super) fn known(&self, cut: Cut) -> Token {
        if cut.kind() != TokenKind::Word {
            return cut.token(0);
        }
        let (rest, len) = (self.text.get(cut.start()..).unwrap_or_default(), cut.end() - cut.start());
        cut.token(match rest.first_chunk::<8>() {
            Some(_) if len < 2 => 0,
            Some(head) if len <= 8 => words::look_up_short(u64::from_le_bytes(*head), len),
            _ => words::find(rest.get(..len).unwrap_or_default()),
        })
    }

    /// The token behind `start`, where the last one ended, in `text`, which is [`text`](Self::text), and whether it may
    /// say something by itself, by what is known without looking up words.
    ///
    /// What is frequent stands here, and where the next token starts stays in a register: nothing that is called for it
    /// gives a whole token, and nothing is read back that was written just before.
    #[inline(always)]
    pub(super) fn cut(&mut self, text: &[u8], mut start: usize) -> (Cut, bool) {
        let (kind, end, says) = loop {
            let Some(&byte) = text.get(start) else {
                self.trouble |= self.executable.is_some();
                break (TokenKind::End, start, false);
            };
            let class = class(byte);
            if class == Class::Letter {
                let end = self.word(text, start);
                break (TokenKind::Word, end, words::may_be_noted(byte, end - start));
            }
            if class == Class::Space {
                start += 1;
                continue;
            }
            let single = single(byte);
            if single != TokenKind::Nothing {
                break (single, start + 1, single.says());
            }
            if byte == b'.' && !text.get(start + 1).is_some_and(u8::is_ascii_digit) {
                break (TokenKind::Dot, start + 1, true);
            }
            let kind = self.special(start, byte, class);
            if kind != TokenKind::Nothing {
                break (kind, self.at, kind.says());
            }
            start = self.at;
        };
        (Cut::new(kind, start, end), says)
    }

    /// What is neither a word nor a token by its first byte; it ends at `at`.
    #[inline(never)]
    fn special(&mut self, start: usize, byte: u8, class: Class) -> TokenKind {
        match class {
            Class::Digit => self.number(start),
            Class::Quote => self.quoted(start, byte),
            Class::Punctuation => self.punctuation(start, byte),
            _ => {
                self.trouble = true;
                self.finish(TokenKind::Nothing, start + 1)
            }
        }
    }

    fn peek(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn finish(&mut self, kind: TokenKind, end: usize) -> TokenKind {
        self.at = end;
        kind
    }

    /// Where the word ends that begins at `start`.
    #[inline(always)]
    fn word(&mut self, text: &[u8], start: usize) -> usize {
        let mut ends = self.ends.from(start);
        if ends == 0 {
            self.ends = Ends::after(text, start);
            ends = self.ends.from(start);
        }
        let end = start + ends.trailing_zeros() as usize;
        if ends == 0 || text.get(end).is_some_and(|byte| in_word(*byte)) {
            return self.long_word(start);
        }
        end
    }

    /// Any word, also one with `$` or bytes from 0x80 up, or longer than [`Ends`] looks ahead.
    #[inline(never)]
    fn long_word(&mut self, start: usize) -> usize {
        let rest = self.text.get(start..).unwrap_or_default();
        let len = rest.iter().position(|byte| !in_word(*byte)).unwrap_or(rest.len());
        let text = rest.get(..len).unwrap_or_default();
        self.trouble |= !text.is_ascii() && hides_a_blank(text);
        start + len
    }

    fn word_kind(&mut self, start: usize) -> TokenKind {
        let end = self.word(self.text, start);
        self.finish(TokenKind::Word, end)
    }

    /// Numbers end where the servers end them: `1.5FOR UPDATE` and `1e5FOR UPDATE` hold a number and two
    /// keywords, `1FOR` is an identifier.
    fn number(&mut self, start: usize) -> TokenKind {
        if self.follows_qualifier(start) {
            return self.word_kind(start);
        }
        let mut end = self.digits(start);
        let next = self.peek(end);
        if end == start + 1 && self.peek(start) == b'0' && (next == b'x' || next == b'b') {
            let (hex, digits) = (next == b'x', end + 1);
            end = digits;
            while self
                .text
                .get(end)
                .is_some_and(|byte| if hex { byte.is_ascii_hexdigit() } else { *byte & 0xfe == b'0' })
            {
                end += 1;
            }
            if end > digits && !in_word(self.peek(end)) {
                return self.finish(TokenKind::Number, end);
            }
            return self.word_kind(start);
        }
        if next == b'.' {
            end = self.digits(end + 1);
            let end = self.exponent(end).unwrap_or(end);
            return self.finish(TokenKind::Number, end);
        }
        if let Some(end) = self.exponent(end) {
            return self.finish(TokenKind::Number, end);
        }
        if in_word(next) {
            return self.word_kind(start);
        }
        self.finish(TokenKind::Number, end)
    }

    fn digits(&self, mut at: usize) -> usize {
        while self.peek(at).is_ascii_digit() {
            at += 1;
        }
        at
    }

    fn exponent(&self, at: usize) -> Option<usize> {
        if self.peek(at) | 0x20 != b'e' {
            return None;
        }
        let digits = if matches!(self.peek(at + 1), b'+' | b'-') { at + 2 } else { at + 1 };
        self.peek(digits).is_ascii_digit().then(|| self.digits(digits))
    }

    /// Whether `at` stands behind `name.`, so that what follows is a name even if it starts with a digit.
    fn follows_qualifier(&self, at: usize) -> bool {
        at >= 2
            && self.peek(at - 1) == b'.'
            && match self.peek(at - 2) {
                b'`' => true,
                b'"' => self.dialect.ansi_quotes,
                byte => in_word(byte),
            }
    }

    fn quoted(&mut self, start: usize, quote: u8) -> TokenKind {
        let identifier = quote == b'`' || (quote == b'"' && self.dialect.ansi_quotes);
        let escapes = !identifier && !self.dialect.no_backslash_escapes;
        let end = self.closing_quote(start + 1, quote, escapes);
        if self.dialect.multibyte_unsafe {
            let body = self.text.get(start..end).unwrap_or_default();
            self.trouble |= !body.is_ascii();
        }
        self.finish(if identifier { TokenKind::Quoted } else { TokenKind::Text }, end)
    }

    /// The offset behind the quote that closes what was opened before `at`.
    fn closing_quote(&mut self, mut at: usize, quote: u8, escapes: bool) -> usize {
        loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let found = if escapes { memchr2(quote, b'\\', rest) } else { memchr(quote, rest) };
            let Some(found) = found else {
                self.trouble = true;
                return self.text.len();
            };
            at += found + 1;
            if rest.get(found) == Some(&b'\\') {
                at = (at + 1).min(self.text.len());
            } else if self.peek(at) == quote {
                at += 1;
            } else {
                return at;
            }
        }
    }

    /// Handles what more than its first byte tells; `Nothing` if it was a comment.
    fn punctuation(&mut self, start: usize, byte: u8) -> TokenKind {
        let next = self.peek(start + 1);
        let one = |kind| (kind, 1);
        let (kind, len) = match byte {
            b'@' => return self.variable(start),
            b'.' if next.is_ascii_digit() && !self.follows_qualifier(start + 1) => {
                let end = self.digits(start + 1);
                let end = self.exponent(end).unwrap_or(end);
                return self.finish(TokenKind::Number, end);
            }
            b'.' => one(TokenKind::Dot),
            b':' if next == b'=' => (TokenKind::Assign, 2),
            // MariaDB's other spelling of NULL, complete in itself.
            b'\\' if next == b'N' => (TokenKind::Number, 2),
            b'#' => {
                self.line_comment(start + 1);
                return TokenKind::Nothing;
            }
            b'-' if next == b'-' && self.dash_comment(start + 2) => {
                self.line_comment(start + 2);
                return TokenKind::Nothing;
            }
            b'/' if next == b'*' => {
                self.comment(start);
                return TokenKind::Nothing;
            }
            b'*' if next == b'/' && self.executable.is_some() => {
                self.executable = None;
                self.at = start + 2;
                return TokenKind::Nothing;
            }
            _ => one(TokenKind::Other),
        };
        self.finish(kind, start + len)
    }

    fn dash_comment(&self, at: usize) -> bool {
        self.text.get(at).is_none_or(|byte| matches!(class(*byte), Class::Space | Class::Stray))
    }

    fn line_comment(&mut self, from: usize) {
        let rest = self.text.get(from..).unwrap_or_default();
        self.at = memchr(b'\n', rest).map_or(self.text.len(), |found| from + found + 1);
    }

    fn comment(&mut self, start: usize) {
        let marker = self.peek(start + 2);
        if marker == b'!' {
            self.executable_comment(start, start + 3, false);
        } else if marker == b'M' && self.peek(start + 3) == b'!' && self.dialect.mariadb {
            self.executable_comment(start, start + 4, true);
        } else {
            let body = self.plain_comment(start + 2);
            self.hints |= hint(body);
        }
    }

    fn plain_comment(&mut self, from: usize) -> &'a [u8] {
        let rest = self.text.get(from..).unwrap_or_default();
        let len = memmem::find(rest, b"*/").unwrap_or_else(|| {
            self.trouble = true;
            rest.len()
        });
        self.at = (from + len + 2).min(self.text.len());
        rest.get(..len).unwrap_or_default()
    }

    fn executable_comment(&mut self, start: usize, from: usize, marked: bool) {
        let digits = (self.digits(from) - from).min(6);
        let runs = if digits < 5 {
            Some(true)
        } else {
            let number = self.text.get(from..from + digits).unwrap_or_default();
            let version = number.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
            self.runs(version, digits, marked)
        };
        match runs {
            Some(false) => {
                // A comment inside a skipped one is matched by the servers, each in its own way.
                let body = self.plain_comment(from);
                self.trouble |= memmem::find(body, b"/*").is_some();
            }
            Some(true) | None => {
                self.trouble |= runs.is_none();
                self.executable = Some(start);
                self.at = from + if digits < 5 { 0 } else { digits };
            }
        }
    }

    /// Whether the server runs a comment marked with this version; `None` if releases differ.
    fn runs(&self, version: u32, digits: usize, marked: bool) -> Option<bool> {
        let old_enough = version <= self.dialect.version;
        if self.dialect.mariadb {
            return Some(old_enough && (marked || !(50700..=99_999).contains(&version)));
        }
        // MySQL 8 reads five digits of six, later releases all six.
        if digits == 6 && self.dialect.version < 90_000 { None } else { Some(old_enough) }
    }

    fn variable(&mut self, start: usize) -> TokenKind {
        if self.peek(start + 1) == b'@' {
            return self.system_variable(start);
        }
        let from = start + 1;
        let end = match self.peek(from) {
            quote @ (b'\'' | b'"' | b'`') => {
                self.quoted(from, quote);
                self.at
            }
            _ => {
                let mut end = from;
                while in_word(self.peek(end)) || self.peek(end) == b'.' {
                    end += 1;
                }
                end
            }
        };
        self.finish(TokenKind::UserVariable, end)
    }

    fn system_variable(&mut self, start: usize) -> TokenKind {
        let mut end = start + 2;
        loop {
            match self.peek(end) {
                b'`' => end = self.closing_quote(end + 1, b'`', false),
                b'.' => end += 1,
                byte if in_word(byte) => end += 1,
                _ => return self.finish(TokenKind::SystemVariable, end),
            }
        }
    }
}

/// In single-byte character sets some bytes from 0x80 up are blanks (0xa0 in latin1). Such a byte inside what
/// looks like one word could part it in two; text in UTF-8 cannot mean that.
fn hides_a_blank(word: &[u8]) -> bool {
    word.iter().any(|byte| matches!(byte, 0x9a | 0xa0 | 0xca | 0xff)) && str::from_utf8(word).is_err()
}

/// `tideover:primary` and `tideover:replica`, in any case, alone in their comment.
fn hint(comment: &[u8]) -> Effects {
    let text = comment.trim_ascii();
    match text.split_at_checked(9) {
        Some((name, place)) if name.eq_ignore_ascii_case(b"tideover:") => {
            if place.eq_ignore_ascii_case(b"primary") {
                Effects::HINT_PRIMARY
            } else if place.eq_ignore_ascii_case(b"replica") {
                Effects::HINT_REPLICA
            } else {
                Effects::empty()
            }
        }
        _ => Effects::empty(),
    }
}
