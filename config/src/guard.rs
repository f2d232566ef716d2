use super::kind::Choice;
use super::section::{Applies, Section};

/// How it is found out whether a commit in doubt happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardMode {
    /// By tag, else by marker.
    Auto,
    /// By a comment in each write that the binary log keeps.
    Tag,
    /// By a row written with each transaction.
    Marker,
    /// Not at all: such a commit ends in error 1180.
    Off,
}

/// `[guard]`: commits in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// `mode`.
    pub mode: GuardMode,
}

const MODES: &[(&str, GuardMode)] = &[
    ("auto", GuardMode::Auto),
    ("tag", GuardMode::Tag),
    ("marker", GuardMode::Marker),
    ("off", GuardMode::Off),
];

impl Guard {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let mode = section.get("mode", Applies::AtStart, Choice(MODES), GuardMode::Auto);
        section.close();
        Self { mode }
    }
}
