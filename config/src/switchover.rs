use std::time::Duration;

use super::kind::{Number, time};
use super::secret::Secret;
use super::section::{Applies, NAME, Section};

/// `[switchover]`: how `tideover switchover` goes about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switchover {
    /// `drain_timeout`: units inside may take this long to finish.
    pub drain_timeout: Duration,
    /// `move_after`: after this time units inside are not waited for if all of them can surely be done again on the new
    /// primary.
    pub move_after: Duration,
    /// `fence_timeout`: the old primary must be read-only within this time.
    pub fence_timeout: Duration,
    /// `catch_up_timeout`: the target must have everything within this time.
    pub catch_up_timeout: Duration,
    /// `max_lag`: a target further behind is refused before anything starts.
    pub max_lag: Duration,
    /// `warm_connections`: so many connections are opened to the target ahead of need.
    pub warm_connections: usize,
    /// `replication_user`: the account that replicas replicate with; the monitor's if left out.
    pub replication_user: Option<String>,
    /// `replication_password` or `replication_password_file`; the monitor's if the user is left out too.
    pub replication_password: Option<Secret<String>>,
}

impl Switchover {
    pub(crate) fn read(mut section: Section<'_>) -> Self {
        let live = Applies::Live;
        let bounds = || time(1..=3_600_000);
        let switchover = Self {
            drain_timeout: section.get("drain_timeout", live, time(0..=3_600_000), Duration::from_secs(5)),
            move_after: section.get("move_after", live, time(0..=3_600_000), Duration::from_millis(30)),
            fence_timeout: section.get("fence_timeout", live, bounds(), Duration::from_secs(3)),
            catch_up_timeout: section.get("catch_up_timeout", live, bounds(), Duration::from_secs(10)),
            max_lag: section.get("max_lag", live, time(0..=3_600_000), Duration::from_secs(1)),
            warm_connections: section.get("warm_connections", live, Number(0..=10_000), 32),
            replication_user: section.optional("replication_user", live, NAME),
            replication_password: section.secret("replication_password", "replication_password_file", live),
        };
        if switchover.replication_user.is_none() && switchover.replication_password.is_some() {
            section
                .reader
                .blame("switchover.replication_password", "needs switchover.replication_user beside it");
        }
        section.close();
        switchover
    }
}
