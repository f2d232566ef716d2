use bytes::{BufMut, BytesMut};

use super::expect_header;
use crate::wire::{DecodeError, Reader};

/// AuthMoreData: what a plugin of the server has to say amid authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthMore {
    /// Data of the plugin. caching_sha2_password: one byte 3 (fast path agreed) or 4 (full authentication), or a
    /// public key in PEM.
    pub data: Vec<u8>,
}

impl AuthMore {
    /// caching_sha2_password: the scramble matched, an OK packet follows.
    pub const FAST_OK: u8 = 3;
    /// caching_sha2_password: the password itself is needed.
    pub const FULL_AUTHENTICATION: u8 = 4;

    /// Decodes a payload that starts with 0x01.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        expect_header(&mut reader, 0x01, "AuthMoreData")?;
        Ok(Self { data: reader.take_rest().to_vec() })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u8(0x01);
        out.put_slice(&self.data);
    }
}
