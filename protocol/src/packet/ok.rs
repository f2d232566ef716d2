use bytes::{BufMut, BytesMut};

use super::SessionTrack;
use crate::capability::Capabilities;
use crate::status::StatusFlags;
use crate::wire::{DecodeError, Reader, put_lenenc_bytes, put_lenenc_int};

/// OK: a statement succeeded; with DEPRECATE_EOF also the end of rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OkPacket {
    /// Rows changed (or found, with FOUND_ROWS).
    pub affected_rows: u64,
    /// First AUTO_INCREMENT value that the statement made, 0 for none.
    pub last_insert_id: u64,
    /// Server status. `SESSION_STATE_CHANGED` in it follows `track` when encoding.
    pub status: StatusFlags,
    /// Warnings of the statement.
    pub warnings: u16,
    /// Text for people, such as `Rows matched: 1  Changed: 1  Warnings: 0`.
    pub info: Vec<u8>,
    /// Session-track items, in order.
    pub track: Vec<SessionTrack>,
}

impl OkPacket {
    /// Decodes a payload that starts with 0x00, or with 0xfe when it ends rows. The form of what follows the warnings
    /// depends on SESSION_TRACK.
    pub fn decode(payload: &[u8], caps: Capabilities) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let header = reader.u8()?;
        if header != 0x00 && header != 0xfe {
            return Err(DecodeError::WrongPacket { expected: "OK", got: header });
        }
        let mut packet = Self {
            affected_rows: reader.lenenc_int()?,
            last_insert_id: reader.lenenc_int()?,
            status: StatusFlags::from_wire(reader.u16()?),
            warnings: reader.u16()?,
            ..Self::default()
        };
        if !caps.contains(Capabilities::SESSION_TRACK) {
            packet.info = bare_info(reader).to_vec();
            return Ok(packet);
        }
        if !reader.is_empty() {
            packet.info = reader.lenenc_bytes()?.to_vec();
        }
        if packet.status.contains(StatusFlags::SESSION_STATE_CHANGED) && !reader.is_empty() {
            SessionTrack::decode_all(reader.lenenc_bytes()?, &mut packet.track)?;
        }
        Ok(packet)
    }

    /// Appends the payload with header 0x00.
    pub fn encode(&self, caps: Capabilities, out: &mut BytesMut) {
        self.encode_with(0x00, caps, out);
    }

    /// Appends the payload with header 0xfe, as the end of rows on a connection with DEPRECATE_EOF.
    pub fn encode_as_end(&self, caps: Capabilities, out: &mut BytesMut) {
        self.encode_with(0xfe, caps, out);
    }

    fn encode_with(&self, header: u8, caps: Capabilities, out: &mut BytesMut) {
        let tracks = caps.contains(Capabilities::SESSION_TRACK);
        let changed = tracks && !self.track.is_empty();
        let mut status = self.status;
        status.set(StatusFlags::SESSION_STATE_CHANGED, changed);
        out.put_u8(header);
        put_lenenc_int(out, self.affected_rows);
        put_lenenc_int(out, self.last_insert_id);
        out.put_u16_le(status.bits());
        out.put_u16_le(self.warnings);
        if changed || !self.info.is_empty() {
            put_lenenc_bytes(out, &self.info);
        }
        if changed {
            SessionTrack::encode_all(&self.track, out);
        }
    }

    /// The value that the item for system variable `name` has, the last if several.
    pub fn system_variable(&self, name: &str) -> Option<&[u8]> {
        self.track.iter().rev().find_map(|item| match item {
            SessionTrack::SystemVariable { name: have, value } if have == name.as_bytes() => Some(&**value),
            _ => None,
        })
    }
}

/// The text of an OK packet without SESSION_TRACK. The manual says "rest of the packet"; servers and clients put a
/// length in front all the same. Both are understood, the servers' form is what we send.
fn bare_info(mut reader: Reader<'_>) -> &[u8] {
    let whole = reader.rest();
    match reader.lenenc_bytes() {
        Ok(text) if reader.is_empty() => text,
        _ => whole,
    }
}
