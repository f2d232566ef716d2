use std::fmt;

use super::varlen;
use crate::wire::{DecodeError, Reader};

/// A GTID of MySQL. Shown as session tracking reports it: `uuid:number` or `uuid:tag:number`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MysqlGtid {
    /// UUID of the server where the transaction was committed first (or of the group).
    pub uuid: [u8; 16],
    /// Tag, empty for most.
    pub tag: Vec<u8>,
    /// Number within UUID and tag, from 1.
    pub number: u64,
}

impl MysqlGtid {
    /// From the body of a Gtid event (0x21).
    pub(super) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        reader.u8()?;
        Ok(Self { uuid: reader.array()?, tag: Vec::new(), number: reader.u64()? })
    }

    /// From the body of a Gtid_tagged event (0x2a): a version, a size, the last field that must be understood, then
    /// fields with a number each: 0 flags, 1 UUID (16 integers), 2 number, 3 tag.
    pub(super) fn decode_tagged(body: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        for _ in 0..3 {
            varlen::unsigned(&mut reader)?;
        }
        field(&mut reader, 0)?;
        varlen::unsigned(&mut reader)?;
        field(&mut reader, 1)?;
        let mut uuid = [0; 16];
        for byte in &mut uuid {
            let value = varlen::unsigned(&mut reader)?;
            *byte = u8::try_from(value).map_err(|_| DecodeError::Invalid("a byte of a UUID above 255"))?;
        }
        field(&mut reader, 2)?;
        let number = u64::try_from(varlen::signed(&mut reader)?)
            .map_err(|_| DecodeError::Invalid("a negative transaction number"))?;
        field(&mut reader, 3)?;
        let length = varlen::unsigned(&mut reader)?;
        let tag = reader.bytes(usize::try_from(length).unwrap_or(usize::MAX))?.to_vec();
        Ok(Self { uuid, tag, number })
    }
}

fn field(reader: &mut Reader<'_>, expected: u64) -> Result<(), DecodeError> {
    if varlen::unsigned(reader)? == expected {
        return Ok(());
    }
    Err(DecodeError::Invalid("a tagged GTID event lacks a field"))
}

impl fmt::Display for MysqlGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.uuid.iter().enumerate() {
            let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        if !self.tag.is_empty() {
            write!(f, ":{}", String::from_utf8_lossy(&self.tag))?;
        }
        write!(f, ":{}", self.number)
    }
}
