//! Answers in all shapes, and what the scanner makes of them.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod support;

use bytes::BytesMut;
use support::{Event, assert_any_split_agrees, controls, frames, scan_whole};
use tideover_protocol::capability::Capabilities;
use tideover_protocol::frame::MAX_PAYLOAD;
use tideover_protocol::packet::{ColumnDefinition, EofPacket, OkPacket, PrepareOk, SessionTrack};
use tideover_protocol::response::{Control, ResponseScanner, ResponseShape, Violation};
use tideover_protocol::status::StatusFlags;

const CLASSIC: Capabilities = Capabilities::PROTOCOL_41;
const MODERN: Capabilities = CLASSIC.union(Capabilities::DEPRECATE_EOF).union(Capabilities::SESSION_TRACK);
const TEXT: ResponseShape = ResponseShape::ResultSets { cursor: false };
const BINARY: ResponseShape = ResponseShape::ResultSets { cursor: true };
const ERR: &[u8] = b"\xff\x15\x04#42000no";

fn ok(status: StatusFlags) -> Vec<u8> {
    let mut out = BytesMut::new();
    OkPacket { status, ..OkPacket::default() }.encode(MODERN, &mut out);
    out.to_vec()
}

fn end(status: StatusFlags) -> Vec<u8> {
    let item = SessionTrack::Schema(b"a schema with a rather long name".to_vec());
    let mut out = BytesMut::new();
    OkPacket { status, track: vec![item], ..OkPacket::default() }.encode_as_end(MODERN, &mut out);
    assert!(out.len() > 9);
    out.to_vec()
}

fn eof(status: StatusFlags) -> Vec<u8> {
    let mut out = BytesMut::new();
    EofPacket { warnings: 0, status }.encode(CLASSIC, &mut out);
    out.to_vec()
}

fn column() -> Vec<u8> {
    let column = ColumnDefinition {
        schema: b"s".to_vec(),
        table: b"t".to_vec(),
        org_table: b"t".to_vec(),
        name: b"c".to_vec(),
        org_name: b"c".to_vec(),
        extended: Vec::new(),
        collation: 45,
        length: 10,
        kind: 0xfd,
        flags: 0,
        decimals: 0,
    };
    let mut out = BytesMut::new();
    column.encode(CLASSIC, &mut out);
    out.to_vec()
}

fn scan(shape: ResponseShape, caps: Capabilities, payloads: &[Vec<u8>]) -> Vec<Control> {
    controls(&assert_any_split_agrees(shape, caps, &frames(payloads, 1), 4))
}

fn more() -> StatusFlags {
    StatusFlags::MORE_RESULTS
}

fn none() -> StatusFlags {
    StatusFlags::AUTOCOMMIT
}

#[test]
fn simple_answers() {
    let last = true;
    assert_eq!(scan(ResponseShape::Simple, MODERN, &[ok(none())]), [Control::Ok { last }]);
    assert_eq!(scan(ResponseShape::Simple, CLASSIC, &[eof(none())]), [Control::Eof { last }]);
    assert_eq!(scan(ResponseShape::Simple, MODERN, &[end(none())]), [Control::Ok { last }]);
    assert_eq!(scan(ResponseShape::Simple, MODERN, &[ERR.to_vec()]), [Control::Err]);
    assert_eq!(scan(ResponseShape::Statistics, MODERN, &[b"Uptime: 3".to_vec()]), [Control::End]);
    assert_eq!(scan(TEXT, MODERN, &[ok(none())]), [Control::Ok { last }]);
    assert_eq!(scan(TEXT, MODERN, &[ERR.to_vec()]), [Control::Err]);
    assert!(ResponseScanner::new(ResponseShape::None, MODERN, 1).is_done());
}

