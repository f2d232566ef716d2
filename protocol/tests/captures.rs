//! Conversations with real servers, replayed in every split; what is decoded must encode to the same bytes.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod support;

use std::collections::HashMap;

use bytes::BytesMut;
use support::capture::{Capture, captures, packets};
use support::{Event, assert_any_split_agrees};
use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::{CommandKind, ExecuteView, query_text, rewrite_execute, statement_id};
use tideover_protocol::frame::HEADER_LEN;
use tideover_protocol::packet::{
    EofPacket, ErrPacket, Greeting, LocalInfile, Login, OkPacket, PrepareOk, SessionTrack,
};
use tideover_protocol::response::{Control, ResponseShape};
use tideover_protocol::status::StatusFlags;

fn conversations() -> Vec<Capture> {
    captures(|name| !name.contains("binlog") && !name.contains("tail"))
}

fn assert_encodes_to(payload: &[u8], encode: impl FnOnce(&mut BytesMut)) {
    let mut out = BytesMut::new();
    encode(&mut out);
    assert_eq!(&out[..], payload);
}

/// Decodes a control frame and encodes it again.
fn check_control(control: Control, payload: &[u8], caps: Capabilities) {
    match control {
        Control::Ok { .. } => {
            let ok = OkPacket::decode(payload, caps).unwrap();
            if payload[0] == 0 {
                assert_encodes_to(payload, |out| ok.encode(caps, out));
            } else {
                assert_encodes_to(payload, |out| ok.encode_as_end(caps, out));
            }
        }
        Control::Eof { .. } => {
            assert_encodes_to(payload, |out| EofPacket::decode(payload, caps).unwrap().encode(caps, out));
        }
        Control::Err => {
            let error = ErrPacket::decode(payload, caps).unwrap();
            assert!(error.code > 1000 && error.message.is_ascii());
            assert_encodes_to(payload, |out| error.encode(caps, out));
        }
        Control::LocalInfile => {
            assert_eq!(LocalInfile::decode(payload, caps).unwrap().file_name, b"anything");
        }
        Control::PrepareOk { .. } => {
            let head = PrepareOk::decode(payload, caps).unwrap();
            assert_encodes_to(payload, |out| head.encode(caps, out));
        }
        Control::Auth | Control::End => {}
    }
}

#[test]
fn logins_decode_and_encode_to_the_same_bytes() {
    for capture in conversations() {
        let login = &capture.exchanges[0];
        let [(false, greeting), (true, response), (false, rest)] = &login.said[..] else {
            panic!("{}", capture.name)
        };
        let greeting = &greeting[HEADER_LEN..];
        let decoded = Greeting::decode(greeting).unwrap();
        assert_eq!(decoded.is_mariadb(), capture.name.starts_with("maria"));
        assert_eq!(decoded.server_version, capture.server);
        assert!(capture.caps.difference(decoded.capabilities | Capabilities::LONG_PASSWORD).is_empty());
        assert_encodes_to(greeting, |out| decoded.encode(out));
        let response = &response[HEADER_LEN..];
        let decoded = Login::decode(response).unwrap();
        assert_eq!((&*decoded.user, decoded.capabilities), (&b"root"[..], capture.caps));
        assert_encodes_to(response, |out| decoded.encode(out));
        let ok = packets(rest, 2).pop().unwrap();
        check_control(Control::Ok { last: true }, &ok.payload, capture.caps);
    }
}

#[test]
fn answers_end_where_the_servers_end_them() {
    for capture in conversations() {
        for exchange in &capture.exchanges[1..] {
            let place = format!("{}: {}", capture.name, exchange.title);
            let command = &exchange.said[0].1;
            let shape = CommandKind::shape_of(&command[HEADER_LEN..]);
            let answer = exchange.all(false);
            if shape == ResponseShape::None {
                assert!(answer.is_empty(), "{place}");
                continue;
            }
            // After a LOCAL INFILE request the client's file ends with a frame of 4 bytes.
            let after_client =
                exchange.said.get(2).map_or(0, |(_, file)| file[file.len() - 1].wrapping_add(1));
            let events = assert_any_split_agrees(shape, capture.caps, &answer, after_client);
            let Some(Event::Control(last, _)) = events.last() else { panic!("{place}: {events:?}") };
            assert!(last.is_last(), "{place}");
            let taken: usize = events.iter().map(event_len).sum();
            assert_eq!(taken, answer.len(), "{place}");
            for event in &events {
                if let Event::Control(control, frame) = event {
                    check_control(*control, &frame[HEADER_LEN..], capture.caps);
                }
            }
        }
    }
}

