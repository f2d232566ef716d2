//! The whole procedure as a table: Phase × Event → (Phase, Actions). PURE. Until *promote* every failure leads back;
//! from *promote* on, forward only.

use serde::Serialize;

/// Where a switchover stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// All checks, nothing changed yet.
    Preflight,
    /// Connections to the target are opened ahead of need.
    Warm,
    /// New units are held; those inside finish.
    Drain,
    /// The drain time is over: units still inside are ended.
    Cut,
    /// The old primary is made unable to write.
    Fence,
    /// The target gets everything that the old primary has.
    CatchUp,
    /// The target is made the primary. Its first accepted write is the point of no return.
    Promote,
    /// The new topology is seen and published.
    Publish,
    /// The held go on.
    Release,
    /// The other servers follow the new primary.
    Repoint,
    /// A failure before *promote*: everything is put back.
    Undo,
    /// Ended well.
    Done,
    /// Ended, and the database is as before.
    Failed,
    /// Ended half-way: a person must look.
    Stuck,
}

impl Phase {
    /// The name in logs, metrics and progress.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Warm => "warm",
            Self::Drain => "drain",
            Self::Cut => "cut",
            Self::Fence => "fence",
            Self::CatchUp => "catch_up",
            Self::Promote => "promote",
            Self::Publish => "publish",
            Self::Release => "release",
            Self::Repoint => "repoint",
            Self::Undo => "undo",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stuck => "stuck",
        }
    }

    /// The phases that take time, in order.
    pub const WORK: [Self; 11] = [
        Self::Preflight,
        Self::Warm,
        Self::Drain,
        Self::Cut,
        Self::Fence,
        Self::CatchUp,
        Self::Promote,
        Self::Publish,
        Self::Release,
        Self::Repoint,
        Self::Undo,
    ];

    /// Whether nothing follows.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Stuck)
    }
}

/// What the carrying out of an action brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// It was done.
    Done,
    /// It was checked, and only a check was wanted.
    CheckedOnly,
    /// It was not finished in its time.
    TimedOut,
    /// It failed, and it is certain that it changed nothing (or that what it changed can be put back).
    Failed,
    /// It failed and may have made the target writable.
    Uncertain,
}

/// What to do next. Each action is answered by one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Run all checks.
    Check,
    /// Open connections on the target.
    WarmPool,
    /// Close the gate and wait for the units inside, up to the drain time.
    CloseAndDrain,
    /// End the units left inside, and wait for that, shortly.
    CutUnits,
    /// Set the old primary read-only and end stray writers.
    FenceOld,
    /// Wait until the target has every transaction of the old primary.
    CatchUpTarget,
    /// Stop the target's replication and make it writable.
    PromoteTarget,
    /// Look at old and new primary and publish what is seen.
    PublishTopology,
    /// Open the gate.
    OpenGate,
    /// Make the others, and the old primary, follow the new one.
    RepointOthers,
    /// Make the old primary writable, let the target follow again, open the gate.
    PutBack,
}

/// The action that a phase consists of; `None` at the end.
#[must_use]
pub(super) fn action(phase: Phase) -> Option<Action> {
    Some(match phase {
        Phase::Preflight => Action::Check,
        Phase::Warm => Action::WarmPool,
        Phase::Drain => Action::CloseAndDrain,
        Phase::Cut => Action::CutUnits,
        Phase::Fence => Action::FenceOld,
        Phase::CatchUp => Action::CatchUpTarget,
        Phase::Promote => Action::PromoteTarget,
        Phase::Publish => Action::PublishTopology,
        Phase::Release => Action::OpenGate,
        Phase::Repoint => Action::RepointOthers,
        Phase::Undo => Action::PutBack,
        Phase::Done | Phase::Failed | Phase::Stuck => return None,
    })
}

/// The next phase.
#[must_use]
pub fn step(phase: Phase, event: Event) -> Phase {
    use Event::{CheckedOnly, Done, TimedOut, Uncertain};
    match (phase, event) {
        (Phase::Preflight, Done) => Phase::Warm,
        (Phase::Preflight, CheckedOnly) => Phase::Done,
        (Phase::Preflight, _) => Phase::Failed,
        // A cold pool costs time after the release, nothing else.
        (Phase::Warm, _) => Phase::Drain,
        (Phase::Drain, Done) => Phase::Fence,
        (Phase::Drain, TimedOut) => Phase::Cut,
        // The fence ends whoever is still in there.
        (Phase::Cut, Done | TimedOut) => Phase::Fence,
        (Phase::Fence, Done) => Phase::CatchUp,
        (Phase::CatchUp, Done) => Phase::Promote,
        (Phase::Promote, Done) => Phase::Publish,
        // Whether the target accepts writes is not known: putting the old one back could make two writers.
        (Phase::Promote, Uncertain | TimedOut) => Phase::Stuck,
        (Phase::Drain | Phase::Cut | Phase::Fence | Phase::CatchUp | Phase::Promote, _) => Phase::Undo,
        (Phase::Publish, Done) => Phase::Release,
        // The target is the primary, yet we cannot see it: traffic stays held until the monitor can.
        (Phase::Publish, _) => Phase::Stuck,
        (Phase::Release, _) => Phase::Repoint,
        (Phase::Repoint, Done) => Phase::Done,
        (Phase::Repoint, _) => Phase::Stuck,
        (Phase::Undo, Done) => Phase::Failed,
        (Phase::Undo, _) => Phase::Stuck,
        (Phase::Done | Phase::Failed | Phase::Stuck, _) => phase,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 5] =
        [Event::Done, Event::CheckedOnly, Event::TimedOut, Event::Failed, Event::Uncertain];

    #[test]
    fn the_good_way() {
        let mut phase = Phase::Preflight;
        let mut way = vec![phase];
        while action(phase).is_some() {
            phase = step(phase, Event::Done);
            way.push(phase);
        }
        let names: Vec<_> = way.iter().map(|p| p.name()).collect();
        assert_eq!(
            names.join(" "),
            "preflight warm drain fence catch_up promote publish release repoint done"
        );
    }

    /// Every way through the table ends, and no way opens the gate for the old primary after the target may write.
    #[test]
    fn every_way_ends_and_none_goes_back_after_promote() {
        fn walk(phase: Phase, promoted: bool, depth: usize) {
            assert!(depth < 20, "no end");
            let Some(action) = action(phase) else { return };
            assert!(!(promoted && action == Action::PutBack), "put back after promote");
            for event in EVENTS {
                let may_write = phase == Phase::Promote
                    && matches!(event, Event::Done | Event::Uncertain | Event::TimedOut);
                walk(step(phase, event), promoted || may_write, depth + 1);
            }
        }
        walk(Phase::Preflight, false, 0);
    }

    #[test]
    fn any_failure_before_promote_leads_back() {
        for phase in [Phase::Drain, Phase::Fence, Phase::CatchUp, Phase::Promote] {
            assert_eq!(step(phase, Event::Failed), Phase::Undo);
        }
        assert_eq!(step(Phase::Undo, Event::Done), Phase::Failed);
        assert_eq!(step(Phase::Preflight, Event::Failed), Phase::Failed);
    }
}
