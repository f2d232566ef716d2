//! The checksum at the end of events: CRC-32 as in zlib.

/// Bytes of a checksum.
pub(super) const CHECKSUM_LEN: usize = 4;

/// Whether events end with a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    /// No format description was seen yet.
    Unknown,
    None,
    Crc32,
}

/// CRC-32 of `bytes`.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
