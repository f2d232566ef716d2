//! Round trips of packets and frames, and any bytes in any pieces.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod support;

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use support::{Event, controls, scan_in_pieces, scan_renumbered};
use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::{ExecuteView, rewrite_execute};
use tideover_protocol::frame::{Deframer, FrameError, Packet, write_frames};
use tideover_protocol::packet::{
    AuthMore, AuthSwitch, ChangeUser, ColumnDefinition, EofPacket, ErrPacket, Greeting, LocalInfile, Login,
    OkPacket, PrepareOk, SessionTrack, SslRequest,
};
use tideover_protocol::response::{Control, ResponseScanner, ResponseShape};
use tideover_protocol::status::StatusFlags;

fn bytes_up_to(max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=max)
}

/// Without NUL, since NUL ends a string.
fn name() -> impl Strategy<Value = Vec<u8>> {
    vec(1_u8..=255, 0..20)
}

fn some_name() -> impl Strategy<Value = Vec<u8>> {
    vec(1_u8..=255, 1..20)
}

fn attributes() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    vec((bytes_up_to(20), bytes_up_to(300)), 0..4)
}

/// Login capabilities as a client has them: MariaDB's only without LONG_PASSWORD.
fn login_caps() -> impl Strategy<Value = Capabilities> {
    any::<u64>().prop_map(|bits| {
        let caps = Capabilities::from_bits_retain(bits)
            | Capabilities::PROTOCOL_41
            | Capabilities::SECURE_CONNECTION;
        if caps.contains(Capabilities::LONG_PASSWORD) { caps - Capabilities::EXTENDED } else { caps }
    })
}

fn caps() -> impl Strategy<Value = Capabilities> {
    any::<u64>().prop_map(|bits| Capabilities::from_bits_retain(bits) | Capabilities::PROTOCOL_41)
}

fn track() -> impl Strategy<Value = SessionTrack> {
    prop_oneof![
        (bytes_up_to(20), bytes_up_to(300))
            .prop_map(|(name, value)| SessionTrack::SystemVariable { name, value }),
        bytes_up_to(20).prop_map(SessionTrack::Schema),
        any::<bool>().prop_map(SessionTrack::StateChange),
        bytes_up_to(60).prop_map(SessionTrack::Gtids),
        bytes_up_to(60).prop_map(SessionTrack::TransactionCharacteristics),
        bytes_up_to(60).prop_map(SessionTrack::TransactionState),
        (6_u8.., bytes_up_to(20)).prop_map(|(kind, data)| SessionTrack::Other { kind, data }),
    ]
}

prop_compose! {
    fn ok_packet()(
        affected_rows: u64,
        last_insert_id: u64,
        status: u16,
        warnings: u16,
        info in bytes_up_to(300),
        track in vec(track(), 0..5),
    ) -> OkPacket {
        let mut status = StatusFlags::from_wire(status);
        status.set(StatusFlags::SESSION_STATE_CHANGED, !track.is_empty());
        OkPacket { affected_rows, last_insert_id, status, warnings, info, track }
    }
}

prop_compose! {
    fn login()(
        capabilities in login_caps(),
        (max_packet, collation, zstd_level) in any::<(u32, u8, u8)>(),
        user in name(),
        auth_response in bytes_up_to(250),
        database in some_name(),
        plugin in "[a-z_]{1,30}",
        attributes in attributes(),
    ) -> Login {
        let has = |flag| capabilities.contains(flag);
        Login {
            capabilities,
            max_packet,
            collation,
            user,
            auth_response,
            database: has(Capabilities::CONNECT_WITH_DB).then_some(database),
            plugin: has(Capabilities::PLUGIN_AUTH).then_some(plugin),
            attributes: if has(Capabilities::CONNECT_ATTRS) { attributes } else { Vec::new() },
            zstd_level: if has(Capabilities::ZSTD_COMPRESSION) { zstd_level } else { 0 },
        }
    }
}

