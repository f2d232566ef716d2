//! Makes the old primary unable to write, within a bound. Setting `read_only` waits for statements in flight; one that
//! waits for a row lock whose holder waits behind `read_only` would hang until `innodb_lock_wait_timeout` (seen: 50 s).
//! So whoever is in the way for longer than a moment is ended.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::backend::{Control, ControlError};

use super::statements;

/// Statements in flight get this long before they are ended. Units of ours are drained by then: what is left is
/// somebody's direct connection, or a unit that could not be drained.
const PATIENCE: Duration = Duration::from_millis(30);
/// Who is still in the way is looked for this often. InnoDB shows open transactions from a cache that it refreshes only
/// for a reader who comes more than 100 ms after the last one: who asks more often sees the same for ever.
const AGAIN: Duration = Duration::from_millis(150);

/// What the fence had to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Fenced {
    /// Connections ended because they were in the way.
    pub(super) ended: usize,
    /// Connections ended because they could still write.
    pub(super) strays: usize,
}

/// Fences within `within`. `main` sets the variable, `helper` ends who is in the way; `account` is ours and is spared.
///
/// # Errors
/// A sentence. The caller puts the old primary back: `main` may have set the variable all the same.
pub(super) async fn fence(
    main: &mut Control,
    helper: &mut Control,
    account: &str,
    within: Duration,
) -> Result<Fenced, String> {
    let deadline = Instant::now() + within;
    let flavor = main.flavor();
    let mut fenced = Fenced::default();
    let set = main.query(statements::fence(flavor), within);
    tokio::pin!(set);
    let mut next = Instant::now() + PATIENCE;
    loop {
        match timeout_at(next.min(deadline), &mut set).await {
            Ok(Ok(_)) => break,
            // The statement has the same time as the loop.
            Ok(Err(ControlError::TimedOut { .. })) => return Err(late(within)),
            Ok(Err(error)) => return Err(format!("could not set read_only: {error}")),
            Err(_) if Instant::now() >= deadline => return Err(late(within)),
            Err(_) => {
                let (which, instead) = (statements::blockers(account), statements::blockers_instead(account));
                fenced.ended += end(helper, &which, &instead).await.map_err(|e| e.to_string())?;
                next = Instant::now() + AGAIN;
            }
        }
    }
    let Some(strays) = statements::strays(flavor, helper.version(), account) else { return Ok(fenced) };
    fenced.strays =
        end(helper, &strays, &strays).await.map_err(|e| format!("could not end stray writers: {e}"))?;
    if fenced.strays > 0 {
        await_gone(helper, &strays, deadline).await?;
    }
    Ok(fenced)
}

fn late(within: Duration) -> String {
    let ms = within.as_millis();
    format!("setting read_only did not finish within {ms} ms (switchover.fence_timeout)")
}

/// For a query for which nobody waits: the old primary may be busy with a thousand rollbacks.
const UNHURRIED: Duration = Duration::from_secs(10);
/// How long InnoDB keeps what its transaction view shows, and a little more.
const VIEW: Duration = Duration::from_millis(120);

/// Ends what is left of transactions on a fenced server, so that it can follow somebody. A transaction must be seen
/// twice, further apart than the view is old: one that has just ended is not to be punished.
pub(super) async fn end_doomed(control: &mut Control, account: &str) -> Result<usize, ControlError> {
    let (which, limit) = (statements::doomed(account), UNHURRIED);
    let instead = statements::doomed_instead(account);
    let seen = control.query_or(&which, &instead, limit).await?;
    if seen.rows.is_empty() {
        return Ok(0);
    }
    sleep(VIEW).await;
    let still = control.query_or(&which, &instead, limit).await?;
    let mut ended = 0;
    for row in &still.rows {
        let same = seen.rows.iter().any(|s| s.at(0) == row.at(0));
        let Some(thread) = row.at(1).and_then(|id| id.parse::<u64>().ok()).filter(|_| same) else { continue };
        match control.query(&format!("KILL {thread}"), limit).await {
            Ok(_) => ended += 1,
            Err(error) if error.is_fatal() => return Err(error),
            Err(_) => {}
        }
    }
    Ok(ended)
}

/// Ends every connection that `which`, or else `instead`, selects; gives their number.
async fn end(control: &mut Control, which: &str, instead: &str) -> Result<usize, ControlError> {
    let limit = Duration::from_secs(1);
    let rows = control.query_or(which, instead, limit).await?;
    let mut ended = 0;
    for row in &rows.rows {
        let Some(id) = row.at(0).and_then(|id| id.parse::<u64>().ok()) else { continue };
        match control.query(&format!("KILL {id}"), limit).await {
            Ok(_) => ended += 1,
            Err(error) if error.is_fatal() => return Err(error),
            Err(_) => {} // gone by itself
        }
    }
    Ok(ended)
}

/// A killed connection rolls back before it is gone: only then is the position final.
async fn await_gone(control: &mut Control, which: &str, deadline: Instant) -> Result<(), String> {
    loop {
        let rows = control.query(which, Duration::from_secs(1)).await.map_err(|e| e.to_string())?;
        if rows.rows.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(format!(
                "{} connections that could still write did not end in time",
                rows.rows.len()
            ));
        }
        sleep(Duration::from_millis(5)).await;
    }
}
