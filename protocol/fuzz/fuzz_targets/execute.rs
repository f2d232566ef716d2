//! Commands of clients: taken apart and rewritten.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::command::{
    CommandKind, ExecuteView, query_text, rewrite_bulk, rewrite_execute, rewrite_statement_id, statement_id,
};
use tideover_protocol::packet::ChangeUser;

const TYPES: [(u8, u8); 4] = [(3, 0), (0xfd, 0), (8, 0x80), (6, 0)];

fn execution(payload: &[u8], params: u16, caps: Capabilities) {
    let Ok(view) = ExecuteView::parse(payload, params, caps) else { return };
    assert!(view.values <= payload.len() && view.null_bitmap.end <= view.values);
    let mut out = BytesMut::new();
    let types = TYPES.get(..view.param_count).unwrap_or_default();
    if rewrite_execute(payload, &view, 77, types, &mut out).is_err() {
        assert!(!view.new_params_bound && view.param_count > TYPES.len());
        return;
    }
    let served = ExecuteView::parse(&out, params, caps).expect("a rewritten execution can be parsed");
    assert_eq!((served.statement_id, served.flags, served.param_count), (77, view.flags, view.param_count));
    assert_eq!(out[served.values..], payload[view.values..]);
    assert!(served.new_params_bound || view.param_count == 0);
    if view.new_params_bound {
        assert_eq!(served.types, view.types);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[params, flags], payload)) = data.split_first_chunk() else { return };
    let mut caps = Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION | Capabilities::CONNECT_ATTRS;
    caps.set(Capabilities::QUERY_ATTRIBUTES, flags & 1 != 0);
    caps.set(Capabilities::PLUGIN_AUTH, flags & 2 != 0);
    let _ = CommandKind::shape_of(payload);
    if let Ok(text) = query_text(payload, caps) {
        assert!(text.start >= 1 && text.end == payload.len() && text.start <= text.end);
    }
    if let Ok(id) = statement_id(payload) {
        let mut changed = payload.to_vec();
        assert!(rewrite_statement_id(&mut changed, !id).is_ok());
        assert_eq!(statement_id(&changed), Ok(!id));
    }
    let _ = rewrite_bulk(payload, 7, &TYPES, &mut BytesMut::new());
    if let Ok(packet) = ChangeUser::decode(payload, caps) {
        let mut out = BytesMut::new();
        packet.encode(caps, &mut out);
        let again = ChangeUser::decode(&out, caps).expect("an encoded packet can be decoded");
        assert_eq!(again.user, packet.user);
    }
    execution(payload, u16::from(params), caps);
});