fn event_len(event: &Event) -> usize {
    match event {
        Event::Opaque(count) => *count,
        Event::Control(_, frame) => frame.len(),
        Event::Violation(violation) => panic!("{violation}"),
    }
}

#[test]
fn commands_are_taken_apart_as_the_servers_did() {
    for capture in conversations() {
        let mut prepared = HashMap::new();
        for exchange in &capture.exchanges[1..] {
            let place = format!("{}: {}", capture.name, exchange.title);
            let command = &exchange.said[0].1[HEADER_LEN..];
            match CommandKind::of(command) {
                CommandKind::Query => {
                    let text = &command[query_text(command, capture.caps).unwrap()];
                    let attributed = exchange.title == "a query with attributes";
                    let expected = if attributed { "SELECT 'attributes'" } else { &exchange.title };
                    assert_eq!(text, expected.as_bytes(), "{place}");
                }
                CommandKind::StmtPrepare => {
                    let answer = exchange.all(false);
                    if let Ok(head) = PrepareOk::decode(
                        &answer[HEADER_LEN..HEADER_LEN + usize::from(answer[0])],
                        capture.caps,
                    ) {
                        prepared.insert(head.statement_id, head);
                    }
                }
                CommandKind::StmtExecute => {
                    let id = statement_id(command).unwrap();
                    let params = prepared.get(&id).map_or(0, |head| head.params);
                    if exchange.title == "EXECUTE without a count of parameters" {
                        continue;
                    }
                    let view = ExecuteView::parse(command, params, capture.caps).unwrap();
                    assert_eq!(view.opens_cursor(), exchange.title.contains("cursor"), "{place}");
                    assert_eq!(
                        view.new_params_bound,
                        params > 0 && !exchange.title.contains("without types"),
                        "{place}"
                    );
                    if view.new_params_bound {
                        assert_encodes_to(command, |out| {
                            rewrite_execute(command, &view, id, &[], out).unwrap()
                        });
                    }
                }
                _ => {}
            }
        }
    }
}

/// What the servers say of sessions, as far as the proxy relies on it.
#[test]
fn session_tracking_says_what_the_proxy_relies_on() {
    for capture in captures(|name| name.contains("modern")) {
        let ok = |title: &str| {
            let exchange = capture.exchanges.iter().rfind(|exchange| exchange.title == title).unwrap();
            let last = packets(&exchange.all(false), 1).pop().unwrap();
            OkPacket::decode(&last.payload, capture.caps).unwrap()
        };
        assert!(ok("USE shop").track.contains(&SessionTrack::Schema(b"shop".to_vec())));
        assert_eq!(ok("SET NAMES latin1").system_variable("character_set_client"), Some(&b"latin1"[..]));
        assert!(ok("SET @u = 1").track.contains(&SessionTrack::StateChange(true)));
        assert!(ok("BEGIN").status.contains(StatusFlags::IN_TRANS));
        let begun = ok("START TRANSACTION READ ONLY");
        let text = SessionTrack::TransactionCharacteristics(b"START TRANSACTION READ ONLY;".to_vec());
        assert!(begun.track.contains(&text), "{:?}", begun.track);
        let insert = ok("INSERT INTO t (v, n) VALUES ('one', 1.5), (NULL, NULL), ('three', 3)");
        assert_eq!((insert.affected_rows, insert.last_insert_id), (3, 1));
        let committed = ok("COMMIT");
        for committed in [insert, committed] {
            for item in &committed.track {
                assert!(!matches!(item, SessionTrack::Other { .. }), "{item:?}");
            }
            let gtid = if capture.name.starts_with("maria") {
                committed.system_variable("last_gtid").is_some()
            } else {
                committed.track.iter().any(|item| matches!(item, SessionTrack::Gtids(_)))
            };
            assert!(gtid, "{}: {:?}", capture.name, committed.track);
        }
    }
}
