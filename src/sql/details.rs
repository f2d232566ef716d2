//! What else session tracking wants to know of single statements: the names and values in them.
//!
//! Slower than `classify` and allocating, so it is asked only where `Effects` call for it. Every answer is
//! `None` when the text is not of the plain form described: the caller then assumes the worst.

use std::ops::Range;

use super::Dialect;
use super::key::Key;
use super::lexer::Lexer;
use super::token::{Token, TokenKind};

/// One assignment of a SET statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// What is set.
    pub target: Target,
    /// To what.
    pub value: Value,
}

/// What an assignment sets. Names are in lower case, without scope and quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A user variable.
    User(String),
    /// A session system variable.
    Session(String),
    /// A global one, or a one-shot one; of no interest to a session's state.
    Elsewhere,
    /// `SET CHARACTER SET`: the connection's collation becomes the default database's.
    CharacterSet,
}

/// What a variable is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A number with its sign.
    Number(String),
    /// The contents of a string of plain ASCII without backslashes.
    Text(String),
    /// A bare word: `ON`, `NULL`, `utf8mb4`.
    Word(String),
    /// `DEFAULT`.
    Default,
    /// The value of a user variable.
    User(String),
    /// Anything else.
    Expression,
}

/// The assignments of one SET statement, in order.
#[must_use]
pub fn assignments(text: &[u8], dialect: Dialect) -> Option<Vec<Assignment>> {
    let mut reader = Reader::new(text, dialect);
    (reader.next().key == Key::Set).then_some(())?;
    let mut found = Vec::new();
    let mut global = false;
    loop {
        let mut token = reader.next();
        let scope = reader.following();
        if found.is_empty()
            && matches!(token.key, Key::Statement | Key::Transaction | Key::Role | Key::Password)
        {
            return None;
        }
        if matches!(token.key, Key::Names | Key::Character) && !scope.is_assignment() {
            found.extend(reader.names(token)?);
        } else {
            if !scope.is_assignment() {
                match token.key {
                    Key::Global | Key::Persist => global = true,
                    Key::Session | Key::Local => global = false,
                    _ => {}
                }
                if matches!(token.key, Key::Global | Key::Persist | Key::Session | Key::Local) {
                    token = reader.next();
                }
            }
            let target = reader.target(token, global)?;
            reader.next().is_assignment().then_some(())?;
            found.push(Assignment { target, value: reader.value() });
        }
        match reader.last.kind {
            TokenKind::Comma => {}
            TokenKind::End | TokenKind::Semicolon => return Some(found),
            _ => return None,
        }
    }
}

/// The tables that a `CREATE [OR REPLACE] TEMPORARY TABLE` or `DROP [TEMPORARY] TABLE` names, as written
/// (quotes off), qualified with `schema` if they are not.
#[must_use]
pub fn table_names(text: &[u8], dialect: Dialect, schema: &str) -> Option<Vec<String>> {
    let mut reader = Reader::new(text, dialect);
    let verb = reader.next().key;
    while !matches!(reader.last.key, Key::Table | Key::Tables) {
        (!reader.next().ends()).then_some(())?;
    }
    let mut token = reader.next();
    // IF [NOT] EXISTS: three words without keys of their own.
    if reader.is(token, b"if") {
        while !reader.is(token, b"exists") {
            (!token.ends()).then_some(())?;
            token = reader.next();
        }
        token = reader.next();
    }
    let mut names = Vec::new();
    loop {
        let mut name = reader.name(token)?;
        let mut next = reader.next();
        if next.kind == TokenKind::Dot {
            let table = reader.next();
            name = format!("{name}.{}", reader.name(table)?);
            next = reader.next();
        } else {
            name = format!("{schema}.{name}");
        }
        names.push(name);
        if verb == Key::Create || next.kind != TokenKind::Comma {
            return Some(names);
        }
        token = reader.next();
    }
}

/// The name, in lower case, that a `PREPARE`, `EXECUTE`, `DEALLOCATE PREPARE` or `DROP PREPARE` is about.
#[must_use]
pub fn prepared_name(text: &[u8], dialect: Dialect) -> Option<String> {
    let mut reader = Reader::new(text, dialect);
    let verb = reader.next().key;
    if matches!(verb, Key::Deallocate | Key::Drop) {
        (reader.next().key == Key::Prepare).then_some(())?;
    }
    let token = reader.next();
    reader.name(token).map(|name| name.to_ascii_lowercase())
}

