use std::ops::Range;

use bytes::{BufMut, BytesMut};

use super::ParamType;
use crate::capability::Capabilities;
use crate::wire::{DecodeError, Reader};

/// Flag of COM_STMT_EXECUTE: the count of parameters (attributes among them) is sent even if the statement has none.
const PARAMETER_COUNT_AVAILABLE: u8 = 0x08;
/// Flag of COM_STMT_BULK_EXECUTE: types are sent.
const BULK_SEND_TYPES: u16 = 0x80;

/// The parts of a COM_STMT_EXECUTE. Ranges are offsets in its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecuteView {
    /// Id of the statement.
    pub statement_id: u32,
    /// Cursor type in bits 0 to 2 (see [`ExecuteView::opens_cursor`]); 0x08: there may be query attributes.
    pub flags: u8,
    /// Always 1.
    pub iterations: u32,
    /// Parameters in this execution: the statement's, then query attributes.
    pub param_count: usize,
    /// The bitmap of NULL parameters; empty when there are no parameters.
    pub null_bitmap: Range<usize>,
    /// True if types stand here; otherwise those of the last execution hold.
    pub new_params_bound: bool,
    /// Types of the parameters, `param_count` of them if `new_params_bound`.
    pub types: Vec<ParamType>,
    /// Names of the parameters, with QUERY_ATTRIBUTES: empty ones for the statement's own.
    pub names: Vec<Vec<u8>>,
    /// Where the types, with their names, stand.
    pub types_range: Range<usize>,
    /// Where the values start; they reach to the end of the payload.
    pub values: usize,
    with_names: bool,
}

impl ExecuteView {
    /// Takes a COM_STMT_EXECUTE apart. `num_params` is the statement's count of placeholders as its preparation said.
    pub fn parse(payload: &[u8], num_params: u16, caps: Capabilities) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(payload);
        let offset = |reader: &Reader<'_>| payload.len().saturating_sub(reader.remaining());
        match reader.u8()? {
            0x17 => {}
            got => return Err(DecodeError::WrongPacket { expected: "COM_STMT_EXECUTE", got }),
        }
        let statement_id = reader.u32()?;
        let flags = reader.u8()?;
        let iterations = reader.u32()?;
        let with_names = caps.contains(Capabilities::QUERY_ATTRIBUTES);
        // As MySQL 9.7 does it: a statement with parameters has the count without the flag too.
        let counted = with_names && (num_params > 0 || flags & PARAMETER_COUNT_AVAILABLE != 0);
        let mut param_count = usize::from(num_params);
        if counted {
            param_count = usize::try_from(reader.lenenc_int()?).unwrap_or(usize::MAX);
        }
        let bitmap_at = offset(&reader);
        let mut view = Self {
            statement_id,
            flags,
            iterations,
            param_count,
            null_bitmap: bitmap_at..bitmap_at,
            new_params_bound: false,
            types: Vec::new(),
            names: Vec::new(),
            types_range: bitmap_at..bitmap_at,
            values: bitmap_at,
            with_names,
        };
        if param_count == 0 {
            return Ok(view);
        }
        reader.bytes(param_count.div_ceil(8))?;
        view.null_bitmap.end = offset(&reader);
        view.new_params_bound = reader.u8()? != 0;
        let types_at = offset(&reader);
        if view.new_params_bound {
            view.read_types(&mut reader)?;
        }
        view.types_range = types_at..offset(&reader);
        view.values = view.types_range.end;
        Ok(view)
    }

    fn read_types(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.types.reserve(self.param_count.min(reader.remaining() / 2));
        for _ in 0..self.param_count {
            let [kind, flags] = reader.array()?;
            self.types.push((kind, flags));
            if self.with_names {
                self.names.push(reader.lenenc_bytes()?.to_vec());
            }
        }
        Ok(())
    }

    /// True if the execution opens a cursor, so that rows come by COM_STMT_FETCH.
    pub fn opens_cursor(&self) -> bool {
        self.flags & 0x07 != 0
    }
}

/// Appends the same execution with statement id `server_id`. If the client sent no types, those of `types_if_missing`
/// are put in, since the server connection may never have seen this statement executed: they must be the types (of
/// all `param_count` parameters) that the client sent last. `view` must be of this `payload`.
pub fn rewrite_execute(
    payload: &[u8],
    view: &ExecuteView,
    server_id: u32,
    types_if_missing: &[ParamType],
    out: &mut BytesMut,
) -> Result<(), DecodeError> {
    let tail = |from: usize| payload.get(from..).ok_or(DecodeError::Truncated { missing: 1 });
    out.reserve(payload.len() + 3 * types_if_missing.len());
    out.put_u8(0x17);
    out.put_u32_le(server_id);
    if view.param_count == 0 || view.new_params_bound {
        out.put_slice(tail(5)?);
        return Ok(());
    }
    if types_if_missing.len() != view.param_count {
        return Err(DecodeError::Invalid(
            "an execution without types, and none are known for its parameters",
        ));
    }
    out.put_slice(payload.get(5..view.null_bitmap.end).ok_or(DecodeError::Truncated { missing: 1 })?);
    out.put_u8(1);
    for &(kind, flags) in types_if_missing {
        out.put_slice(&[kind, flags]);
        if view.with_names {
            out.put_u8(0);
        }
    }
    out.put_slice(tail(view.values)?);
    Ok(())
}

