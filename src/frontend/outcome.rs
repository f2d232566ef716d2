//! What follows when a command got something else than an answer: decided by what the server can have done.

use tideover_protocol::frame::HEADER_LEN;
use tideover_protocol::packet::ErrPacket;
use tideover_protocol::status::StatusFlags;

use crate::backend::Swallow;
use crate::relay::Exchange;
use crate::replay::{
    Broke, Failure, Place, Sent, Verdict, decide, is_not_ready, is_open_after, is_read_only_refusal,
};
use crate::sql::{Effects, Kind, Statement};

use super::answer::Completion;
use super::doubt;
use super::error::{self, ClientError};
use super::run::Attempt;
use super::session::{End, MOVED, Resume, Session};
use super::staying::unless_lost;
use super::unit::Hold;
use super::work::Work;

/// What a killed statement answers: ER_QUERY_INTERRUPTED, and ER_AUTOINC_READ_FAILED where it waited for the lock of a
/// table's AUTO_INCREMENT (behind an INSERT … SELECT or LOAD DATA with `innodb_autoinc_lock_mode` 0 or 1).
const INTERRUPTED: [u16; 2] = [1317, 1467];
/// A server that shuts down closes its connections within this time of ending their statements.
const GOODBYE: std::time::Duration = std::time::Duration::from_millis(100);

impl Session {
    /// The server answered with an error: the client's own, or a reason to go on elsewhere.
    pub(super) async fn server_error(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        (mut done, rows, kept, first): (Completion, (u64, u64), Vec<u8>, u8),
        (delivered, ended_by_us, place): (bool, bool, Place),
    ) -> Result<Attempt, End> {
        let frame = done.error.clone().unwrap_or_default();
        let frame = self.refused_when_prepared(work, &frame).unwrap_or(frame);
        let packet = self.error_in(&frame);
        let broke = self.broke(&packet, ended_by_us).await;
        if self.is_on_replica() && !self.in_transaction() && !Self::is_wanted_error(broke) {
            if !delivered {
                self.answer_at = Some(first);
            }
            return Ok(self.replica_failed(
                broke,
                matches!(broke, Broke::Answered(_) | Broke::NotReady | Broke::ReadOnly),
            ));
        }
        if delivered
            && let Some(attempt) =
                Box::pin(self.failed_amid_text(work, hold, (&mut done, rows), broke)).await?
        {
            return Ok(attempt);
        }
        let failure = Failure { sent: Sent::Something, broke, delivered, place, flavor: self.flavor() };
        if decide(&failure) == Verdict::Surface {
            let mut frame = Box::pin(self.without_tags(work, &done, &frame)).await.unwrap_or(frame);
            // Of an answer that goes on where another broke off, it may have come too soon.
            let Some(sequence) = self.answer_at else { return Err(End::Client) };
            if let Some(byte) = frame.get_mut(HEADER_LEN - 1) {
                *byte = sequence;
            }
            self.client.queue(&kept);
            self.client.queue(&frame);
            self.flush().await?;
            self.after_error(work, done, (packet.code, rows)).await;
            return Ok(Attempt::Done);
        }
        if !delivered {
            self.answer_at = Some(first);
        }
        self.failed(work, hold, (Sent::Something, broke, delivered, place), Some(done)).await
    }

    /// What an error says of its server.
    pub(super) async fn broke(&mut self, packet: &ErrPacket, ended_by_us: bool) -> Broke {
        match packet.code {
            code if is_read_only_refusal(code, &packet.message) => Broke::ReadOnly,
            code if is_not_ready(code, &packet.message) => Broke::NotReady,
            code if INTERRUPTED.contains(&code) && ended_by_us => Broke::EndedByUs,
            code if INTERRUPTED.contains(&code) && self.is_going_away().await => Broke::Lost,
            code => Broke::Answered(code),
        }
    }

    /// MySQL ends statements that wait for a lock with the same error whether somebody killed them or the server is
    /// shutting down (seen on 9.7.4: 1317 for waits behind FLUSH TABLES WITH READ LOCK, 1053 for row locks); in the latter
    /// case the connection ends right behind it.
    async fn is_going_away(&mut self) -> bool {
        let Some(lease) = &mut self.lease else { return true };
        tokio::time::timeout(GOODBYE, lease.io.fill_some()).await.is_ok()
    }

