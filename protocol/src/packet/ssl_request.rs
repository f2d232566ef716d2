use bytes::{BufMut, BytesMut};

use crate::capability::Capabilities;
use crate::wire::{DecodeError, Reader};

/// SSLRequest: the head of a login, sent before TLS starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SslRequest {
    /// Capabilities of the login that will follow, SSL among them.
    pub capabilities: Capabilities,
    /// Largest packet that the client wants, in bytes.
    pub max_packet: u32,
    /// Collation id.
    pub collation: u8,
}

impl SslRequest {
    /// Bytes of the payload; a login starts with the same bytes.
    pub const LEN: usize = 32;

    /// Decodes the first [`SslRequest::LEN`] bytes of a payload, be it a request for TLS or a whole login.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new(payload))
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let low = Capabilities::from_halves(reader.u32()?, 0);
        if !low.contains(Capabilities::PROTOCOL_41) {
            return Err(DecodeError::Invalid("the client does not speak the protocol of MySQL 4.1"));
        }
        let max_packet = reader.u32()?;
        let collation = reader.u8()?;
        reader.bytes(19)?;
        let extended = reader.u32()?;
        let high = if low.contains(Capabilities::LONG_PASSWORD) { 0 } else { extended };
        Ok(Self { capabilities: Capabilities::from_halves(low.low(), high), max_packet, collation })
    }

    /// Appends the payload. MariaDB's flags go out only with `LONG_PASSWORD` clear.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u32_le(self.capabilities.low());
        out.put_u32_le(self.max_packet);
        out.put_u8(self.collation);
        out.put_bytes(0, 19);
        let extended = !self.capabilities.contains(Capabilities::LONG_PASSWORD);
        out.put_u32_le(if extended { self.capabilities.high() } else { 0 });
    }
}
