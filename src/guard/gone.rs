//! Makes sure that connections are gone from a server that lives: only then is its log the last word about them.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::backend::{Control, ControlError};

/// A connection that was lost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lost {
    /// Its id on the server.
    pub(super) thread: u32,
    /// When it was opened.
    pub(super) opened: Instant,
    /// Statements still running on it are ended from then on.
    pub(super) patience: Instant,
}

/// What a look at the server's connections showed.
#[derive(Debug)]
pub(super) struct Present {
    commands: HashMap<u64, String>,
    started: Option<Instant>,
}

/// ER_NO_SUCH_THREAD: it went by itself.
const NO_SUCH_THREAD: u16 = 1094;

/// Looks which connections the server has, and since when it runs.
pub(super) async fn look(control: &mut Control, within: Duration) -> Result<Present, ControlError> {
    let rows = control.query("SHOW PROCESSLIST", within).await?;
    let commands = rows.rows.iter().filter_map(|row| {
        let id = row.text("Id")?.parse().ok()?;
        Some((id, row.text("Command").unwrap_or_default()))
    });
    let commands = commands.collect();
    let uptime = control.query("SHOW GLOBAL STATUS LIKE 'Uptime'", within).await?;
    let uptime: Option<u64> = uptime.first().and_then(|row| row.at(1)).and_then(|text| text.parse().ok());
    // It counts whole seconds that have passed.
    let started = uptime.and_then(|s| Instant::now().checked_sub(Duration::from_secs(s + 1)));
    Ok(Present { commands, started })
}

impl Present {
    /// Whether the connection is gone: not in the list, or the server has been started since, in which case the id is
    /// somebody else's.
    pub(super) fn lacks(&self, lost: &Lost) -> bool {
        let restarted = self.started.is_some_and(|started| started > lost.opened);
        restarted || !self.commands.contains_key(&u64::from(lost.thread))
    }

    /// Whether a command runs on the connection. One that waits for its next command has nothing more to say.
    pub(super) fn runs(&self, lost: &Lost) -> bool {
        let command = self.commands.get(&u64::from(lost.thread));
        !self.lacks(lost) && command.is_some_and(|command| command != "Sleep")
    }

    /// Whether it should be ended: it waits for a command that will not come, or has run on for too long.
    fn is_due(&self, lost: &Lost, now: Instant) -> bool {
        match self.commands.get(&u64::from(lost.thread)).map(String::as_str) {
            Some("Sleep") => true,
            Some("Killed") | None => false,
            Some(_) => now >= lost.patience,
        }
    }

    /// Ends it if that is due. Gone is what only a later look can say.
    pub(super) async fn end(
        &self,
        control: &mut Control,
        lost: &Lost,
        within: Duration,
    ) -> Result<(), ControlError> {
        if !self.is_due(lost, Instant::now()) {
            return Ok(());
        }
        match control.query(&format!("KILL {}", lost.thread), within).await {
            Err(error) if error.code() != Some(NO_SUCH_THREAD) => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(commands: &[(u64, &str)], started: Option<Instant>) -> Present {
        let commands = commands.iter().map(|(id, command)| (*id, (*command).to_owned())).collect();
        Present { commands, started }
    }

    #[tokio::test(start_paused = true)]
    async fn gone_or_due() {
        let opened = Instant::now();
        tokio::time::advance(Duration::from_secs(10)).await;
        let now = Instant::now();
        let lost = Lost { thread: 7, opened, patience: now + Duration::from_secs(1) };
        let list = [(7, "Query"), (8, "Sleep"), (9, "Killed")];
        let here = present(&list, Some(opened - Duration::from_secs(5)));
        assert!(!here.lacks(&lost));
        assert!(here.lacks(&Lost { thread: 10, ..lost }));
        assert!(present(&list, Some(now)).lacks(&lost), "restarted since");
        assert!(!present(&list, None).lacks(&lost));
        assert!(!here.is_due(&lost, now));
        assert!(here.runs(&lost) && !here.runs(&Lost { thread: 8, ..lost }));
        assert!(!here.runs(&Lost { thread: 10, ..lost }) && !present(&list, Some(now)).runs(&lost));
        assert!(here.is_due(&lost, lost.patience));
        assert!(here.is_due(&Lost { thread: 8, ..lost }, now));
        assert!(!here.is_due(&Lost { thread: 9, ..lost }, lost.patience));
    }
}