    /// Something other than an answer: what follows is decided by what the server can have done.
    pub(super) async fn failed(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        (sent, broke, delivered, place): (Sent, Broke, bool, Place),
        _done: Option<Completion>,
    ) -> Result<Attempt, End> {
        if self.is_on_replica() && !self.in_transaction() {
            return Ok(self.replica_failed(broke, false));
        }
        let failure = Failure { sent, broke, delivered, place, flavor: self.flavor() };
        let mut verdict = decide(&failure);
        if verdict == Verdict::Replay && sent == Sent::Something && self.may_have_committed(work, place).await
        {
            verdict = Verdict::Ask;
        }
        tracing::debug!(session = self.handle.id, ?failure, ?verdict, "a command did not go as expected");
        let Some(server) = self.lease.as_ref().map(|l| l.server) else { return Ok(Attempt::Again) };
        let lost = matches!(broke, Broke::Lost | Broke::NotReady | Broke::Answered(_));
        let pinned = !self.tracker.pins().for_session().is_empty();
        if lost {
            self.break_lease();
        }
        if !lost && matches!(verdict, Verdict::HoldAndRun | Verdict::Reread) {
            Box::pin(self.undo_begun()).await;
        }
        match verdict {
            Verdict::HoldAndRun | Verdict::Reread if lost && pinned => {
                let pins = self.take_pins();
                self.end_unit();
                self.shared.monitor.kick();
                Ok(Attempt::Refused(error::state_lost(&pins)))
            }
            Verdict::HoldAndRun => match self.after_failure(server, hold).await {
                Ok(()) => Ok(Attempt::Again),
                Err(error) => Ok(Attempt::Refused(error)),
            },
            Verdict::Replay => {
                // Those that we end ourselves need no look at the servers.
                let suspect = Some(server).filter(|_| broke != Broke::EndedByUs);
                Ok(match self.replay(reason(broke), suspect, hold).await? {
                    Ok(()) => Attempt::Again,
                    Err(error) => Attempt::Refused(error),
                })
            }
            Verdict::Acknowledge => {
                self.take_pins();
                self.end_unit();
                self.shared.monitor.kick();
                self.acknowledge().await?;
                Ok(Attempt::Done)
            }
            Verdict::Ask => {
                // The guard ends what it asks about: nobody else may have that connection.
                self.break_lease();
                Box::pin(self.ask(work, hold, delivered)).await
            }
            Verdict::Reread if self.resume.is_some() => match self.after_failure(server, hold).await {
                Ok(()) => Ok(Attempt::Again),
                Err(error) => Ok(Attempt::Refused(error)),
            },
            Verdict::Reread => {
                self.end_unit();
                Ok(Attempt::Refused(error::result_broken()))
            }
            Verdict::Surface => Ok(Attempt::Refused(error::unknown_outcome("the server broke the protocol"))),
        }
    }

    /// Without autocommit, what a statement did before it was refused is in a transaction that began with it, of which no
    /// status flag has told. The connection lives, and may be kept or go to others.
    async fn undo_begun(&mut self) {
        if self.status.contains(StatusFlags::AUTOCOMMIT) || self.in_transaction() {
            return;
        }
        let patience = self.own_patience();
        let Some(lease) = &mut self.lease else { return };
        let undone = unless_lost(&patience, lease.query("ROLLBACK")).await;
        lease.broken |= !matches!(undone, Ok(Swallow::Done(_)));
    }

    /// A result was to go on where it broke off, and is another one now.
    pub(super) fn differs(&mut self, work: &Work, exchange: &Exchange) -> Attempt {
        // The statement's text stays out of the log: it may hold anything.
        tracing::info!(session = self.handle.id, kind = ?work.statement.kind, mark = ?exchange.mark(), own = ?exchange.own_mark(), "a result broke off and is another one now");
        self.break_lease();
        let inside = self.in_transaction();
        self.end_unit();
        Attempt::Refused(if inside {
            error::rolled_back("a result broke off, and was another one when the statement was run again")
        } else {
            error::result_broken()
        })
    }

