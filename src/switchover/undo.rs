//! Puts the database back when a switchover fails before the target has become the primary.

use crate::backend::ControlError;

use super::coordinator::{Run, STATEMENT};
use super::phase::Event;
use super::statements;

impl Run<'_> {
    pub(super) async fn put_back(&mut self) -> Event {
        let mut event = Event::Done;
        if self.state.promoting
            && let Err(problem) = self.fence_target().await
        {
            self.state.problems.push(problem);
            event = Event::Failed;
        }
        if self.state.fenced
            && let Err(problem) = self.unfence().await
        {
            self.state.problems.push(problem);
            event = Event::Failed;
        }
        let servers = self.state.pair.as_ref().map(|p| vec![p.from.id, p.to.id]).unwrap_or_default();
        self.parts.monitor.look(&servers).await;
        self.open();
        event
    }

    /// A promotion that stopped half-way may have lifted a part of the target's own protection.
    async fn fence_target(&self) -> Result<(), String> {
        let Some(pair) = &self.state.pair else { return Ok(()) };
        let problem = |e: ControlError| format!("the target may not be read-only: {e}");
        let mut control = self.control(pair.to.id).await.map_err(problem)?;
        let sql = statements::fence(control.flavor());
        control.query(sql, STATEMENT).await.map(drop).map_err(problem)
    }

    /// On a new connection: the one that set the fence may be stuck in it.
    async fn unfence(&self) -> Result<(), String> {
        let Some(pair) = &self.state.pair else { return Ok(()) };
        let undone = |e: ControlError| format!("the old primary may still be read-only: {e}");
        let mut control = self.control(pair.from.id).await.map_err(undone)?;
        if let Some(stuck) = &self.state.old {
            // A SET that still waits would take effect later.
            let _ = control.query(&format!("KILL {}", stuck.thread()), STATEMENT).await;
        }
        for sql in statements::accept_writes(control.flavor()) {
            control.query(sql, STATEMENT).await.map_err(undone)?;
        }
        Ok(())
    }
}
