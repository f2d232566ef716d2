//! Transactions, SET, SHOW, locks and administration: what concerns the session or the server, not rows.

use super::classify::{Piece, verb};
use super::key::Key;
use super::token::{Token, TokenKind};
use super::walk::Walk;
use super::{Effects, Kind};

const COMMITS: Effects = Effects::IMPLICIT_COMMIT;
const WRITE_COMMIT: Effects = Effects::WRITES.union(Effects::IMPLICIT_COMMIT);

/// `BEGIN [WORK]`. Anything more is a MariaDB compound statement, which runs to the end of the text.
pub(super) fn begin(walk: &mut Walk<'_>) -> Piece {
    let next = walk.step();
    if next.ends() || (next.key == Key::Work && walk.step().ends()) {
        return Piece::new(Kind::Begin, COMMITS | Effects::BEGINS);
    }
    walk.swallow();
    Piece::new(Kind::Other, Effects::UNSURE | Effects::STORED_CODE)
}

/// `START TRANSACTION …`, or starting replication.
pub(super) fn start(walk: &mut Walk<'_>) -> Piece {
    if walk.step().key != Key::Transaction {
        return Piece::new(Kind::Administration, COMMITS);
    }
    let mut kind = Kind::Begin;
    while !walk.last.ends() {
        let behind_read = walk.last.key == Key::Read;
        if walk.step().key == Key::Only && behind_read {
            kind = Kind::StartTransactionReadOnly;
        }
    }
    Piece::new(kind, COMMITS | Effects::BEGINS)
}

/// `COMMIT` and `ROLLBACK [TO …]`, with `AND [NO] CHAIN` and `[NO] RELEASE`.
pub(super) fn end(walk: &mut Walk<'_>, kind: Kind) -> Piece {
    let mut effects = Effects::ENDS;
    while !walk.last.ends() {
        let negated = walk.last.key == Key::No;
        match walk.step().key {
            Key::To if kind == Kind::Rollback => return Piece::new(Kind::RollbackTo, Effects::empty()),
            Key::Chain if !negated => effects |= Effects::CHAIN,
            Key::Release if !negated => effects |= Effects::RELEASE,
            _ => {}
        }
    }
    Piece::new(kind, effects)
}

/// All the other verbs, most of them rare.
pub(super) fn rest(walk: &mut Walk<'_>, first: Token) -> Piece {
    let none = Effects::empty();
    match first.key {
        Key::Prepare => Piece::new(Kind::Prepare, Effects::SQL_PREPARE),
        Key::Execute => execute(walk),
        Key::Deallocate => Piece::new(Kind::Deallocate, none),
        Key::Lock => Piece::new(Kind::LockTables, Effects::TABLE_LOCK | COMMITS),
        Key::Unlock => Piece::new(Kind::UnlockTables, COMMITS),
        Key::Kill => kill(walk),
        Key::Xa => xa(walk),
        Key::Handler => handler(walk),
        Key::Flush => flush(walk),
        Key::Backup => Piece::new(Kind::Administration, Effects::TABLE_LOCK | COMMITS),
        Key::Optimize | Key::Repair => {
            walk.names_only = true;
            Piece::logged(Kind::Administration, WRITE_COMMIT)
        }
        Key::Check | Key::Cache | Key::Stop | Key::Change => {
            walk.names_only = true;
            Piece::new(Kind::Administration, COMMITS)
        }
        Key::Checksum => Piece::new(Kind::Administration, none),
        Key::Binlog | Key::Reset | Key::Purge | Key::Install | Key::Uninstall | Key::Clone => {
            walk.names_only = true;
            Piece::new(Kind::Administration, WRITE_COMMIT)
        }
        Key::Shutdown | Key::Restart => Piece::new(Kind::Administration, Effects::WRITES),
        Key::Signal | Key::Resignal => Piece::new(Kind::Other, none),
        Key::Get => get(walk),
        _ => Piece::new(Kind::Other, Effects::UNSURE),
    }
}