/// What a `PREPARE` prepares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A string, as it stands in the text, quotes included.
    Literal(Vec<u8>),
    /// The value of a user variable (name in lower case, without `@`).
    Variable(String),
}

/// The name, in lower case, and the source of a `PREPARE name FROM 'text'` or `FROM @variable`.
#[must_use]
pub fn prepare_source(text: &[u8], dialect: Dialect) -> Option<(String, Source)> {
    let mut reader = Reader::new(text, dialect);
    (reader.next().key == Key::Prepare).then_some(())?;
    let token = reader.next();
    let name = reader.name(token)?.to_ascii_lowercase();
    let from = reader.next();
    reader.is(from, b"from").then_some(())?;
    let token = reader.next();
    let source = match token.kind {
        TokenKind::Text => Source::Literal(reader.bytes(token).to_vec()),
        TokenKind::UserVariable => Source::Variable(reader.variable(token)?),
        _ => return None,
    };
    reader.next().ends().then_some((name, source))
}

/// The names, in lower case, of all user variables in a text. `None` if one of them cannot be written in plain ASCII.
#[must_use]
pub fn user_variables(text: &[u8], dialect: Dialect) -> Option<Vec<String>> {
    let mut reader = Reader::new(text, dialect);
    let mut found = Vec::new();
    loop {
        let token = reader.next();
        match token.kind {
            TokenKind::End => return Some(found),
            TokenKind::UserVariable => found.push(reader.variable(token)?),
            _ => {}
        }
    }
}

/// Whether a SET statement sets a user variable within an expression: `SET @a = (@b := 1)`.
#[must_use]
pub fn assigns_within(text: &[u8], dialect: Dialect) -> bool {
    let mut reader = Reader::new(text, dialect);
    let (mut before, mut depth) = (Token::START, 0_u32);
    loop {
        let variable = reader.last;
        let token = reader.next();
        match token.kind {
            TokenKind::End => return false,
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth = depth.saturating_sub(1),
            TokenKind::Assign if variable.kind == TokenKind::UserVariable => {
                let target = before.key == Key::Set || (before.kind == TokenKind::Comma && depth == 0);
                if !target {
                    return true;
                }
            }
            _ => {}
        }
        before = variable;
    }
}

