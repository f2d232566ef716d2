//! Autocommit statements that carry no tag, a CALL above all, between a BEGIN and a COMMIT of ours, so that they can leave a
//! commit marker. The client sees the statement's own answer; the last packet of it is kept until the COMMIT is done, so
//! that it is known what to say if only the COMMIT's answer is lost.

use bytes::BytesMut;
use tideover_protocol::command::CommandKind;
use tideover_protocol::frame::HEADER_LEN;
use tideover_protocol::packet::{ErrPacket, OkPacket, SessionTrack};
use tideover_protocol::response::ResponseShape;
use tideover_protocol::status::StatusFlags;

use crate::backend::Swallow;
use crate::guard::{GuardMode, Identity};
use crate::relay::Exchange;
use crate::replay::{Broke, Failure, Place, Sent, Verdict, decide};
use crate::sql::program::{Name, callee};
use crate::sql::{Effects, Kind};

use super::aftermath::Aftermath;
use super::answer::Completion;
use super::error::{self, ClientError};
use super::journaling::LOOKS_BACK;
use super::marking::Ended;
use super::run::Attempt;
use super::session::{End, Session};
use super::staying::unless_lost;
use super::unit::Hold;
use super::work::Work;

/// Each statement then sees what others have committed until it begins, as it would by itself.
const ISOLATION: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
/// The cursor type in the flags of COM_STMT_EXECUTE.
const FLAGS_AT: usize = 5;

/// What is known of the present statement's transaction of ours.
#[derive(Debug, Default)]
pub(super) struct Wrap {
    /// There is one: BEGIN goes in front of the statement, or went.
    pub(super) open: bool,
    /// What the called procedure was when it was first sent.
    identity: Option<Identity>,
    /// The statement has left in one: lost before our COMMIT, it did nothing, as long as its procedure is what it was.
    sent: bool,
    /// The statement calls a procedure that certainly ends no transaction.
    pub(super) keeps: bool,
    /// The statement executes one that only reads.
    pub(super) reads: bool,
    /// How many answers come before the statement's.
    answers: usize,
    /// The statement is to run by itself after all.
    off: bool,
    /// The end of its answer, while the COMMIT is under way.
    kept: Option<Kept>,
    /// What our COMMIT has taken from the server's memory of the statement before.
    pub(super) aftermath: Option<Aftermath>,
}

/// An answer but for its last packet.
#[derive(Debug)]
struct Kept {
    frames: BytesMut,
    done: Completion,
    /// The error that it is, if so.
    error: Option<u16>,
    aftermath: Option<Aftermath>,
}

impl Kept {
    /// Whether the statement may have changed anything: the servers report that a table was opened for writing, in the
    /// fourth and fifth place of the transaction state (both servers' manuals, `session_track_transaction_info`).
    fn wrote(&self) -> bool {
        let state = self.done.track.iter().rev().find_map(|item| match item {
            SessionTrack::TransactionState(state) => Some(state),
            _ => None,
        });
        self.error.is_some() || state.is_none_or(|state| state.get(3..5) != Some(b"__"))
    }
}

impl Wrap {
    /// Whether anything of it is to be forgotten with the statement. The aftermath is not: the next one may ask for it.
    pub(super) const fn remembers(&self) -> bool {
        // Named one by one, so that none that is added is left out.
        let Self { open, identity, sent, keeps, reads, answers, off, kept, aftermath: _ } = self;
        *open || *sent || *keeps || *reads || *off || *answers > 0 || identity.is_some() || kept.is_some()
    }
}

impl Session {
    /// A new statement begins, or one has ended.
    pub(super) fn unwrap_statement(&mut self) {
        let aftermath = self.wrap.aftermath.take();
        self.wrap = Wrap { aftermath, ..Wrap::default() };
    }

