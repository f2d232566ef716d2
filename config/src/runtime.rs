use super::kind::{Flag, Number};
use super::section::{Applies, Section};

/// `[runtime]`: threads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// `shards`: threads that serve clients; 0 for one per processor.
    pub shards: usize,
    /// `sched_batch`: these threads are scheduled as batch work (Linux, `SCHED_BATCH`), with the niceness of the process:
    /// their waking up interrupts nobody. Mostly cheaper per statement; where more programs are busy than there are processors, a
    /// statement may wait a little longer.
    pub sched_batch: bool,
}

impl Runtime {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let runtime = Self {
            shards: section.get("shards", Applies::AtStart, Number(0..=1_024), 1),
            sched_batch: section.get("sched_batch", Applies::AtStart, Flag, true),
        };
        section.close();
        runtime
    }
}
