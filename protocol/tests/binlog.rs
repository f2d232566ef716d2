//! Binary logs of real servers, written by `examples/record_captures/binlog.rs`.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod support;

use bytes::{Bytes, BytesMut};
use support::capture::{Capture, captures, packets};
use tideover_protocol::binlog::{
    BinlogError, EventBody, EventDecoder, LoggedStatement, LoggedTransaction, Outcome, StatementKind,
    TransactionReader,
};

/// The event packets of the dump at the end of a capture.
fn events(capture: &Capture) -> Vec<Bytes> {
    let mut packets = packets(&capture.exchanges.last().unwrap().all(false), 1);
    assert_eq!(packets.pop().unwrap().payload[0], 0xfe, "the dump ends with an EOF packet");
    packets.into_iter().map(|packet| packet.payload).collect()
}

fn transactions(capture: &Capture) -> Vec<LoggedTransaction> {
    let mut decoder = EventDecoder::new();
    let mut reader = TransactionReader::new();
    let events = events(capture);
    let decoded = events.iter().map(|packet| decoder.decode(packet).unwrap());
    let transactions = decoded.filter_map(|event| reader.event(event)).collect();
    assert!(!reader.is_amid_transaction());
    transactions
}

fn logs() -> Vec<(Capture, Vec<LoggedTransaction>)> {
    let read = |capture: Capture| {
        let transactions = transactions(&capture);
        (capture, transactions)
    };
    captures(|name| name.contains("binlog")).into_iter().map(read).collect()
}

/// The statement with a tag, and its transaction.
fn find<'a>(
    transactions: &'a [LoggedTransaction],
    tag: &str,
) -> Option<(&'a LoggedTransaction, &'a LoggedStatement)> {
    let comment = format!("/*td:{tag}*/");
    let all =
        transactions.iter().flat_map(|one| one.statements.iter().map(move |statement| (one, statement)));
    all.clone().find(|(_, statement)| statement.text.starts_with(comment.as_bytes()))
}

#[test]
fn every_tagged_change_is_found_with_its_rows() {
    let rows = [
        ("insert-3", 3),
        ("update-2", 2),
        ("delete-1", 1),
        ("select-2", 2),
        ("replace", 1),
        ("upsert", 1),
        ("types-3", 3),
        ("types-update-3", 3),
        ("types-delete-3", 3),
        ("wide-6", 6),
        ("trigger", 4),
        ("multi-delete", 4),
        ("load", 2),
        ("prepared", 1),
        ("create-table-select", 5),
        ("t1", 1),
        ("t3", 1),
        ("myisam", 2),
        ("minimal-1", 1),
        ("xa", 1),
        ("xa-one-phase", 1),
    ];
    for (capture, transactions) in logs() {
        for (tag, count) in rows {
            let Some((transaction, statement)) = find(&transactions, tag) else {
                panic!("{}: {tag}", capture.name)
            };
            assert_eq!(
                (statement.kind, statement.rows()),
                (StatementKind::Rows, Some(count)),
                "{}: {tag}",
                capture.name
            );
            assert_eq!(transaction.is_committed(), tag != "xa");
        }
    }
}

#[test]
fn what_did_not_commit_or_change_anything_is_not_there() {
    for (_, transactions) in logs() {
        for tag in ["t2", "rolled-back", "commit"] {
            assert!(find(&transactions, tag).is_none(), "{tag}");
        }
        let unchanged =
            transactions.iter().flat_map(|one| &one.statements).any(|one| one.text == "UPDATE b SET v = v");
        assert!(!unchanged);
    }
}

/// Which definitions keep a comment in front: the proxy must not take a missing one for proof with the others.
#[test]
fn some_definitions_lose_their_tag() {
    let kept = [
        "ddl",
        "truncate",
        "alter",
        "create-index",
        "rename",
        "drop-view",
        "drop-procedure",
        "drop-trigger",
        "drop-event",
        "drop-user",
        "create-database",
        "drop-database",
        "analyze",
        "flush",
    ];
    let lost = ["drop-table", "create-view", "create-procedure", "create-trigger", "create-event", "call"];
    let of_accounts = ["create-user", "grant", "set-password"];
    for (capture, transactions) in logs() {
        let found = |tag: &&str| find(&transactions, tag).is_some();
        assert!(kept.iter().all(found), "{}", capture.name);
        assert!(!lost.iter().any(&found), "{}", capture.name);
        let mariadb = capture.name.starts_with("maria");
        assert!(of_accounts.iter().all(|tag| found(tag) == mariadb), "{}", capture.name);
    }
}