/// Like [`rewrite_execute`] for MariaDB's COM_STMT_BULK_EXECUTE: a statement id, 2 bytes of flags, types if flag
/// 0x80 is set, then rows of values.
pub fn rewrite_bulk(
    payload: &[u8],
    server_id: u32,
    types_if_missing: &[ParamType],
    out: &mut BytesMut,
) -> Result<(), DecodeError> {
    let mut reader = Reader::new(payload);
    match reader.u8()? {
        0xfa => {}
        got => return Err(DecodeError::WrongPacket { expected: "COM_STMT_BULK_EXECUTE", got }),
    }
    reader.u32()?;
    let flags = reader.u16()?;
    out.put_u8(0xfa);
    out.put_u32_le(server_id);
    out.put_u16_le(flags | BULK_SEND_TYPES);
    if flags & BULK_SEND_TYPES == 0 {
        if types_if_missing.is_empty() {
            return Err(DecodeError::Invalid("a bulk execution without types, and none are known"));
        }
        for &(kind, flags) in types_if_missing {
            out.put_slice(&[kind, flags]);
        }
    }
    out.put_slice(reader.rest());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Capabilities = Capabilities::empty();

    #[test]
    fn an_execution_without_types_gets_them() {
        let client = [0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0b00, 0, 7, 0, 0, 0, 2, b'h', b'i'];
        let view = ExecuteView::parse(&client, 2, PLAIN).unwrap();
        assert_eq!((view.null_bitmap.clone(), view.values, view.new_params_bound), (10..11, 12, false));
        let types = [(0x03, 0x80), (0xfd, 0)];
        let mut out = BytesMut::new();
        rewrite_execute(&client, &view, 9, &types, &mut out).unwrap();
        let served = ExecuteView::parse(&out, 2, PLAIN).unwrap();
        assert_eq!(served.statement_id, 9);
        assert_eq!(served.types, types);
        assert_eq!(out[served.values..], client[view.values..]);
        assert!(rewrite_execute(&client, &view, 9, &[], &mut BytesMut::new()).is_err());
        let mut again = BytesMut::new();
        rewrite_execute(&out, &served, 9, &[], &mut again).unwrap();
        assert_eq!(again, out);
    }

    #[test]
    fn attributes_add_parameters() {
        let caps = Capabilities::QUERY_ATTRIBUTES;
        let mut client = vec![0x17, 1, 0, 0, 0, 0x08 | 0x01, 1, 0, 0, 0, 2, 0b01, 1];
        client.extend_from_slice(&[0x03, 0, 0, 0xfd, 0, 1, b'n', 1, b'v']);
        let view = ExecuteView::parse(&client, 1, caps).unwrap();
        assert!(view.opens_cursor());
        assert_eq!(view.param_count, 2);
        assert_eq!(view.names, [b"".to_vec(), b"n".to_vec()]);
        assert_eq!(client[view.values..], [1, b'v']);
        for end in 0..view.values {
            assert!(ExecuteView::parse(&client[..end], 1, caps).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn no_parameters_mean_no_bitmap() {
        let client = [0x17, 1, 0, 0, 0, 1, 1, 0, 0, 0];
        let view = ExecuteView::parse(&client, 0, PLAIN).unwrap();
        let mut out = BytesMut::new();
        rewrite_execute(&client, &view, 0x0a0b, &[], &mut out).unwrap();
        assert_eq!(out[..], [0x17, 0x0b, 0x0a, 0, 0, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn bulk_executions_get_types_too() {
        let client = [0xfa, 1, 0, 0, 0, 0x40, 0, 0, 5, 0, 0, 0];
        let mut out = BytesMut::new();
        rewrite_bulk(&client, 3, &[(3, 0)], &mut out).unwrap();
        assert_eq!(out[..], [0xfa, 3, 0, 0, 0, 0xc0, 0, 3, 0, 0, 5, 0, 0, 0]);
        let mut again = BytesMut::new();
        rewrite_bulk(&out, 3, &[], &mut again).unwrap();
        assert_eq!(again, out);
        assert!(rewrite_bulk(&client, 3, &[], &mut BytesMut::new()).is_err());
    }
}
