use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;

use super::*;
use crate::topology::{ServerId, Topology};

const CONNECTION: &[u8] = b"ab.1f";

fn case(doubt: Doubt) -> Case {
    Case {
        server: ServerId(0),
        thread: 77,
        opened: Instant::now(),
        tag: b"/*td:ab.1f*/".as_slice().into(),
        numbers: 5..8,
        own: Some(7),
        prepared: false,
        acknowledged: b"0-1-10".to_vec(),
        unclear: false,
        bookmark: Arc::new(Topology::unseen(&[])),
        doubt,
        writing: Writing::Insert,
        text: Vec::new(),
        blind: None,
        mark: None,
        unanswerable: None,
    }
}

fn statement(text: &str, kind: StatementKind) -> LoggedStatement {
    LoggedStatement {
        text: Bytes::copy_from_slice(text.as_bytes()),
        kind,
        changes: Vec::new(),
        counted: true,
        insert_id: None,
    }
}

fn transaction(gtid: &str, texts: &[&str]) -> LoggedTransaction {
    LoggedTransaction {
        gtid: gtid.to_owned(),
        server_id: 1,
        thread_id: Some(77),
        statements: texts.iter().map(|t| statement(t, StatementKind::Rows)).collect(),
        outcome: Outcome::Committed,
        has_xid: true,
        is_opaque: false,
        end: (Bytes::new(), 0),
    }
}

fn definition(gtid: &str, text: &str) -> LoggedTransaction {
    let statements = vec![statement(text, StatementKind::Text)];
    LoggedTransaction { statements, has_xid: false, ..transaction(gtid, &[]) }
}

fn settle_at(case: &Case, at_origin: bool, log: &[LoggedTransaction]) -> Settlement {
    let mut evidence = Evidence::new(1, at_origin);
    for transaction in log {
        evidence.take_in(case, CONNECTION, transaction);
    }
    evidence.settle(case)
}

fn word(settlement: &Settlement) -> &'static str {
    match settlement {
        Settlement::Committed { .. } => "committed",
        Settlement::NotCommitted => "not",
        Settlement::CannotTell(_) => "unknown",
    }
}

fn check(name: &str, case: &Case, log: &[LoggedTransaction], expected: &str) {
    for at_origin in [true, false] {
        let settlement = settle_at(case, at_origin, log);
        assert_eq!(word(&settlement), expected, "{name}, at origin {at_origin}: {settlement:?}");
    }
}

#[test]
fn a_text_statement_is_known_by_its_number() {
    let case = case(Doubt::Statement);
    let rows: [(&str, Vec<LoggedTransaction>, &str); 8] = [
        ("an empty log", vec![], "not"),
        ("its own", vec![transaction("0-1-11", &["/*td:ab.1f.7*/INSERT"])], "committed"),
        ("an earlier one of the connection", vec![transaction("0-1-10", &["/*td:ab.1f.4*/INSERT"])], "not"),
        ("another connection", vec![transaction("0-1-11", &["/*td:ab.2.7*/INSERT"])], "not"),
        ("another proxy", vec![transaction("0-1-11", &["/*td:cd.1f.7*/INSERT"])], "not"),
        ("a copy in data", vec![transaction("0-1-11", &["INSERT INTO l VALUES ('/*td:ab.1f.7*/')"])], "not"),
        ("prepared ones of the connection", vec![transaction("0-1-11", &["/*td:ab.1f*/INSERT"])], "not"),
        ("one of its unit alone", vec![transaction("0-1-11", &["/*td:ab.1f.6*/INSERT"])], "unknown"),
    ];
    for (name, log, expected) in rows {
        check(name, &case, &log, expected);
    }
}

