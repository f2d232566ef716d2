//! Goes through one statement token by token and notes what any expression in it may do.

use super::key::Key;
use super::lexer::{Lexer, Token, TokenKind};
use super::words::{self, WordId};
use super::{Dialect, Effects};

/// What the next token tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    Nothing,
    /// The name of a table of `information_schema`.
    Catalogue,
    /// Whether LAST_INSERT_ID has an argument.
    Argument,
}

/// What is remembered of the token before the last.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) kind: TokenKind,
    pub(super) key: Key,
}

impl Seen {
    const NOTHING: Self = Self { kind: TokenKind::Other, key: Key::None };
}

/// Tokens that say nothing by themselves.
const SILENT: u32 = (1 << TokenKind::Number as u32)
    | (1 << TokenKind::Text as u32)
    | (1 << TokenKind::Quoted as u32)
    | (1 << TokenKind::Equals as u32)
    | (1 << TokenKind::Other as u32)
    | (1 << TokenKind::Parameter as u32)
    | (1 << TokenKind::End as u32)
    | (1 << TokenKind::Semicolon as u32);

pub(super) struct Walk<'a> {
    pub(super) lexer: Lexer<'a>,
    pub(super) effects: Effects,
    /// The last token and the one before it.
    pub(super) last: Token,
    pub(super) before: Seen,
    /// Open parentheses.
    pub(super) depth: u32,
    /// Unknown names before a parenthesis are not functions here (column lists, definitions).
    pub(super) names_only: bool,
    /// Variables met now are being written, not read.
    pub(super) assigning: bool,
    /// A user variable that comes next is behind `INTO`: written, and so is the next one behind a comma.
    into: bool,
    expects: Expects,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(text: &'a [u8], dialect: Dialect) -> Self {
        Self {
            lexer: Lexer::new(text, dialect),
            effects: Effects::empty(),
            last: Token::START,
            before: Seen::NOTHING,
            depth: 0,
            names_only: false,
            assigning: false,
            into: false,
            expects: Expects::Nothing,
        }
    }

    /// Forgets the statement before.
    pub(super) const fn restart(&mut self) {
        self.effects = Effects::empty();
        self.last = Token::START;
        self.before = Seen::NOTHING;
        self.depth = 0;
        self.names_only = false;
        self.assigning = false;
        self.into = false;
        self.expects = Expects::Nothing;
    }

    /// Reads one token and notes its effects.
    pub(super) fn step(&mut self) -> Token {
        self.advance(self.lexer.at());
        self.last
    }

    /// The same from where the last token ended; gives where this one does.
    #[inline(always)]
    fn advance(&mut self, from: usize) -> usize {
        let token = self.lexer.token_from(from);
        if self.expects != Expects::Nothing {
            self.expected(token);
        }
        match token.kind {
            TokenKind::Word => {
                if words::is_noted(token.word) {
                    self.word(token.key, token.word);
                }
                self.into = token.key == Key::Into;
            }
            TokenKind::Comma => {}
            TokenKind::Dot => {
                self.into = false;
                if self.last.end() - self.last.start() > 2 {
                    self.qualifier();
                }
            }
            kind if SILENT & (1 << kind as u32) != 0 => self.into = false,
            kind => self.sign(kind, token.start(), token.end()),
        }
        self.before = Seen { kind: self.last.kind, key: self.last.key };
        self.last = token;
        token.end()
    }

    /// What is no word, and says something.
    #[inline(never)]
    fn sign(&mut self, kind: TokenKind, start: usize, end: usize) {
        match kind {
            TokenKind::Open => self.open(start),
            TokenKind::Close => self.depth = self.depth.saturating_sub(1),
            TokenKind::UserVariable => self.user_variable(),
            TokenKind::SystemVariable if !self.assigning => self.system_variable(start, end),
            TokenKind::Assign if self.last.kind == TokenKind::UserVariable => {
                self.effects |= Effects::SETS_USER_VARIABLE | Effects::COMPUTES_USER_VARIABLE;
            }
            _ => self.into = false,
        }
    }

    /// The token that an earlier one makes interesting.
    #[inline(never)]
    fn expected(&mut self, token: Token) {
        match std::mem::replace(&mut self.expects, Expects::Nothing) {
            Expects::Catalogue => {
                if !SAME_EVERYWHERE.iter().any(|name| is_name(self.lexer.bytes(token), name)) {
                    self.effects |= Effects::VARIES;
                }
            }
            Expects::Argument => {
                self.effects |= if token.kind == TokenKind::Close {
                    Effects::READS_LAST_INSERT_ID
                } else {
                    Effects::SETS_LAST_INSERT_ID
                };
            }
            Expects::Nothing => {}
        }
    }

    /// Reads to the end of the statement.
    pub(super) fn finish(&mut self) {
        let mut at = self.lexer.at();
        while !self.last.ends() {
            at = self.advance(at);
        }
    }

    /// Reads to the end of the text: semicolons inside belong to the statement.
    pub(super) fn swallow(&mut self) {
        while self.last.kind != TokenKind::End {
            self.step();
        }
    }

    #[inline(never)]
    fn word(&mut self, key: Key, id: WordId) {
        let word = words::word(id);
        let qualified = self.last.kind == TokenKind::Dot;
        // Tables of the server's own state are known by their names, qualified or not.
        if word.bare && (!qualified || word.effects == Effects::READS_SERVER_STATE) {
            self.effects |= word.effects;
        }
        match key {
            Key::Update | Key::Share if self.last.key == Key::For => self.effects |= Effects::LOCKING,
            Key::Share if self.last.key == Key::In && self.before.key == Key::Lock => {
                self.effects |= Effects::LOCKING;
            }
            Key::Dumpfile if self.last.key == Key::Into => self.effects |= Effects::OUTFILE,
            Key::For if self.last.key == Key::Value => match self.before.key {
                Key::Next => self.effects |= Effects::SEQUENCE | Effects::WRITES,
                Key::Previous => self.effects |= Effects::SEQUENCE,
                _ => {}
            },
            // Oracle mode: sequence.NEXTVAL. A column of that name only loses a replica.
            Key::Nextval if qualified && self.lexer.dialect.mariadb => {
                self.effects |= Effects::SEQUENCE | Effects::WRITES;
            }
            // Oracle mode has CURRVAL for LASTVAL; it reads what this connection drew last.
            Key::Lastval if qualified && self.lexer.dialect.mariadb => self.effects |= Effects::SEQUENCE,
            _ => {}
        }
    }

    /// A name in front of a dot: the servers' own schemas hold what each server keeps for itself.
    #[inline(never)]
    fn qualifier(&mut self) {
        if !matches!(self.last.kind, TokenKind::Word | TokenKind::Quoted) {
            return;
        }
        let name = self.lexer.bytes(self.last);
        if !(3..=20).contains(&name.len()) {
            return;
        }
        if is_name(name, b"information_schema") {
            self.expects = Expects::Catalogue;
        } else if is_name(name, b"mysql") || is_name(name, b"performance_schema") || is_name(name, b"sys") {
            self.effects |= Effects::VARIES;
        }
    }

    /// A parenthesis: is there a function's name in front of it?
    fn open(&mut self, start: usize) {
        self.depth = self.depth.saturating_add(1);
        self.into = false;
        let name = self.last;
        if name.key == Key::LastInsertId {
            self.expects = Expects::Argument;
        }
        let quoted = name.kind == TokenKind::Quoted;
        if !quoted && name.kind != TokenKind::Word {
            return;
        }
        let qualified = self.before.kind == TokenKind::Dot;
        if !quoted && !qualified {
            let word = words::word(name.word);
            let apart = word.adjacent && start != name.end();
            if word.is_callable(self.lexer.dialect) && !apart {
                self.effects |= word.effects;
                return;
            }
        }
        // `AS name (columns)`, `) name (columns)`: the column names of a derived table.
        let alias = self.before.kind == TokenKind::Close || self.before.key == Key::As;
        if !self.names_only && (!alias || qualified) {
            self.effects |= Effects::STORED_CODE;
        }
    }

    fn user_variable(&mut self) {
        let written = self.assigning || self.into;
        self.effects |= if written { Effects::SETS_USER_VARIABLE } else { Effects::READS_USER_VARIABLE };
        if self.into {
            self.effects |= Effects::COMPUTES_USER_VARIABLE;
        }
    }

    fn system_variable(&mut self, start: usize, end: usize) {
        let name = self.lexer.text.get(start..end).unwrap_or_default();
        let bare = name.rsplit(|byte| matches!(byte, b'.' | b'@')).next().unwrap_or_default();
        self.effects |= match words::word(words::find(bare)).key {
            Key::LastInsertId | Key::InsertId => Effects::READS_LAST_INSERT_ID,
            _ => read_of_variable(bare),
        };
    }
}

