//! `guard.mode`.

use std::str::FromStr;

/// How the outcome of a unit in doubt is proven (`guard.mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuardMode {
    /// By the commit tag; by the commit marker where the tag cannot prove.
    #[default]
    Auto,
    /// By the commit tag alone.
    Tag,
    /// By the commit marker alone.
    Marker,
    /// Not at all: such units end in error 1180.
    Off,
}

impl GuardMode {
    /// As in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Tag => "tag",
            Self::Marker => "marker",
            Self::Off => "off",
        }
    }

    /// Whether writes carry tags.
    #[must_use]
    pub fn tags(self) -> bool {
        matches!(self, Self::Auto | Self::Tag)
    }
}

impl GuardMode {
    /// Whether marks are left where that is wanted.
    #[must_use]
    pub fn marks(self) -> bool {
        matches!(self, Self::Auto | Self::Marker)
    }
}

impl FromStr for GuardMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Auto, Self::Tag, Self::Marker, Self::Off]
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| format!("guard.mode = \"{text}\": must be auto, tag, marker or off"))
    }
}
