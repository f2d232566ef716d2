//! The commit marker: where tags cannot prove what becomes of a transaction, it writes a row of its own just before its
//! COMMIT, in one command with it. If the row is refused, the server does not come to the COMMIT: a COMMIT without a mark is
//! another command, sent afterwards. So a row that is missing later means that the transaction was not committed.

use std::io;

use tideover_protocol::frame::{FrameHeader, HEADER_LEN};
use tideover_protocol::packet::ErrPacket;
use tideover_protocol::response::Control;
use tideover_protocol::status::StatusFlags;

use crate::guard;
use crate::relay::{Controls, Signals, Verdict};
use crate::replay::{Broke, Place, Sent};
use crate::sql::{Effects, Kind, details};

use super::answer::{AnswerControls, Completion};
use super::doubt::NOT_LOGGED;
use super::kill;
use super::run::Attempt;
use super::session::{End, Session};
use super::staying::unless_lost;
use super::unit::Hold;
use super::work::Work;

/// How a unit ended that was to leave a mark.
#[derive(Debug)]
pub(super) enum Ended {
    /// Committed, with the mark: the COMMIT's OK packet.
    Done(Vec<u8>),
    /// The COMMIT was refused.
    Refused(ErrPacket),
    /// The mark was refused. The transaction is open still, without it.
    Unmarked,
    /// The mark was refused, and the transaction is gone: rolled back by the server.
    Gone(ErrPacket),
    /// The mark was refused, and then the connection was lost: nothing is committed.
    Dropped,
    /// The connection was lost.
    Lost,
}

impl Session {
    /// Whether the command ends a transaction that is to leave a mark.
    pub(super) fn ends_with_mark(&self, work: &Work) -> bool {
        let other = Effects::RELEASE | Effects::XA | Effects::MULTI | Effects::UNSURE;
        work.statement.kind == Kind::Commit
            && self.in_transaction()
            && self.unit.changed
            && !self.unit.unmarkable
            && !work.statement.any(other)
            // `AND NO CHAIN` matters beside `completion_type`.
            && !details::mentions(work.text.of(&self.command), work.dialect, &[b"no"])
            && self.may_mark_counted()
    }

    fn may_mark_counted(&self) -> bool {
        let may = self.may_mark(self.unit.blind);
        if !may && self.unit.blind.is_some() {
            self.count_mark("none");
        }
        may
    }

    /// Whether a unit is to leave a mark, and can as far as is known; `blind`: why its tags prove nothing.
    pub(super) fn may_mark(&self, blind: Option<&'static str>) -> bool {
        let Some(lease) = &self.lease else { return false };
        let user = String::from_utf8_lossy(self.account.user());
        blind != Some(NOT_LOGGED) && self.shared.guard.wants_mark(blind.is_some(), (lease.server, &user))
    }

    pub(super) fn count_mark(&self, result: &str) {
        self.shared.metrics.marks.with_label_values(&[result]).inc();
    }

    /// Sends the COMMIT with a mark in front, and gives the client its answer.
    pub(super) async fn commit_marked(&mut self, work: &Work, hold: &mut Hold) -> Result<Attempt, End> {
        self.note_sending(work);
        let _ = hold.left();
        let end = if work.statement.any(Effects::CHAIN) { "COMMIT AND CHAIN" } else { "COMMIT" };
        let (ended, ended_by_us) = self.end_with_mark(end).await?;
        match ended {
            Ended::Done(payload) => {
                let done = self.queue_ok(&payload)?;
                self.finished(work, done, (0, 0));
                self.flush().await?;
                Ok(Attempt::Done)
            }
            Ended::Unmarked => Ok(Attempt::Again),
            Ended::Refused(error) | Ended::Gone(error) => {
                let done = Completion { error: Some(self.framed_error(&error)), ..Completion::default() };
                self.server_error(
                    work,
                    hold,
                    (done, (0, 0), Vec::new(), self.answer_at.unwrap_or(1)),
                    (false, ended_by_us, Place::Commit),
                )
                .await
            }
            Ended::Dropped => {
                self.failed(work, hold, (Sent::Nothing, Broke::Lost, false, Place::Commit), None).await
            }
            Ended::Lost => {
                self.failed(work, hold, (Sent::Something, Broke::Lost, false, Place::Commit), None).await
            }
        }
    }

