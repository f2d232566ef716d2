//! The statement id in commands on prepared statements: bytes 1 to 4 in all of them.

use super::CommandKind;
use crate::wire::{DecodeError, Reader};

/// The statement id that a command names. MariaDB's 0xffffffff means the statement prepared last.
pub fn statement_id(payload: &[u8]) -> Result<u32, DecodeError> {
    check(payload)?;
    let mut reader = Reader::new(payload);
    reader.u8()?;
    reader.u32()
}

/// Puts another statement id into a command, in place.
pub fn rewrite_statement_id(payload: &mut [u8], id: u32) -> Result<(), DecodeError> {
    check(payload)?;
    let missing = 5_usize.saturating_sub(payload.len());
    let field = payload.get_mut(1..5).ok_or(DecodeError::Truncated { missing })?;
    field.copy_from_slice(&id.to_le_bytes());
    Ok(())
}

fn check(payload: &[u8]) -> Result<(), DecodeError> {
    if CommandKind::of(payload).names_statement() {
        return Ok(());
    }
    let got = payload.first().copied().unwrap_or_default();
    Err(DecodeError::WrongPacket { expected: "a command on a prepared statement", got })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_read_and_replaced() {
        let mut fetch = [0x1c, 1, 0, 0, 0, 9, 0, 0, 0];
        assert_eq!(statement_id(&fetch), Ok(1));
        rewrite_statement_id(&mut fetch, 0x0102_0304).unwrap();
        assert_eq!(fetch, [0x1c, 4, 3, 2, 1, 9, 0, 0, 0]);
        assert!(statement_id(b"\x03abcd").is_err());
        assert!(rewrite_statement_id(&mut [0x19, 1, 2], 7).is_err());
        assert!(statement_id(&[]).is_err());
    }
}
