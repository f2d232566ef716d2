//! Makes a replica connect to its source anew, to hear whether it gets through: a receiver notices a hung source only
//! after `slave_net_timeout` / `replica_net_timeout`, 60 s by default.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::backend::{Control, Row};
use crate::topology::Flavor;

use super::super::statements;
use super::{STATEMENT, receiver};

/// Stopping a receiver may take this long.
const STOP: Duration = Duration::from_secs(10);
/// Between looks at the receiver.
const LOOK: Duration = Duration::from_millis(20);

/// Whether the replica reaches its source within `within`; `None` if it cannot be asked. The applier runs meanwhile, so that
/// MariaDB keeps the relay log.
pub(super) async fn reaches_source(control: &mut Control, within: Duration) -> Option<bool> {
    if !receiver::ready(control).await.ok()? {
        return None;
    }
    let flavor = control.flavor();
    let patience = Patience::shorten(control).await;
    for sql in [statements::stop_receiver(flavor), statements::start_receiver(flavor)] {
        match control.query(sql, STOP).await {
            Err(error) if error.is_fatal() => return None,
            // Stopping what has stopped already.
            _ => {}
        }
    }
    patience.restore(control).await;
    let deadline = Instant::now() + within;
    loop {
        let rows = control.query(statements::replica_status(flavor), STATEMENT).await.ok()?;
        if let Some(reached) = rows.first().and_then(said) {
            return Some(reached);
        }
        if Instant::now() >= deadline {
            return Some(false);
        }
        sleep(LOOK).await;
    }
}

/// A semi-synchronous receiver of MariaDB that is stopped tells its source so on a new connection, and waits for that: 5 s
/// where the source hangs.
struct Patience(Option<String>);

impl Patience {
    async fn shorten(control: &mut Control) -> Self {
        if control.flavor() != Flavor::MariaDb {
            return Self(None);
        }
        let was = control.query("SELECT @@global.rpl_semi_sync_slave_kill_conn_timeout", STATEMENT).await;
        let was = was.ok().and_then(|rows| rows.scalar()).filter(|s| s.parse::<u32>().is_ok_and(|s| s > 1));
        if was.is_some() {
            // Without the right to set it, it takes longer.
            let _ = control.query("SET GLOBAL rpl_semi_sync_slave_kill_conn_timeout=1", STATEMENT).await;
        }
        Self(was)
    }

    async fn restore(self, control: &mut Control) {
        if let Some(was) = self.0 {
            let sql = format!("SET GLOBAL rpl_semi_sync_slave_kill_conn_timeout={was}");
            let _ = control.query(&sql, STATEMENT).await;
        }
    }
}

fn said(row: &Row) -> Option<bool> {
    let running = row.any(&["Replica_IO_Running", "Slave_IO_Running"]).unwrap_or_default();
    let error = row.text("Last_IO_Errno").and_then(|e| e.parse().ok()).unwrap_or_default();
    reached(&running, error)
}

/// What the receiver's state says; `None` while it is still trying. Numbers of 2000 to 2999 are of the client library: no
/// connection. All others are words of the source itself.
fn reached(running: &str, error: u32) -> Option<bool> {
    match (running, error) {
        ("Yes", _) => Some(true),
        (_, 2000..=2999) => Some(false),
        ("No", 0) | (_, 0) => None,
        _ => Some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_receiver_says() {
        let rows = [
            ("Yes", 0, Some(true)),
            ("Connecting", 0, None),
            ("Preparing", 0, None),
            ("Connecting", 2003, Some(false)),
            ("Connecting", 2013, Some(false)),
            ("No", 2003, Some(false)),
            ("No", 0, None),
            ("Connecting", 1040, Some(true)),
            ("No", 1236, Some(true)),
        ];
        for (running, error, wanted) in rows {
            assert_eq!(reached(running, error), wanted, "{running} {error}");
        }
    }
}
