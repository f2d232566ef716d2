//! Units whose answer was lost: what is noted of them while they run, and what the guard makes of them afterwards.

use std::sync::Arc;

use bytes::BytesMut;
use tideover_protocol::command::CommandKind;
use tideover_protocol::packet::OkPacket;
use tideover_protocol::status::StatusFlags;
use tokio::time::Instant;

use crate::backend::Commits;
use crate::guard::{Case, Doubt, Inserted, Settlement, Writing};
use crate::relay::Signals;
use crate::replay::{Journal, Place};
use crate::session::Pins;
use crate::sql::{Effects, Kind, Statement};
use crate::topology::{ServerId, Topology};

use super::answer::Completion;
use super::error;
use super::journaling::Recorded;
use super::run::Attempt;
use super::session::{End, Session};
use super::trace::MAY_COMMIT_AND_FAIL;
use super::unit::{Hold, Waiting};
use super::work::Work;

/// What a unit in doubt leaves behind in its session.
struct Rest {
    server: ServerId,
    inside: bool,
    delivered: bool,
    journal: Option<Box<Journal<Recorded>>>,
    kept_pins: Pins,
    /// Names of those that a client would miss.
    pins: Vec<&'static str>,
}

/// What a lost connection leaves behind for the guard.
struct Remains {
    server: ServerId,
    thread: u32,
    opened: Instant,
    tag: Arc<[u8]>,
    number: u64,
    acknowledged: Vec<u8>,
    unclear: bool,
}

/// Whether it may change what outlives the connection.
pub(super) fn may_write(statement: &Statement) -> bool {
    statement.any(
        Effects::WRITES
            | Effects::STORED_CODE
            | Effects::SQL_EXECUTE
            | Effects::UNSURE
            | Effects::SETS_GLOBAL,
    )
}

/// Whether all that it may change is a sequence: a number that was drawn and not delivered is a gap, as after a crash.
fn only_draws(statement: &Statement) -> bool {
    let more = MAY_COMMIT_AND_FAIL | Effects::SETS_GLOBAL | Effects::SETS_USER_VARIABLE;
    statement.kind == Kind::Select && statement.any(Effects::SEQUENCE) && !statement.any(more)
}

/// The one reason for which a mark would be missing too.
pub(super) const NOT_LOGGED: &str = "the session does not write to the binary log (sql_log_bin)";

/// Why it proves nothing if a statement's tag is not found in the log; `None` if it does.
pub(super) fn blind_spot(statement: &Statement, logs: bool) -> Option<&'static str> {
    if !may_write(statement) {
        None
    } else if !logs {
        Some(NOT_LOGGED)
    } else if statement.any(Effects::UNSURE) {
        Some("the statement was not understood, so it carries no commit tag")
    } else if statement.any(Effects::STORED_CODE | Effects::SQL_EXECUTE) {
        Some("what CALL, EXECUTE and stored functions do carries no commit tag")
    } else if statement.any(Effects::SETS_FOR_STATEMENT) {
        Some("SET STATEMENT may keep it from the binary log")
    } else if statement.tags.is_empty() || !statement.tags.cover_all_writes() {
        Some("the server logs a statement of this sort in words of its own, without the commit tag")
    } else {
        None
    }
}

/// Why the answer of a statement cannot be made again; `None` if it is a plain OK.
pub(super) fn unanswerable(work: &Work, text: &[u8]) -> Option<&'static str> {
    let returns_rows = match work.statement.kind {
        Kind::Insert | Kind::Replace | Kind::Delete => {
            const RETURNING: &[u8] = b"RETURNING";
            text.windows(RETURNING.len()).any(|part| part.eq_ignore_ascii_case(RETURNING))
        }
        Kind::Update | Kind::Load | Kind::Ddl | Kind::Commit => false,
        _ => !work.statement.any(Effects::ENDS | Effects::IMPLICIT_COMMIT),
    };
    if work.statement.any(Effects::MULTI) {
        Some("of several statements sent together at least one was executed")
    } else if work.kind == CommandKind::StmtBulkExecute {
        Some("of a bulk execution at least a part was executed")
    } else if returns_rows || work.statement.kind == Kind::Administration {
        Some("it was executed, but the rows that it answered with are lost")
    } else {
        None
    }
}

