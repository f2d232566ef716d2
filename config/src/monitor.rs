use std::time::Duration;

use super::kind::time;
use super::secret::Secret;
use super::section::{Applies, NAME, Section};

/// `[monitor]`: how roles and health are watched, and the account for that and for switchovers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// `user`: the account's name.
    pub user: String,
    /// `password` or `password_file`; none means an empty password.
    pub password: Option<Secret<String>>,
    /// `interval`: from one look at a server to the next.
    pub interval: Duration,
    /// `timeout`: a look takes at most this long.
    pub timeout: Duration,
}

impl Monitor {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let user = section.required("user", Applies::AtStart, NAME).unwrap_or_default();
        let password = section.secret("password", "password_file", Applies::Live);
        let bounds = || time(10..=3_600_000);
        let interval = section.get("interval", Applies::AtStart, bounds(), Duration::from_millis(500));
        let timeout = section.get("timeout", Applies::AtStart, bounds(), Duration::from_secs(1));
        section.close();
        Self { user, password, interval, timeout }
    }
}