    /// Whether the statement may need a transaction of ours. Cheap: asked of every one.
    pub(super) fn may_wrap(&self, work: &Work) -> bool {
        let statement = &work.statement;
        let mode = self.shared.guard.mode();
        let sort = match statement.kind {
            Kind::Call => mode.marks(),
            Kind::Insert | Kind::Update | Kind::Delete | Kind::Replace => mode == GuardMode::Marker,
            _ => false,
        };
        let no = LOOKS_BACK | Effects::MULTI | Effects::UNSURE | Effects::SETS_FOR_STATEMENT;
        sort && !self.wrap.off
            && !self.in_transaction()
            && self.status.contains(StatusFlags::AUTOCOMMIT)
            && !statement.any(no)
            && self.tracker.pins().for_session().is_empty()
            && match work.kind {
                CommandKind::Query => true,
                CommandKind::StmtExecute => self.command.get(FLAGS_AT) == Some(&0),
                _ => false,
            }
    }

    /// Decides whether the statement gets a transaction of ours. `Ok(false)`: the server does not say now whether it may. `Err`: it must not.
    pub(super) async fn decide_wrap(&mut self, work: &Work) -> Result<bool, ClientError> {
        self.wrap.open = false;
        self.wrap.kept = None;
        let blind = self.blind_spot(work);
        if !self.may_mark(blind) {
            return self.not_wrapped("the commit marker cannot be used any more");
        }
        if work.statement.kind != Kind::Call {
            self.wrap.open = true;
            return Ok(true);
        }
        let Some((server, name)) = self.called(work) else { return Ok(true) };
        let anew = self.wrap.sent;
        let patience = self.own_patience();
        let asked = async { Ok(self.shared.guard.program(server, &name, anew).await) };
        // Nothing of the command has left, and others may wait to ask the same server, which hangs.
        let Ok(answer) = unless_lost(&patience, asked).await else { return Ok(false) };
        match answer {
            Ok(Ok(identity)) if !anew || self.wrap.identity == Some(identity) => {
                self.wrap.identity = Some(identity);
                self.wrap.open = true;
                Ok(true)
            }
            Ok(Ok(_)) => self.not_wrapped("its procedure was altered meanwhile"),
            Ok(Err(why)) => self.not_wrapped(&why),
            // It may be on its way down again.
            Err(_) if anew => Ok(false),
            Err(why) => self.not_wrapped(&why),
        }
    }

    /// Nothing is lost by that if the statement was not sent before.
    fn not_wrapped(&self, why: &str) -> Result<bool, ClientError> {
        if self.is_lost_call() {
            let text = format!("the connection was lost before the answer, and {why}");
            tracing::info!(session = self.handle.id, why, "a CALL was lost and is not sent again");
            return Err(error::unknown_outcome(&text));
        }
        self.count_mark("none");
        Ok(true)
    }

    fn is_lost_call(&self) -> bool {
        self.wrap.sent && self.wrap.identity.is_some()
    }

    /// What the client is told that waited in vain. "Nothing was executed" would be said of a CALL whose procedure may have been
    /// altered, before it ran, to one that commits.
    pub(super) fn in_truth(&self, error: ClientError) -> ClientError {
        if self.is_lost_call() && error.says_nothing_was_done() {
            let why = "no server has said in time whether its procedure is still what it was";
            return error::unknown_outcome(&format!("the connection was lost before the answer, and {why}"));
        }
        error
    }

    pub(super) fn called(&self, work: &Work) -> Option<(crate::topology::ServerId, Name)> {
        let server = self.lease.as_ref()?.server;
        let name = callee(work.text.of(&self.command), work.dialect)?;
        let own = self.tracker.state().schema().map(|schema| String::from_utf8_lossy(schema).into_owned());
        Some((server, Name { schema: Some(name.schema.or(own)?), ..name }))
    }

    /// Queues what begins the transaction of ours, in front of the statement.
    pub(super) fn queue_opening(&mut self, work: &Work) {
        if !self.wrap.open {
            return;
        }
        let state = self.tracker.state();
        let level = state.variable("transaction_isolation").or_else(|| state.variable("tx_isolation"));
        let weak = matches!(level, Some(b"READ-COMMITTED" | b"READ-UNCOMMITTED"));
        let Some(lease) = &mut self.lease else { return };
        self.wrap.sent = true;
        if !weak && work.statement.kind == Kind::Call {
            lease.queue_query(ISOLATION);
            self.wrap.answers = 2;
        } else {
            self.wrap.answers = 1;
        }
        lease.queue_query("START TRANSACTION");
    }