pub(super) fn writing(kind: Kind) -> Writing {
    match kind {
        Kind::Insert | Kind::Load => Writing::Insert,
        Kind::Replace => Writing::Replace,
        Kind::Update => Writing::Update,
        Kind::Delete => Writing::Delete,
        _ => Writing::Other,
    }
}

impl Session {
    /// The answer to the end of a unit was lost: asks the guard what became of it, and the client waits.
    pub(super) async fn ask(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        delivered: bool,
    ) -> Result<Attempt, End> {
        let inside = self.in_transaction();
        // Before the pass is given up: if the transaction is to be done again, then before others change what it read.
        self.returning = inside.then(|| self.shared.gate.returning());
        let case = self.case(work, inside);
        let journal = self.journal.take();
        let kept_pins = self.tracker.pins();
        let pins = self.take_pins();
        self.end_unit();
        self.shared.monitor.kick();
        let Some(case) = case else {
            return Ok(self.unknown("the server connection is gone"));
        };
        if !inside && !delivered && only_draws(&work.statement) && pins.is_empty() {
            return self.once_more(case.server, hold).await;
        }
        if work.statement.any(Effects::XA) {
            self.lost_pins = pins;
            return Ok(self.unknown("XA transactions carry no commit tag"));
        }
        if inside && !self.unit.changed && !may_write(&work.statement) {
            // Nothing was to be committed.
            self.lost_pins = pins;
            let plain = Settlement::Committed { affected_rows: None, inserted: None, gtid: String::new() };
            return self.settled(work, plain, hold).await;
        }
        let server = case.server;
        if !inside
            && !delivered
            && pins.is_empty()
            && let Some(pieces) = self.pieces_of(work)
        {
            return Box::pin(self.ask_for_each(work, hold, (case, pieces))).await;
        }
        let settlement = self.wait_for_guard(case, hold).await?;
        let rest = Rest { server, inside, delivered, journal, kept_pins, pins };
        self.after_settlement(work, hold, settlement, rest).await
    }

    async fn after_settlement(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        settlement: Settlement,
        rest: Rest,
    ) -> Result<Attempt, End> {
        let Rest { server, inside, delivered, journal, kept_pins, pins } = rest;
        match settlement {
            Settlement::Committed { .. } if inside && is_code(&work.statement) => {
                self.lost_pins = pins;
                Ok(self.unknown("a stored program committed a part of the transaction or all of it"))
            }
            Settlement::Committed { .. } => {
                self.lost_pins = pins;
                self.journal = journal;
                self.settled(work, settlement, hold).await
            }
            Settlement::NotCommitted if delivered => {
                Ok(self.unknown("it was not executed, but a part of an answer was given already"))
            }
            Settlement::NotCommitted => {
                self.count("not_committed");
                if inside {
                    self.journal = journal;
                    kept_pins.iter().for_each(|pin| self.tracker.pin(pin));
                    self.status.insert(StatusFlags::IN_TRANS);
                    let why = "the connection to its server was lost at its end";
                    return Ok(match self.replay(why, None, hold).await? {
                        Ok(()) => Attempt::Again,
                        Err(error) => Attempt::Refused(error),
                    });
                }
                if !pins.is_empty() {
                    return Ok(Attempt::Refused(error::state_lost(&pins)));
                }
                self.once_more(server, hold).await
            }
            Settlement::CannotTell(why) => {
                self.lost_pins = pins;
                Ok(self.unknown(&why))
            }
        }
    }

    pub(super) async fn once_more(&mut self, server: ServerId, hold: &mut Hold) -> Result<Attempt, End> {
        match self.after_failure(server, hold).await {
            Ok(()) => Ok(Attempt::Again),
            Err(error) => Ok(Attempt::Refused(error)),
        }
    }

    pub(super) fn unknown(&self, why: &str) -> Attempt {
        self.count("unknown");
        Attempt::Refused(error::unknown_outcome(&format!(
            "the connection was lost before the answer, and {why}"
        )))
    }

