use bytes::{BufMut, BytesMut};

use super::text;
use crate::capability::Capabilities;
use crate::status::StatusFlags;
use crate::wire::{DecodeError, Reader, put_nul_bytes};

/// The version of the greeting that every server since 3.21 sends.
const PROTOCOL_VERSION: u8 = 10;

/// HandshakeV10: what a server says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Version text. MariaDB puts `5.5.5-` in front of its own up to 10.x.
    pub server_version: String,
    /// The connection's id, as KILL takes it.
    pub connection_id: u32,
    /// 20 random bytes, none of them NUL, for the password plugins.
    pub nonce: [u8; 20],
    /// Capabilities of the server.
    pub capabilities: Capabilities,
    /// Default collation id.
    pub collation: u8,
    /// Server status.
    pub status: StatusFlags,
    /// Default authentication plugin; empty without PLUGIN_AUTH.
    pub plugin: String,
}

impl Greeting {
    /// Decodes a payload that starts with 0x0a.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        super::expect_header(&mut reader, PROTOCOL_VERSION, "greeting of version 10")?;
        let server_version = text(reader.nul_bytes()?);
        let connection_id = reader.u32()?;
        let mut nonce = [0; 20];
        let (first, second) = nonce.split_at_mut(8);
        first.copy_from_slice(reader.bytes(8)?);
        reader.u8()?;
        let low = u32::from(reader.u16()?);
        let collation = reader.u8()?;
        let status = StatusFlags::from_wire(reader.u16()?);
        let low = low | (u32::from(reader.u16()?) << 16);
        let nonce_len = usize::from(reader.u8()?);
        reader.bytes(6)?;
        let extended = reader.u32()?;
        let mysql = Capabilities::from_halves(low, 0).contains(Capabilities::LONG_PASSWORD);
        let capabilities = Capabilities::from_halves(low, if mysql { 0 } else { extended });
        if !capabilities.contains(Capabilities::PROTOCOL_41 | Capabilities::SECURE_CONNECTION) {
            return Err(DecodeError::Invalid("the server does not speak the protocol of MySQL 4.1"));
        }
        // The second part has at least 13 bytes: 12 of the nonce and a NUL.
        let rest = reader.bytes(nonce_len.saturating_sub(8).max(13))?;
        second.copy_from_slice(rest.get(..12).ok_or(DecodeError::Truncated { missing: 1 })?);
        let plugin = if capabilities.contains(Capabilities::PLUGIN_AUTH) {
            text(reader.nul_bytes_or_rest())
        } else {
            String::new()
        };
        Ok(Self { server_version, connection_id, nonce, capabilities, collation, status, plugin })
    }

    /// Appends the payload. MariaDB's flags go out only with `LONG_PASSWORD` clear.
    pub fn encode(&self, out: &mut BytesMut) {
        let [a, b, c, d] = self.capabilities.low().to_le_bytes();
        let (first, second) = self.nonce.split_at(8);
        out.put_u8(PROTOCOL_VERSION);
        put_nul_bytes(out, self.server_version.as_bytes());
        out.put_u32_le(self.connection_id);
        out.put_slice(first);
        out.put_u8(0);
        out.put_slice(&[a, b]);
        out.put_u8(self.collation);
        out.put_u16_le(self.status.bits());
        out.put_slice(&[c, d]);
        out.put_u8(21);
        out.put_bytes(0, 6);
        let extended = !self.capabilities.contains(Capabilities::LONG_PASSWORD);
        out.put_u32_le(if extended { self.capabilities.high() } else { 0 });
        put_nul_bytes(out, second);
        if self.capabilities.contains(Capabilities::PLUGIN_AUTH) {
            put_nul_bytes(out, self.plugin.as_bytes());
        }
    }

    /// True when the far end is MariaDB (or a proxy that says so).
    pub fn is_mariadb(&self) -> bool {
        self.server_version.starts_with("5.5.5-") || self.server_version.contains("MariaDB")
    }
}