    /// Reads the answers to that. If no transaction began, the statement ran by itself.
    pub(super) async fn after_opening(&mut self) -> Result<(), Sent> {
        if !self.wrap.open {
            return Ok(());
        }
        let patience = self.patience_for(Place::Wrapped);
        let Self { lease, wrap, .. } = self;
        let Some(lease) = lease else { return Err(Sent::Nothing) };
        for _ in 0..wrap.answers {
            let answer = unless_lost(&patience, lease.swallow(ResponseShape::Simple)).await;
            wrap.open = matches!(answer.map_err(|_| Sent::Something)?, Swallow::Done(_));
        }
        Ok(())
    }

    /// The statement has its answer, all but the last packet or an error of which the client does not know.
    pub(super) async fn wrapped(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        (exchange, mut done, kept): (Exchange, Completion, Vec<u8>),
        ended_by_us: bool,
    ) -> Result<Attempt, End> {
        let delivered = exchange.delivered();
        let mut error = None;
        if let Some(frame) = done.error.clone() {
            let packet = self.error_in(&frame);
            let broke = self.broke(&packet, ended_by_us).await;
            let failure = Failure {
                sent: Sent::Something,
                broke,
                delivered,
                place: Place::Wrapped,
                flavor: self.flavor(),
            };
            if decide(&failure) != Verdict::Surface {
                let failure = (Sent::Something, broke, delivered, Place::Wrapped);
                return self.failed(work, hold, failure, Some(done)).await;
            }
            error = Some(packet.code);
            let mut frames = BytesMut::from(&*kept);
            frames.extend_from_slice(&frame);
            done.kept = Some(frames);
            done.status = match self.ask_status().await {
                Some(status) => status,
                None => return self.wrapped_lost(work, hold, delivered).await,
            };
        } else if exchange.is_behind() {
            return Ok(self.differs(work, &exchange));
        }
        let Some(frames) = done.kept.take() else { return Err(End::Client) };
        if !done.status.contains(StatusFlags::IN_TRANS) {
            return self.ended_inside(work, Kept { frames, done, error, aftermath: None }).await;
        }
        let aftermath = self.aftermath(&done, error).await;
        self.wrap.kept = Some(Kept { frames, done, error, aftermath });
        self.commit_wrapped(work, hold, delivered).await
    }

    /// The transaction of ours ended with the statement: a deadlock rolled all of it back, where by itself a part might have
    /// stayed, or no deadlock have been. So it runs by itself.
    async fn ended_inside(&mut self, work: &Work, kept: Kept) -> Result<Attempt, End> {
        if kept.error.is_some() {
            self.wrap = Wrap { off: true, ..Wrap::default() };
            return Ok(Attempt::Again);
        }
        self.wrap.kept = Some(kept);
        self.deliver_kept(work).await
    }

    async fn ask_status(&mut self) -> Option<StatusFlags> {
        let patience = self.patience_for(Place::Wrapped);
        let lease = self.lease.as_mut()?;
        unless_lost(&patience, lease.command(&[0x0e])).await.ok()?;
        Some(lease.status)
    }

    /// Commits with a mark, and then gives the client what was kept.
    async fn commit_wrapped(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        delivered: bool,
    ) -> Result<Attempt, End> {
        let wrote = self.wrap.kept.as_ref().is_none_or(Kept::wrote);
        let (mut ended, ended_by_us) =
            if wrote { self.end_with_mark("COMMIT").await? } else { (Ended::Unmarked, false) };
        if matches!(ended, Ended::Unmarked) {
            let patience = self.patience_for(Place::Wrapped);
            ended = match &mut self.lease {
                Some(lease) => match unless_lost(&patience, lease.query("COMMIT")).await {
                    Ok(Swallow::Done(payload)) => Ended::Done(payload),
                    Ok(Swallow::Error(error)) => Ended::Refused(error),
                    Err(_) => Ended::Lost,
                },
                None => Ended::Lost,
            };
        }
        match ended {
            Ended::Done(payload) => {
                self.note_commit_of_wrap(&payload);
                self.deliver_kept(work).await
            }
            Ended::Gone(_) => {
                self.wrap = Wrap { off: true, ..Wrap::default() };
                Ok(Attempt::Again)
            }
            Ended::Refused(error) => self.commit_refused(work, hold, (error, ended_by_us, delivered)).await,
            Ended::Dropped => self.wrapped_lost(work, hold, delivered).await,
            // There was nothing to commit: it can be read again.
            Ended::Lost if !wrote => self.wrapped_lost(work, hold, delivered).await,
            Ended::Lost | Ended::Unmarked => {
                self.break_lease();
                Box::pin(self.ask(work, hold, false)).await
            }
        }
    }