    pub(super) fn count(&self, outcome: &str) {
        self.shared.metrics.in_doubt.with_label_values(&[outcome]).inc();
    }

    /// Everything that the guard must know. `None` without a server connection.
    fn case(&mut self, work: &Work, inside: bool) -> Option<Case> {
        let lease = self.lease.as_mut()?;
        let mark = self.unit.mark.take();
        if mark.is_some() {
            lease.commits.retire_mark();
        }
        let remains = remains(&lease.commits, (lease.server, lease.thread, lease.opened));
        let text = work.text.of(&self.command).to_vec();
        let implicit = work.statement.any(Effects::IMPLICIT_COMMIT) && may_write(&work.statement);
        let doubt = match (inside, implicit) {
            (false, _) => Doubt::Statement,
            (true, true) => Doubt::Definition,
            (true, false) => Doubt::Commit,
        };
        let numbered = work.kind == CommandKind::Query && !work.tags.is_empty();
        let whole_text = text.len();
        Some(Case {
            server: remains.server,
            thread: remains.thread,
            opened: remains.opened,
            tag: remains.tag,
            numbers: self.unit.first..remains.number + 1,
            own: numbered.then_some(remains.number),
            prepared: self.unit.prepared,
            acknowledged: remains.acknowledged,
            unclear: remains.unclear,
            // Without a bookmark from before, nothing follows from what is not found.
            bookmark: self.unit.bookmark.take().unwrap_or_else(|| Arc::new(Topology::unseen(&[]))),
            doubt,
            writing: writing(work.statement.kind),
            unanswerable: unanswerable(work, &text),
            text: if whole_text > 64 * 1024 {
                text.get(..64 * 1024).unwrap_or_default().to_vec()
            } else {
                text
            },
            blind: self.unit.blind,
            mark,
        })
    }

    /// Waits for the guard's word; the client's departure ends the wait.
    pub(super) async fn wait_for_guard(&mut self, case: Case, hold: &mut Hold) -> Result<Settlement, End> {
        let deadline = hold.deadline(self.shared.options().hold_timeout);
        let guard = self.shared.guard.clone();
        let waiting = Waiting::new(&self.shared, &self.handle);
        let settled = tokio::select! {
            settlement = guard.settle(case, deadline) => Ok(settlement),
            () = self.client.stream().hung_up() => Err(End::Client),
            _ = self.handle.signal.wait(Signals::KILL | Signals::ABORT) => Err(End::Told),
        };
        drop(waiting);
        let settlement = settled?;
        // Outcome and GTID only: rows are the client's own.
        let (outcome, evidence) = match &settlement {
            Settlement::Committed { gtid, .. } => ("committed", gtid.as_str()),
            Settlement::NotCommitted => ("not committed", ""),
            Settlement::CannotTell(why) => ("cannot tell", why.as_str()),
        };
        tracing::info!(session = self.handle.id, outcome, evidence, "an answer was lost");
        self.shared.flights.settled(self.handle.id, outcome, evidence);
        Ok(settlement)
    }

    /// It was committed: the client gets the answer that it would have got.
    async fn settled(
        &mut self,
        work: &Work,
        settlement: Settlement,
        hold: &mut Hold,
    ) -> Result<Attempt, End> {
        self.count("committed");
        if self.has_kept() {
            return self.deliver_kept(work).await;
        }
        let Settlement::Committed { affected_rows, inserted, .. } = settlement else {
            return Ok(Attempt::Again);
        };
        let ends = work.statement.any(Effects::ENDS);
        if !ends && !may_write(&work.statement) {
            // BEGIN, LOCK TABLES and the like committed the transaction before they did their own part.
            return Ok(Attempt::Again);
        }
        self.status.remove(StatusFlags::IN_TRANS);
        if work.statement.any(Effects::CHAIN) {
            self.begin_chained(hold).await?;
        } else {
            self.journal = None;
        }
        self.answer_for(work, (affected_rows, inserted), false).await?;
        Ok(Attempt::Done)
    }

