use std::fmt;

use bytes::{BufMut, BytesMut};

use super::expect_header;
use crate::capability::Capabilities;
use crate::wire::{DecodeError, Reader};

/// SQLSTATE of an error that has no other.
const GENERAL: [u8; 5] = *b"HY000";

/// ERR: the statement, or the login, failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrPacket {
    /// Error number of the server.
    pub code: u16,
    /// SQLSTATE.
    pub state: [u8; 5],
    /// Message, in the session's character set.
    pub message: Vec<u8>,
}

impl ErrPacket {
    /// An error of our own. `state` must have five bytes; anything else becomes `HY000`.
    pub fn new(code: u16, state: &str, message: impl Into<Vec<u8>>) -> Self {
        Self { code, state: state.as_bytes().try_into().unwrap_or(GENERAL), message: message.into() }
    }

    /// Decodes a payload that starts with 0xff. Before login servers may leave the SQLSTATE out: `HY000` then.
    pub fn decode(payload: &[u8], _caps: Capabilities) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        expect_header(&mut reader, 0xff, "ERR")?;
        let code = reader.u16()?;
        let mut state = GENERAL;
        if reader.rest().first() == Some(&b'#') && reader.remaining() > 5 {
            reader.u8()?;
            state = reader.array()?;
        }
        Ok(Self { code, state, message: reader.take_rest().to_vec() })
    }

    /// Appends the payload, with SQLSTATE if the connection has PROTOCOL_41. Use empty capabilities for an error in
    /// place of the greeting.
    pub fn encode(&self, caps: Capabilities, out: &mut BytesMut) {
        out.put_u8(0xff);
        out.put_u16_le(self.code);
        if caps.contains(Capabilities::PROTOCOL_41) {
            out.put_u8(b'#');
            out.put_slice(&self.state);
        }
        out.put_slice(&self.message);
    }

    /// The message as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.message)
    }
}

impl fmt::Display for ErrPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, String::from_utf8_lossy(&self.state), self.text())
    }
}
