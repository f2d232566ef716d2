use bytes::{BufMut, BytesMut};

use super::expect_header;
use crate::capability::Capabilities;
use crate::status::StatusFlags;
use crate::wire::{DecodeError, Reader};

/// EOF, the classic end of metadata and rows (without DEPRECATE_EOF).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EofPacket {
    /// Warnings of the statement so far.
    pub warnings: u16,
    /// Server status.
    pub status: StatusFlags,
}

impl EofPacket {
    /// Decodes a payload that starts with 0xfe and has at most 8 bytes. The bare byte of ancient servers is all zeros.
    pub fn decode(payload: &[u8], _caps: Capabilities) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        expect_header(&mut reader, 0xfe, "EOF")?;
        if payload.len() > 8 {
            return Err(DecodeError::Invalid("an EOF packet has at most 8 bytes"));
        }
        if reader.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self { warnings: reader.u16()?, status: StatusFlags::from_wire(reader.u16()?) })
    }

    /// Appends the payload.
    pub fn encode(&self, _caps: Capabilities, out: &mut BytesMut) {
        out.put_u8(0xfe);
        out.put_u16_le(self.warnings);
        out.put_u16_le(self.status.bits());
    }
}
