use super::key::Key;
use super::token::{Token, TokenKind};
use super::walk::Walk;
use super::{Dialect, Effects, Kind, Statement, Tags, ddl, session_verbs};

/// Says what `text` is: every statement in it, in one pass, without allocation unless it holds more than four
/// writes.
///
/// Any bytes are allowed. What is not understood is `UNSURE | WRITES` and has no tags.
#[must_use]
pub fn classify(text: &[u8], dialect: Dialect) -> Statement {
    if u32::try_from(text.len()).is_err() {
        // No server takes packets of that size.
        let mut tags = Tags::default();
        tags.clear();
        return Statement { kind: Kind::Other, effects: Effects::UNSURE | Effects::WRITES, tags };
    }
    let mut walk = Walk::new(text, dialect);
    let mut whole = Statement { kind: Kind::Empty, effects: Effects::READS_ONLY, tags: Tags::default() };
    loop {
        let from = walk.last.end();
        walk.restart();
        let piece = statement(&mut walk, from);
        let ended = walk.last.kind == TokenKind::End;
        add(&mut whole, &piece);
        if ended {
            break;
        }
    }
    if walk.lexer.trouble {
        whole.effects |= Effects::UNSURE;
    }
    whole.effects |= walk.lexer.hints;
    if whole.effects.contains(Effects::UNSURE) {
        whole.effects |= Effects::WRITES;
        whole.effects -= Effects::READS_ONLY;
        whole.tags.clear();
    }
    whole
}

/// One statement of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) kind: Kind,
    pub(super) effects: Effects,
    /// The server logs this text as it is, so a tag in it will be found.
    pub(super) logged: bool,
    /// Where it begins, if a comment may be put there.
    pub(super) start: Option<usize>,
}

impl Piece {
    pub(super) const fn new(kind: Kind, effects: Effects) -> Self {
        Self { kind, effects, logged: false, start: None }
    }

    /// A statement of which the binary log keeps the client's own text.
    pub(super) const fn logged(kind: Kind, effects: Effects) -> Self {
        Self { kind, effects, logged: true, start: None }
    }
}

fn add(whole: &mut Statement, piece: &Piece) {
    if piece.kind == Kind::Empty {
        return;
    }
    if whole.kind == Kind::Empty {
        whole.kind = piece.kind;
        whole.effects = piece.effects;
    } else {
        let reads_only = whole.effects & piece.effects & Effects::READS_ONLY;
        whole.kind = Kind::Multi;
        whole.effects = ((whole.effects | piece.effects) - Effects::READS_ONLY) | reads_only | Effects::MULTI;
    }
    if piece.effects.contains(Effects::WRITES) {
        match piece.start.filter(|_| piece.logged) {
            Some(at) => whole.tags.push(at),
            None => whole.tags.miss(),
        }
        // A function may write though the statement itself changes no row, and then in its own words.
        if piece.effects.contains(Effects::STORED_CODE) {
            whole.tags.miss();
        }
    }
}

fn statement(walk: &mut Walk<'_>, from: usize) -> Piece {
    let mut first = walk.step();
    // A tag inside an executable comment would be a comment in a comment: it goes in front of it instead,
    // unless the comment began with an earlier statement.
    let start = match walk.lexer.executable_start() {
        Some(at) if at >= from => Some(at),
        Some(_) => None,
        None => Some(first.start()),
    };
    let in_parentheses = first.kind == TokenKind::Open;
    while first.kind == TokenKind::Open {
        first = walk.step();
    }
    let mut piece =
        if in_parentheses && !matches!(first.key, Key::Select | Key::With | Key::Table | Key::Values) {
            walk.finish();
            Piece::new(Kind::Other, Effects::UNSURE)
        } else {
            verb(walk, first)
        };
    walk.finish();
    piece.effects |= walk.effects;
    if piece.effects.intersects(Effects::STORED_CODE | Effects::UNSURE | Effects::SQL_EXECUTE) {
        piece.effects |= Effects::WRITES;
    }
    if piece.effects.intersects(Effects::NOT_A_READ) {
        piece.effects -= Effects::READS_ONLY;
    }
    // A number drawn from a sequence is logged with the text that drew it.
    piece.logged |= piece.effects.contains(Effects::SEQUENCE | Effects::WRITES);
    piece.start = start;
    piece
}

