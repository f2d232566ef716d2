use serde::Deserialize;

/// An answer of the admin API.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// One phase's time, as the report of a switchover has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PhaseTime {
    /// The phase's name.
    pub phase: String,
    /// Milliseconds from the start of the switchover.
    pub at_ms: f64,
    /// Milliseconds that it took.
    pub took_ms: f64,
    /// What is worth saying of it.
    pub detail: String,
}

/// One step of a switchover's progress.
#[derive(Clone, Debug, Deserialize)]
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
    Report(Box<SwitchoverReport>),
}

/// What a switchover came to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SwitchoverReport {
    /// `done`, `dry_run`, `failed` (as before) or `stuck` (a person must look).
    pub outcome: String,
    /// The old primary.
    pub from: String,
    /// The target.
    pub to: String,
    /// All checks, as the proxy gives them.
    pub preflight: Vec<serde_json::Value>,
    /// Phase by phase.
    pub phases: Vec<PhaseTime>,
    /// Milliseconds in all.
    pub total_ms: f64,
    /// Milliseconds from the fence to the end of *promote*.
    pub switch_ms: f64,
    /// Milliseconds for which units were held.
    pub held_ms: f64,
    /// Sessions that waited when the gate opened.
    pub held_sessions: usize,
    /// Units that had to be ended.
    pub cut_units: usize,
    /// What failed, or what a person must look at.
    pub problems: Vec<String>,
}

impl SwitchoverReport {
    /// Whether the target is the primary now and everybody follows it.
    pub fn is_done(&self) -> bool {
        self.outcome == "done"
    }

    /// Phases with their milliseconds in one line.
    pub fn timeline(&self) -> String {
        let parts: Vec<_> =
            self.phases.iter().map(|phase| format!("{} {:.0}", phase.phase, phase.took_ms)).collect();
        parts.join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_as_the_proxy_writes_it() {
        let lines = [
            r#"{"event":"phase","phase":"drain","at_ms":1.5}"#,
            r#"{"event":"phase_end","phase":"drain","at_ms":1.5,"took_ms":2.25,"detail":"3 units"}"#,
            r#"{"event":"report","outcome":"done","from":"a:1","to":"b:2","preflight":[],"phases":[],"total_ms":90.0}"#,
        ];
        let read: Vec<Progress> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(matches!(&read[0], Progress::Phase { phase, .. } if phase == "drain"));
        assert!(matches!(&read[1], Progress::PhaseEnd(time) if time.detail == "3 units"));
        assert!(matches!(&read[2], Progress::Report(report) if report.is_done() && report.to == "b:2"));
    }
}
