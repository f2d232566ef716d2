//! Definitions. All of them write and commit, temporary tables apart.
//!
//! Which of them the servers log in the client's own words decides whether a tag can be found again. Not: what
//! is logged in the server's wording (DROP TABLE, CREATE TABLE … SELECT, views, stored programs, accounts).

use super::classify::Piece;
use super::key::Key;
use super::lexer::TokenKind;
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
            // The body of a view, or an account.
            Key::As | Key::Select | Key::With | Key::User | Key::Role => {
                return Piece::new(Kind::Ddl, WRITE_COMMIT);
            }
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
                parted |= walk.before.kind == TokenKind::Semicolon;
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
            Key::Event | Key::Package | Key::Procedure | Key::Function => return program(walk),
            Key::User | Key::Role => return Piece::new(Kind::Ddl, WRITE_COMMIT),
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
        Key::Index | Key::Database => Piece::logged(Kind::Ddl, WRITE_COMMIT),
        _ => Piece::new(Kind::Ddl, WRITE_COMMIT),
    }
}

/// `TRUNCATE`, `RENAME TABLE`, `RENAME USER`.
pub(super) fn simple(walk: &mut Walk<'_>) -> Piece {
    walk.names_only = true;
    let accounts = walk.step().key == Key::User;
    Piece { logged: !accounts, ..Piece::new(Kind::Ddl, WRITE_COMMIT) }
}