    /// The transaction was lost while the client was silent. A ROLLBACK has what it wants; everything else hears of it.
    pub(super) async fn tell_lost(&mut self, work: &Work, error: ClientError) -> Result<Attempt, End> {
        self.lost_pins.clear();
        self.status.remove(StatusFlags::IN_TRANS);
        if work.statement.kind == Kind::Rollback {
            self.acknowledge().await?;
            return Ok(Attempt::Done);
        }
        Ok(Attempt::Refused(error))
    }

    /// The connection that the session kept is of no use any more.
    pub(super) async fn kept_lease_lost(
        &mut self,
        work: &Work,
        why: &'static str,
        hold: &mut Hold,
    ) -> Result<Attempt, End> {
        if self.journal.is_none() || work.statement.kind == Kind::Rollback {
            self.lose_transaction(why);
            return Ok(Attempt::Again);
        }
        let server = self.lease.as_ref().map(|lease| lease.server).filter(|_| why != MOVED);
        if why != MOVED {
            self.break_lease();
        }
        Ok(match self.replay(why, server, hold).await? {
            Ok(()) => Attempt::Again,
            Err(error) => Attempt::Refused(error),
        })
    }

    /// The connection was lost behind an error, before the server could say whether a transaction is open still.
    pub(super) fn guess_status(&mut self, work: &Work, code: u16) {
        let begins = work.statement.any(Effects::BEGINS | Effects::MULTI);
        match is_open_after(code, self.place(&work.statement), begins) {
            Some(true) => {}
            Some(false) => self.status.remove(StatusFlags::IN_TRANS),
            None => {
                let why = "the connection to its server was lost behind an error";
                self.lose_transaction(why);
                self.lost = Some(error::rolled_back(why));
            }
        }
    }

    /// What the statement is to the transaction.
    pub(super) fn place(&self, statement: &Statement) -> Place {
        if self.wrap.open {
            return Place::Wrapped;
        }
        if self.in_transaction() {
            return match statement.kind {
                Kind::Rollback => Place::Rollback,
                // Of several statements, those in front of the refused one may have been committed.
                Kind::Multi if statement.any(Effects::ENDS | Effects::IMPLICIT_COMMIT) => Place::Code,
                Kind::Call | Kind::Execute if self.wrap.keeps => Place::Inside,
                _ if statement.any(Effects::ENDS | Effects::IMPLICIT_COMMIT) => Place::Commit,
                _ if doubt::is_code(statement) => Place::Code,
                _ => Place::Inside,
            };
        }
        let others = Effects::IMPLICIT_COMMIT | Effects::MULTI | Effects::STORED_CODE | Effects::UNSURE;
        let own_transaction =
            !self.status.contains(StatusFlags::AUTOCOMMIT) && (self.wrap.keeps || !statement.any(others));
        let executes = self.wrap.keeps && statement.kind == Kind::Execute;
        if statement.any(Effects::READS_ONLY) || (executes && self.wrap.reads) {
            Place::Read
        } else if own_transaction
            || !statement.any(
                Effects::WRITES
                    | Effects::STORED_CODE
                    | Effects::SQL_EXECUTE
                    | Effects::UNSURE
                    | Effects::SETS_GLOBAL,
            )
        {
            Place::Session
        } else if doubt::is_code(statement) && !executes {
            Place::Program
        } else {
            Place::Autocommit
        }
    }
}

/// Where the client has an answer up to, if it has a part of one.
pub(super) fn resume_from(exchange: &Exchange, first: u8, next: Option<u8>) -> Option<Resume> {
    exchange.delivered().then(|| Resume { mark: exchange.mark().clone(), first, next })
}

fn reason(broke: Broke) -> &'static str {
    match broke {
        Broke::ReadOnly => "its server has become read-only",
        Broke::EndedByUs => "a switchover could not wait for it any longer",
        Broke::Lost | Broke::NotReady | Broke::Answered(_) => "the connection to its server was lost",
    }
}