    /// Lost, and certainly not committed.
    async fn wrapped_lost(&mut self, work: &Work, hold: &mut Hold, delivered: bool) -> Result<Attempt, End> {
        self.failed(work, hold, (Sent::Something, Broke::Lost, delivered, Place::Wrapped), None).await
    }

    async fn commit_refused(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        (error, ended_by_us, delivered): (ErrPacket, bool, bool),
    ) -> Result<Attempt, End> {
        let broke = self.broke(&error, ended_by_us).await;
        let failure = Failure {
            sent: Sent::Something,
            broke,
            delivered: false,
            place: Place::Commit,
            flavor: self.flavor(),
        };
        match decide(&failure) {
            Verdict::Ask => {
                self.break_lease();
                Box::pin(self.ask(work, hold, false)).await
            }
            Verdict::Surface => {
                self.wrap.open = false;
                self.break_lease();
                self.end_unit();
                Ok(Attempt::Refused(ClientError { cause: "commit", packet: error }))
            }
            _ => self.failed(work, hold, (Sent::Something, broke, delivered, Place::Wrapped), None).await,
        }
    }

    /// The GTID comes with the COMMIT's answer.
    fn note_commit_of_wrap(&mut self, payload: &[u8]) {
        let (Some(lease), Some(kept)) = (&self.lease, &mut self.wrap.kept) else { return };
        if let Ok(ok) = OkPacket::decode(payload, lease.capabilities) {
            kept.done.track.extend(ok.track);
        }
    }

    /// Whether only the answer to our COMMIT is missing.
    pub(super) fn has_kept(&self) -> bool {
        self.wrap.kept.is_some()
    }

    /// The client gets the packet that was kept: its statement is committed.
    pub(super) async fn deliver_kept(&mut self, work: &Work) -> Result<Attempt, End> {
        let Some(Kept { mut frames, mut done, error, aftermath }) = self.wrap.kept.take() else {
            return Ok(Attempt::Again);
        };
        self.wrap.open = false;
        self.wrap.aftermath = aftermath;
        let Some(sequence) = self.answer_at else { return Err(End::Client) };
        if let Some(byte) = frames.get_mut(HEADER_LEN - 1) {
            *byte = sequence;
        }
        self.client.queue(&frames);
        done.status.remove(StatusFlags::IN_TRANS);
        if let Some(lease) = &mut self.lease {
            lease.status.remove(StatusFlags::IN_TRANS);
        } else {
            self.status.remove(StatusFlags::IN_TRANS);
        }
        match error {
            Some(code) => self.after_error(work, done, (code, (0, 0))).await,
            None if self.lease.is_some() => self.finished(work, done, (0, 0)),
            None => self.track(work, &done, None),
        }
        self.flush().await?;
        Ok(Attempt::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_left_of_a_statement_is_remembered() {
        let none = Wrap::default;
        assert!(!none().remembers());
        // A CALL behind one of these could run without a mark, or be taken for one that left one.
        for wrap in [
            Wrap { open: true, ..none() },
            Wrap { sent: true, ..none() },
            Wrap { keeps: true, ..none() },
            Wrap { reads: true, ..none() },
            Wrap { off: true, ..none() },
            Wrap { answers: 1, ..none() },
        ] {
            assert!(wrap.remembers(), "{wrap:?}");
        }
    }
}
