use std::time::Duration;

use super::kind::time;
use super::section::{Applies, Section};

/// `[shutdown]`: leaving service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// `delay`: not ready, but still serving, for load balancers to notice.
    pub delay: Duration,
    /// `drain_timeout`: then units inside may take this long to finish.
    pub drain_timeout: Duration,
}

impl Shutdown {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let bounds = || time(0..=3_600_000);
        let shutdown = Self {
            delay: section.get("delay", Applies::Live, bounds(), Duration::ZERO),
            drain_timeout: section.get("drain_timeout", Applies::Live, bounds(), Duration::from_secs(10)),
        };
        section.close();
        shutdown
    }
}
