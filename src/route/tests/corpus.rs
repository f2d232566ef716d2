//! The corpus, which the live test proves on real servers, as a table.

use crate::route::{Route, Why, route};
use crate::sql::{Dialect, classify};

const CORPUS: &str = include_str!("../../../tests/servers/corpus.txt");

const MYSQL: Dialect = Dialect::MYSQL;
const MARIADB: Dialect = Dialect::MARIADB;

/// Servers, route, reason, proof and statement of each line.
fn rows() -> impl Iterator<Item = [&'static str; 5]> {
    CORPUS.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let mut fields = line.splitn(5, " | ");
        [(); 5].map(|()| fields.next().unwrap_or_else(|| panic!("five fields: {line}")))
    })
}

fn dialects(servers: &str) -> &'static [Dialect] {
    match servers {
        "both" => &[MARIADB, MYSQL],
        "mariadb" => &[MARIADB],
        "mysql" => &[MYSQL],
        other => panic!("servers {other}"),
    }
}

#[test]
fn every_statement_of_the_corpus_goes_where_it_should() {
    let mut wrong = String::new();
    let mut count = 0;
    for [servers, place, reason, _, text] in rows() {
        count += 1;
        for dialect in dialects(servers) {
            let got = route(&classify(text.as_bytes(), *dialect));
            if got.is_replica() != (place == "replica") || got.why().name() != reason {
                wrong += &format!("mariadb {}: {got:?}, not {place} {reason}: {text}\n", dialect.mariadb);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count >= 600, "only {count} statements");
}

#[test]
fn the_corpus_has_every_reason_that_a_text_can_have() {
    let beyond_the_text = [Why::Rule, Why::Tied];
    for why in Why::ALL.into_iter().filter(|why| !beyond_the_text.contains(why)) {
        assert!(rows().any(|[_, _, reason, ..]| reason == why.name()), "nothing shows {why}");
    }
}

#[test]
fn what_must_not_happen_twice_or_elsewhere_needs_no_hint_to_stay() {
    for [servers, place, _, proof, text] in rows() {
        if place == "primary" && matches!(proof, "writes" | "locks" | "session") {
            for dialect in dialects(servers) {
                let hinted = format!("/* tideover:replica */ {text}");
                let got = route(&classify(hinted.as_bytes(), *dialect));
                assert!(matches!(got, Route::Primary(_)), "{hinted}: {got:?}");
            }
        }
    }
}