fn execute(walk: &mut Walk<'_>) -> Piece {
    let immediate = walk.step().key == Key::Immediate;
    let code = if immediate { Effects::STORED_CODE } else { Effects::empty() };
    Piece::new(Kind::Execute, Effects::SQL_EXECUTE | code)
}

/// `GET [CURRENT | STACKED] DIAGNOSTICS @a = …`: writes variables.
fn get(walk: &mut Walk<'_>) -> Piece {
    walk.finish();
    let mut effects = Effects::READS_DIAGNOSTICS;
    if walk.effects.contains(Effects::READS_USER_VARIABLE) {
        effects |= Effects::SETS_USER_VARIABLE | Effects::COMPUTES_USER_VARIABLE;
    }
    Piece::new(Kind::Other, effects)
}

/// `KILL [HARD | SOFT] [CONNECTION | QUERY [ID]] [USER] number`.
fn kill(walk: &mut Walk<'_>) -> Piece {
    let (mut connection, mut id, mut plain) = (true, None, true);
    while !walk.last.ends() {
        let token = walk.step();
        match token.kind {
            TokenKind::Number if id.is_none() => {
                id = str::from_utf8(walk.lexer.bytes(token)).ok().and_then(|digits| digits.parse().ok());
                plain &= id.is_some();
            }
            TokenKind::Word if token.key == Key::Query => connection = false,
            TokenKind::Word if token.key == Key::User => plain = false,
            // MariaDB's KILL QUERY ID means a statement's number.
            TokenKind::Word if walk.lexer.bytes(token).eq_ignore_ascii_case(b"id") => plain = false,
            TokenKind::Word | TokenKind::End | TokenKind::Semicolon => {}
            _ => plain = false,
        }
    }
    Piece::new(Kind::Kill { connection, id: id.filter(|_| plain) }, Effects::empty())
}

fn xa(walk: &mut Walk<'_>) -> Piece {
    let effects = match walk.step().key {
        Key::Start | Key::Begin => Effects::BEGINS,
        Key::Commit | Key::Rollback => Effects::ENDS,
        Key::Recover => Effects::READS_SERVER_STATE,
        _ => Effects::empty(),
    };
    Piece::new(Kind::Xa, Effects::XA | effects)
}

fn handler(walk: &mut Walk<'_>) -> Piece {
    walk.names_only = true;
    let mut effects = Effects::empty();
    while !walk.last.ends() {
        match walk.step().key {
            Key::Open => effects = Effects::HANDLER_OPEN,
            Key::Close => effects = Effects::HANDLER_CLOSE,
            Key::Read => break,
            _ => {}
        }
    }
    walk.names_only = false;
    Piece::new(Kind::Handler, effects)
}

/// `FLUSH TABLES … WITH READ LOCK` and `… FOR EXPORT` keep locks.
fn flush(walk: &mut Walk<'_>) -> Piece {
    let mut effects = COMMITS;
    while !walk.last.ends() {
        let behind = walk.last.key;
        match walk.step().key {
            Key::Read if behind == Key::With => effects |= Effects::TABLE_LOCK,
            Key::Export if behind == Key::For => effects |= Effects::TABLE_LOCK,
            _ => {}
        }
    }
    Piece::new(Kind::Flush, effects)
}

/// `SHOW …`. About schema objects every server says the same; the rest is about the server asked.
pub(super) fn show(walk: &mut Walk<'_>) -> Piece {
    let mut what = walk.step();
    let mut opened = false;
    while matches!(what.key, Key::Full | Key::Open) {
        opened |= what.key == Key::Open;
        what = walk.step();
    }
    if what.key == Key::Count {
        // SHOW COUNT(*) WARNINGS
        while !what.ends() && !matches!(what.key, Key::Warnings | Key::Errors) {
            what = walk.step();
        }
    }
    let about = match what.key {
        Key::Warnings | Key::Errors => Effects::READS_DIAGNOSTICS,
        Key::Tables if opened => Effects::READS_SERVER_STATE,
        Key::SchemaObject | Key::Tables => Effects::empty(),
        // Row counts, cardinalities, the next AUTO_INCREMENT, what is switched off on a replica.
        Key::Counted | Key::Table | Key::Index => Effects::VARIES,
        // Releases differ in what they know.
        Key::Character => Effects::VARIES,
        Key::Create => match walk.step().key {
            Key::View | Key::Procedure | Key::Function | Key::Package | Key::Trigger | Key::Database => {
                Effects::empty()
            }
            _ => Effects::VARIES,
        },
        Key::Procedure | Key::Function | Key::Package => Effects::empty(),
        _ => Effects::READS_SERVER_STATE,
    };
    Piece::new(Kind::Show, Effects::READS_ONLY | about)
}

