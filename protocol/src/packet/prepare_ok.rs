use bytes::{BufMut, BytesMut};

use super::expect_header;
use crate::capability::Capabilities;
use crate::wire::{DecodeError, Reader};

/// COM_STMT_PREPARE_OK: the head of the answer to COM_STMT_PREPARE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrepareOk {
    /// The server's id of the statement.
    pub statement_id: u32,
    /// Columns of its result set; 0 for none.
    pub columns: u16,
    /// Placeholders.
    pub params: u16,
    /// Warnings of the preparation.
    pub warnings: u16,
    /// False when the server leaves the definitions out (MySQL, OPTIONAL_RESULTSET_METADATA).
    pub metadata_follows: bool,
}

impl PrepareOk {
    /// Decodes a payload that starts with 0x00.
    pub fn decode(payload: &[u8], caps: Capabilities) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        expect_header(&mut reader, 0x00, "COM_STMT_PREPARE_OK")?;
        let statement_id = reader.u32()?;
        let columns = reader.u16()?;
        let params = reader.u16()?;
        reader.u8()?;
        let warnings = reader.u16()?;
        let optional = caps.contains(Capabilities::OPTIONAL_RESULTSET_METADATA) && !reader.is_empty();
        let metadata_follows = !optional || reader.u8()? != 0;
        Ok(Self { statement_id, columns, params, warnings, metadata_follows })
    }

    /// Appends the payload.
    pub fn encode(&self, caps: Capabilities, out: &mut BytesMut) {
        out.put_u8(0x00);
        out.put_u32_le(self.statement_id);
        out.put_u16_le(self.columns);
        out.put_u16_le(self.params);
        out.put_u8(0);
        out.put_u16_le(self.warnings);
        if caps.contains(Capabilities::OPTIONAL_RESULTSET_METADATA) {
            out.put_u8(u8::from(self.metadata_follows));
        }
    }
}