#[test]
fn a_prepared_statement_is_known_by_its_gtid() {
    let prepared = Case { own: None, numbers: 0..0, prepared: true, ..case(Doubt::Statement) };
    let tagged = |gtid: &str| transaction(gtid, &["/*td:ab.1f*/INSERT"]);
    check("nothing", &prepared, &[], "not");
    check("only what was acknowledged", &prepared, &[tagged("0-1-9"), tagged("0-1-10")], "not");
    check("one more", &prepared, &[tagged("0-1-10"), tagged("0-1-11")], "committed");
    check("one more, applied out of order", &prepared, &[tagged("0-1-11"), tagged("0-1-10")], "committed");
    check("of a text statement", &prepared, &[transaction("0-1-11", &["/*td:ab.1f.3*/INSERT"])], "not");
    check("of another source", &prepared, &[tagged("5-1-11")], "unknown");
    check("without GTIDs", &prepared, &[tagged("")], "unknown");
    let first = Case { acknowledged: Vec::new(), ..prepared.clone() };
    check("the first of the connection", &first, &[tagged("0-1-11")], "committed");
    let unclear = Case { unclear: true, ..prepared };
    check("after an unreported commit", &unclear, &[tagged("0-1-11")], "unknown");
    check("after an unreported commit, none found", &unclear, &[tagged("0-1-10")], "not");
}

#[test]
fn a_transaction_is_known_by_any_of_its_statements() {
    let commit = Case { own: None, ..case(Doubt::Commit) };
    check(
        "its second statement",
        &commit,
        &[transaction("0-1-11", &["UPDATE", "/*td:ab.1f.6*/INSERT"])],
        "committed",
    );
    check("the one before", &commit, &[transaction("0-1-10", &["/*td:ab.1f.4*/INSERT"])], "not");
    check("the next number", &commit, &[transaction("0-1-12", &["/*td:ab.1f.8*/INSERT"])], "not");
    let mixed = Case { prepared: true, ..commit };
    check("a prepared one", &mixed, &[transaction("0-1-11", &["/*td:ab.1f*/INSERT"])], "committed");
}

#[test]
fn a_definition_amid_a_transaction_stands_by_itself() {
    let case = Case { writing: Writing::Other, ..case(Doubt::Definition) };
    let rows = transaction("0-1-11", &["/*td:ab.1f.5*/INSERT"]);
    let table = definition("0-1-12", "/*td:ab.1f.7*/CREATE TABLE t (a INT)");
    check("nothing", &case, &[], "not");
    check("both", &case, &[rows.clone(), table.clone()], "committed");
    check("the definition alone", &case, &[table], "committed");
    check("the transaction alone", &case, &[rows], "unknown");
    let prepared = Case { own: None, prepared: true, ..case };
    let rows = transaction("0-1-11", &["/*td:ab.1f*/INSERT"]);
    let table = definition("0-1-12", "/*td:ab.1f*/CREATE TABLE t (a INT)");
    check("prepared, both", &prepared, &[rows.clone(), table], "committed");
    check("prepared, the transaction alone", &prepared, &[rows], "unknown");
}

#[test]
fn what_may_be_half_done_is_not_called_done() {
    let case = case(Doubt::Statement);
    let own = || transaction("0-1-11", &["/*td:ab.1f.7*/INSERT"]);
    check("no XID", &case, &[LoggedTransaction { has_xid: false, ..own() }], "unknown");
    let rolled_back = LoggedTransaction { outcome: Outcome::RolledBack, has_xid: false, ..own() };
    check("rolled back", &case, &[rolled_back], "unknown");
    let unanswerable = Case { unanswerable: Some("several statements"), ..case };
    check("several statements", &unanswerable, &[own()], "unknown");
    check("several statements, none found", &unanswerable, &[], "not");
}

#[test]
fn absence_proves_only_what_would_have_been_seen() {
    let case = case(Doubt::Statement);
    let blind = Case { blind: Some("CALL"), ..case.clone() };
    check("a CALL", &blind, &[], "unknown");
    let silent = |thread, server_id| LoggedTransaction {
        thread_id: thread,
        server_id,
        ..transaction("0-1-11", &[""])
    };
    check("without text, ours", &case, &[silent(Some(77), 1)], "unknown");
    check("without text, connection unknown", &case, &[silent(None, 1)], "unknown");
    check("without text, of another server", &case, &[silent(Some(77), 2)], "not");
    assert_eq!(word(&settle_at(&case, true, &[silent(Some(78), 1)])), "not");
    assert_eq!(word(&settle_at(&case, false, &[silent(Some(78), 1)])), "unknown");
    let opaque = LoggedTransaction { is_opaque: true, thread_id: None, ..transaction("0-1-11", &[]) };
    check("compressed", &case, &[opaque], "unknown");
    check(
        "found all the same",
        &blind,
        &[silent(Some(77), 1), transaction("0-1-12", &["/*td:ab.1f.7*/INSERT"])],
        "committed",
    );
}