#[test]
fn result_sets_with_and_without_eof_packets() {
    let row = b"\x01a\x01b".to_vec();
    let classic = [vec![2], column(), column(), eof(none()), row.clone(), row.clone(), eof(none())];
    let (last, amid) = (Control::Eof { last: true }, Control::Eof { last: false });
    assert_eq!(scan(TEXT, CLASSIC, &classic), [amid, last]);
    let modern = [vec![2], column(), column(), row.clone(), row, end(none())];
    assert_eq!(scan(TEXT, MODERN, &modern), [Control::Ok { last: true }]);
    let no_rows = [vec![1], column(), end(none())];
    assert_eq!(scan(BINARY, MODERN, &no_rows), [Control::Ok { last: true }]);
}

#[test]
fn rows_that_look_like_ends() {
    // NULL first; a binary row; a 9-byte row that would be an EOF if it were shorter is impossible, but harmless.
    let null_first = b"\xfb\x01b".to_vec();
    assert_eq!(scan(TEXT, MODERN, &[vec![2], column(), column(), null_first, end(none())]).len(), 1);
    let binary_row = b"\x00\x00\x05".to_vec();
    assert_eq!(scan(BINARY, MODERN, &[vec![1], column(), binary_row, end(none())]).len(), 1);
    // A first column of 16 MiB: its length starts with 0xfe, its first frame is full.
    let mut huge = vec![0xfe];
    huge.extend_from_slice(&(MAX_PAYLOAD as u64).to_le_bytes());
    huge.resize(MAX_PAYLOAD + 9, 0xff);
    let events = scan_whole(TEXT, MODERN, &frames(&[vec![1], column(), huge.clone(), end(none())], 1));
    assert_eq!(controls(&events), [Control::Ok { last: true }]);
    // Continued by a frame that starts with 0xff, or by an empty one.
    huge.truncate(MAX_PAYLOAD);
    let events = scan_whole(TEXT, CLASSIC, &frames(&[vec![1], column(), eof(none()), huge, eof(none())], 1));
    assert_eq!(controls(&events).len(), 2);
}

#[test]
fn several_results() {
    let (last, amid) = (Control::Ok { last: true }, Control::Ok { last: false });
    let row = b"\x01a".to_vec();
    let mixed = [ok(more()), vec![1], column(), row.clone(), end(more()), ok(none())];
    assert_eq!(scan(TEXT, MODERN, &mixed), [amid, amid, last]);
    let failing = [vec![1], column(), row.clone(), end(more()), ERR.to_vec()];
    assert_eq!(scan(TEXT, MODERN, &failing), [amid, Control::Err]);
    let amid_rows = [vec![1], column(), row, ERR.to_vec()];
    assert_eq!(scan(TEXT, MODERN, &amid_rows), [Control::Err]);
}

#[test]
fn local_infile_pauses_for_the_client() {
    let mut bytes = frames(&[b"\xfbfile.csv"], 1);
    bytes.extend_from_slice(&frames(&[ok(none())], 4));
    let events = assert_any_split_agrees(TEXT, MODERN, &bytes, 4);
    assert_eq!(controls(&events), [Control::LocalInfile, Control::Ok { last: true }]);
    let mut scanner = ResponseScanner::new(TEXT, MODERN, 1);
    let request = frames(&[b"\xfbfile.csv"], 1);
    assert!(scanner.scan(&request).is_ok());
    assert_eq!(scanner.scan(&frames(&[ok(none())], 4)), Err(Violation::AfterEnd));
}