/// `SET` in all its forms.
pub(super) fn set(walk: &mut Walk<'_>) -> Piece {
    walk.assigning = true;
    let token = walk.step();
    let following = |walk: &Walk<'_>| walk.lexer.clone().token();
    let names_a_variable = matches!(following(walk).kind, TokenKind::Equals | TokenKind::Assign);
    if names_a_variable && token.key != Key::Password {
        return assignments(walk, token);
    }
    walk.assigning = false;
    let effects = match token.key {
        Key::Statement => return set_statement(walk),
        Key::Names | Key::Character => Effects::SETS_SESSION,
        Key::Password => WRITE_COMMIT,
        Key::Role => Effects::SETS_SESSION | Effects::SETS_ROLE,
        Key::Default => WRITE_COMMIT,
        // The session's resource group; no tracker tells of it.
        Key::Resource => Effects::SETS_SESSION | Effects::UNSURE,
        Key::Transaction => Effects::SETS_NEXT_TRANSACTION,
        Key::Global | Key::Session | Key::Local if following(walk).key == Key::Transaction => {
            if token.key == Key::Global { Effects::SETS_GLOBAL } else { Effects::SETS_SESSION }
        }
        _ => return assignments(walk, token),
    };
    if token.key == Key::Names || token.key == Key::Character {
        // SET NAMES utf8mb4, @a = 1 goes on as a list of assignments.
        while !walk.last.ends() && walk.last.kind != TokenKind::Comma {
            walk.step();
        }
        if walk.last.kind == TokenKind::Comma {
            walk.assigning = true;
            let next = walk.step();
            let more = assignments(walk, next);
            return Piece::new(Kind::Set, effects | more.effects);
        }
    }
    Piece::new(Kind::Set, effects)
}

/// MariaDB's `SET STATEMENT variable = value, … FOR statement`.
fn set_statement(walk: &mut Walk<'_>) -> Piece {
    while !walk.last.ends() && walk.last.key != Key::For {
        walk.step();
    }
    if walk.last.ends() {
        return Piece::new(Kind::Set, Effects::UNSURE);
    }
    // This FOR locks nothing, even before UPDATE.
    walk.last = Token::START;
    walk.effects |= Effects::SETS_FOR_STATEMENT;
    let first = walk.step();
    verb(walk, first)
}

fn assignments(walk: &mut Walk<'_>, mut target: Token) -> Piece {
    let mut effects = Effects::empty();
    let mut scope = Effects::SETS_SESSION;
    loop {
        effects |= assignment(walk, target, &mut scope);
        if walk.last.ends() {
            return Piece::new(Kind::Set, effects);
        }
        walk.assigning = true;
        target = walk.step();
    }
}

