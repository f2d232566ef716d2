//! The status flags that every OK and EOF packet carries.

use bitflags::bitflags;

bitflags! {
    /// Server status flags (`SERVER_STATUS_*` and `SERVER_*` in the manual). Bits without a name here are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct StatusFlags: u16 {
        /// A transaction is open.
        const IN_TRANS = 0x0001;
        /// Autocommit is on.
        const AUTOCOMMIT = 0x0002;
        /// Another result follows this one.
        const MORE_RESULTS = 0x0008;
        /// The optimizer found no good index.
        const NO_GOOD_INDEX_USED = 0x0010;
        /// The optimizer used no index.
        const NO_INDEX_USED = 0x0020;
        /// A cursor was opened: no rows follow, COM_STMT_FETCH gets them.
        const CURSOR_EXISTS = 0x0040;
        /// The cursor has no more rows.
        const LAST_ROW_SENT = 0x0080;
        /// A database was dropped.
        const DB_DROPPED = 0x0100;
        /// Backslash is an ordinary character in strings (sql_mode NO_BACKSLASH_ESCAPES).
        const NO_BACKSLASH_ESCAPES = 0x0200;
        /// The metadata of a prepared statement changed.
        const METADATA_CHANGED = 0x0400;
        /// The query was slow.
        const QUERY_WAS_SLOW = 0x0800;
        /// This result set holds the OUT parameters of a procedure.
        const PS_OUT_PARAMS = 0x1000;
        /// The open transaction is READ ONLY.
        const IN_TRANS_READONLY = 0x2000;
        /// Session-track items follow in this packet.
        const SESSION_STATE_CHANGED = 0x4000;
        /// MariaDB: an ANSI_QUOTES sql_mode is set.
        const ANSI_QUOTES = 0x8000;
    }
}

impl StatusFlags {
    /// All 16 bits as they came, named or not.
    pub fn from_wire(bits: u16) -> Self {
        Self::from_bits_retain(bits)
    }
}