#[test]
fn preparations() {
    let head = |params, columns| {
        let packet = PrepareOk { statement_id: 1, columns, params, warnings: 0, metadata_follows: true };
        let mut out = BytesMut::new();
        packet.encode(CLASSIC, &mut out);
        out.to_vec()
    };
    let shape = ResponseShape::Prepare;
    let (open, end) = (Control::PrepareOk { last: false }, Control::End);
    assert_eq!(scan(shape, CLASSIC, &[head(0, 0)]), [Control::PrepareOk { last: true }]);
    assert_eq!(scan(shape, MODERN, &[head(1, 0), column()]), [open, end]);
    assert_eq!(scan(shape, MODERN, &[head(1, 2), column(), column(), column()]), [open, end]);
    assert_eq!(scan(shape, CLASSIC, &[head(1, 0), column(), eof(none())]), [open, end]);
    let both = [head(1, 1), column(), eof(none()), column(), eof(none())];
    assert_eq!(scan(shape, CLASSIC, &both), [open, end]);
    assert_eq!(scan(shape, CLASSIC, &[ERR.to_vec()]), [Control::Err]);
}

#[test]
fn cursors() {
    let open = StatusFlags::CURSOR_EXISTS;
    let last = Control::Eof { last: true };
    assert_eq!(scan(BINARY, CLASSIC, &[vec![1], column(), eof(open)]), [last]);
    assert_eq!(scan(BINARY, MODERN, &[vec![1], column(), end(open)]), [Control::Ok { last: true }]);
    // A stored program's own cursor shows in the same flag (seen: MariaDB's FOR … IN (SELECT …)), and rows follow.
    let theirs = open | StatusFlags::MORE_RESULTS;
    let rows = [vec![1], column(), eof(theirs), b"\x011".to_vec(), eof(theirs), ok(none())];
    let ends = [Control::Eof { last: false }, Control::Eof { last: false }, Control::Ok { last: true }];
    assert_eq!(scan(TEXT, CLASSIC, &rows), ends);
    assert_eq!(scan(BINARY, CLASSIC, &rows), ends);
    let row = b"\x00\x00\x05".to_vec();
    assert_eq!(scan(ResponseShape::Fetch, CLASSIC, &[row.clone(), row, eof(open)]), [last]);
    assert_eq!(scan(ResponseShape::Fetch, CLASSIC, &[ERR.to_vec()]), [Control::Err]);
}

#[test]
fn field_lists_and_binary_logs() {
    let last = true;
    let listed = scan(ResponseShape::FieldList, CLASSIC, &[column(), column(), eof(none())]);
    assert_eq!(listed, [Control::Eof { last }]);
    assert_eq!(scan(ResponseShape::FieldList, MODERN, &[column(), end(none())]), [Control::Ok { last }]);
    let event = vec![0; 30];
    let stream = [event.clone(), event, eof(none())];
    assert_eq!(scan(ResponseShape::BinlogStream, MODERN, &stream), [Control::Eof { last: true }]);
}

#[test]
fn changing_the_user() {
    let switch = b"\xfemysql_native_password\0aaaaaaaaaaaaaaaaaaaa\0".to_vec();
    let fast = vec![1, 3];
    let answer = [switch, fast, ok(none())];
    let last = Control::Ok { last: true };
    assert_eq!(scan(ResponseShape::ChangeUser, MODERN, &answer), [Control::Auth, Control::Auth, last]);
}

#[test]
fn metadata_may_be_left_out() {
    let optional = MODERN | Capabilities::OPTIONAL_RESULTSET_METADATA;
    let row = b"\x01a".to_vec();
    let last = [Control::Ok { last: true }];
    assert_eq!(scan(TEXT, optional, &[vec![1, 0], row.clone(), end(none())]), last);
    assert_eq!(scan(TEXT, optional, &[vec![1, 1], column(), row, end(none())]), last);
    let cached = CLASSIC | Capabilities::CACHE_METADATA;
    let answer = [vec![2, 0], eof(none()), b"\x00\x00\x05".to_vec(), eof(none())];
    assert_eq!(scan(BINARY, cached, &answer).len(), 2);
}

#[test]
fn progress_reports_are_passed_over() {
    let report = b"\xff\xff\xff\x01\x01\x02\x00\x00\x00\x05stage".to_vec();
    let caps = MODERN | Capabilities::PROGRESS;
    assert_eq!(scan(TEXT, caps, &[report.clone(), report.clone(), ok(none())]), [Control::Ok { last: true }]);
    assert_eq!(scan(TEXT, MODERN, &[report]), [Control::Err]);
}

