//! Definitions. All of them write and commit, temporary tables apart.
//!
//! Which of them the servers log in the client's own words decides whether a tag can be found again; each was
//! tried on MariaDB 10.11, 11.8 and MySQL 9.7. Lost is it where the server words anew: DROP TABLE and SEQUENCE,
//! CREATE TABLE … SELECT (of no rows), CREATE and ALTER VIEW, CREATE of stored programs, and on MySQL CREATE and
//! ALTER USER and GRANT.

use super::classify::Piece;
use super::key::Key;
use super::token::TokenKind;
use super::walk::Walk;
use super::{Effects, Kind};

const WRITE_COMMIT: Effects = Effects::WRITES.union(Effects::IMPLICIT_COMMIT);

pub(super) fn create(walk: &mut Walk<'_>) -> Piece {
    walk.names_only = true;
    let mut temporary = false;
    loop {
        // The user in DEFINER = user@host may be called anything.
        let value = walk.last.kind == TokenKind::Equals;
        let token = walk.step();
        if token.ends() || token.kind == TokenKind::Open {
            return Piece::new(Kind::Ddl, WRITE_COMMIT);
        }
        if value {
            continue;
        }
        match token.key {
            Key::Temporary => temporary = true,
            Key::Table if temporary => {
                return Piece::new(Kind::Ddl, Effects::WRITES | Effects::TEMPORARY_TABLE);
            }
            Key::Table => return create_table(walk),
            Key::Index | Key::Database => return Piece::logged(Kind::Ddl, WRITE_COMMIT),
            Key::Procedure | Key::Function | Key::Trigger | Key::Event | Key::Package => {
                return program(walk);
            }
            Key::Role => return Piece::logged(Kind::Ddl, WRITE_COMMIT),
            // The body of a view, or an account.
            Key::As | Key::Select | Key::With | Key::User => return Piece::new(Kind::Ddl, WRITE_COMMIT),
            _ => {}
        }
    }
}

fn create_table(walk: &mut Walk<'_>) -> Piece {
    let mut copies = false;
    while !walk.last.ends() {
        copies |= matches!(walk.step().key, Key::Select | Key::With | Key::Values | Key::Table);
    }
    Piece { logged: !copies, ..Piece::new(Kind::Ddl, WRITE_COMMIT) }
}

/// A stored program: its body's semicolons do not part statements. Other statements behind it cannot be told
/// from its body, so anything behind a semicolon must end in END.
fn program(walk: &mut Walk<'_>) -> Piece {
    let mut parted = false;
    let mut tail = [Key::None; 2];
    loop {
        let token = walk.step();
        match token.kind {
            TokenKind::End => break,
            TokenKind::Semicolon => {}
            _ => {
                parted |= walk.before.kind() == TokenKind::Semicolon;
                tail = [tail[1], token.key];
            }
        }
    }
    let effects =
        WRITE_COMMIT | if parted && !tail.contains(&Key::End) { Effects::UNSURE } else { Effects::empty() };
    // What the body would do is not done now.
    walk.effects = Effects::empty();
    Piece::new(Kind::Ddl, effects)
}

pub(super) fn alter(walk: &mut Walk<'_>) -> Piece {
    walk.names_only = true;
    loop {
        let value = walk.last.kind == TokenKind::Equals;
        let token = walk.step();
        if token.ends() {
            return Piece::new(Kind::Ddl, WRITE_COMMIT);
        }
        if value {
            continue;
        }
        match token.key {
            Key::Table | Key::Database => return Piece::logged(Kind::Ddl, WRITE_COMMIT),
            // Only an event's body may follow, but it is logged as it is.
            Key::Event | Key::Procedure | Key::Function => return Piece { logged: true, ..program(walk) },
            Key::View | Key::User => return Piece::new(Kind::Ddl, WRITE_COMMIT),
            _ => {}
        }
    }
}

pub(super) fn drop(walk: &mut Walk<'_>) -> Piece {
    walk.names_only = true;
    let what = walk.step();
    match what.key {
        Key::Prepare => Piece::new(Kind::Deallocate, Effects::empty()),
        Key::Temporary => Piece::new(Kind::Ddl, Effects::WRITES | Effects::DROPS_TEMPORARY),
        Key::Table | Key::Tables => Piece::new(Kind::Ddl, WRITE_COMMIT | Effects::DROPS_TEMPORARY),
        Key::Index | Key::Database | Key::View | Key::User | Key::Role => {
            Piece::logged(Kind::Ddl, WRITE_COMMIT)
        }
        Key::Procedure | Key::Function | Key::Trigger | Key::Event => Piece::logged(Kind::Ddl, WRITE_COMMIT),
        _ => Piece::new(Kind::Ddl, WRITE_COMMIT),
    }
}

/// `TRUNCATE`, `RENAME TABLE`, `RENAME USER`, `REVOKE`.
pub(super) const fn simple(walk: &mut Walk<'_>) -> Piece {
    walk.names_only = true;
    Piece::logged(Kind::Ddl, WRITE_COMMIT)
}