fn encoded(encode: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    encode(&mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ok_packets_come_back(packet in ok_packet(), as_end: bool) {
        let caps = Capabilities::SESSION_TRACK;
        let encode = if as_end { OkPacket::encode_as_end } else { OkPacket::encode };
        let payload = encoded(|out| encode(&packet, caps, out));
        prop_assert_eq!(payload[0], if as_end { 0xfe } else { 0 });
        prop_assert_eq!(OkPacket::decode(&payload, caps), Ok(packet.clone()));
        // A client without session tracking sees the same less the items.
        let payload = encoded(|out| packet.encode(Capabilities::empty(), out));
        let status = packet.status - StatusFlags::SESSION_STATE_CHANGED;
        let bare = OkPacket { status, track: Vec::new(), ..packet };
        prop_assert_eq!(OkPacket::decode(&payload, Capabilities::empty()), Ok(bare));
    }

    #[test]
    fn errors_and_ends_come_back(code: u16, state in "[0-9A-Z]{5}", message in bytes_up_to(300), warnings: u16, bits: u16) {
        let caps = Capabilities::PROTOCOL_41;
        let error = ErrPacket::new(code, &state, message.clone());
        let payload = encoded(|out| error.encode(caps, out));
        prop_assert_eq!(ErrPacket::decode(&payload, caps), Ok(error));
        let eof = EofPacket { warnings, status: StatusFlags::from_wire(bits) };
        prop_assert_eq!(EofPacket::decode(&encoded(|out| eof.encode(caps, out)), caps), Ok(eof));
        let request = LocalInfile { file_name: message };
        prop_assert_eq!(LocalInfile::decode(&encoded(|out| request.encode(caps, out)), caps), Ok(request));
    }

    #[test]
    fn greetings_come_back(
        caps in login_caps(),
        server_version in "[ -~]{0,40}",
        (connection_id, nonce, collation, status) in any::<(u32, [u8; 20], u8, u16)>(),
        plugin in "[a-z_]{1,30}",
    ) {
        let plugin = if caps.contains(Capabilities::PLUGIN_AUTH) { plugin } else { String::new() };
        let status = StatusFlags::from_wire(status);
        let greeting = Greeting { server_version, connection_id, nonce, capabilities: caps, collation, status, plugin };
        prop_assert_eq!(Greeting::decode(&encoded(|out| greeting.encode(out))), Ok(greeting));
    }

    #[test]
    fn logins_come_back(login in login()) {
        let payload = encoded(|out| login.encode(out));
        prop_assert_eq!(Login::decode(&payload), Ok(login.clone()));
        let Login { capabilities, max_packet, collation, .. } = login;
        prop_assert_eq!(SslRequest::decode(&payload), Ok(SslRequest { capabilities, max_packet, collation }));
    }

    #[test]
    fn user_changes_come_back(
        caps in login_caps(),
        (user, auth_response, database) in (name(), bytes_up_to(255), name()),
        collation in option::of(any::<u16>()),
        plugin in "[a-z_]{1,30}",
        attributes in attributes(),
    ) {
        let has = |flag| collation.is_some() && caps.contains(flag);
        let plugin = has(Capabilities::PLUGIN_AUTH).then_some(plugin);
        let attributes = if has(Capabilities::CONNECT_ATTRS) { attributes } else { Vec::new() };
        let packet = ChangeUser { user, auth_response, database, collation, plugin, attributes };
        prop_assert_eq!(ChangeUser::decode(&encoded(|out| packet.encode(caps, out)), caps), Ok(packet));
    }

    #[test]
    fn authentication_packets_come_back(plugin in "[a-z_]{1,30}", data in bytes_up_to(40)) {
        let more = AuthMore { data: data.clone() };
        prop_assert_eq!(AuthMore::decode(&encoded(|out| more.encode(out))), Ok(more));
        // 21 bytes of which the last is NUL are a nonce of 20 and its NUL.
        prop_assume!(data.len() != 21 || data.last() != Some(&0));
        let switch = AuthSwitch { plugin, data };
        prop_assert_eq!(AuthSwitch::decode(&encoded(|out| switch.encode(out))), Ok(switch));
    }

    #[test]
    fn prepared_statements_and_columns_come_back(
        caps in caps(),
        (statement_id, columns, params, warnings, metadata_follows) in any::<(u32, u16, u16, u16, bool)>(),
        names in vec(bytes_up_to(300), 6),
        (collation, length, kind, flags, decimals) in any::<(u16, u32, u8, u16, u8)>(),
    ) {
        let metadata_follows = metadata_follows || !caps.contains(Capabilities::OPTIONAL_RESULTSET_METADATA);
        let head = PrepareOk { statement_id, columns, params, warnings, metadata_follows };
        prop_assert_eq!(PrepareOk::decode(&encoded(|out| head.encode(caps, out)), caps), Ok(head));
        let [schema, table, org_table, name, org_name, extended] = names.try_into().unwrap();
        let extended = if caps.contains(Capabilities::EXTENDED_METADATA) { extended } else { Vec::new() };
        let column = ColumnDefinition {
            schema, table, org_table, name, org_name, extended, collation, length, kind, flags, decimals,
        };
        prop_assert_eq!(ColumnDefinition::decode(&encoded(|out| column.encode(caps, out)), caps), Ok(column));
    }

    #[test]
    fn executions_keep_their_values(
        client_id: u32,
        server_id: u32,
        types in vec(any::<(u8, u8)>(), 1..20),
        values in bytes_up_to(100),
        bound: bool,
    ) {
        let mut payload = vec![0x17];
        payload.extend_from_slice(&client_id.to_le_bytes());
        payload.extend_from_slice(&[0, 1, 0, 0, 0]);
        payload.resize(10 + types.len().div_ceil(8), 0);
        payload.push(u8::from(bound));
        if bound {
            payload.extend(types.iter().flat_map(|&(kind, flags)| [kind, flags]));
        }
        payload.extend_from_slice(&values);
        let count = u16::try_from(types.len()).unwrap();
        let view = ExecuteView::parse(&payload, count, Capabilities::empty()).unwrap();
        prop_assert_eq!(&payload[view.values..], &values);
        let mut out = BytesMut::new();
        rewrite_execute(&payload, &view, server_id, &types, &mut out).unwrap();
        let served = ExecuteView::parse(&out, count, Capabilities::empty()).unwrap();
        prop_assert_eq!((served.statement_id, served.new_params_bound, &served.types), (server_id, true, &types));
        prop_assert_eq!(&out[served.values..], &values);
    }

    #[test]
    fn any_split_gives_the_same_packets(
        payloads in vec(bytes_up_to(50), 0..6),
        first: u8,
        cuts in vec(any::<prop::sample::Index>(), 0..20),
        max in 0_usize..60,
    ) {
        let mut stream = BytesMut::new();
        let mut sequence = first;
        for payload in &payloads {
            sequence = write_frames(&mut stream, payload, sequence);
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        prop_assert_eq!(deframe(&stream, &cuts, first, max), deframe(&stream, &[], first, max));
        if payloads.iter().all(|payload| payload.len() <= max) {
            let packets = deframe(&stream, &cuts, first, max).unwrap();
            prop_assert!(packets.iter().map(|packet| packet.payload.to_vec()).eq(payloads));
        }
    }

    #[test]
    fn any_bytes_in_any_pieces_scan_the_same(
        payloads in vec(answer_payload(), 1..12),
        shape in shape(),
        caps in caps(),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stream = support::frames(&payloads, 1);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let scan = |cuts: &[usize]| {
            let (mut events, rest) = scan_in_pieces(&mut ResponseScanner::new(shape, caps, 1), &stream, cuts, 5);
            if !matches!(events.last(), Some(Event::Violation(_))) {
                return (events, rest);
            }
            // How much was passed over before a violation depends on the pieces; the connection is lost anyway.
            events.retain(|event| !matches!(event, Event::Opaque(_)));
            (events, Vec::new())
        };
        prop_assert_eq!(scan(&cuts), scan(&[]));
    }
}

fn deframe(stream: &[u8], cuts: &[usize], first: u8, max: usize) -> Result<Vec<Packet>, FrameError> {
    let mut deframer = Deframer::new(max);
    deframer.expect(first);
    let mut packets = Vec::new();
    let mut buf = BytesMut::new();
    let mut at = 0;
    for &cut in cuts.iter().chain([&stream.len()]) {
        buf.extend_from_slice(&stream[at..cut]);
        at = cut;
        while let Some(packet) = deframer.next(&mut buf)? {
            packets.push(packet);
        }
    }
    assert!(buf.is_empty() && !deframer.is_amid_packet());
    Ok(packets)
}

proptest! {
    #[test]
    fn proxy_headers_come_back(four in any::<bool>(), bits in any::<u128>(), port in any::<u16>(), rest in bytes_up_to(20)) {
        use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
        use tideover_protocol::proxy_header::{Front, Version, read, write};
        let [a, b, c, d, ..] = bits.to_le_bytes();
        let address = if four {
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        } else {
            IpAddr::V6(Ipv6Addr::from(bits))
        };
        let client = SocketAddr::new(address, port);
        for version in [Version::V1, Version::V2] {
            let header = write(version, client);
            let whole = [header.clone(), rest.clone()].concat();
            prop_assert_eq!(read(&whole), Ok(Front::Header { len: header.len(), client: Some(client) }));
            for cut in 0..header.len() {
                prop_assert_eq!(read(&header[..cut]), Ok(Front::Incomplete));
            }
        }
    }

    #[test]
    fn anything_in_front_is_read_or_refused(head in 0usize..3, mut bytes in bytes_up_to(300)) {
        use tideover_protocol::proxy_header::{Front, read};
        let begin: &[u8] = [&b""[..], b"PROXY TCP4 ", b"\r\n\r\n\0\r\nQUIT\n\x21"][head];
        bytes.splice(..0, begin.iter().copied());
        if let Ok(Front::Header { len, .. }) = read(&bytes) {
            prop_assert!(len <= bytes.len());
        }
        let _ = tideover_protocol::auth::CertificateNames::read(&bytes);
    }

    /// However a server numbers an answer inside compressed packets, it is scanned like one that is numbered as due.
    #[test]
    fn numbers_of_compressed_answers_do_not_matter(
        shape in shape(),
        caps in caps(),
        payloads in vec(answer_payload(), 1..12),
        numbers in vec(1_u8..=255, 12),
        cuts in vec(0_usize..400, 0..6),
    ) {
        let frame = |number: u8, payload: &Vec<u8>| {
            let [a, b, c, ..] = payload.len().to_le_bytes();
            [&[a, b, c, number], payload.as_slice()].concat()
        };
        let due: Vec<u8> = (1_u8..).zip(&payloads).flat_map(|(at, payload)| frame(at, payload)).collect();
        let other: Vec<u8> = numbers.iter().zip(&payloads).flat_map(|(at, payload)| frame(*at, payload)).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(due.len())).collect();
        cuts.sort_unstable();
        let (wanted, _) = scan_in_pieces(&mut ResponseScanner::new(shape, caps, 1), &due, &cuts, 0);
        // The numbers go on from what the client says then, not from here.
        prop_assume!(!controls(&wanted).iter().any(|c| matches!(c, Control::LocalInfile | Control::Auth)));
        let found = scan_renumbered(&mut ResponseScanner::new(shape, caps, 1), &other, &cuts);
        prop_assert_eq!(found, wanted);
    }
}

/// Payloads that lead deep into the scanner's states.
fn answer_payload() -> impl Strategy<Value = Vec<u8>> {
    let marker = prop_oneof![Just(0_u8), Just(1), Just(2), Just(0xfb), Just(0xfe), Just(0xff), any::<u8>()];
    prop_oneof![
        (marker, bytes_up_to(20)).prop_map(|(first, mut rest)| {
            rest.insert(0, first);
            rest
        }),
        (0_u8..4).prop_map(|count| vec![count]),
        Just(vec![0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]),
        Just(vec![0xfe, 0, 0, 0x08, 0]),
        Just(vec![0xfe, 0, 0, 0x08, 0, 0, 0]),
        Just(vec![0xfe, 0, 0, 0x40, 0]),
        Just(vec![0, 0, 0, 0x08, 0, 0, 0]),
    ]
}

fn shape() -> impl Strategy<Value = ResponseShape> {
    prop_oneof![
        4 => any::<bool>().prop_map(|cursor| ResponseShape::ResultSets { cursor }),
        1 => Just(ResponseShape::Simple),
        2 => Just(ResponseShape::Prepare),
        1 => Just(ResponseShape::FieldList),
        1 => Just(ResponseShape::Fetch),
        1 => Just(ResponseShape::Statistics),
        1 => Just(ResponseShape::BinlogStream),
        1 => Just(ResponseShape::ChangeUser),
    ]
}
