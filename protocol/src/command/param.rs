//! Parameter types and values of the binary protocol.

use crate::wire::{DecodeError, Reader};

/// Type of a parameter: the type code (`MYSQL_TYPE_*`) and a flag byte whose bit 0x80 says unsigned.
pub type ParamType = (u8, u8);

/// Passes over one value of type `kind`. Values of types that a client cannot send are an error.
pub(super) fn skip_value(reader: &mut Reader<'_>, kind: u8) -> Result<(), DecodeError> {
    let fixed = match kind {
        // NULL
        0x06 => 0,
        // TINY
        0x01 => 1,
        // SHORT, YEAR
        0x02 | 0x0d => 2,
        // LONG, FLOAT, INT24
        0x03 | 0x04 | 0x09 => 4,
        // DOUBLE, LONGLONG
        0x05 | 0x08 => 8,
        // DATE, TIME, DATETIME, TIMESTAMP and their variants: a length byte in front
        0x07 | 0x0a | 0x0b | 0x0c | 0x0e | 0x11 | 0x12 | 0x13 => usize::from(reader.u8()?),
        // DECIMAL, VARCHAR, BIT, JSON, NEWDECIMAL, ENUM, SET, blobs and strings, GEOMETRY
        0x00 | 0x0f | 0x10 | 0xf2 | 0xf5..=0xff => return reader.lenenc_bytes().map(|_| ()),
        _ => return Err(DecodeError::Invalid("a parameter of unknown type")),
    };
    reader.bytes(fixed).map(|_| ())
}

/// True if bit `index` of a NULL bitmap is set.
pub(super) fn is_null(bitmap: &[u8], index: usize) -> bool {
    bitmap.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
}
