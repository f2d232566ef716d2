//! What a session does when something happens while its client is silent.

use crate::backend::Lease;
use crate::relay::Signals;
use crate::topology::Server;

use super::session::{End, MOVED, Session};
use super::unit::Hold;

impl Session {
    /// The client is silent: a transaction is done again at once, so that it has its locks before others go on.
    pub(super) async fn told_while_idle(&mut self, signals: Signals) -> Result<(), End> {
        if signals.intersects(Signals::KILL | Signals::LEAVE | Signals::ABORT) {
            return Err(End::Told);
        }
        if signals.intersects(Signals::PART | Signals::CUT) && !self.in_transaction() {
            self.part().await;
            return Ok(());
        }
        let (why, look) = if signals.contains(Signals::CUT) {
            ("a switchover could not wait for it any longer", false)
        } else if signals.contains(Signals::MOVED) {
            (MOVED, false)
        } else {
            ("the connection to its server was lost", true)
        };
        if look && self.is_bound() {
            // It can be done nowhere else; the next statement finds out.
            self.handle.signal.lower(Signals::SERVER_LOST);
            return Ok(());
        }
        if self.journal.is_none() {
            self.lose_transaction(why);
            return Ok(());
        }
        let server = self.lease.as_ref().map(|l| l.server).filter(|_| look);
        if look {
            self.break_lease();
        }
        let mut hold = Hold::default();
        if let Err(error) = self.replay(why, server, &mut hold).await? {
            self.lost = Some(error);
        }
        Ok(())
    }

    /// Gives up what only the session's server has for it. The client hears of it with its next statement.
    pub(super) async fn part(&mut self) {
        self.handle.signal.lower(Signals::PART);
        // What was said of the next transaction stands in a journal, and is said again where that begins.
        let kept = if self.is_about_to_begin() { self.journal.take() } else { None };
        if kept.is_none() {
            // Warnings and FOUND_ROWS() may be asked for elsewhere as well.
            if self.could_leave() && self.is_server_up() {
                self.leave().await;
            } else {
                self.settle(true).await;
            }
            if self.lease.is_none() {
                return;
            }
            self.lost_pins = self.take_pins();
        }
        if let Some(lease) = self.let_go() {
            lease.scrubbed().await;
        }
        self.end_unit();
        self.journal = kept;
    }

    /// Its server is no longer the primary, and is still there: what the last statement has left on it is taken along. Says
    /// whether nothing keeps the session there any more.
    pub(super) async fn take_along(&mut self) -> Result<bool, End> {
        if self.in_transaction() || self.journal.is_some() || !self.is_server_up() {
            return Ok(false);
        }
        self.pass = None;
        self.handle.set_in_unit(false);
        if self.could_leave() && !self.leave().await {
            return Err(End::Client);
        }
        Ok(self.lease.is_none())
    }

    /// Whether the server of the present connection answers, as far as is known.
    fn is_server_up(&self) -> bool {
        let topology = self.shared.store.load();
        let up = |lease: &Lease| !lease.broken && topology.server(lease.server).is_some_and(Server::is_up);
        self.lease.as_ref().is_some_and(up)
    }

    /// The client is silent, and the server has ended the connection with the transaction on it. If its server is no longer
    /// the primary, the transaction follows; if it is, somebody wanted the locks to be free, and they stay free until the
    /// client goes on. Locked tables are lost either way.
    pub(super) async fn torn_while_idle(&mut self) -> Result<(), End> {
        if !self.in_transaction() {
            self.lose_transaction("the connection to its server was lost");
            return Ok(());
        }
        self.left_lost = true;
        let Some(server) = self.lease.as_ref().map(|lease| lease.server) else { return Ok(()) };
        let tearing = self.shared.registry.torn.begin(&self.shared.registry, server);
        let (monitor, which) = (self.shared.monitor.clone(), [server]);
        tokio::select! {
            _ = monitor.look(&which) => {}
            () = self.client.stream().hung_up() => return Err(End::Client),
        }
        drop(tearing);
        if self.calm_or_condemned(server).await {
            return Ok(());
        }
        self.told_while_idle(Signals::SERVER_LOST).await
    }
}
