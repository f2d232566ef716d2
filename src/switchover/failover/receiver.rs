//! Stops what a replica receives with, and starts it again, so that it keeps what it has received.
//!
//! MariaDB empties the relay log of a replica by GTID of which neither thread runs, as soon as one of them is started: it
//! means to fetch all of it again, here from a primary that is gone. What was acknowledged may be nowhere else.

use crate::backend::{Control, ControlError, Row};
use crate::topology::{Flavor, Replication};

use super::super::statements;
use super::STATEMENT;

/// What a replica's threads do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Threads {
    /// The receiver runs, or tries to reach its source.
    receiver: bool,
    /// The applier runs.
    applier: bool,
    /// An error has ended the applier; otherwise somebody has stopped it.
    broken: bool,
}

/// Gets a replica ready for a stop of its receiver that can be undone: an applier that somebody has stopped is started,
/// since what was received is wanted now. One that an error has ended is for a person to mend, who needs the relay log: such
/// a replica is not ready on MariaDB.
pub(super) async fn ready(control: &mut Control) -> Result<bool, ControlError> {
    let flavor = control.flavor();
    let mut now = threads(control).await?;
    if !now.applier && !now.broken && (now.receiver || flavor == Flavor::MySql) {
        forgiving(control, statements::start_applier(flavor)).await?;
        now = threads(control).await?;
    }
    Ok(keeps(flavor, now))
}

/// Stops the receiver of one that can be made ready for it; `false` if it may go on receiving.
pub(super) async fn stop(control: &mut Control) -> Result<bool, ControlError> {
    if !ready(control).await? {
        return Ok(!threads(control).await?.receiver);
    }
    // One that follows nobody, or has stopped, refuses.
    forgiving(control, statements::stop_receiver(control.flavor())).await?;
    Ok(true)
}

/// Lets a replica receive again, where that forgets nothing.
pub(super) async fn start(control: &mut Control) -> Result<(), ControlError> {
    let flavor = control.flavor();
    let now = threads(control).await?;
    if !now.receiver && !keeps(flavor, now) {
        tracing::warn!(server = %control.address(), "not started: its applier has ended, and it would forget what it has received");
        return Ok(());
    }
    control.query(statements::start_replica(flavor), STATEMENT).await.map(|_| ())
}

/// Whether it can be made ready, as far as the last look told.
pub(super) fn can_be_ready(flavor: Flavor, seen: &Replication) -> bool {
    flavor == Flavor::MySql || seen.applying || (seen.receiving && seen.error.is_empty())
}

/// Whether it keeps what it has received when its receiver is stopped and started.
fn keeps(flavor: Flavor, threads: Threads) -> bool {
    flavor == Flavor::MySql || threads.applier
}

async fn threads(control: &mut Control) -> Result<Threads, ControlError> {
    let status = statements::replica_status(control.flavor());
    match control.query(status, STATEMENT).await {
        Ok(rows) => Ok(rows.first().map(said).unwrap_or_default()),
        Err(error) if error.is_fatal() => Err(error),
        Err(_) => Ok(Threads::default()),
    }
}

fn said(row: &Row) -> Threads {
    let text = |names: &[&str]| row.any(names).unwrap_or_default();
    let receiver = text(&["Replica_IO_Running", "Slave_IO_Running"]);
    Threads {
        receiver: !matches!(&*receiver, "" | "No"),
        applier: text(&["Replica_SQL_Running", "Slave_SQL_Running"]) == "Yes",
        broken: !matches!(&*text(&["Last_SQL_Errno"]), "" | "0"),
    }
}

/// Runs what may be refused; only the end of the connection is an error.
async fn forgiving(control: &mut Control, sql: &str) -> Result<(), ControlError> {
    match control.query(sql, STATEMENT).await {
        Err(error) if error.is_fatal() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_can_be_asked_without_forgetting() {
        let seen = |applying, receiving, error: &str| Replication {
            source_host: "x".into(),
            source_port: 1,
            source_number: 1,
            receiving,
            receiver_stopped: !receiving,
            applying,
            lag: None,
            error: error.to_owned(),
            received: String::new(),
        };
        let maria =
            |applying, receiving, error| can_be_ready(Flavor::MariaDb, &seen(applying, receiving, error));
        assert!(maria(true, true, "") && maria(true, false, "gave up") && maria(false, true, ""));
        // Neither thread runs, or an error has ended the applier.
        assert!(!maria(false, false, "") && !maria(false, true, "duplicate key"));
        assert!(can_be_ready(Flavor::MySql, &seen(false, false, "duplicate key")));
    }
}
