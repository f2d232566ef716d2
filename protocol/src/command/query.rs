use std::ops::Range;

use super::CommandKind;
use super::param::{is_null, skip_value};
use crate::capability::Capabilities;
use crate::wire::{DecodeError, Reader};

/// Where the statement text of a COM_QUERY or COM_STMT_PREPARE stands in its payload. With QUERY_ATTRIBUTES the
/// attributes, with their names and values, stand before the text of a COM_QUERY.
pub fn query_text(payload: &[u8], caps: Capabilities) -> Result<Range<usize>, DecodeError> {
    let mut reader = Reader::new(payload);
    reader.u8()?;
    match CommandKind::of(payload) {
        CommandKind::StmtPrepare => {}
        CommandKind::Query if caps.contains(Capabilities::QUERY_ATTRIBUTES) => skip_attributes(&mut reader)?,
        CommandKind::Query => {}
        _ => {
            let got = payload.first().copied().unwrap_or_default();
            return Err(DecodeError::WrongPacket { expected: "COM_QUERY or COM_STMT_PREPARE", got });
        }
    }
    Ok(payload.len().saturating_sub(reader.remaining())..payload.len())
}

fn skip_attributes(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    let count = usize::try_from(reader.lenenc_int()?).unwrap_or(usize::MAX);
    if reader.lenenc_int()? != 1 {
        return Err(DecodeError::Invalid("query attributes must come as one set"));
    }
    if count == 0 {
        return Ok(());
    }
    let bitmap = reader.bytes(count.div_ceil(8))?;
    if reader.u8()? != 1 {
        return Err(DecodeError::Invalid("query attributes without types"));
    }
    // Each attribute has at least three bytes, so a hostile count ends at the end of the payload.
    let mut kinds = Vec::with_capacity(count.min(reader.remaining() / 3));
    for _ in 0..count {
        let [kind, _flags] = reader.array()?;
        reader.lenenc_bytes()?;
        kinds.push(kind);
    }
    for (index, kind) in kinds.into_iter().enumerate() {
        if !is_null(bitmap, index) {
            skip_value(reader, kind)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_follows_the_command_byte() {
        assert_eq!(query_text(b"\x03SELECT 1", Capabilities::empty()), Ok(1..9));
        assert_eq!(query_text(b"\x16SELECT ?", Capabilities::QUERY_ATTRIBUTES), Ok(1..9));
        assert_eq!(query_text(b"\x03", Capabilities::empty()), Ok(1..1));
        assert!(query_text(b"\x0e", Capabilities::empty()).is_err());
    }

    #[test]
    fn attributes_are_passed_over() {
        let caps = Capabilities::QUERY_ATTRIBUTES;
        assert_eq!(query_text(b"\x03\x00\x01SELECT 1", caps), Ok(3..11));
        // n1 = 'v1' (VAR_STRING), n2 = NULL, n3 = 7 (LONGLONG)
        let mut payload = vec![0x03, 3, 1, 0b010, 1];
        payload.extend_from_slice(&[0xfd, 0, 2, b'n', b'1', 0xfd, 0, 2, b'n', b'2', 0x08, 0, 2, b'n', b'3']);
        payload.extend_from_slice(&[2, b'v', b'1', 7, 0, 0, 0, 0, 0, 0, 0]);
        let start = payload.len();
        payload.extend_from_slice(b"DO 1");
        assert_eq!(query_text(&payload, caps), Ok(start..start + 4));
        for end in 1..start {
            assert!(query_text(&payload[..end], caps).is_err(), "cut at {end}");
        }
    }
}
