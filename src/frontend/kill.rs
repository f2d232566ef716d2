//! KILL: clients name sessions by the ids that we gave them; servers know their own.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::Control;
use crate::relay::Signals;
use crate::topology::ServerId;

use super::error;
use super::session::{End, Session};
use super::shared::Shared;

/// Time for ending a statement from another connection.
const KILL: Duration = Duration::from_secs(2);

/// Ends a statement, or a connection, on a server, in a task of its own.
pub(super) fn spawn(shared: &Arc<Shared>, server: (ServerId, u32), connection: bool) {
    let shared = shared.clone();
    tokio::spawn(async move {
        if let Err(problem) = end(&shared, server, connection).await {
            tracing::debug!(%problem, "a statement could not be ended");
        }
    });
}

async fn end(shared: &Shared, (server, thread): (ServerId, u32), connection: bool) -> Result<(), String> {
    let target = shared.pools.target(server).ok_or("no such server")?;
    let mut control = Control::connect(shared.pools.connector(), target, &shared.control, KILL)
        .await
        .map_err(|e| e.to_string())?;
    let sql = if connection { format!("KILL {thread}") } else { format!("KILL QUERY {thread}") };
    control.query(&sql, KILL).await.map(drop).map_err(|e| e.to_string())
}

impl Session {
    /// KILL in a text, or COM_PROCESS_KILL. Everybody may kill sessions of the same account; more would need the
    /// server's word on rights.
    pub(super) async fn kill(&mut self, id: u64, connection: bool) -> Result<(), End> {
        let victim = u32::try_from(id).ok().and_then(|id| self.shared.registry.find(id));
        let Some(victim) = victim else {
            return self.refuse(&error::unknown_thread(id)).await;
        };
        if victim.user() != self.handle.user() {
            let text = format!("You are not owner of thread {id}");
            let packet = tideover_protocol::packet::ErrPacket::new(1095, "HY000", text);
            return self.refuse(&error::ClientError { cause: "not_owner", packet }).await;
        }
        if let Some(server) = victim.server()
            && let Err(problem) = end(&self.shared, server, false).await
        {
            tracing::debug!(%problem, "a statement could not be ended");
        }
        if connection {
            victim.signal.raise(Signals::KILL);
        }
        if id == u64::from(self.handle.id) {
            let text = "Query execution was interrupted";
            let packet = tideover_protocol::packet::ErrPacket::new(1317, "70100", text);
            return self.refuse(&error::ClientError { cause: "killed", packet }).await;
        }
        self.acknowledge().await
    }

    /// COM_PROCESS_KILL: one byte, four bytes of id.
    pub(super) async fn process_kill(&mut self) -> Result<(), End> {
        match self.command.get(1..5) {
            Some(&[a, b, c, d]) => self.kill(u64::from(u32::from_le_bytes([a, b, c, d])), true).await,
            _ => self.refuse(&error::malformed("COM_PROCESS_KILL")).await,
        }
    }
}
