//! Integers of variable length as MySQL's serialization library writes them (since 8.3, in tagged GTID events and sets): as
//! many one bits at the low end of the first byte as bytes follow, then a zero bit, then the value.

use crate::wire::{DecodeError, Reader};

/// Takes an unsigned integer.
pub(super) fn unsigned(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let first = reader.u8()?;
    let more = first.trailing_ones();
    let rest = reader.bytes(usize::try_from(more).unwrap_or_default())?;
    let high = rest.iter().rev().fold(0_u64, |value, &byte| (value << 8) | u64::from(byte));
    Ok(match more {
        0..7 => (u64::from(first) >> (more + 1)) | (high << (7 - more)),
        _ => high,
    })
}

/// Takes a signed integer: the sign is the lowest bit, and flips all others.
pub(super) fn signed(reader: &mut Reader<'_>) -> Result<i64, DecodeError> {
    let raw = unsigned(reader)?;
    let value = i64::from_le_bytes((raw >> 1).to_le_bytes());
    Ok(if raw & 1 == 0 { value } else { !value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_and_many() {
        let read = |bytes: &[u8]| unsigned(&mut Reader::new(bytes));
        assert_eq!(read(&[0]), Ok(0));
        assert_eq!(read(&[0xfe]), Ok(127));
        assert_eq!(read(&[0b01, 0b10]), Ok(128));
        assert_eq!(read(&[0b11, 0xff, 0xff]), Ok(0x1f_ffe0));
        assert_eq!(read(&[0xff; 9]), Ok(u64::MAX));
        assert!(read(&[0xff, 1]).is_err());
        assert_eq!(signed(&mut Reader::new(&[0b10])), Ok(-1));
        assert_eq!(signed(&mut Reader::new(&[0b100])), Ok(1));
    }
}