    /// Leaves a mark in the open transaction and ends it with `end`. Says also whether we had the statement ended.
    pub(super) async fn end_with_mark(&mut self, end: &str) -> Result<(Ended, bool), End> {
        let patience = self.patience_for(if self.wrap.open { Place::Wrapped } else { Place::Commit });
        let Self { lease, handle, shared, unit, account, .. } = self;
        let Some(lease) = lease.as_mut() else { return Ok((Ended::Lost, false)) };
        let mark = lease.commits.mark();
        let sql = format!("{};{end}", guard::call(&mark));
        unit.mark = Some(mark);
        let address = (lease.server, lease.thread);
        let mut ended_by_us = false;
        let result = {
            let run = lease.query_each(&sql);
            tokio::pin!(run);
            let over = patience.over();
            tokio::pin!(over);
            loop {
                let signals = tokio::select! {
                    biased;
                    result = &mut run => break Some(result),
                    signals = &mut over => signals,
                    signals = handle.signal.wait(Signals::CUT), if !ended_by_us => signals,
                };
                if signals.intersects(Signals::KILL | Signals::ABORT) {
                    kill::spawn(shared, handle, account, address, true);
                    break None;
                }
                if !signals.contains(Signals::CUT) {
                    break Some(Err(io::ErrorKind::BrokenPipe.into()));
                }
                // The server's own answer says what became of it.
                ended_by_us = true;
                kill::spawn(shared, handle, account, address, false);
            }
        };
        let Some(result) = result else {
            lease.broken = true;
            return Err(End::Told);
        };
        let ended = match result {
            Err(_) => Ended::Lost,
            Ok((mut answers, None)) => answers.pop().map_or(Ended::Lost, Ended::Done),
            Ok((answers, Some(error))) if !answers.is_empty() => Ended::Refused(error),
            Ok((_, Some(error))) => self.mark_refused(error).await,
        };
        if matches!(ended, Ended::Done(_)) {
            self.count_mark("left");
        }
        Ok((ended, ended_by_us))
    }

    /// The server did not come to the COMMIT. An error may have rolled everything back (a deadlock), or nothing.
    async fn mark_refused(&mut self, error: ErrPacket) -> Ended {
        self.unit.mark = None;
        self.unit.unmarkable = true;
        self.count_mark("refused");
        let patience = self.patience_for(Place::Commit);
        let Some(lease) = &mut self.lease else { return Ended::Lost };
        let user = String::from_utf8_lossy(self.account.user());
        let why = String::from_utf8_lossy(&error.message);
        self.shared.guard.mark_refused((lease.server, &user), (error.code, &why));
        match unless_lost(&patience, lease.command(&[0x0e])).await {
            Err(_) => Ended::Dropped,
            Ok(_) if lease.status.contains(StatusFlags::IN_TRANS) => Ended::Unmarked,
            Ok(_) => Ended::Gone(error),
        }
    }

    /// Queues an OK packet of the server's for the client, as an answer of its own.
    fn queue_ok(&mut self, payload: &[u8]) -> Result<Completion, End> {
        let (Some(sequence), Some(lease)) = (self.answer_at, &self.lease) else { return Err(End::Client) };
        let mut frame = framed(payload, sequence);
        let mut controls = AnswerControls::new(lease.capabilities, self.capabilities);
        match controls.control(&Control::Ok { last: true }, &mut frame, false) {
            Verdict::Replace(bytes) => self.client.queue(&bytes),
            _ => self.client.queue(&frame),
        }
        Ok(controls.done)
    }

    fn framed_error(&self, error: &ErrPacket) -> Vec<u8> {
        let mut payload = bytes::BytesMut::new();
        error.encode(self.capabilities, &mut payload);
        framed(&payload, self.answer_at.unwrap_or(1))
    }
}

/// A small payload in its frame.
fn framed(payload: &[u8], sequence: u8) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER_LEN + payload.len());
    frame.extend_from_slice(&FrameHeader { payload_len: payload.len(), sequence }.to_bytes());
    frame.extend_from_slice(payload);
    frame
}