/// What follows `SET ROLE`, if it reads the same in every mode.
#[must_use]
pub fn role(text: &[u8], dialect: Dialect) -> Option<String> {
    let mut reader = Reader::new(text, dialect);
    (reader.next().key == Key::Set && reader.next().key == Key::Role).then_some(())?;
    let from = reader.last.end();
    let mut until = from;
    while !reader.next().ends() {
        until = reader.last.end();
    }
    let role = str::from_utf8(text.get(from..until)?).ok()?.trim();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_$@%.,`' -\t\n".contains(&byte);
    (!role.is_empty() && role.bytes().all(allowed)).then(|| role.to_owned())
}

/// The name under which a `HANDLER` is opened, read or closed.
#[must_use]
pub fn handler_name(text: &[u8], dialect: Dialect) -> Option<String> {
    let mut reader = Reader::new(text, dialect);
    reader.next();
    let token = reader.next();
    let mut name = reader.name(token)?;
    let mut next = reader.next();
    if next.kind == TokenKind::Dot {
        let table = reader.next();
        name = reader.name(table)?;
        next = reader.next();
    }
    if next.key == Key::Open {
        let mut alias = reader.next();
        if alias.key == Key::As {
            alias = reader.next();
        }
        if !alias.ends() {
            name = reader.name(alias)?;
        }
    }
    Some(name)
}

/// The lock's name if the whole statement is one call of `GET_LOCK` or `RELEASE_LOCK` with a literal name:
/// `SELECT GET_LOCK('a', 10) [AS x]`, `DO RELEASE_LOCK('a')`.
#[must_use]
pub fn lock_name(text: &[u8], dialect: Dialect) -> Option<String> {
    let mut reader = Reader::new(text, dialect);
    matches!(reader.next().key, Key::Select | Key::Do).then_some(())?;
    let function = reader.next();
    (reader.is(function, b"get_lock") || reader.is(function, b"release_lock")).then_some(())?;
    (reader.next().kind == TokenKind::Open).then_some(())?;
    let name = reader.next();
    let name = reader.text(name)?;
    let mut token = reader.next();
    while matches!(token.kind, TokenKind::Comma | TokenKind::Number) || reader.bytes(token) == b"-" {
        token = reader.next();
    }
    (token.kind == TokenKind::Close).then_some(())?;
    // An alias, perhaps, and the end.
    token = reader.next();
    if token.key == Key::As {
        token = reader.next();
    }
    if !token.ends() {
        reader.name(token)?;
        token = reader.next();
    }
    token.ends().then(|| name.to_ascii_lowercase())
}

/// Whether it is `UNLOCK TABLES`, not `UNLOCK INSTANCE`.
#[must_use]
pub fn unlocks_tables(text: &[u8], dialect: Dialect) -> bool {
    let mut reader = Reader::new(text, dialect);
    reader.next().key == Key::Unlock && matches!(reader.next().key, Key::Table | Key::Tables)
}

/// Whether it is `LOCK TABLES` or `FLUSH TABLES …`, whose locks `UNLOCK TABLES` gives back.
#[must_use]
pub fn locks_tables(text: &[u8], dialect: Dialect) -> bool {
    let mut reader = Reader::new(text, dialect);
    let verb = reader.next().key;
    let mut what = reader.next().key;
    if what == Key::Local {
        what = reader.next().key;
    }
    matches!(verb, Key::Lock | Key::Flush) && matches!(what, Key::Table | Key::Tables)
}

/// Where each statement of a text stands, semicolons apart. Stored programs are not looked for: a text that
/// holds one should be `Kind::Ddl` as a whole.
#[must_use]
pub fn pieces(text: &[u8], dialect: Dialect) -> Vec<Range<usize>> {
    let mut lexer = Lexer::new(text, dialect);
    let mut found = Vec::new();
    let (mut start, mut behind) = (None, 0);
    loop {
        let token = lexer.token();
        if token.ends() {
            if let Some(start) = start.take() {
                found.push(start..token.start());
            }
            if token.kind == TokenKind::End {
                return found;
            }
            behind = token.end();
        } else if start.is_none() {
            // An executable comment belongs to its statement, unless it began with an earlier one.
            start = lexer.executable_start().filter(|at| *at >= behind).or_else(|| Some(token.start()));
        }
    }
}

/// Whether one of the words stands in a text, outside of quotes and comments.
#[must_use]
pub fn mentions(text: &[u8], dialect: Dialect, words: &[&[u8]]) -> bool {
    let mut reader = Reader::new(text, dialect);
    loop {
        let token = reader.next();
        if token.kind == TokenKind::End {
            return false;
        }
        if words.iter().any(|word| reader.is(token, word)) {
            return true;
        }
    }
}

pub(super) struct Reader<'a> {
    lexer: Lexer<'a>,
    pub(super) last: Token,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(text: &'a [u8], dialect: Dialect) -> Self {
        Self { lexer: Lexer::new(text, dialect), last: Token::START }
    }

    pub(super) fn next(&mut self) -> Token {
        self.last = self.lexer.token();
        self.last
    }

    pub(super) fn following(&self) -> Token {
        self.lexer.clone().token()
    }

    fn bytes(&self, token: Token) -> &'a [u8] {
        self.lexer.bytes(token)
    }

    fn is(&self, token: Token, word: &[u8]) -> bool {
        token.kind == TokenKind::Word && self.bytes(token).eq_ignore_ascii_case(word)
    }

    /// An identifier, its quotes taken off.
    fn name(&self, token: Token) -> Option<String> {
        let text = str::from_utf8(self.bytes(token)).ok()?;
        match token.kind {
            TokenKind::Word => Some(text.to_owned()),
            TokenKind::Quoted => unquote(text),
            _ => None,
        }
    }

    /// The contents of a string, if they mean the same in every mode and character set.
    fn text(&self, token: Token) -> Option<String> {
        let text = str::from_utf8(self.bytes(token)).ok()?;
        (token.kind == TokenKind::Text && text.is_ascii() && !text.contains('\\')).then(|| unquote(text))?
    }

    /// The name of a user variable, in lower case. Case is folded simply, so it must be ASCII.
    pub(super) fn variable(&self, token: Token) -> Option<String> {
        let name = str::from_utf8(self.bytes(token)).ok()?.strip_prefix('@')?;
        let quoted = name.starts_with(['`', '\'', '"']);
        let name = if quoted { unquote(name)? } else { name.to_owned() };
        let plain = !name.is_empty()
            && name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'`' && byte != b'\\');
        plain.then(|| name.to_ascii_lowercase())
    }

    fn target(&self, token: Token, global: bool) -> Option<Target> {
        let elsewhere = |name| if global { Target::Elsewhere } else { Target::Session(name) };
        match token.kind {
            TokenKind::Word | TokenKind::Quoted => {
                let name = self.name(token)?.to_ascii_lowercase();
                plain(&name).then(|| elsewhere(name))
            }
            TokenKind::UserVariable => self.variable(token).map(Target::User),
            TokenKind::SystemVariable => system_target(str::from_utf8(self.bytes(token)).ok()?),
            _ => None,
        }
    }

    /// What follows the equals sign, up to the comma or the end, which becomes the last token.
    fn value(&mut self) -> Value {
        let token = self.next();
        let first = match token.kind {
            TokenKind::Number => self.number("", token),
            TokenKind::Text => self.text(token).map(Value::Text),
            TokenKind::UserVariable => self.variable(token).map(Value::User),
            TokenKind::Word if token.key == Key::Default => Some(Value::Default),
            TokenKind::Word => self.name(token).filter(|name| plain(name)).map(Value::Word),
            TokenKind::Other => match self.bytes(token) {
                b"-" => {
                    let number = self.next();
                    self.number("-", number)
                }
                _ => None,
            },
            _ => None,
        };
        let mut depth = u32::from(self.last.kind == TokenKind::Open);
        let mut alone = true;
        loop {
            if self.last.ends() {
                return Value::Expression;
            }
            let token = self.next();
            if token.ends() || (token.kind == TokenKind::Comma && depth == 0) {
                return first.filter(|_| alone).unwrap_or(Value::Expression);
            }
            alone = false;
            match token.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn number(&self, sign: &str, token: Token) -> Option<Value> {
        let digits = str::from_utf8(self.bytes(token)).ok().filter(|_| token.kind == TokenKind::Number)?;
        // MariaDB's \N is a number to the lexer.
        (!digits.starts_with('\\')).then(|| Value::Number(format!("{sign}{digits}")))
    }

    /// `SET NAMES x [COLLATE y]`, `SET CHARACTER SET x`, up to the comma or the end.
    fn names(&mut self, first: Token) -> Option<Option<Assignment>> {
        let names = first.key == Key::Names;
        let mut token = self.next();
        let mut found =
            (!names).then_some(Assignment { target: Target::CharacterSet, value: Value::Default });
        while !token.ends() && token.kind != TokenKind::Comma {
            if self.is(token, b"collate") {
                let collation = self.next();
                let name =
                    self.text(collation).or_else(|| self.name(collation)).filter(|name| plain(name))?;
                let target = Target::Session("collation_connection".to_owned());
                let value = if collation.key == Key::Default { Value::Default } else { Value::Text(name) };
                found = Some(Assignment { target, value });
            }
            token = self.next();
        }
        Some(found)
    }
}

impl Token {
    const fn is_assignment(&self) -> bool {
        matches!(self.kind, TokenKind::Equals | TokenKind::Assign)
    }
}

/// The text between quotes, doubled ones made single. `None` if there is a quote missing.
fn unquote(text: &str) -> Option<String> {
    let quote = text.chars().next()?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    Some(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
}

/// Whether a name needs no quotes and folds case simply.
fn plain(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$'))
}

fn system_target(variable: &str) -> Option<Target> {
    let name = variable.strip_prefix("@@")?.replace('`', "").to_ascii_lowercase();
    let (scope, rest) = name.split_once('.').unwrap_or(("", &name));
    match scope {
        "global" | "persist" | "persist_only" => Some(Target::Elsewhere),
        "session" | "local" => plain(rest).then(|| Target::Session(rest.to_owned())),
        _ => {
            let one_shot = matches!(
                &*name,
                "transaction_isolation" | "transaction_read_only" | "tx_isolation" | "tx_read_only"
            );
            if one_shot {
                return Some(Target::Elsewhere);
            }
            plain(&name).then_some(Target::Session(name))
        }
    }
}