#[test]
fn gtids_are_as_session_tracking_reports_them() {
    for (capture, transactions) in logs() {
        let (mut number, uuid) = (0, transactions[0].gtid.split(':').next().unwrap().to_owned());
        for transaction in &transactions {
            if transaction.gtid == format!("{uuid}:a_tag:1") {
                assert!(find(&transactions, "tagged").is_some_and(|(one, _)| one == transaction));
                continue;
            }
            number += 1;
            let mariadb = capture.name.starts_with("maria");
            let expected = if mariadb { format!("0-1-{number}") } else { format!("{uuid}:{number}") };
            assert_eq!(transaction.gtid, expected);
            assert_eq!((transaction.server_id, &*transaction.end.0), (1, &b"binlog.000001"[..]));
        }
        assert!(number > 50);
    }
}

#[test]
fn insert_ids_stand_where_they_can_be_known() {
    for (_, transactions) in logs() {
        let (_, statement) = find(&transactions, "statement").unwrap();
        assert_eq!((statement.kind, statement.rows()), (StatementKind::Text, None));
        assert!(statement.insert_id.is_some_and(|id| id > 100));
        let (_, rows) = find(&transactions, "insert-3").unwrap();
        let changes = &rows.changes[0];
        assert_eq!((&*changes.schema, &*changes.table, changes.inserted), (&b"shop"[..], &b"b"[..], 3));
        // The column `id` is the second.
        assert_eq!(changes.first_insert.as_ref().unwrap().integers[1], Some(1));
        let (_, types) = find(&transactions, "types-3").unwrap();
        let integers = &types.changes[0].first_insert.as_ref().unwrap().integers;
        assert_eq!(integers[..4], [Some(255), Some(65535), Some(7), Some(9_u64.wrapping_neg())]);
    }
}

#[test]
fn what_cannot_be_read_says_so() {
    for (capture, transactions) in logs() {
        assert!(transactions.iter().filter(|one| one.is_opaque).count() == 1, "{}", capture.name);
        assert!(transactions.iter().filter(|one| one.outcome == Outcome::Prepared).count() == 1);
        let unannotated = transactions.last().unwrap();
        assert!(!unannotated.has_all_texts() && unannotated.statements[0].rows() == Some(1));
        let uncounted = if capture.name.starts_with("maria") { "compressed" } else { "partial-json" };
        assert_eq!(find(&transactions, uncounted).unwrap().1.rows(), None);
        assert!(find(&transactions, "insert-3").unwrap().0.has_all_texts());
    }
}

#[test]
fn a_dump_can_start_from_a_gtid_and_do_without_checksums() {
    for capture in captures(|name| name.contains("tail")) {
        let transactions = transactions(&capture);
        assert_eq!(transactions.len(), 1, "{}", capture.name);
        assert_eq!(transactions[0].statements[0].text, "INSERT INTO shop.b (v) VALUES ('the last')");
        assert_eq!(transactions[0].statements[0].rows(), Some(1));
    }
}

#[test]
fn damaged_events_are_refused() {
    for capture in captures(|name| name.contains("binlog")) {
        let mut decoder = EventDecoder::new();
        for packet in events(&capture) {
            let described =
                matches!(decoder.decode(&packet).unwrap().body, EventBody::FormatDescription { .. });
            let mut damaged = BytesMut::from(&packet[..]);
            let middle = damaged.len() / 2;
            damaged[middle] ^= 1;
            let damaged = decoder.decode(&damaged.freeze());
            // The first event says where the log starts; whether it has a checksum is seen by its being right.
            let first = packet.len() < 60 && packet[5] == 0x04;
            assert!(
                first || matches!(damaged, Err(BinlogError::Checksum { .. })) || described,
                "{damaged:?}"
            );
            assert!(decoder.decode(&packet.slice(..packet.len() - 1)).is_err());
        }
    }
    assert!(EventDecoder::new().decode(&Bytes::from_static(b"\xff\xd4\x04#HY000no")).is_err());
    assert!(EventDecoder::new().decode(&Bytes::new()).is_err());
}
