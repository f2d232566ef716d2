//! What a primary of MariaDB has logged and does not show yet.
//!
//! A transaction is in the binary log, and a replica may have shown it, before its own server does: for a moment as a rule,
//! with semi-synchronous replication that waits between both (`AFTER_SYNC`, "lossless") for as long as a replica takes to
//! confirm it. The server knows up to which position all is visible: the status variables `binlog_snapshot_file` and
//! `binlog_snapshot_position` are read under the lock under which a group commit makes its transactions visible, and change
//! under it. A position of the log that was asked for before is reached by them when nothing in front of it is hidden.
//!
//! Of XA COMMIT that says nothing (it is logged in an order of its own), and neither does a file that has just begun: its
//! first position is set before the transactions at the end of the old one are visible.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::backend::{Control, ControlError, Rows};
use crate::topology::ServerId;

use super::shared::Shared;

/// Logging in, and each question, take at most this long.
const REACH: Duration = Duration::from_millis(500);
/// A primary is asked once within this time, for all sessions of a shard that wait meanwhile.
const PACE: Duration = Duration::from_millis(1);
/// Who could not be asked is not asked again within this time.
const REST: Duration = Duration::from_secs(1);
/// Nobody waits longer: by then the server hangs, which others notice.
const LONGEST: Duration = Duration::from_secs(2);
/// A file that is shorter has just begun, bytes.
const FRESH: u64 = 4096;
/// After this time it has not.
const SETTLED: Duration = Duration::from_secs(15);

/// What is known of it, for the sessions of one shard.
#[derive(Debug, Default)]
pub struct Visible(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    control: Option<(ServerId, Control)>,
    /// The present file of the log, and until when it says nothing.
    file: Option<(String, Instant)>,
    /// All that the server had logged then can be seen there.
    shown: Option<(ServerId, Instant)>,
    asked: Option<Instant>,
    failed: Option<Instant>,
}

/// A place in a binary log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: String,
    offset: u64,
}

impl Visible {
    /// Waits until `server`, a MariaDB, shows all that it had logged at `then`. `false`: that cannot be known.
    pub(super) async fn wait(&self, shared: &Shared, server: ServerId, then: Instant) -> bool {
        let waited = timeout(LONGEST, async {
            let mut known = self.0.lock().await;
            if known.shown.is_some_and(|(of, at)| of == server && at >= then) {
                return Ok(true);
            }
            if known.failed.is_some_and(|failed| failed.elapsed() < REST) {
                return Ok(false);
            }
            if let Some(asked) = known.asked {
                sleep_until(asked + PACE).await;
            }
            let looked = known.look(shared, server).await;
            known.failed = looked.is_err().then(Instant::now);
            looked
        });
        match waited.await {
            Ok(Ok(known)) => known,
            Ok(Err(problem)) => {
                tracing::debug!(server = server.0, %problem, "cannot ask what is visible");
                false
            }
            // It was known, and did not come.
            Err(_) => true,
        }
    }
}

impl Known {
    async fn look(&mut self, shared: &Shared, server: ServerId) -> Result<bool, ControlError> {
        let began = Instant::now();
        self.asked = Some(began);
        // Whoever is cancelled takes the connection with it: an answer may be outstanding.
        let mut control = match self.control.take() {
            Some((of, control)) if of == server => control,
            _ => {
                let Some(target) = shared.pools.target(server) else { return Ok(false) };
                let mut control =
                    Control::connect(shared.pools.connector(), target, &shared.control, REACH).await?;
                let ordered = control.query("SELECT @@binlog_optimize_thread_scheduling", REACH).await?;
                self.file = (ordered.scalar().as_deref() != Some("1")).then(never);
                control
            }
        };
        let logged = Place::of_log(&control.query("SHOW MASTER STATUS", REACH).await?);
        let settled = match &logged {
            Some(logged) => self.has_settled(logged),
            None => false,
        };
        while let Some(logged) = logged.as_ref().filter(|_| settled) {
            let shown =
                Place::of_snapshot(&control.query("SHOW STATUS LIKE 'binlog_snapshot_%'", REACH).await?);
            let Some(shown) = shown.filter(|shown| shown.file == logged.file) else {
                self.control = Some((server, control));
                return Ok(false);
            };
            if shown.offset >= logged.offset {
                self.shown = Some((server, began));
                break;
            }
            sleep(PACE).await;
        }
        self.control = Some((server, control));
        Ok(settled)
    }

    /// Whether positions in the present file mean what they say.
    fn has_settled(&mut self, logged: &Place) -> bool {
        let now = Instant::now();
        match &self.file {
            Some((file, until)) if *file == logged.file || file.is_empty() => now >= *until,
            _ => {
                let fresh = logged.offset < FRESH;
                self.file = Some((logged.file.clone(), if fresh { now + SETTLED } else { now }));
                !fresh
            }
        }
    }
}

/// A server that runs the commits of a group one by one says its position too early.
fn never() -> (String, Instant) {
    (String::new(), Instant::now() + Duration::from_secs(86_400 * 365))
}

impl Place {
    fn of_log(rows: &Rows) -> Option<Self> {
        let row = rows.first()?;
        Some(Self { file: row.at(0)?, offset: row.at(1)?.parse().ok()? })
    }

    fn of_snapshot(rows: &Rows) -> Option<Self> {
        let value = |name: &str| {
            let row = rows.rows.iter().find(|row| row.at(0).is_some_and(|n| n.eq_ignore_ascii_case(name)));
            row.and_then(|row| row.at(1))
        };
        Some(Self {
            file: value("binlog_snapshot_file")?,
            offset: value("binlog_snapshot_position")?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_that_has_just_begun_says_nothing() {
        let mut known = Known::default();
        let place = |file: &str, offset| Place { file: file.to_owned(), offset };
        assert!(known.has_settled(&place("log.1", 50_000)), "it is long already");
        assert!(known.has_settled(&place("log.1", 50_000)));
        assert!(!known.has_settled(&place("log.2", 400)));
        assert!(!known.has_settled(&place("log.2", 90_000)), "its beginning was seen just now");
        tokio::time::advance(SETTLED).await;
        assert!(known.has_settled(&place("log.2", 90_000)));
        assert!(known.has_settled(&place("log.3", FRESH)));
        known.file = Some(never());
        assert!(!known.has_settled(&place("log.3", 50_000)));
        assert!(!known.has_settled(&place("log.4", 50_000)));
    }
}
