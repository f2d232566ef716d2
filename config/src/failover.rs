use std::time::Duration;

use super::kind::{Choice, Number, time};
use super::section::{Applies, Section};

/// Who promotes a replica when the primary is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverMode {
    /// Somebody else; the proxy follows.
    External,
    /// The proxy.
    Auto,
}

/// What follows when the new primary lacks transactions that were acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLoss {
    /// An alarm, and traffic goes on.
    Release,
    /// An alarm, and traffic is held until `tideover release`.
    Hold,
}

/// `[failover]`: a lost primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// `mode`.
    pub mode: FailoverMode,
    /// `detect`: a primary that does not answer (hung, cut off) is lost after this time.
    pub detect: Duration,
    /// `confirm`: one that refuses connections is lost after this time.
    pub confirm: Duration,
    /// `stall`: one that lets us log in but hangs (a full disk) is lost after this time; zero for never.
    pub stall: Duration,
    /// `witnesses`: so many replicas must have lost it too; 0 for a majority of all servers.
    pub witnesses: usize,
    /// `apply_timeout`: the chosen replica may take this long to apply what it has received.
    pub apply_timeout: Duration,
    /// `on_loss`.
    pub on_loss: OnLoss,
}

const MODES: &[(&str, FailoverMode)] = &[("external", FailoverMode::External), ("auto", FailoverMode::Auto)];
const LOSSES: &[(&str, OnLoss)] = &[("release", OnLoss::Release), ("hold", OnLoss::Hold)];

impl Failover {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let at_start = Applies::AtStart;
        let failover = Self {
            mode: section.get("mode", at_start, Choice(MODES), FailoverMode::External),
            detect: section.get("detect", at_start, time(100..=3_600_000), Duration::from_secs(3)),
            confirm: section.get("confirm", at_start, time(0..=3_600_000), Duration::from_millis(500)),
            stall: section.get("stall", at_start, time(0..=3_600_000), Duration::from_secs(20)),
            witnesses: section.get("witnesses", at_start, Number(0..=1000), 0),
            apply_timeout: section.get(
                "apply_timeout",
                at_start,
                time(100..=86_400_000),
                Duration::from_secs(60),
            ),
            on_loss: section.get("on_loss", at_start, Choice(LOSSES), OnLoss::Release),
        };
        section.close();
        failover
    }
}
