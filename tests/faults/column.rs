//! The columns: faults.

use tideover_sandbox::faults::Moment;

/// What happens to a statement, its connection or its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    CutBeforeSend,
    CutBeforeExecution,
    CutAfterExecution,
    CutAmidAnswer,
    ReadOnly,
    Shutdown,
    KillBeforeExecution,
    KillAfterExecution,
    FreezeBeforeExecution,
    FreezeAfterExecution,
}

/// How much of an answer gets through where the connection is cut amid it: a part of an OK packet.
const A_PART: usize = 6;
/// The same of a long result set.
const A_PART_OF_ROWS: usize = 700_000;

impl Column {
    pub(crate) const ALL: [Self; 10] = [
        Self::CutBeforeSend,
        Self::CutBeforeExecution,
        Self::CutAfterExecution,
        Self::CutAmidAnswer,
        Self::ReadOnly,
        Self::Shutdown,
        Self::KillBeforeExecution,
        Self::KillAfterExecution,
        Self::FreezeBeforeExecution,
        Self::FreezeAfterExecution,
    ];

    /// For the head of the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CutBeforeSend => "cut before it is sent",
            Self::CutBeforeExecution => "cut before execution",
            Self::CutAfterExecution => "cut before the answer",
            Self::CutAmidAnswer => "cut amid the answer",
            Self::ReadOnly => "read-only refusal",
            Self::Shutdown => "SHUTDOWN while it runs",
            Self::KillBeforeExecution => "SIGKILL before execution",
            Self::KillAfterExecution => "SIGKILL before the answer",
            Self::FreezeBeforeExecution => "SIGSTOP, SIGKILL before execution",
            Self::FreezeAfterExecution => "SIGSTOP, SIGKILL before the answer",
        }
    }

    /// What the relay does to the statement.
    pub(crate) const fn moment(self, rows: bool) -> Moment {
        match self {
            Self::CutBeforeSend | Self::FreezeBeforeExecution => Moment::Passed,
            Self::CutBeforeExecution | Self::KillBeforeExecution => Moment::Swallowed,
            Self::CutAfterExecution => Moment::Executed,
            Self::CutAmidAnswer if rows => Moment::Amid(A_PART_OF_ROWS),
            Self::CutAmidAnswer => Moment::Amid(A_PART),
            Self::ReadOnly => Moment::Detained,
            Self::Shutdown | Self::KillAfterExecution | Self::FreezeAfterExecution if rows => {
                Moment::Amid(A_PART_OF_ROWS)
            }
            Self::Shutdown => Moment::Passed,
            Self::KillAfterExecution | Self::FreezeAfterExecution => Moment::Executed,
        }
    }

    /// Whether the statement was executed when the fault came, where that is certain.
    pub(crate) const fn executed(self) -> Option<bool> {
        match self {
            Self::CutBeforeSend | Self::CutBeforeExecution | Self::ReadOnly => Some(false),
            Self::KillBeforeExecution | Self::FreezeBeforeExecution => Some(false),
            Self::CutAfterExecution | Self::CutAmidAnswer => Some(true),
            Self::KillAfterExecution | Self::FreezeAfterExecution => Some(true),
            Self::Shutdown => None,
        }
    }
}
