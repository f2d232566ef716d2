use crate::wire::DecodeError;

/// Why an event could not be read. The stream cannot be trusted afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BinlogError {
    /// The event is malformed.
    #[error("a malformed binary log event: {0}")]
    Malformed(#[from] DecodeError),
    /// The event's checksum is wrong.
    #[error("checksum of a binary log event: 0x{expected:08x} expected, 0x{got:08x} found")]
    Checksum {
        /// Computed from the event.
        expected: u32,
        /// As it stands in the event.
        got: u32,
    },
    /// The log uses a checksum algorithm that is not known.
    #[error("unknown checksum algorithm {0}")]
    UnknownChecksum(u8),
    /// The log is encrypted beyond our reach. Servers decrypt before they send, so this does not happen with them.
    #[error("the binary log is encrypted")]
    Encrypted,
}
