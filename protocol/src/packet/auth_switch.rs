use bytes::{BufMut, BytesMut};

use super::{expect_header, text};
use crate::wire::{DecodeError, Reader, put_nul_bytes};

/// AuthSwitchRequest: the server asks for another authentication plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthSwitch {
    /// Name of the plugin.
    pub plugin: String,
    /// What the plugin starts from: a 20-byte nonce for the password plugins (without its closing NUL), 32 bytes for
    /// ed25519 and parsec, nothing for mysql_clear_password.
    pub data: Vec<u8>,
}

impl AuthSwitch {
    /// Decodes a payload that starts with 0xfe. The one-byte form asks for pre-4.1 passwords: plugin
    /// `mysql_old_password`, no data.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        expect_header(&mut reader, 0xfe, "AuthSwitchRequest")?;
        if reader.is_empty() {
            return Ok(Self { plugin: "mysql_old_password".to_owned(), data: Vec::new() });
        }
        let plugin = text(reader.nul_bytes()?);
        let data = match reader.take_rest() {
            [nonce @ .., 0] if nonce.len() == 20 => nonce.to_vec(),
            data => data.to_vec(),
        };
        Ok(Self { plugin, data })
    }

    /// Appends the payload; a 20-byte nonce gets its closing NUL.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(0xfe);
        put_nul_bytes(out, self.plugin.as_bytes());
        out.put_slice(&self.data);
        if self.data.len() == 20 {
            out.put_u8(0);
        }
    }
}
