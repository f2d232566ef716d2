//! When connections break in these tests.

use tideover_sandbox::faults::Moment;

/// When a connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server has answered, and nobody gets the answer.
    AfterExecution,
    /// The server has the command, and nobody will hear of it; it does not notice.
    WhileExecuting,
    /// The command does not reach the server, which sees the connection end.
    BeforeArrival,
    /// The command does not reach the server, which keeps an idle connection.
    BeforeArrivalUnseen,
}

impl Cut {
    /// Those with a certain outcome for every statement.
    pub(crate) const ALL: [Self; 3] = [Self::AfterExecution, Self::BeforeArrival, Self::BeforeArrivalUnseen];
}

impl From<Cut> for Moment {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::AfterExecution => Self::Executed,
            Cut::WhileExecuting => Self::Running,
            Cut::BeforeArrival => Self::Swallowed,
            Cut::BeforeArrivalUnseen => Self::SwallowedUnseen,
        }
    }
}