/// One `target = value` up to the comma or the end behind it.
fn assignment(walk: &mut Walk<'_>, mut target: Token, scope: &mut Effects) -> Effects {
    match target.key {
        Key::Global | Key::Persist => *scope = Effects::SETS_GLOBAL,
        Key::Session | Key::Local => *scope = Effects::SETS_SESSION,
        _ => {}
    }
    if matches!(target.key, Key::Global | Key::Persist | Key::Session | Key::Local) {
        target = walk.step();
    }
    walk.assigning = false;
    let mut effects = match target.kind {
        TokenKind::UserVariable => Effects::SETS_USER_VARIABLE,
        TokenKind::SystemVariable => system_target(walk.lexer.bytes(target)),
        TokenKind::Word | TokenKind::Quoted => *scope,
        _ => Effects::UNSURE,
    };
    if matches!(target.key, Key::LastInsertId | Key::InsertId) {
        effects |= Effects::SETS_LAST_INSERT_ID;
    }
    if effects.contains(Effects::SETS_SESSION) && is_tracker(walk.lexer.bytes(target)) {
        effects |= Effects::SETS_TRACKERS;
    }
    // The `:=` of SET is not the operator that assigns within an expression.
    let computed = walk.effects & Effects::COMPUTES_USER_VARIABLE;
    while !walk.last.ends() && !matches!(walk.last.kind, TokenKind::Equals | TokenKind::Assign) {
        walk.step();
    }
    walk.effects = (walk.effects - Effects::COMPUTES_USER_VARIABLE) | computed;
    let name = walk.lexer.bytes(target);
    let autocommit = target.key == Key::Autocommit || ends_with_name(name, b"autocommit");
    let value = walk.step();
    if autocommit && !is_off(walk, value) {
        effects |= Effects::IMPLICIT_COMMIT;
    }
    // Literals: a sign, a number, a string, NULL, TRUE or FALSE, and nothing more.
    let mut literal = is_literal(walk, value);
    while !assigned(walk, walk.last) {
        let signed = walk.last.kind == TokenKind::Other;
        let token = walk.step();
        literal &= assigned(walk, token) || (signed && token.kind == TokenKind::Number);
    }
    if target.kind == TokenKind::UserVariable && !literal {
        effects |= Effects::COMPUTES_USER_VARIABLE;
    }
    effects
}

/// Whether `token` ends an assignment.
const fn assigned(walk: &Walk<'_>, token: Token) -> bool {
    token.ends() || (matches!(token.kind, TokenKind::Comma) && walk.depth == 0)
}

fn is_literal(walk: &Walk<'_>, value: Token) -> bool {
    match value.kind {
        TokenKind::Number | TokenKind::Text => true,
        TokenKind::Other => matches!(walk.lexer.bytes(value), b"-" | b"+"),
        _ => matches!(value.key, Key::Null | Key::True | Key::False),
    }
}

fn is_off(walk: &Walk<'_>, value: Token) -> bool {
    matches!(value.key, Key::Off | Key::False)
        || matches!(walk.lexer.bytes(value), b"0")
        || walk.lexer.bytes(value).get(1..4).is_some_and(|text| text.eq_ignore_ascii_case(b"off"))
}

fn is_tracker(variable: &[u8]) -> bool {
    let name = variable.rsplit(|byte| matches!(byte, b'.' | b'@' | b'`')).find(|part| !part.is_empty());
    name.and_then(|name| name.get(..14)).is_some_and(|head| head.eq_ignore_ascii_case(b"session_track_"))
}

fn ends_with_name(variable: &[u8], name: &[u8]) -> bool {
    let tail = variable.rsplit(|byte| matches!(byte, b'.' | b'@')).next().unwrap_or_default();
    let tail = tail.strip_prefix(b"`").and_then(|tail| tail.strip_suffix(b"`")).unwrap_or(tail);
    tail.eq_ignore_ascii_case(name)
}

/// What `SET @@[scope.]name` sets.
fn system_target(variable: &[u8]) -> Effects {
    let scope = |name: &[u8]| {
        variable.get(2..2 + name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name))
            && variable.get(2 + name.len()) == Some(&b'.')
    };
    if scope(b"global") || scope(b"persist") || scope(b"persist_only") {
        return Effects::SETS_GLOBAL;
    }
    let mut effects = Effects::SETS_SESSION;
    let one_shot =
        [b"transaction_isolation".as_slice(), b"transaction_read_only", b"tx_isolation", b"tx_read_only"];
    if !(scope(b"session") || scope(b"local")) && one_shot.iter().any(|name| ends_with_name(variable, name)) {
        effects = Effects::SETS_NEXT_TRANSACTION;
    }
    if ends_with_name(variable, b"last_insert_id") || ends_with_name(variable, b"identity") {
        effects |= Effects::SETS_LAST_INSERT_ID;
    }
    effects
}
