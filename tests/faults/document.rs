//! The matrix as a document.

use std::{fmt::Write, fs, path::PathBuf};

use super::{
    column::Column,
    expected::{GUARDED, UNGUARDED},
    row::ROWS,
};

const HEAD: &str = "# The fault matrix

What a client sees, and what is stored, when a statement meets a fault. `cargo test --test faults` runs every cell on MariaDB
10.11, MariaDB 11.8 and MySQL 9 with a relay between proxy and servers that cuts connections at the moment named; this page
is written by that test (`TIDEOVER_WRITE_MATRIX=1 cargo test --test faults document`) and compared by it.

- *done once*: the client got the answer that it would have got without the fault (row count and insert id included), on
  the same connection with the same session state; the data shows the unit exactly once
- *all rows*: every row exactly once, in order
- *1180*: \"outcome unknown\", on a living connection; the data shows the unit at most once

Cuts: the primary lives on. Read-only refusal: somebody closes the primary for writes and promotes a replica. SHUTDOWN: the
same server is started again. SIGKILL: a replica is promoted. Statements inside a transaction that were lost with their
server are done again there, with the rest of their transaction. The commit marker is installed (`tideover check --connect
--setup`).
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    for (title, table) in [("guard.mode = \"auto\"", &GUARDED), ("guard.mode = \"off\"", &UNGUARDED)] {
        let _ = write!(text, "\n## `{title}`\n\n");
        let cells = |row: usize, column: usize| table[row].1[column].to_owned();
        text += &markdown(cells);
    }
    text
}

/// A Markdown table with a line for each row.
pub(crate) fn markdown(cell: impl Fn(usize, usize) -> String) -> String {
    let names: Vec<_> = Column::ALL.iter().map(|column| column.name()).collect();
    let mut text = format!("| | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for (at, row) in ROWS.iter().enumerate() {
        let cells: Vec<_> = (0..names.len()).map(|column| cell(at, column)).collect();
        let _ = writeln!(text, "| {} | {} |", row.name, cells.join(" | "));
    }
    text
}

#[test]
fn the_document_is_what_is_expected() {
    for (at, row) in ROWS.iter().enumerate() {
        assert_eq!((GUARDED[at].0, UNGUARDED[at].0), (row.name, row.name), "rows in another order");
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/fault-matrix.md");
    if std::env::var_os("TIDEOVER_WRITE_MATRIX").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, document()).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == document(),
        "docs/fault-matrix.md is out of date: TIDEOVER_WRITE_MATRIX=1 writes it anew"
    );
}
