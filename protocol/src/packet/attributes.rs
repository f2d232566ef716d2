//! Connection attributes, as they stand in a login and in COM_CHANGE_USER.

use bytes::BytesMut;

use crate::wire::{DecodeError, Reader, put_lenenc_bytes, put_lenenc_int};

/// Names and values in the order of the wire.
pub(super) type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// Reads the block with its total length in front. A payload that ends before it has no attributes: some drivers set
/// the flag and send nothing.
pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Attributes, DecodeError> {
    let mut attributes = Attributes::new();
    if reader.is_empty() {
        return Ok(attributes);
    }
    let mut block = Reader::new(reader.lenenc_bytes()?);
    while !block.is_empty() {
        let name = block.lenenc_bytes()?;
        let value = block.lenenc_bytes()?;
        attributes.push((name.to_vec(), value.to_vec()));
    }
    Ok(attributes)
}

/// Appends the block.
pub(super) fn encode(attributes: &Attributes, out: &mut BytesMut) {
    let mut block = BytesMut::new();
    for (name, value) in attributes {
        put_lenenc_bytes(&mut block, name);
        put_lenenc_bytes(&mut block, value);
    }
    put_lenenc_int(out, block.len() as u64);
    out.extend_from_slice(&block);
}
