use bytes::{BufMut, BytesMut};

use super::attributes::{self, Attributes};
use super::{expect_header, text};
use crate::capability::Capabilities;
use crate::wire::{DecodeError, Reader, put_nul_bytes};

/// COM_CHANGE_USER: another account on the same connection, with a fresh session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeUser {
    /// Name of the new account, in the session's character set.
    pub user: Vec<u8>,
    /// The plugin's answer to the nonce of the greeting; at most 255 bytes.
    pub auth_response: Vec<u8>,
    /// Default database; empty for none.
    pub database: Vec<u8>,
    /// Collation id; older clients leave it out.
    pub collation: Option<u16>,
    /// The plugin that made `auth_response`.
    pub plugin: Option<String>,
    /// Connection attributes.
    pub attributes: Attributes,
}

impl ChangeUser {
    /// Decodes a command payload that starts with 0x11.
    pub fn decode(payload: &[u8], caps: Capabilities) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        expect_header(&mut reader, 0x11, "COM_CHANGE_USER")?;
        let user = reader.nul_bytes()?.to_vec();
        let auth_response = if caps.contains(Capabilities::SECURE_CONNECTION) {
            let length = usize::from(reader.u8()?);
            reader.bytes(length)?.to_vec()
        } else {
            reader.nul_bytes()?.to_vec()
        };
        let database = reader.nul_bytes_or_rest().to_vec();
        let collation = if reader.remaining() >= 2 { Some(reader.u16()?) } else { None };
        let mut packet =
            Self { user, auth_response, database, collation, plugin: None, attributes: Vec::new() };
        if caps.contains(Capabilities::PLUGIN_AUTH) && !reader.is_empty() {
            packet.plugin = Some(text(reader.nul_bytes_or_rest()));
        }
        if caps.contains(Capabilities::CONNECT_ATTRS) {
            packet.attributes = attributes::decode(&mut reader)?;
        }
        Ok(packet)
    }

    /// Appends the command payload. What follows the collation is left out when there is none; a response of more than
    /// 255 bytes is cut, no plugin has one.
    pub fn encode(&self, caps: Capabilities, out: &mut BytesMut) {
        out.put_u8(0x11);
        put_nul_bytes(out, &self.user);
        if caps.contains(Capabilities::SECURE_CONNECTION) {
            let length = u8::try_from(self.auth_response.len()).unwrap_or(u8::MAX);
            out.put_u8(length);
            out.put_slice(self.auth_response.get(..usize::from(length)).unwrap_or_default());
        } else {
            put_nul_bytes(out, &self.auth_response);
        }
        put_nul_bytes(out, &self.database);
        let Some(collation) = self.collation else { return };
        out.put_u16_le(collation);
        if caps.contains(Capabilities::PLUGIN_AUTH) {
            put_nul_bytes(out, self.plugin.as_deref().unwrap_or_default().as_bytes());
        }
        if caps.contains(Capabilities::CONNECT_ATTRS) {
            attributes::encode(&self.attributes, out);
        }
    }
}