const WRITE_COMMIT: Effects = Effects::WRITES.union(Effects::IMPLICIT_COMMIT);

/// Classifies from the verb on. Leaves the walk anywhere in the statement; the caller goes to its end.
pub(super) fn verb(walk: &mut Walk<'_>, first: Token) -> Piece {
    let reads = Effects::READS_ONLY;
    match first.key {
        Key::Select | Key::Table | Key::Values => Piece::new(Kind::Select, reads),
        Key::Insert => insert(walk, Kind::Insert),
        Key::Replace => insert(walk, Kind::Replace),
        Key::Update => Piece::logged(Kind::Update, Effects::WRITES),
        Key::Delete => Piece::logged(Kind::Delete, Effects::WRITES),
        Key::With => with(walk),
        Key::Load => load(walk),
        Key::Set => session_verbs::set(walk),
        Key::Use => Piece::new(Kind::Use, Effects::SETS_SESSION),
        Key::Show => session_verbs::show(walk),
        Key::Explain | Key::Describe => explain(walk, false),
        Key::Do => Piece::new(Kind::Do, reads),
        Key::Begin => session_verbs::begin(walk),
        Key::Start => session_verbs::start(walk),
        Key::Commit => session_verbs::end(walk, Kind::Commit),
        Key::Rollback => session_verbs::end(walk, Kind::Rollback),
        Key::Savepoint => Piece::new(Kind::Savepoint, Effects::empty()),
        Key::Release => Piece::new(Kind::ReleaseSavepoint, Effects::empty()),
        Key::Create => ddl::create(walk),
        Key::Alter => ddl::alter(walk),
        Key::Drop => ddl::drop(walk),
        Key::Truncate | Key::Rename | Key::Revoke => ddl::simple(walk),
        Key::Grant | Key::Import => {
            walk.names_only = true;
            Piece::new(Kind::Ddl, WRITE_COMMIT)
        }
        Key::Call => call(walk),
        Key::Help => Piece::new(Kind::Other, reads),
        Key::Analyze => analyze(walk),
        _ => match first.kind {
            TokenKind::End | TokenKind::Semicolon => Piece::new(Kind::Empty, reads),
            _ => session_verbs::rest(walk, first),
        },
    }
}

/// `INSERT … INTO target (columns) …`: the target is not a function.
fn insert(walk: &mut Walk<'_>, kind: Kind) -> Piece {
    walk.names_only = true;
    loop {
        let token = walk.step();
        let body =
            matches!(token.key, Key::Value | Key::Values | Key::Select | Key::Set | Key::With | Key::Table);
        if token.ends() || body || token.kind == TokenKind::Open {
            break;
        }
    }
    walk.names_only = false;
    Piece::logged(kind, Effects::WRITES)
}

fn call(walk: &mut Walk<'_>) -> Piece {
    walk.finish();
    let mut effects = Effects::STORED_CODE | Effects::WRITES;
    if walk.effects.contains(Effects::READS_USER_VARIABLE) {
        // Any of them may be an OUT argument.
        effects |= Effects::SETS_USER_VARIABLE | Effects::COMPUTES_USER_VARIABLE;
    }
    Piece::new(Kind::Call, effects)
}

