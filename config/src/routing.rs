use std::time::Duration;

use super::kind::{Choice, time};
use super::section::{Applies, Section};

/// Who serves reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Replicas where that is invisible, else the primary.
    Replicas,
    /// The primary.
    Primary,
}

/// What a read on a replica must have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// The session's own writes.
    Session,
    /// Nothing in particular, `max_lag` apart.
    Eventual,
}

/// `[routing]`: where statements go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// `reads`.
    pub reads: Reads,
    /// `consistency`.
    pub consistency: Consistency,
    /// `max_lag`: replicas further behind get no reads.
    pub max_lag: Duration,
}

const READS: &[(&str, Reads)] = &[("replicas", Reads::Replicas), ("primary", Reads::Primary)];
const CONSISTENCY: &[(&str, Consistency)] =
    &[("session", Consistency::Session), ("eventual", Consistency::Eventual)];

impl Routing {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let start = Applies::AtStart;
        let routing = Self {
            reads: section.get("reads", start, Choice(READS), Reads::Primary),
            consistency: section.get("consistency", start, Choice(CONSISTENCY), Consistency::Session),
            max_lag: section.get("max_lag", start, time(0..=86_400_000), Duration::from_secs(10)),
        };
        section.close();
        routing
    }
}
