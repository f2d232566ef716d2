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

/// Stops the receiver, if that can be undone. An applier that somebody has stopped is started first: what was received is
/// wanted now. One that an error has ended is for a person to mend, who needs the relay log: `false` if the replica is left
/// receiving for that.
pub(super) async fn stop(control: &mut Control) -> Result<bool, ControlError> {
    let flavor = control.flavor();
    let mut now = threads(control).await?;
    if !now.applier && !now.broken && (now.receiver || keeps(flavor, now)) {
        forgiving(control, statements::start_applier(flavor)).await?;
        now = threads(control).await?;
    }
    if !keeps(flavor, now) {
        return Ok(!now.receiver);
    }
    // One that follows nobody, or has stopped, refuses.
    forgiving(control, statements::stop_receiver(flavor)).await?;
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

/// Whether its receiver can be stopped and started at once without forgetting anything.
pub(super) async fn can_restart(control: &mut Control) -> Result<bool, ControlError> {
    let now = threads(control).await?;
    Ok(keeps(control.flavor(), now))
}

/// The same, as far as the last look told.
pub(super) fn could_restart(flavor: Flavor, seen: &Replication) -> bool {
    flavor == Flavor::MySql || seen.applying
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
