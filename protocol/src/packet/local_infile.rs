use bytes::{BufMut, BytesMut};

use super::expect_header;
use crate::capability::Capabilities;
use crate::wire::{DecodeError, Reader};

/// LOCAL INFILE: the server wants the client to send a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalInfile {
    /// The name that stood in the statement.
    pub file_name: Vec<u8>,
}

impl LocalInfile {
    /// Decodes a payload that starts with 0xfb.
    pub fn decode(payload: &[u8], _caps: Capabilities) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        expect_header(&mut reader, 0xfb, "LOCAL INFILE")?;
        Ok(Self { file_name: reader.take_rest().to_vec() })
    }

    /// Appends the payload.
    pub fn encode(&self, _caps: Capabilities, out: &mut BytesMut) {
        out.put_u8(0xfb);
        out.put_slice(&self.file_name);
    }
}
