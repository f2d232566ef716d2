//! Sends a command to the leased server connection, with all that goes in front of it.

use tideover_protocol::command::CommandKind;
use tideover_protocol::frame::MAX_PAYLOAD;

use crate::backend::ServerConnection;
use crate::relay::Signals;
use crate::replay::Sent;
use crate::sql::Kind;

use super::doubt;
use super::session::{End, Session};
use super::work::{Text, Work, tagged};

/// More bytes than a commit tag has.
const LONGEST_TAG: usize = 96;

impl Session {
    /// As [`send`](Self::send), until the server counts as lost or the session is ended: a server that hangs answers neither
    /// what goes in front of the command nor ends the connection.
    pub(super) async fn send_unless_lost(&mut self, work: &Work) -> Result<Result<bool, Sent>, End> {
        self.has_left = Sent::Nothing;
        let ended = Signals::KILL | Signals::ABORT;
        let patience = self.patience_for(self.place(&work.statement));
        let signals = tokio::select! {
            biased;
            sent = self.send(work) => return Ok(sent),
            signals = patience.over() => signals,
        };
        // Answers may be outstanding.
        if signals.intersects(ended) {
            self.kill_statement(true);
            self.break_lease();
            return Err(End::Told);
        }
        self.break_lease();
        Ok(Err(self.has_left))
    }

    /// Sends the command. `Ok(false)`: the client has its answer already. `Err`: the server is gone; how much was sent.
    async fn send(&mut self, work: &Work) -> Result<bool, Sent> {
        if self.must_settle(work) && !Box::pin(self.settle_or_tell()).await? {
            return Ok(false);
        }
        self.note_sending(work);
        if work.prepared.is_some() && work.kind != CommandKind::StmtPrepare {
            return self.send_prepared(work).await;
        }
        if !self.restore_unless_ahead(work).await? {
            return Ok(false);
        }
        let takes_tags = !work.tags.is_empty() && self.fits_tagged(work);
        let ahead = self.queue_ahead(work);
        self.queue_opening(work);
        let prelude = self.prelude(work);
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        if let Some(set) = &prelude {
            lease.queue_query(set);
        }
        let connection: &mut ServerConnection = lease;
        let commits = &connection.commits;
        let tags: (&[u8], &[Vec<u8>]) = match work.kind {
            CommandKind::Query => (commits.numbered_tag(), commits.further_tags()),
            _ => (commits.tag(), &[]),
        };
        self.has_left = Sent::Something;
        if takes_tags {
            let parts = tagged(&self.command, &work.tags, tags, work.kind, connection.capabilities);
            connection.io.queue_parts(&parts, 0);
        } else {
            connection.io.queue_packet(&self.command, 0);
        }
        connection.io.flush().await.map_err(|_| Sent::Something)?;
        self.after_all(work, ahead, prelude.is_some()).await
    }

    /// Whether tags can be put in without another frame becoming necessary: the numbers of the answer would not be those
    /// that the client expects. And whether the server takes a command that long.
    fn fits_tagged(&self, work: &Work) -> bool {
        let (length, tags) = match &work.text {
            Text::Prepared(prepared) => (prepared.key.text().len() + 1, &prepared.statement.tags),
            _ => (self.command.len(), &work.tags),
        };
        let tagged = length + tags.len() * LONGEST_TAG;
        let largest = self.lease.as_ref().map_or(usize::MAX, |lease| lease.largest);
        tagged / MAX_PAYLOAD == length / MAX_PAYLOAD && tagged < largest
    }

    /// Before a command is sent: what the guard needs if its answer should be lost.
    pub(super) fn note_sending(&mut self, work: &Work) {
        let fresh = !self.in_transaction();
        if doubt::may_commit(self.place(&work.statement)) {
            self.unit.mark(self.shared.store.load());
        }
        let blind = if doubt::may_write(&work.statement) { self.blind_spot(work) } else { None };
        let Some(lease) = &mut self.lease else { return };
        self.unit.note(work, blind, (fresh, lease.commits.number() + 1));
        if work.kind == CommandKind::Query && !work.tags.is_empty() {
            let several = work.statement.kind == Kind::Multi;
            lease.commits.begin_command(if several { work.tags.len() } else { 1 });
        }
    }

    pub(super) fn blind_spot(&self, work: &Work) -> Option<&'static str> {
        if !self.fits_tagged(work) {
            return Some("the statement is as long as a packet can be, so it carries no commit tag");
        }
        let logs = self.tracker.state().variable("sql_log_bin").is_none_or(|v| !matches!(v, b"OFF" | b"0"));
        doubt::blind_spot(&work.statement, logs)
    }
}
