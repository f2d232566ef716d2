use bytes::{BufMut, BytesMut};

use crate::capability::Capabilities;
use crate::wire::{DecodeError, Reader, put_lenenc_bytes, put_lenenc_int};

/// Bytes of the fixed part of a column definition.
const FIXED_LEN: u64 = 12;

/// One column of a result set, or one parameter of a prepared statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// Schema name.
    pub schema: Vec<u8>,
    /// Table alias.
    pub table: Vec<u8>,
    /// Table name.
    pub org_table: Vec<u8>,
    /// Column alias.
    pub name: Vec<u8>,
    /// Column name.
    pub org_name: Vec<u8>,
    /// MariaDB's extended type information (raw), with EXTENDED_METADATA.
    pub extended: Vec<u8>,
    /// Collation id of the values.
    pub collation: u16,
    /// Largest length of a value, in bytes.
    pub length: u32,
    /// Type code (`MYSQL_TYPE_*`).
    pub kind: u8,
    /// Column flags.
    pub flags: u16,
    /// Digits after the point.
    pub decimals: u8,
}

impl ColumnDefinition {
    /// Decodes a payload. A default value at the end (COM_FIELD_LIST) is passed over.
    pub fn decode(payload: &[u8], caps: Capabilities) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        reader.lenenc_bytes()?;
        let schema = reader.lenenc_bytes()?.to_vec();
        let table = reader.lenenc_bytes()?.to_vec();
        let org_table = reader.lenenc_bytes()?.to_vec();
        let name = reader.lenenc_bytes()?.to_vec();
        let org_name = reader.lenenc_bytes()?.to_vec();
        let extended = if caps.contains(Capabilities::EXTENDED_METADATA) {
            reader.lenenc_bytes()?.to_vec()
        } else {
            Vec::new()
        };
        if reader.lenenc_int()? < FIXED_LEN {
            return Err(DecodeError::Invalid("a column definition with a short fixed part"));
        }
        Ok(Self {
            schema,
            table,
            org_table,
            name,
            org_name,
            extended,
            collation: reader.u16()?,
            length: reader.u32()?,
            kind: reader.u8()?,
            flags: reader.u16()?,
            decimals: reader.u8()?,
        })
    }

    /// Appends the payload; the catalog is `def` as servers have it.
    pub fn encode(&self, caps: Capabilities, out: &mut BytesMut) {
        put_lenenc_bytes(out, b"def");
        for text in [&self.schema, &self.table, &self.org_table, &self.name, &self.org_name] {
            put_lenenc_bytes(out, text);
        }
        if caps.contains(Capabilities::EXTENDED_METADATA) {
            put_lenenc_bytes(out, &self.extended);
        }
        put_lenenc_int(out, FIXED_LEN);
        out.put_u16_le(self.collation);
        out.put_u32_le(self.length);
        out.put_u8(self.kind);
        out.put_u16_le(self.flags);
        out.put_u8(self.decimals);
        out.put_u16_le(0);
    }
}