/// Whether an identifier, in quotes or without, is `wanted` (in lower case).
fn is_name(token: &[u8], wanted: &[u8]) -> bool {
    let bare = match token {
        [b'`' | b'"', bare @ .., b'`' | b'"'] => bare,
        bare => bare,
    };
    bare.eq_ignore_ascii_case(wanted)
}

/// Tables of `information_schema` that say the same on all servers with the same data.
const SAME_EVERYWHERE: &[&[u8]] = &[
    b"check_constraints",
    b"columns",
    b"key_column_usage",
    b"parameters",
    b"referential_constraints",
    b"routines",
    b"schemata",
    b"table_constraints",
    b"triggers",
    b"views",
];

fn read_of_variable(name: &[u8]) -> Effects {
    let name = name.strip_prefix(b"`").unwrap_or(name);
    let name = name.strip_suffix(b"`").unwrap_or(name);
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    if is(b"warning_count") || is(b"error_count") {
        Effects::READS_DIAGNOSTICS
    } else if is(b"last_insert_id") || is(b"identity") {
        Effects::READS_LAST_INSERT_ID
    } else if is(b"timestamp") {
        Effects::READS_CLOCK
    } else if is(b"pseudo_thread_id") {
        Effects::READS_CONNECTION_ID
    } else {
        Effects::READS_SERVER_STATE
    }
}
