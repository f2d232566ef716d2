//! Goes through one statement token by token and notes what any expression in it may do.

use super::key::Key;
use super::lexer::Lexer;
use super::token::{Cut, Token, TokenKind};
use super::words::{self, WordId};
use super::{Dialect, Effects};

pub(super) struct Walk<'a> {
    pub(super) lexer: Lexer<'a>,
    pub(super) effects: Effects,
    /// The last token and the one before it.
    pub(super) last: Token,
    pub(super) before: Cut,
    /// Open parentheses.
    pub(super) depth: u32,
    /// Unknown names before a parenthesis are not functions here (column lists, definitions).
    pub(super) names_only: bool,
    /// Variables met now are being written, not read.
    pub(super) assigning: bool,
    /// The last user variable stood behind `INTO`: it is written, and so is the next one behind a comma.
    into: bool,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(text: &'a [u8], dialect: Dialect) -> Self {
        Self {
            lexer: Lexer::new(text, dialect),
            effects: Effects::empty(),
            last: Token::START,
            before: Token::START.cut(),
            depth: 0,
            names_only: false,
            assigning: false,
            into: false,
        }
    }

    /// Forgets the statement before.
    pub(super) const fn restart(&mut self) {
        self.effects = Effects::empty();
        self.last = Token::START;
        self.before = Token::START.cut();
        self.depth = 0;
        self.names_only = false;
        self.assigning = false;
        self.into = false;
    }

    /// Reads one token and notes its effects.
    pub(super) fn step(&mut self) -> Token {
        let token = self.lexer.token();
        self.note(token);
        self.before = self.last.cut();
        self.last = token;
        token
    }

    /// What the token before the last stands for, if it is a word.
    pub(super) fn key_before(&self) -> Key {
        self.lexer.known(self.before).key
    }

    /// Notes the effects of the token behind `last`.
    fn note(&mut self, token: Token) {
        match token.kind {
            TokenKind::Word => self.word(token.key, token.word),
            TokenKind::Dot => self.qualifier(token.end()),
            TokenKind::Open => self.open(token.start(), token.end()),
            TokenKind::Close => self.depth = self.depth.saturating_sub(1),
            TokenKind::UserVariable => self.user_variable(),
            TokenKind::SystemVariable if !self.assigning => self.system_variable(token),
            TokenKind::Assign if self.last.kind == TokenKind::UserVariable => {
                self.effects |= Effects::SETS_USER_VARIABLE | Effects::COMPUTES_USER_VARIABLE;
            }
            _ => {}
        }
    }

    /// Reads to the end of the statement, as [`step`](Self::step) would. Most of its tokens say nothing: what words they
    /// are is looked up for those alone that may, and then for the one before.
    pub(super) fn finish(&mut self) {
        let (mut before, mut last) = (self.before, self.last.cut());
        let mut at = self.lexer.at();
        let text = self.lexer.text;
        while !last.ends() {
            let (cut, says) = self.lexer.cut(text, at);
            // `a.` is no schema of a server's own.
            if says && !(cut.kind() == TokenKind::Dot && last.end() - last.start() <= 2) {
                self.note_cut(cut, last, before);
            }
            before = last;
            last = cut;
            at = cut.end();
        }
        self.before = before;
        self.last = self.lexer.known(last);
        self.lexer.go_on(at);
    }

    #[inline(never)]
    fn note_cut(&mut self, cut: Cut, last: Cut, before: Cut) {
        self.before = before;
        self.last = self.lexer.known(last);
        self.note(self.lexer.known(cut));
    }

    /// Reads to the end of the text: semicolons inside belong to the statement.
    pub(super) fn swallow(&mut self) {
        while self.last.kind != TokenKind::End {
            self.step();
        }
    }

    fn word(&mut self, key: Key, id: WordId) {
        if !words::is_noted(id) {
            return;
        }
        let word = words::word(id);
        let qualified = self.last.kind == TokenKind::Dot;
        // Tables of the server's own state are known by their names, qualified or not.
        if word.bare && (!qualified || word.effects == Effects::READS_SERVER_STATE) {
            self.effects |= word.effects;
        }
        match key {
            Key::Update | Key::Share if self.last.key == Key::For => self.effects |= Effects::LOCKING,
            Key::Share if self.last.key == Key::In && self.key_before() == Key::Lock => {
                self.effects |= Effects::LOCKING;
            }
            Key::Dumpfile if self.last.key == Key::Into => self.effects |= Effects::OUTFILE,
            Key::For if self.last.key == Key::Value => match self.key_before() {
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
    fn qualifier(&mut self, end: usize) {
        if !matches!(self.last.kind, TokenKind::Word | TokenKind::Quoted) {
            return;
        }
        let name = self.lexer.bytes(self.last);
        if !(3..=20).contains(&name.len()) {
            return;
        }
        if is_name(name, b"information_schema") {
            let table = self.following(end);
            if !SAME_EVERYWHERE.iter().any(|name| is_name(self.lexer.bytes(table), name)) {
                self.effects |= Effects::VARIES;
            }
        } else if is_name(name, b"mysql") || is_name(name, b"performance_schema") || is_name(name, b"sys") {
            self.effects |= Effects::VARIES;
        }
    }

    /// A parenthesis: is there a function's name in front of it?
    fn open(&mut self, start: usize, end: usize) {
        self.depth = self.depth.saturating_add(1);
        let name = self.last;
        if name.key == Key::LastInsertId {
            self.effects |= if self.following(end).kind == TokenKind::Close {
                Effects::READS_LAST_INSERT_ID
            } else {
                Effects::SETS_LAST_INSERT_ID
            };
        }
        let quoted = name.kind == TokenKind::Quoted;
        if !quoted && name.kind != TokenKind::Word {
            return;
        }
        let qualified = self.before.kind() == TokenKind::Dot;
        if !quoted && !qualified {
            let word = words::word(name.word);
            let apart = word.adjacent && start != name.end();
            if word.is_callable(self.lexer.dialect) && !apart {
                self.effects |= word.effects;
                return;
            }
        }
        // `AS name (columns)`, `) name (columns)`: the column names of a derived table.
        let alias = self.before.kind() == TokenKind::Close || self.key_before() == Key::As;
        if !self.names_only && (!alias || qualified) {
            self.effects |= Effects::STORED_CODE;
        }
    }

    /// The token behind one that ends at `end`; it comes again.
    fn following(&self, end: usize) -> Token {
        let mut ahead = self.lexer.clone();
        ahead.go_on(end);
        ahead.token()
    }

    fn user_variable(&mut self) {
        // `INTO @a, @b`
        let next = self.last.kind == TokenKind::Comma && self.before.kind() == TokenKind::UserVariable;
        self.into = self.last.key == Key::Into || (self.into && next);
        let written = self.assigning || self.into;
        self.effects |= if written { Effects::SETS_USER_VARIABLE } else { Effects::READS_USER_VARIABLE };
        if self.into {
            self.effects |= Effects::COMPUTES_USER_VARIABLE;
        }
    }

    fn system_variable(&mut self, token: Token) {
        let name = self.lexer.bytes(token);
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
