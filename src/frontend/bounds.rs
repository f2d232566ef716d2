//! What nobody can have seen more than: the primary's position, asked for once for all sessions of a shard that need it.
//!
//! A replica shows only what its primary has logged before. So a position that the primary gives *after* a session has read
//! somewhere has all that the session has seen there, wherever that was, and also if that server is gone. With it the session
//! can go on reading on any replica that has it.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::route::everything;

use super::line::{Line, REACH};
use super::shared::Shared;

/// The primary's position, for the sessions of one shard.
#[derive(Debug, Default)]
pub struct Bounds {
    line: Mutex<Line>,
    last: parking_lot::Mutex<Option<Bound>>,
}

/// All that could be seen anywhere at one time.
#[derive(Debug, Clone)]
struct Bound {
    /// It was asked for no earlier.
    asked: Instant,
    /// Of the primary that was asked: what a former one had may be lost.
    epoch: u64,
    position: Arc<str>,
}

impl Bounds {
    /// A position that is known, and has all that could be seen `then`.
    pub(super) fn known(&self, shared: &Shared, then: Instant) -> Option<Arc<str>> {
        let epoch = shared.store.peek().epoch;
        let last = self.last.lock();
        last.as_ref()
            .filter(|last| last.asked >= then && last.epoch == epoch)
            .map(|last| last.position.clone())
    }

    /// A position that has all that could be seen `then`. The primary is asked unless somebody else has, since. `None`: it
    /// cannot be asked now.
    pub(super) async fn since(&self, shared: &Shared, then: Instant) -> Option<Arc<str>> {
        if let Some(known) = self.known(shared, then) {
            return Some(known);
        }
        // One asks; who came before it began is served by its answer.
        let mut line = self.line.lock().await;
        if let Some(known) = self.known(shared, then) {
            return Some(known);
        }
        let (primary, epoch) = {
            let topology = shared.store.peek();
            let primary = topology.primary()?;
            ((primary.id, primary.flavor), topology.epoch)
        };
        let (server, flavor) = primary;
        let asked = Instant::now();
        let taken = line.take(shared, server).await;
        let (mut control, _) = taken.inspect_err(|problem| tracing::debug!(%problem, "no bound")).ok()??;
        match control.query(everything(flavor), REACH).await {
            Ok(rows) => {
                line.keep(server, control);
                let position: Arc<str> = rows.scalar().filter(|text| text.len() > 1)?.into();
                *self.last.lock() = Some(Bound { asked, epoch, position: position.clone() });
                Some(position)
            }
            Err(problem) => {
                tracing::debug!(server = server.0, %problem, "the primary does not give its position");
                None
            }
        }
    }
}
