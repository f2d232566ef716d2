//! What a switchover tells: progress while it runs, a report at the end.

use serde::{Deserialize, Serialize};

use super::preflight::Finding;

/// How it ended, and the exit code that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The target is the primary and everybody follows it. Exit code 0.
    Done,
    /// All checks passed; nothing was changed, as asked. Exit code 0.
    DryRun,
    /// It failed and the database is as before. Exit code 1.
    Failed,
    /// It ended half-way; a person must look. Exit code 3.
    Stuck,
}

impl Outcome {
    /// The exit code of the command.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done | Self::DryRun => 0,
            Self::Failed => 1,
            Self::Stuck => 3,
        }
    }
}

/// One phase's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseTime {
    /// Name of the phase.
    pub phase: String,
    /// Milliseconds from the start of the switchover.
    pub at_ms: f64,
    /// Milliseconds that it took.
    pub took_ms: f64,
    /// What is worth saying of it.
    pub detail: String,
}

/// One step of progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Progress {
    /// A phase begins.
    Phase {
        /// Its name.
        phase: String,
        /// Milliseconds from the start.
        at_ms: f64,
    },
    /// A phase ended.
    PhaseEnd(PhaseTime),
    /// The end.
    Report(Box<Report>),
}

/// The end of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The old primary.
    pub from: String,
    /// The target.
    pub to: String,
    /// All checks.
    pub preflight: Vec<Finding>,
    /// Phase by phase.
    pub phases: Vec<PhaseTime>,
    /// Milliseconds in all.
    pub total_ms: f64,
    /// Milliseconds from the fence to the end of *promote*: the database's own switch time.
    pub switch_ms: f64,
    /// Milliseconds for which units were held.
    pub held_ms: f64,
    /// Sessions that waited at the gate when it opened.
    pub held_sessions: usize,
    /// Units that had to be ended.
    pub cut_units: usize,
    /// What failed, or what a person must look at.
    pub problems: Vec<String>,
}
