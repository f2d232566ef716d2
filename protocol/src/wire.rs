//! The primitive types of the protocol: little-endian integers, length-encoded integers and strings.
//!
//! Reading is checked throughout: a short or malformed payload is a [`DecodeError`], never a panic. The forms are those
//! of the manual's page "Protocol Basics / Data Types".

use bytes::{BufMut, BytesMut};

/// Why a payload could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The payload ends before a field does.
    #[error("the payload ends {missing} bytes too early")]
    Truncated {
        /// Bytes that the field still needs.
        missing: usize,
    },
    /// A length-encoded integer starts with 0xfb (NULL) or 0xff where a number must stand.
    #[error("0x{0:02x} cannot start a length-encoded integer here")]
    BadLength(u8),
    /// A string that must end with a NUL byte does not.
    #[error("a string has no terminating NUL")]
    Unterminated,
    /// The packet is of another kind than the caller expected.
    #[error("expected {expected}, got a packet that starts with 0x{got:02x}")]
    WrongPacket {
        /// What the caller asked for.
        expected: &'static str,
        /// First byte of the payload.
        got: u8,
    },
    /// A field holds a value that the protocol does not allow.
    #[error("{0}")]
    Invalid(&'static str),
}

/// A cursor over a payload.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `payload`.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// True at the end of the payload.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes everything that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Takes `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(count) {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(head)
            }
            None => Err(DecodeError::Truncated { missing: count.saturating_sub(self.rest.len()) }),
        }
    }

    /// Takes `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, tail)) => {
                self.rest = tail;
                Ok(*head)
            }
            None => Err(DecodeError::Truncated { missing: N.saturating_sub(self.rest.len()) }),
        }
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Takes a 2-byte integer.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    /// Takes a 3-byte integer.
    pub fn u24(&mut self) -> Result<u32, DecodeError> {
        self.array::<3>().map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
    }

    /// Takes a 4-byte integer.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes an 8-byte integer.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes a length-encoded integer. NULL (0xfb) and 0xff are errors.
    pub fn lenenc_int(&mut self) -> Result<u64, DecodeError> {
        match self.u8()? {
            0xfc => self.u16().map(u64::from),
            0xfd => self.u24().map(u64::from),
            0xfe => self.u64(),
            byte @ (0xfb | 0xff) => Err(DecodeError::BadLength(byte)),
            byte => Ok(u64::from(byte)),
        }
    }

    /// Takes a string with a length-encoded length in front.
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.lenenc_int()?;
        self.bytes(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Takes a string up to its NUL; the NUL is taken too, and not returned.
    pub fn nul_bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let end = self.rest.iter().position(|&byte| byte == 0).ok_or(DecodeError::Unterminated)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Ok(text)
    }

    /// Like [`Reader::nul_bytes`], but the end of the payload ends the string too: some drivers leave the last NUL out.
    pub fn nul_bytes_or_rest(&mut self) -> &'a [u8] {
        match self.nul_bytes() {
            Ok(text) => text,
            Err(_) => self.take_rest(),
        }
    }
}

/// Appends a length-encoded integer in its shortest form.
pub fn put_lenenc_int(out: &mut BytesMut, value: u64) {
    let [a, b, c, ..] = value.to_le_bytes();
    match value {
        0..=0xfa => out.put_u8(a),
        0xfb..=0xffff => out.put_slice(&[0xfc, a, b]),
        0x1_0000..=0xff_ffff => out.put_slice(&[0xfd, a, b, c]),
        _ => {
            out.put_u8(0xfe);
            out.put_u64_le(value);
        }
    }
}

/// Appends a string with a length-encoded length in front.
pub fn put_lenenc_bytes(out: &mut BytesMut, text: &[u8]) {
    put_lenenc_int(out, text.len() as u64);
    out.put_slice(text);
}

/// Appends a string and a NUL. A NUL inside `text` ends the string for the reader; callers do not send such.
pub fn put_nul_bytes(out: &mut BytesMut, text: &[u8]) {
    out.put_slice(text);
    out.put_u8(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lenenc_integers_use_the_shortest_form_and_come_back() {
        let cases: [(u64, usize); 9] = [
            (0, 1),
            (0xfa, 1),
            (0xfb, 3),
            (0xffff, 3),
            (0x1_0000, 4),
            (0xff_ffff, 4),
            (0x100_0000, 9),
            (u64::MAX - 1, 9),
            (u64::MAX, 9),
        ];
        for (value, length) in cases {
            let mut out = BytesMut::new();
            put_lenenc_int(&mut out, value);
            assert_eq!(out.len(), length, "{value}");
            assert_eq!(Reader::new(&out).lenenc_int(), Ok(value));
        }
    }

    #[test]
    fn null_and_error_markers_are_not_lengths() {
        assert_eq!(Reader::new(&[0xfb]).lenenc_int(), Err(DecodeError::BadLength(0xfb)));
        assert_eq!(Reader::new(&[0xff]).lenenc_int(), Err(DecodeError::BadLength(0xff)));
    }

    #[test]
    fn short_payloads_say_how_much_is_missing() {
        assert_eq!(Reader::new(&[1]).u32(), Err(DecodeError::Truncated { missing: 3 }));
        assert_eq!(Reader::new(&[5, b'a']).lenenc_bytes(), Err(DecodeError::Truncated { missing: 4 }));
        let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(Reader::new(&huge).lenenc_bytes().is_err());
        assert_eq!(Reader::new(b"abc").nul_bytes(), Err(DecodeError::Unterminated));
        assert_eq!(Reader::new(b"abc").nul_bytes_or_rest(), b"abc");
    }
}
