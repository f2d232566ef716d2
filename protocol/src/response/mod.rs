//! Where an answer ends. The scanner looks at frame heads and at the few frames that carry status; rows and metadata
//! are passed over by their length, in pieces of any size.

mod scanner;

pub use scanner::ResponseScanner;

/// The forms that answers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseShape {
    /// No answer at all.
    None,
    /// One OK, ERR or EOF.
    Simple,
    /// Results: each an OK, a LOCAL INFILE request or a result set; an ERR ends them.
    ResultSets {
        /// A cursor was asked for: a result set may end with its metadata, and its rows are fetched.
        cursor: bool,
    },
    /// COM_STMT_PREPARE.
    Prepare,
    /// COM_FIELD_LIST: column definitions, then the end.
    FieldList,
    /// COM_STMT_FETCH: rows, then the end.
    Fetch,
    /// COM_STATISTICS: one text.
    Statistics,
    /// COM_BINLOG_DUMP: events until the server or the client leaves.
    BinlogStream,
    /// COM_CHANGE_USER: authentication, then OK or ERR.
    ChangeUser,
}

/// What one call of [`ResponseScanner::scan`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// Bytes from the front that are rows and metadata and may be forwarded as they are. They are consumed.
    pub opaque: usize,
    /// How many of them, from the front, are not rows: metadata, progress reports. Rows of one call come after them all.
    pub metadata: usize,
    /// What comes after them.
    pub next: Next,
}

/// What comes after the opaque bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The bytes after the opaque ones, if any, are an incomplete frame head or control frame: call again with them and
    /// more.
    More,
    /// One whole control frame, and the scanner has moved past it: scan again with what follows it, unless it was the
    /// last.
    Control {
        /// Bytes of the frame, its header included.
        len: usize,
        /// What it is.
        control: Control,
    },
}

/// A frame that carries status, or that the caller must act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// An OK packet, by header 0x00, or 0xfe as the end of rows with DEPRECATE_EOF.
    Ok {
        /// Nothing follows.
        last: bool,
    },
    /// An EOF packet. Without DEPRECATE_EOF one stands after the metadata of each result set (never last, unless a cursor
    /// was opened) and one after its rows.
    Eof {
        /// Nothing follows.
        last: bool,
    },
    /// An ERR packet: always the last.
    Err,
    /// A LOCAL INFILE request: forward it and the file that the client sends (frames up to and including an empty one), then
    /// call [`ResponseScanner::resume_after_infile`].
    LocalInfile,
    /// The head of the answer to COM_STMT_PREPARE.
    PrepareOk {
        /// Neither parameters nor columns follow.
        last: bool,
    },
    /// COM_CHANGE_USER: AuthSwitchRequest or AuthMoreData. If the client has something to send, forward that and call
    /// [`ResponseScanner::resume`].
    Auth,
    /// The last frame of an answer, with nothing in it to decode: the text of COM_STATISTICS, the end of the metadata of a
    /// prepared statement.
    End,
}

impl Control {
    /// True when the answer ends with this frame.
    pub fn is_last(self) -> bool {
        match self {
            Self::Ok { last } | Self::Eof { last } | Self::PrepareOk { last } => last,
            Self::Err | Self::End => true,
            Self::LocalInfile | Self::Auth => false,
        }
    }
}

/// How a server broke the protocol. The connection is of no use afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A frame is out of order.
    #[error("packet out of order: expected sequence number {expected}, got {got}")]
    Sequence {
        /// The number that had to come.
        expected: u8,
        /// The number that came.
        got: u8,
    },
    /// A frame that cannot stand here.
    #[error("a packet that starts with 0x{first:02x} and has {len} bytes cannot stand {place}")]
    Unexpected {
        /// Where in the answer.
        place: &'static str,
        /// First payload byte; 0 for an empty payload.
        first: u8,
        /// Payload bytes.
        len: usize,
    },
    /// A control frame that cannot be decoded.
    #[error("a packet of the server is malformed: {0}")]
    Malformed(#[from] crate::wire::DecodeError),
    /// Bytes after the end of the answer, or an answer where none is due.
    #[error("the server sent bytes after the end of its answer")]
    AfterEnd,
}
