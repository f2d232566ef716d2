use super::kind::{Flag, Size};
use super::section::{Applies, Section};

/// `[replay]`: transactions that a switchover interrupts are run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// `enabled`.
    pub enabled: bool,
    /// `max_transaction`: bytes kept of one transaction; a bigger one gets error 1213 when interrupted.
    pub max_transaction: u64,
    /// `max_total`: bytes kept of all of them.
    pub max_total: u64,
}

impl Replay {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let start = Applies::AtStart;
        let replay = Self {
            enabled: section.get("enabled", start, Flag, true),
            max_transaction: section.get("max_transaction", start, Size(0..=1 << 30), 1 << 20),
            max_total: section.get("max_total", start, Size(0..=1 << 40), 256 << 20),
        };
        if replay.max_transaction > replay.max_total {
            section.reader.blame("replay.max_transaction", "is more than replay.max_total");
        }
        section.close();
        replay
    }
}
