use bytes::{BufMut, BytesMut};

use super::attributes::{self, Attributes};
use super::{SslRequest, text};
use crate::capability::Capabilities;
use crate::wire::{DecodeError, Reader, put_lenenc_bytes, put_nul_bytes};

/// HandshakeResponse41: the client's login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Capabilities that the client wants; extended ones count only without LONG_PASSWORD.
    pub capabilities: Capabilities,
    /// Largest packet that the client wants, in bytes.
    pub max_packet: u32,
    /// Collation id.
    pub collation: u8,
    /// Account name, in the character set of `collation`.
    pub user: Vec<u8>,
    /// The plugin's answer to the nonce.
    pub auth_response: Vec<u8>,
    /// Default database.
    pub database: Option<Vec<u8>>,
    /// The plugin that made `auth_response`.
    pub plugin: Option<String>,
    /// Connection attributes in the order of the wire.
    pub attributes: Attributes,
    /// Level for zstd compression, 0 without.
    pub zstd_level: u8,
}

impl Login {
    /// Decodes a login by the capabilities that stand in it, as servers do.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let SslRequest { capabilities: caps, max_packet, collation } = SslRequest::read(&mut reader)?;
        let user = reader.nul_bytes()?.to_vec();
        let auth_response = if caps.contains(Capabilities::PLUGIN_AUTH_LENENC) {
            reader.lenenc_bytes()?.to_vec()
        } else if caps.contains(Capabilities::SECURE_CONNECTION) {
            let length = usize::from(reader.u8()?);
            reader.bytes(length)?.to_vec()
        } else {
            reader.nul_bytes_or_rest().to_vec()
        };
        let database =
            caps.contains(Capabilities::CONNECT_WITH_DB).then(|| reader.nul_bytes_or_rest().to_vec());
        let plugin = caps.contains(Capabilities::PLUGIN_AUTH).then(|| text(reader.nul_bytes_or_rest()));
        let attributes = if caps.contains(Capabilities::CONNECT_ATTRS) {
            attributes::decode(&mut reader)?
        } else {
            Vec::new()
        };
        let zstd = caps.contains(Capabilities::ZSTD_COMPRESSION) && !reader.is_empty();
        let zstd_level = if zstd { reader.u8()? } else { 0 };
        Ok(Self {
            capabilities: caps,
            max_packet,
            collation,
            user,
            auth_response,
            database: database.filter(|name| !name.is_empty()),
            plugin: plugin.filter(|name| !name.is_empty()),
            attributes,
            zstd_level,
        })
    }

    /// Appends the payload. Fields whose capability is not set are left out.
    pub fn encode(&self, out: &mut BytesMut) {
        let caps = self.capabilities;
        SslRequest { capabilities: caps, max_packet: self.max_packet, collation: self.collation }.encode(out);
        put_nul_bytes(out, &self.user);
        if caps.contains(Capabilities::PLUGIN_AUTH_LENENC) {
            put_lenenc_bytes(out, &self.auth_response);
        } else if caps.contains(Capabilities::SECURE_CONNECTION) {
            let length = u8::try_from(self.auth_response.len()).unwrap_or(u8::MAX);
            out.put_u8(length);
            out.put_slice(self.auth_response.get(..usize::from(length)).unwrap_or_default());
        } else {
            put_nul_bytes(out, &self.auth_response);
        }
        if caps.contains(Capabilities::CONNECT_WITH_DB) {
            put_nul_bytes(out, self.database.as_deref().unwrap_or_default());
        }
        if caps.contains(Capabilities::PLUGIN_AUTH) {
            put_nul_bytes(out, self.plugin.as_deref().unwrap_or_default().as_bytes());
        }
        if caps.contains(Capabilities::CONNECT_ATTRS) {
            attributes::encode(&self.attributes, out);
        }
        if caps.contains(Capabilities::ZSTD_COMPRESSION) {
            out.put_u8(self.zstd_level);
        }
    }
}
