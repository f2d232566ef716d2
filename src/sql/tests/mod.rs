mod details;
mod properties;
mod reads;
mod session;
mod tagging;
mod writes;

use super::{Dialect, Effects, Kind, Statement, classify};

const MYSQL: Dialect = Dialect::MYSQL;
const MARIADB: Dialect = Dialect::MARIADB;

/// Text, kind, and the names of all effects.
type Row = (&'static str, Kind, &'static str);

fn effects(names: &str) -> Effects {
    bitflags::parser::from_str(names).unwrap_or_else(|error| panic!("{names}: {error}"))
}

/// Checks every row under both servers.
fn check_both(rows: &[Row]) {
    check(MYSQL, rows);
    check(MARIADB, rows);
}

fn check(dialect: Dialect, rows: &[Row]) {
    let mut wrong = String::new();
    for (text, kind, names) in rows {
        let mut got = classify(text.as_bytes(), dialect);
        // Says nothing of what a statement does.
        got.effects -= Effects::LIMITS;
        let wanted = effects(names);
        if got.kind != *kind || got.effects != wanted {
            let (missing, extra) = (wanted - got.effects, got.effects - wanted);
            wrong += &format!("{text}\n   kind {:?}, missing {missing:?}, extra {extra:?}\n", got.kind);
        }
    }
    assert!(wrong.is_empty(), "mariadb: {}\n{wrong}", dialect.mariadb);
}

fn of(text: &str) -> Statement {
    classify(text.as_bytes(), MYSQL)
}
