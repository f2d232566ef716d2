//! Makes a replica connect to its source anew, to hear whether it gets through: a receiver notices a hung source only
//! after `slave_net_timeout` / `replica_net_timeout`, 60 s by default.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::backend::{Control, Row};

use super::super::statements;
use super::STATEMENT;

/// Between looks at the receiver.
const LOOK: Duration = Duration::from_millis(20);

/// Whether the replica reaches its source within `within`. The applier goes on, so that MariaDB keeps the relay log. A
/// replica that cannot be asked reaches nobody.
pub(super) async fn reaches_source(control: &mut Control, within: Duration) -> bool {
    let flavor = control.flavor();
    for sql in [statements::stop_receiver(flavor), statements::start_receiver(flavor)] {
        match control.query(sql, STATEMENT).await {
            Err(error) if error.is_fatal() => return false,
            // Stopping what has stopped already.
            _ => {}
        }
    }
    let deadline = Instant::now() + within;
    loop {
        let Ok(rows) = control.query(statements::replica_status(flavor), STATEMENT).await else {
            return false;
        };
        if let Some(reached) = rows.first().and_then(|row| said(row)) {
            return reached;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK).await;
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
