use std::time::Duration;

use super::kind::{Number, time};
use super::section::{Applies, Section};

/// `[hold]`: clients that wait for a primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// `timeout`: a client waits at most this long, then gets error 1205 on a living connection.
    pub timeout: Duration,
    /// `max_sessions`: at most so many wait; more get the error at once.
    pub max_sessions: usize,
    /// `max_ttl`: the longest that `tideover hold` may ask for.
    pub max_ttl: Duration,
}

impl Hold {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let hold = Self {
            timeout: section.get("timeout", Applies::Live, time(0..=86_400_000), Duration::from_secs(30)),
            max_sessions: section.get("max_sessions", Applies::AtStart, Number(0..=10_000_000), 10_000),
            max_ttl: section.get("max_ttl", Applies::Live, time(1..=86_400_000), Duration::from_secs(300)),
        };
        section.close();
        hold
    }
}
