//! Packets of servers: what can be decoded comes back the same when encoded and decoded again.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use tideover_protocol::capability::Capabilities;
use tideover_protocol::packet::{
    AuthMore, AuthSwitch, ColumnDefinition, EofPacket, ErrPacket, Greeting, LocalInfile, OkPacket, PrepareOk,
};
use tideover_protocol::status::StatusFlags;

macro_rules! round_trip {
    ($packet:ty, $payload:expr $(, $caps:expr)?) => {
        if let Ok(packet) = <$packet>::decode($payload $(, $caps)?) {
            let mut out = BytesMut::new();
            packet.encode($($caps,)? &mut out);
            assert_eq!(<$packet>::decode(&out $(, $caps)?).as_ref(), Ok(&packet));
        }
    };
}

fuzz_target!(|data: &[u8]| {
    let Some((&flags, payload)) = data.split_first() else { return };
    let mut caps = Capabilities::PROTOCOL_41;
    caps.set(Capabilities::SESSION_TRACK, flags & 1 != 0);
    caps.set(Capabilities::OPTIONAL_RESULTSET_METADATA, flags & 2 != 0);
    caps.set(Capabilities::EXTENDED_METADATA, flags & 4 != 0);
    round_trip!(Greeting, payload);
    round_trip!(AuthMore, payload);
    round_trip!(EofPacket, payload, caps);
    round_trip!(ErrPacket, payload, caps);
    round_trip!(LocalInfile, payload, caps);
    round_trip!(PrepareOk, payload, caps);
    round_trip!(ColumnDefinition, payload, caps);
    let _ = AuthSwitch::decode(payload);
    if let Ok(mut packet) = OkPacket::decode(payload, caps) {
        packet.status.set(StatusFlags::SESSION_STATE_CHANGED, !packet.track.is_empty());
        let mut out = BytesMut::new();
        packet.encode(caps, &mut out);
        assert_eq!(OkPacket::decode(&out, caps).as_ref(), Ok(&packet));
    }
});
