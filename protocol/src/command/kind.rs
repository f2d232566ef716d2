use crate::response::ResponseShape;

/// The command of a payload, by its first byte. Names are those of the manual without `COM_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// 0x00, internal to servers.
    Sleep,
    /// 0x01: the client leaves; no answer.
    Quit,
    /// 0x02: change the default database.
    InitDb,
    /// 0x03: statements as text.
    Query,
    /// 0x04: columns of a table, deprecated.
    FieldList,
    /// 0x05, withdrawn.
    CreateDb,
    /// 0x06, withdrawn.
    DropDb,
    /// 0x07: FLUSH as a bit set, deprecated.
    Refresh,
    /// 0x08: shut the server down.
    Shutdown,
    /// 0x09: one line of figures.
    Statistics,
    /// 0x0a: SHOW PROCESSLIST, deprecated.
    ProcessInfo,
    /// 0x0b, internal to servers.
    Connect,
    /// 0x0c: KILL CONNECTION, deprecated.
    ProcessKill,
    /// 0x0d: write debug information to the server's log.
    Debug,
    /// 0x0e: are you there?
    Ping,
    /// 0x0f, internal to servers.
    Time,
    /// 0x10, internal to servers.
    DelayedInsert,
    /// 0x11: log in anew on this connection.
    ChangeUser,
    /// 0x12: send the binary log from a file and position.
    BinlogDump,
    /// 0x13, withdrawn.
    TableDump,
    /// 0x14, internal to servers.
    ConnectOut,
    /// 0x15: a replica introduces itself.
    RegisterReplica,
    /// 0x16: prepare a statement.
    StmtPrepare,
    /// 0x17: execute a prepared statement.
    StmtExecute,
    /// 0x18: a piece of a long parameter; no answer.
    StmtSendLongData,
    /// 0x19: forget a prepared statement; no answer.
    StmtClose,
    /// 0x1a: forget long data and the cursor of a prepared statement.
    StmtReset,
    /// 0x1b: multi-statements on or off.
    SetOption,
    /// 0x1c: rows from a cursor.
    StmtFetch,
    /// 0x1d, internal to servers.
    Daemon,
    /// 0x1e: send the binary log from a GTID set (MySQL).
    BinlogDumpGtid,
    /// 0x1f: make the session as new.
    ResetConnection,
    /// 0x20: MySQL's clone plugin.
    Clone,
    /// 0x21: MySQL group replication.
    SubscribeGroupReplicationStream,
    /// 0xfa: execute a prepared statement with many rows of parameters (MariaDB).
    StmtBulkExecute,
    /// 0xfe: several commands in one, withdrawn (MariaDB).
    Multi,
    /// Any other byte. Servers answer with error 1047.
    Unknown(u8),
}

impl CommandKind {
    /// The command of a payload. An empty payload is `Unknown(0xff)`: a server refuses it the same way.
    pub fn of(payload: &[u8]) -> Self {
        payload.first().map_or(Self::Unknown(0xff), |&byte| Self::from_byte(byte))
    }

    /// The command with number `byte`.
    pub fn from_byte(byte: u8) -> Self {
        match byte {
            0x00 => Self::Sleep,
            0x01 => Self::Quit,
            0x02 => Self::InitDb,
            0x03 => Self::Query,
            0x04 => Self::FieldList,
            0x05 => Self::CreateDb,
            0x06 => Self::DropDb,
            0x07 => Self::Refresh,
            0x08 => Self::Shutdown,
            0x09 => Self::Statistics,
            0x0a => Self::ProcessInfo,
            0x0b => Self::Connect,
            0x0c => Self::ProcessKill,
            0x0d => Self::Debug,
            0x0e => Self::Ping,
            0x0f => Self::Time,
            0x10 => Self::DelayedInsert,
            0x11 => Self::ChangeUser,
            0x12 => Self::BinlogDump,
            0x13 => Self::TableDump,
            0x14 => Self::ConnectOut,
            0x15 => Self::RegisterReplica,
            0x16 => Self::StmtPrepare,
            0x17 => Self::StmtExecute,
            0x18 => Self::StmtSendLongData,
            0x19 => Self::StmtClose,
            0x1a => Self::StmtReset,
            0x1b => Self::SetOption,
            0x1c => Self::StmtFetch,
            0x1d => Self::Daemon,
            0x1e => Self::BinlogDumpGtid,
            0x1f => Self::ResetConnection,
            0x20 => Self::Clone,
            0x21 => Self::SubscribeGroupReplicationStream,
            0xfa => Self::StmtBulkExecute,
            0xfe => Self::Multi,
            other => Self::Unknown(other),
        }
    }

    /// What the server answers to a command: an execution that asks for a cursor may have no rows in its answer.
    pub fn shape_of(payload: &[u8]) -> ResponseShape {
        // COM_STMT_EXECUTE: the command, four bytes of statement id, flags, of which the lower three name a cursor.
        const FLAGS: usize = 5;
        const CURSOR: u8 = 0b111;
        match Self::of(payload) {
            Self::StmtExecute => {
                let cursor = payload.get(FLAGS).is_some_and(|flags| flags & CURSOR != 0);
                ResponseShape::ResultSets { cursor }
            }
            kind => kind.shape(),
        }
    }

    /// What the server answers, to an execution without a cursor.
    pub fn shape(self) -> ResponseShape {
        match self {
            Self::Quit | Self::StmtSendLongData | Self::StmtClose => ResponseShape::None,
            Self::Query | Self::ProcessInfo | Self::StmtExecute | Self::StmtBulkExecute => {
                ResponseShape::ResultSets { cursor: false }
            }
            Self::FieldList => ResponseShape::FieldList,
            Self::Statistics => ResponseShape::Statistics,
            Self::ChangeUser => ResponseShape::ChangeUser,
            Self::BinlogDump | Self::BinlogDumpGtid => ResponseShape::BinlogStream,
            Self::StmtPrepare => ResponseShape::Prepare,
            Self::StmtFetch => ResponseShape::Fetch,
            _ => ResponseShape::Simple,
        }
    }

    /// True for commands on a prepared statement: bytes 1 to 4 of their payload are its id.
    pub fn names_statement(self) -> bool {
        matches!(
            self,
            Self::StmtExecute
                | Self::StmtSendLongData
                | Self::StmtClose
                | Self::StmtReset
                | Self::StmtFetch
                | Self::StmtBulkExecute
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_some_command_and_numbers_are_right() {
        let known =
            (0..=255).filter(|&byte| !matches!(CommandKind::from_byte(byte), CommandKind::Unknown(_)));
        assert_eq!(known.count(), 0x22 + 2);
        assert_eq!(CommandKind::of(b"\x03SELECT 1"), CommandKind::Query);
        assert_eq!(CommandKind::of(b""), CommandKind::Unknown(0xff));
        assert_eq!(CommandKind::of(&[0x1f]).shape(), ResponseShape::Simple);
        assert_eq!(CommandKind::of(&[0x19]).shape(), ResponseShape::None);
    }
}