/// `LOAD DATA … INTO TABLE t (a, @b) SET c = @b`: variables before SET are written.
fn load(walk: &mut Walk<'_>) -> Piece {
    let what = walk.step();
    if !matches!(what.key, Key::Data | Key::Xml) {
        // LOAD INDEX INTO CACHE; MySQL's LOAD COMPONENT and the like are not known here.
        let known = what.key == Key::Index;
        walk.names_only = true;
        let effects = if known { Effects::IMPLICIT_COMMIT } else { Effects::UNSURE };
        return Piece::new(Kind::Administration, effects);
    }
    let mut effects = Effects::WRITES;
    walk.names_only = true;
    walk.assigning = true;
    loop {
        let previous = walk.last.key;
        let token = walk.step();
        match token.key {
            Key::Local => effects |= Effects::LOCAL_INFILE,
            Key::Set if previous != Key::Character => break,
            _ if token.ends() => break,
            _ => {}
        }
    }
    walk.assigning = false;
    walk.names_only = false;
    if walk.effects.contains(Effects::SETS_USER_VARIABLE) {
        effects |= Effects::COMPUTES_USER_VARIABLE;
    }
    Piece::logged(Kind::Load, effects)
}

/// `WITH a (columns) AS (…), b AS (…) verb …`: the verb follows a parenthesis closed at the outermost level.
fn with(walk: &mut Walk<'_>) -> Piece {
    let outer = walk.depth;
    loop {
        walk.names_only = walk.depth == outer;
        let behind_list = walk.last.kind == TokenKind::Close && walk.depth == outer;
        let token = walk.step();
        if token.ends() {
            return Piece::new(Kind::With, Effects::UNSURE);
        }
        if !behind_list {
            continue;
        }
        walk.names_only = false;
        match token.key {
            Key::Select | Key::Table | Key::Values => return Piece::new(Kind::With, Effects::READS_ONLY),
            Key::Update | Key::Delete | Key::Insert | Key::Replace => return verb(walk, token),
            _ if token.kind == TokenKind::Open => return Piece::new(Kind::With, Effects::READS_ONLY),
            _ => {}
        }
    }
}

/// `EXPLAIN`, which runs its statement only with ANALYZE; `DESCRIBE table`.
fn explain(walk: &mut Walk<'_>, mut runs: bool) -> Piece {
    // Every server makes its plans from statistics of its own. What a table looks like is the same everywhere.
    let described = Piece::new(Kind::Explain, Effects::READS_ONLY);
    let explained = Piece::new(Kind::Explain, Effects::READS_ONLY | Effects::VARIES);
    loop {
        let token = walk.step();
        match token.key {
            Key::Analyze => runs = true,
            Key::Connection if walk.key_before() == Key::For => {
                return Piece::new(Kind::Explain, Effects::READS_ONLY | Effects::READS_SERVER_STATE);
            }
            Key::Select | Key::Table | Key::Values => return explained,
            Key::With | Key::Insert | Key::Replace | Key::Update | Key::Delete => {
                let inner = verb(walk, token);
                let effects = if runs || inner.effects.contains(Effects::READS_ONLY) {
                    inner.effects
                } else {
                    inner.effects - Effects::WRITES
                };
                let effects = effects | Effects::VARIES;
                return Piece { kind: Kind::Explain, effects, logged: inner.logged, start: None };
            }
            _ if token.ends() => return described,
            _ => {}
        }
    }
}

/// `ANALYZE TABLE` maintains, MariaDB's `ANALYZE [FORMAT = …] statement` runs it.
fn analyze(walk: &mut Walk<'_>) -> Piece {
    loop {
        let token = walk.step();
        match token.key {
            Key::Table | Key::Tables => {
                walk.names_only = true;
                return Piece::logged(Kind::Administration, WRITE_COMMIT);
            }
            Key::Select
            | Key::Values
            | Key::With
            | Key::Insert
            | Key::Replace
            | Key::Update
            | Key::Delete => {
                let inner = verb(walk, token);
                return Piece { kind: Kind::Explain, effects: inner.effects | Effects::VARIES, ..inner };
            }
            _ if token.ends() => return Piece::new(Kind::Other, Effects::UNSURE),
            _ => {}
        }
    }
}
