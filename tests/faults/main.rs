//! The fault matrix: every kind of statement meets every kind of fault, on every server, with the guard and without it.
//! What the client is told and what is stored then must be what `expected` says. `docs/fault-matrix.md` shows the table:
//! `TIDEOVER_WRITE_MATRIX=1 cargo test --test faults document` writes it anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops where it is")]
#![allow(clippy::print_stdout, reason = "the matrix is for people")]

mod bench;
mod cell;
mod chaos;
mod column;
mod crashes;
mod document;
mod expected;
mod half_way;
mod journals;
mod long;
mod matrix;
mod recovery;
mod replays;
mod row;
mod second;
#[path = "../support/mod.rs"]
mod support;
