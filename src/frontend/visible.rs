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

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::backend::{Control, ControlError, Rows};
use crate::topology::ServerId;

use super::line::{Line, REACH};
use super::shared::Shared;

/// A primary is asked once within this time, for all sessions of a shard that wait meanwhile.
const PACE: Duration = Duration::from_millis(1);
/// Who may not ask does not ask again within this time.
const REST: Duration = Duration::from_secs(1);
/// A file that is shorter has just begun, bytes.
const FRESH: u64 = 4096;
/// After this time it has not.
const SETTLED: Duration = Duration::from_secs(15);
/// Ends of the log that are waited for at once; more wait for their turn.
const MARKS: usize = 16;
/// MariaDB shows what it has logged within this time, unless it is starved or waits for a replica to confirm it.
const MOMENT: Duration = Duration::from_millis(5);

/// What is known of it, for the sessions of one shard.
#[derive(Debug, Default)]
pub struct Visible(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    line: Line,
    /// Of whom the following is known.
    server: Option<ServerId>,
    /// The present file of the log, and until when it says nothing.
    file: Option<(String, Instant)>,
    /// Where the log ended at these times.
    marks: VecDeque<(Instant, Place)>,
    /// All that the server had logged then can be seen there.
    shown: Option<Instant>,
    asked: Option<Instant>,
    /// It does not let us ask.
    refused: Option<Instant>,
}

/// What a look brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// `Known::shown` has what there is.
    Taken,
    /// Positions say nothing now, and semi-synchronous replication holds nothing back.
    Nothing,
    /// They say nothing now, and it does.
    HeldBack,
}

/// A place in a binary log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: String,
    offset: u64,
}

impl PartialOrd for Place {
    /// Files are numbered, with as many digits as that takes.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let place = |of: &Self| (of.file.len(), of.file.clone(), of.offset);
        place(self).partial_cmp(&place(other))
    }
}

impl Visible {
    /// Waits until `server`, a MariaDB, shows all that it had logged at `then`, for as long as that takes. Where its log says
    /// nothing, that is: until no commit waits for a replica, and a moment has passed.
    pub(super) async fn wait(&self, shared: &Shared, server: ServerId, then: Instant) {
        loop {
            let mut known = self.0.lock().await;
            if known.server != Some(server) {
                let line = std::mem::take(&mut known.line);
                *known = Known { line, server: Some(server), ..Known::default() };
            }
            if known.shown.is_some_and(|at| at >= then) {
                return;
            }
            if known.refused.is_some_and(|refused| refused.elapsed() < REST) {
                break;
            }
            if let Some(asked) = known.asked {
                sleep_until(asked + PACE).await;
            }
            known.asked = Some(Instant::now());
            match known.look(shared, server, then).await {
                Ok(Look::Taken) if known.shown.is_some_and(|at| at >= then) => return,
                Ok(Look::Nothing) if then.elapsed() >= MOMENT => return,
                Ok(_) => {}
                // A server that hangs or goes away is noticed by others, who end this.
                Err(problem) => {
                    tracing::debug!(server = server.0, %problem, "cannot ask what is visible");
                    known.refused = problem.code().is_some().then(Instant::now);
                }
            }
            drop(known);
            sleep(PACE).await;
        }
        sleep_until(then + MOMENT).await;
    }
}

impl Known {
    async fn look(&mut self, shared: &Shared, server: ServerId, then: Instant) -> Result<Look, ControlError> {
        let Some((mut control, fresh)) = self.line.take(shared, server).await? else {
            return Ok(Look::HeldBack);
        };
        if fresh {
            let ordered = control.query("SELECT @@binlog_optimize_thread_scheduling", REACH).await?;
            self.file = (ordered.scalar().as_deref() != Some("1")).then(never);
            self.marks.clear();
        }
        let look = self.ask(&mut control, then).await;
        if look.is_ok() {
            self.line.keep(server, control);
        }
        look
    }

    async fn ask(&mut self, control: &mut Control, then: Instant) -> Result<Look, ControlError> {
        if self.marks.back().is_none_or(|(at, _)| *at < then) && self.marks.len() < MARKS {
            let now = Instant::now();
            let logged = Place::of_log(&control.query("SHOW MASTER STATUS", REACH).await?);
            self.marks.extend(logged.map(|place| (now, place)));
        }
        let shown = control.query("SHOW STATUS LIKE 'binlog_snapshot_%'", REACH).await?;
        if let Some(shown) = Place::of_snapshot(&shown).filter(|shown| self.has_settled(shown)) {
            self.reached(&shown);
            return Ok(Look::Taken);
        }
        // What is held back is counted.
        let waiting = control.query("SHOW STATUS LIKE 'rpl_semi_sync_master_wait_sessions'", REACH).await?;
        let waiting = waiting.first().and_then(|row| row.at(1)).and_then(|count| count.parse().ok());
        Ok(if waiting.unwrap_or(0_u64) == 0 { Look::Nothing } else { Look::HeldBack })
    }

    /// All in front of this place can be seen: what was the end of the log before may be among it. The last of an older file
    /// is, since this one says something.
    fn reached(&mut self, shown: &Place) {
        while let Some((at, place)) = self.marks.front() {
            if *place > *shown {
                return;
            }
            self.shown = Some(*at);
            self.marks.pop_front();
        }
    }

    /// Whether positions in the present file mean what they say.
    fn has_settled(&mut self, place: &Place) -> bool {
        let now = Instant::now();
        match &self.file {
            Some((file, until)) if *file == place.file || file.is_empty() => now >= *until,
            _ => {
                let fresh = place.offset < FRESH;
                self.file = Some((place.file.clone(), if fresh { now + SETTLED } else { now }));
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

    #[tokio::test(start_paused = true)]
    async fn what_was_the_end_of_the_log_is_reached() {
        let place = |file: &str, offset| Place { file: file.to_owned(), offset };
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let marks = [(at(1), place("log.1", 50)), (at(2), place("log.1", 70)), (at(3), place("log.2", 9))];
        let mut known = Known { marks: marks.into(), ..Known::default() };
        known.reached(&place("log.1", 49));
        assert_eq!((known.shown, known.marks.len()), (None, 3));
        known.reached(&place("log.1", 60));
        assert_eq!((known.shown, known.marks.len()), (Some(at(1)), 2));
        known.reached(&place("log.1", 99));
        known.reached(&place("log.2", 8));
        assert_eq!((known.shown, known.marks.len()), (Some(at(2)), 1), "the older file is at its end");
    }
}
