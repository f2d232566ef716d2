use super::kind::Choice;
use super::section::{Applies, Section};

/// Who promotes a replica when the primary is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverMode {
    /// Somebody else; the proxy follows.
    External,
    /// The proxy.
    Auto,
}

/// `[failover]`: a lost primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// `mode`.
    pub mode: FailoverMode,
}

const MODES: &[(&str, FailoverMode)] = &[("external", FailoverMode::External), ("auto", FailoverMode::Auto)];

impl Failover {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let mode = section.get("mode", Applies::AtStart, Choice(MODES), FailoverMode::External);
        section.close();
        Self { mode }
    }
}
