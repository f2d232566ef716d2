//! Why a unit was not let in.

use std::fmt;
use std::time::Duration;

use super::Reasons;

/// Why entering failed. Nothing was executed in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnterError {
    /// Waited to the deadline.
    TimedOut {
        /// How long this caller waited.
        waited: Duration,
        /// Why the gate was closed.
        reasons: Reasons,
    },
    /// As many wait already as may.
    Full {
        /// `hold.max_sessions`.
        limit: usize,
        /// Why the gate was closed.
        reasons: Reasons,
    },
}

impl fmt::Display for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut { waited, reasons } => {
                write!(f, "held for {} ms ({})", waited.as_millis(), reasons.names().join(", "))
            }
            Self::Full { limit, reasons } => write!(
                f,
                "{limit} sessions are held already (hold.max_sessions = {limit}; {})",
                reasons.names().join(", ")
            ),
        }
    }
}