    /// The client gets the answer of a statement that was committed. `more`: other results follow.
    pub(super) async fn answer_for(
        &mut self,
        work: &Work,
        (affected_rows, inserted): (Option<u64>, Option<Box<Inserted>>),
        more: bool,
    ) -> Result<(), End> {
        let insert_id = match inserted {
            Some(inserted) => self.insert_id(work, *inserted).await,
            None => 0,
        };
        let mut status = self.client_status();
        status.set(StatusFlags::MORE_RESULTS, more);
        let ok = OkPacket {
            affected_rows: affected_rows.unwrap_or_default(),
            last_insert_id: insert_id,
            status,
            ..OkPacket::default()
        };
        let mut payload = BytesMut::new();
        ok.encode(self.capabilities, &mut payload);
        let Some(sequence) = self.answer_at else { return Err(End::Client) };
        self.client.queue_packet(&payload, sequence);
        self.answer_at = Some(sequence.wrapping_add(1));
        let done = Completion {
            status: self.status,
            affected_rows: ok.affected_rows,
            last_insert_id: insert_id,
            any: true,
            ..Completion::default()
        };
        let lost_pins = std::mem::take(&mut self.lost_pins);
        self.track(work, &done, None);
        // What the statement left on the connection (user variables) is gone with it.
        self.lost_pins = self.take_pins();
        self.lost_pins.extend(lost_pins);
        self.flush().await
    }

    /// The transaction that `COMMIT AND CHAIN` begins is begun on the present primary; if that cannot be, the client
    /// hears of it with its next statement.
    async fn begin_chained(&mut self, hold: &mut Hold) -> Result<(), End> {
        let last_insert_id = self.tracker.last_insert_id();
        if let Some(journal) = &mut self.journal {
            journal.chain(Recorded::begins, last_insert_id);
        }
        self.status.insert(StatusFlags::IN_TRANS);
        let why = "the connection to its server was lost when it began";
        if let Err(error) = self.replay(why, None, hold).await? {
            self.lost = Some(error);
            self.status.insert(StatusFlags::IN_TRANS);
        }
        Ok(())
    }
}

fn remains(commits: &Commits, (server, thread, opened): (ServerId, u32, Instant)) -> Remains {
    Remains {
        server,
        thread,
        opened,
        tag: commits.tag().clone(),
        number: commits.number(),
        acknowledged: commits.last().to_vec(),
        unclear: commits.is_unclear(),
    }
}

/// Whether it runs statements that are not in its text, a COMMIT perhaps.
pub(super) fn is_code(statement: &Statement) -> bool {
    let code = Effects::STORED_CODE | Effects::SQL_EXECUTE | Effects::UNSURE;
    matches!(statement.kind, Kind::Call | Kind::Execute | Kind::Multi) && statement.any(code)
        || statement.any(Effects::UNSURE)
}

/// Whether a command may commit, so that the place in the logs before it must be known.
pub(super) fn may_commit(place: Place) -> bool {
    matches!(place, Place::Autocommit | Place::Program | Place::Code | Place::Commit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{Dialect, classify};

    #[test]
    fn what_cannot_be_proven_by_absence() {
        let rows = [
            ("SELECT 1", true),
            ("INSERT INTO t VALUES (1)", true),
            ("UPDATE t SET a=1", true),
            ("REPLACE t VALUES (1)", true),
            ("CREATE TABLE t (a INT)", true),
            ("TRUNCATE t", true),
            ("BEGIN", true),
            ("INSERT INTO t VALUES (1); DELETE FROM t", true),
            ("CALL p()", false),
            ("INSERT INTO t VALUES (f(1))", false),
            ("SELECT f(1)", false),
            ("DROP TABLE t", false),
            ("CREATE VIEW v AS SELECT 1", false),
            ("GRANT SELECT ON *.* TO u", false),
            ("CREATE TABLE t SELECT 1", false),
            ("EXECUTE s", false),
            ("SET GLOBAL max_connections=5", false),
            ("INSERT INTO t VALUES (1); CALL p()", false),
        ];
        for (text, proves) in rows {
            let statement = classify(text.as_bytes(), Dialect::default());
            assert_eq!(blind_spot(&statement, true).is_none(), proves, "{text}");
        }
        let insert = classify(b"INSERT INTO t VALUES (1)", Dialect::default());
        assert!(blind_spot(&insert, false).is_some());
    }
}
