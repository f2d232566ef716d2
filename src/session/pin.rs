use std::fmt;

/// Why a session cannot leave its server connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PinReason {
    /// It has temporary tables.
    TemporaryTable,
    /// It holds named locks (GET_LOCK).
    UserLock,
    /// It holds table locks (LOCK TABLES, FLUSH TABLES WITH READ LOCK).
    TableLock,
    /// It has user variables that cannot be rebuilt from the text that set them.
    UserVariable,
    /// It has statements prepared with SQL PREPARE.
    SqlPrepare,
    /// A prepared statement has an open cursor.
    OpenCursor,
    /// It has a table open with HANDLER.
    Handler,
    /// It is in an XA transaction.
    Xa,
    /// SET TRANSACTION is waiting for the next transaction.
    NextTransaction,
    /// It set a role.
    Role,
    /// It set a variable that the server does not report.
    UntrackedVariable,
    /// It set LAST_INSERT_ID to something that only the server knows.
    LastInsertId,
    /// A stored program left something behind.
    StoredCode,
    /// A statement was not understood.
    Unsure,
    /// Parameter data was sent ahead of its execution.
    LongData,
    /// It reads the binary log as a replica does.
    BinlogDump,
    /// The last statement left warnings or errors that may be asked for.
    Warnings,
    /// The last statement left a number for FOUND_ROWS().
    FoundRows,
    /// The last statement left a number for ROW_COUNT(), which this session has asked for before.
    RowCount,
    /// The last statement drew from a sequence, and LASTVAL may be asked for.
    Sequence,
    /// A CALL, or an INSERT that may have named its id itself: what LAST_INSERT_ID() is now, its answer does not tell.
    CallResult,
}

impl PinReason {
    /// All reasons.
    pub const ALL: [Self; 21] = [
        Self::TemporaryTable,
        Self::UserLock,
        Self::TableLock,
        Self::UserVariable,
        Self::SqlPrepare,
        Self::OpenCursor,
        Self::Handler,
        Self::Xa,
        Self::NextTransaction,
        Self::Role,
        Self::UntrackedVariable,
        Self::LastInsertId,
        Self::StoredCode,
        Self::Unsure,
        Self::LongData,
        Self::BinlogDump,
        Self::Warnings,
        Self::FoundRows,
        Self::RowCount,
        Self::Sequence,
        Self::CallResult,
    ];

    /// The name in metrics and in `status`; stable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TemporaryTable => "temporary_table",
            Self::UserLock => "user_lock",
            Self::TableLock => "table_lock",
            Self::UserVariable => "user_variable",
            Self::SqlPrepare => "sql_prepare",
            Self::OpenCursor => "open_cursor",
            Self::Handler => "handler",
            Self::Xa => "xa",
            Self::NextTransaction => "next_transaction",
            Self::Role => "role",
            Self::UntrackedVariable => "untracked_variable",
            Self::LastInsertId => "last_insert_id",
            Self::StoredCode => "stored_code",
            Self::Unsure => "unsure",
            Self::LongData => "long_data",
            Self::BinlogDump => "binlog_dump",
            Self::Warnings => "warnings",
            Self::FoundRows => "found_rows",
            Self::RowCount => "row_count",
            Self::Sequence => "sequence",
            Self::CallResult => "call_result",
        }
    }

    /// Whether it lapses by itself: with the next statement that does not ask for what it keeps.
    #[must_use]
    pub const fn is_short(self) -> bool {
        matches!(self, Self::Warnings | Self::FoundRows | Self::RowCount | Self::Sequence | Self::CallResult)
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

impl fmt::Display for PinReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A set of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pins(u32);

impl Pins {
    /// No reason: the session is free to go.
    pub const NONE: Self = Self(0);

    /// As a number, for an atomic.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From what [`bits`](Self::bits) gave.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `reason` is one of them.
    #[must_use]
    pub const fn contains(self, reason: PinReason) -> bool {
        self.0 & reason.bit() != 0
    }

    /// Adds one.
    pub const fn insert(&mut self, reason: PinReason) {
        self.0 |= reason.bit();
    }

    /// Takes one away.
    pub const fn remove(&mut self, reason: PinReason) {
        self.0 &= !reason.bit();
    }

    /// Those that last until they are undone, or the session is reset.
    #[must_use]
    pub fn for_session(self) -> Self {
        PinReason::ALL.into_iter().filter(|reason| reason.is_short()).fold(self, |mut pins, reason| {
            pins.remove(reason);
            pins
        })
    }

    /// The reasons, in order of declaration.
    pub fn iter(self) -> impl Iterator<Item = PinReason> {
        PinReason::ALL.into_iter().filter(move |reason| self.contains(*reason))
    }
}

impl FromIterator<PinReason> for Pins {
    fn from_iter<I: IntoIterator<Item = PinReason>>(reasons: I) -> Self {
        reasons.into_iter().fold(Self::NONE, |mut pins, reason| {
            pins.insert(reason);
            pins
        })
    }
}