#[test]
fn violations_are_named() {
    let first = |shape, bytes: &[u8]| match scan_whole(shape, MODERN, bytes).pop() {
        Some(Event::Violation(violation)) => violation,
        other => panic!("{other:?}"),
    };
    let wrong = frames(&[ok(none())], 2);
    assert_eq!(first(TEXT, &wrong), Violation::Sequence { expected: 1, got: 2 });
    let empty = frames(&[b""], 1);
    assert!(matches!(first(TEXT, &empty), Violation::Unexpected { first: 0, len: 0, .. }));
    let row = frames(&[b"\x05hello"], 1);
    assert!(matches!(first(ResponseShape::Simple, &row), Violation::Unexpected { first: 5, .. }));
    let no_count = frames(&[[7; 11]], 1);
    assert!(matches!(first(TEXT, &no_count), Violation::Unexpected { first: 7, .. }));
    let short = frames(&[b"\x00\x00"], 1);
    assert!(matches!(first(TEXT, &short), Violation::Malformed(_)));
    let mut scanner = ResponseScanner::new(TEXT, MODERN, 1);
    assert!(scanner.scan(&frames(&[ok(none())], 1)).is_ok());
    assert_eq!(scanner.scan(b"x"), Err(Violation::AfterEnd));
}

#[test]
fn a_goodbye_before_the_command_was_read() {
    let mut scanner = ResponseScanner::new(TEXT, MODERN, 1);
    assert!(scanner.scan(&frames(&[ERR], 0)).is_ok());
    assert!(scanner.is_unsolicited() && scanner.is_done());
}

#[test]
fn what_was_seen_is_told() {
    let mut scanner = ResponseScanner::new(TEXT, MODERN, 1);
    let bytes = frames(&[vec![1], column(), b"\x01a".to_vec()], 1);
    let row_at = bytes.len() - 6;
    scanner.scan(&bytes[..5]).unwrap();
    assert!(scanner.saw_result_set() && !scanner.saw_rows());
    scanner.scan(&bytes[5..row_at]).unwrap();
    assert!(!scanner.saw_rows());
    scanner.scan(&bytes[row_at..]).unwrap();
    assert!(scanner.saw_rows());
}

/// Rows that are there as a whole are passed over in one go: what is told of them must not depend on how they came.
#[test]
fn rows_are_told_from_metadata_however_they_come() {
    let rows = [vec![0xfb], b"\x01a".to_vec(), vec![7; 300], b"\x00".to_vec(), vec![0xfd; 70_000]];
    let head = frames(&[vec![1], column()], 1);
    let mut bytes = head.clone();
    bytes.extend(frames(&rows, 3));
    let whole = bytes.len();
    bytes.extend(frames(&[end(none())], 8));
    for step in [1, 2, 3, 5, 7, 64, 301, 4096, whole, bytes.len()] {
        let mut scanner = ResponseScanner::new(TEXT, MODERN, 1);
        let (mut taken, mut metadata, mut have) = (0, 0, 0);
        while have < bytes.len() {
            have = (have + step).min(bytes.len());
            let scan = scanner.scan(&bytes[taken..have]).unwrap();
            metadata += scan.metadata;
            taken += scan.opaque;
        }
        assert_eq!((taken, metadata, scanner.rows()), (whole, head.len(), 5), "in steps of {step}");
        assert!(scanner.is_done());
    }
    let mut scanner = ResponseScanner::new(TEXT, MODERN, 1);
    let mut wrong = head;
    wrong.extend(frames(&rows[..1], 3));
    wrong.extend(frames(&rows[..1], 5));
    let violation = scanner.scan(&wrong).unwrap_err();
    assert_eq!(violation, Violation::Sequence { expected: 4, got: 5 });
}
