//! Runs one command of the client in a unit, again if need be, and gives the client one answer.

use std::ops::ControlFlow;

use tideover_protocol::command::CommandKind;
use tideover_protocol::response::ResponseScanner;
use tideover_protocol::status::StatusFlags;

use crate::relay::{Answer, Exchange, Signals};
use crate::replay::{Broke, Place, Sent};
use crate::session::{Change, Outcome, PinReason};
use crate::sql::{Effects, Kind};

use super::ahead::{Follows, follows};
use super::answer::{AnswerControls, Completion, change, metric_kind};
use super::error::{self, ClientError};
use super::outcome::resume_from;
use super::raised::{keeps_row_count, repeats_conditions};
use super::session::{End, MOVED, Session};
use super::unit::{Hold, Leased};
use super::work::Work;

/// MariaDB 11.0: from there on it reports two variables under one name.
const RENAMES: u32 = 110_000;

/// Why an open transaction goes elsewhere.
const PRIMARY_ONLY: &str = "a statement in it can run on the primary only";
const NOT_WAITED_FOR: &str = "a switchover would not wait for it";

/// How an attempt ended.
pub(super) enum Attempt {
    /// The client has its answer.
    Done,
    /// Try again from the gate.
    Again,
    /// The client gets this error of ours.
    Refused(ClientError),
}

impl Session {
    /// Runs `work`, whose payload is `self.command`, until the client has an answer.
    pub(super) async fn perform(&mut self, work: &Work) -> Result<(), End> {
        if !self.settle(false).await {
            return Err(End::Client);
        }
        if self.tracker.is_insert_id_open() {
            Box::pin(self.close_insert_id(work)).await;
        }
        let mut hold = Hold::arrived();
        let mut rest: Option<Box<Work>> = None;
        loop {
            let asks = self.wrap.aftermath.is_some() || work.statement.any(Effects::READS_ROW_COUNT);
            if asks && rest.is_none() {
                match Box::pin(self.in_place_of(work)).await? {
                    ControlFlow::Break(()) => {
                        self.end_unit_if_over();
                        return Ok(());
                    }
                    ControlFlow::Continue(other) => rest = other.map(Box::new),
                }
            }
            let attempt = match self.attempt(rest.as_deref().unwrap_or(work), &mut hold).await? {
                Ok(attempt) => attempt,
                Err(refused) => Attempt::Refused(*refused),
            };
            rest = self.rest.take().or(rest);
            self.returning = None;
            match attempt {
                Attempt::Done => break,
                Attempt::Again => {}
                Attempt::Refused(error) => {
                    let error = self.in_truth(error);
                    self.refuse(&error).await?;
                    break;
                }
            }
        }
        self.unit.answered();
        self.renew_aftermath();
        (self.resume, self.amid_text) = (None, false);
        if self.read_is_over() {
            Box::pin(self.capture()).await;
        }
        if self.wrap.remembers() {
            self.unwrap_statement();
        }
        self.end_unit_if_over();
        Ok(())
    }

    async fn attempt(
        &mut self,
        work: &Work,
        hold: &mut Hold,
    ) -> Result<Result<Attempt, Box<ClientError>>, End> {
        if let Some(told) = self.come_in(work, hold).await? {
            return Ok(told);
        }
        if self.lease.is_none() && self.is_about_to_begin() {
            let moved = Box::pin(self.replay(MOVED, None, hold)).await?;
            return Ok(moved.map(|()| Attempt::Again).map_err(Box::new));
        }
        if self.is_beside_torn() && !self.pause_for_torn().await {
            return Box::pin(self.kept_lease_lost(work, MOVED, hold)).await.map(Ok);
        }
        match self.lease(follows(work) == Follows::Afterwards, hold).await {
            Ok(Leased::Ready) if self.should_move(work) => {
                let why = if self.is_on_replica() { PRIMARY_ONLY } else { NOT_WAITED_FOR };
                let moved = Box::pin(self.replay(why, None, hold)).await?;
                return Ok(moved.map(|()| Attempt::Again).map_err(Box::new));
            }
            Ok(Leased::Ready) if !self.is_on_replica() && self.ends_with_mark(work) => {
                return Box::pin(self.commit_marked(work, hold)).await.map(Ok);
            }
            Ok(Leased::Ready) if self.may_wrap(work) => match Box::pin(self.decide_wrap(work)).await {
                Ok(true) => {}
                Ok(false) => return Ok(self.leave_for_now(hold).await.map_err(Box::new)),
                Err(error) => return Ok(Err(Box::new(error))),
            },
            Ok(Leased::Ready) if self.calls_inside(work) => {
                if !Box::pin(self.look_up_call(work)).await {
                    let failure = (Sent::Nothing, Broke::Lost, false, self.place(&work.statement));
                    return Box::pin(self.failed(work, hold, failure, None)).await.map(Ok);
                }
            }
            Ok(Leased::Ready) => self.wrap.open = false,
            Ok(Leased::Again) => return Ok(Ok(Attempt::Again)),
            Ok(Leased::Lost(MOVED)) if Box::pin(self.take_along()).await? => return Ok(Ok(Attempt::Again)),
            Ok(Leased::Lost(why)) => return Box::pin(self.kept_lease_lost(work, why, hold)).await.map(Ok),
            Err(error) => return Ok(Err(Box::new(error))),
        }
        self.handle.set_movable(self.is_movable(work));
        match self.send_unless_lost(work).await? {
            Ok(true) => {
                if let Some(took) = hold.left() {
                    self.shared.metrics.proxy_seconds.observe(took.as_secs_f64());
                }
                self.handle.turn();
                let received = self.receive(work, hold).await;
                self.handle.turn();
                received.map(Ok)
            }
            Ok(false) => Ok(Ok(Attempt::Done)),
            Err(sent) => {
                let place = self.place(&work.statement);
                Box::pin(self.failed(work, hold, (sent, Broke::Lost, false, place), None)).await.map(Ok)
            }
        }
    }

    /// The leased server does not say what must be known first.
    async fn leave_for_now(&mut self, hold: &mut Hold) -> Result<Attempt, ClientError> {
        if let Some(server) = self.lease.as_ref().map(|lease| lease.server) {
            Box::pin(self.after_failure(server, hold)).await?;
        }
        Ok(Attempt::Again)
    }

    /// State that only its server had was lost before the command, or while it waited. Whoever rolls back is told with the
    /// next statement: to drivers an error here means that the connection is broken.
    pub(super) async fn tell_lost_pins(&mut self, work: &Work) -> Result<Attempt, End> {
        if work.statement.kind == Kind::Rollback {
            self.acknowledge().await?;
            return Ok(Attempt::Done);
        }
        let pins = std::mem::take(&mut self.lost_pins);
        Ok(Attempt::Refused(error::state_lost(&pins)))
    }

    /// Whether the open transaction is to go to the new primary before this statement. Its end need not.
    fn should_move(&mut self, work: &Work) -> bool {
        if self.must_leave_replica(work) {
            return true;
        }
        let asked = self.handle.signal.raised().intersects(Signals::CUT | Signals::MOVED);
        asked && self.in_transaction() && self.journal.is_some() && !work.statement.any(Effects::ENDS)
    }

    /// What the answer goes through on its way to the client, and the number of its first packet.
    fn exchange(&mut self, work: &Work) -> Option<(Exchange, AnswerControls, u8)> {
        let journaled = self.is_journaled(work);
        let dialect = self.lexing();
        let renames = dialect.mariadb && dialect.version >= RENAMES;
        let lease = self.lease.as_ref()?;
        let resume = self.resume.take();
        let expected = self.answer_at.unwrap_or(1);
        let first = resume.as_ref().map_or(expected, |resume| resume.first);
        let scanner = ResponseScanner::new(work.shape, lease.capabilities, first);
        let mut controls = AnswerControls::new(lease.capabilities, self.capabilities);
        controls.statement_id = work.prepared;
        controls.wrapped = self.wrap.open;
        controls.reports = self.reports_during(work);
        controls.done.late = std::mem::take(&mut self.untold.late);
        controls.renames = renames;
        controls.repeated = repeats_conditions(work).then(|| self.repeated_conditions());
        let listen = Signals::CUT | Signals::KILL | Signals::SERVER_LOST | Signals::ABORT;
        let mut exchange = Exchange::new(scanner, listen);
        let inside = self.place(&work.statement) == Place::Inside && !lease.reading;
        if inside && self.journal.is_some() && resume.is_none() {
            exchange.heed(Signals::TORN);
        }
        exchange.watch_client(self.status.contains(StatusFlags::IN_TRANS));
        if journaled {
            exchange.digest_rows();
        }
        if self.amid_text {
            exchange.renumber();
        }
        if let Some(resume) = resume {
            exchange.skip(resume.mark, resume.next);
        }
        Some((exchange, controls, first))
    }

    /// Relays the answer.
    async fn receive(&mut self, work: &Work, hold: &mut Hold) -> Result<Attempt, End> {
        let place = self.place(&work.statement);
        let Some((mut exchange, mut controls, mut first)) = self.exchange(work) else {
            return Ok(Attempt::Again);
        };
        let (mut ended_by_us, mut waits) = (false, false);
        loop {
            let relayed = self.relay(&mut exchange, &mut controls, (&mut *hold, &mut waits)).await;
            let Some((answer, in_vain)) = relayed else {
                return Ok(Attempt::Again);
            };
            first = self.note_place(&mut exchange, &mut controls.done, first);
            match answer {
                Answer::ClientLeft => {
                    // The transaction can only be rolled back: its locks need not wait for the statement.
                    self.kill_statement(true);
                    self.break_lease();
                    return Err(End::Client);
                }
                Answer::Finished => {
                    let gone = exchange.client_gone();
                    if work.statement.any(Effects::SETS_TRACKERS) {
                        Box::pin(self.take_over_reports(work, &mut controls.done)).await;
                    }
                    self.finished(work, controls.done, exchange.mark().rows());
                    return if gone { Err(End::Client) } else { Ok(Attempt::Done) };
                }
                Answer::WantsFile => {
                    let next = Box::pin(self.relay_file()).await?;
                    exchange.scanner().resume_after_infile(next);
                }
                Answer::Interrupted(signals) if signals.intersects(Signals::KILL | Signals::ABORT) => {
                    self.kill_statement(true);
                    self.break_lease();
                    return Err(End::Told);
                }
                // If not, its answer is what it is because somebody lost a lock: as if it had not come.
                Answer::Interrupted(signals)
                    if signals.contains(Signals::TORN) && self.pause_for_torn().await =>
                {
                    exchange.heed(Signals::empty());
                }
                Answer::Interrupted(signals) if signals.contains(Signals::CUT) => {
                    ended_by_us |= self.cut(work, place);
                    exchange.listen_for(Signals::KILL | Signals::SERVER_LOST | Signals::ABORT);
                }
                Answer::Interrupted(signals) if !in_vain && self.waits_out(signals, place) => waits = true,
                Answer::Differs => return Ok(self.differs(work, &exchange)),
                Answer::Interrupted(_) | Answer::Lost(_) => {
                    let lost = (exchange, controls.done, (first, place));
                    return Box::pin(self.lost_amid_answer(work, hold, lost)).await;
                }
                Answer::Withheld => {
                    let answer = (exchange, controls.done, first);
                    return Box::pin(self.withheld(work, hold, answer, (ended_by_us, place))).await;
                }
            }
        }
    }

    /// How far the answer is. Gives the number of the packet with which another one would begin.
    fn note_place(&mut self, exchange: &mut Exchange, done: &mut Completion, first: u8) -> u8 {
        self.answer_at = exchange.next_sequence();
        done.result_set = exchange.scanner().saw_result_set();
        done.rows = exchange.scanner().rows();
        let next = exchange.behind_reports();
        self.amid_text |= next.is_some();
        next.unwrap_or(first)
    }

    /// The server did not finish its answer.
    async fn lost_amid_answer(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        (exchange, mut done, (first, place)): (Exchange, Completion, (u8, Place)),
    ) -> Result<Attempt, End> {
        done.whole = exchange.is_between_results();
        let head = (&mut done, exchange.mark().rows());
        if exchange.delivered()
            && let Some(attempt) = Box::pin(self.failed_amid_text(work, hold, head, Broke::Lost)).await?
        {
            return Ok(attempt);
        }
        let failure = (Sent::Something, Broke::Lost, exchange.delivered(), place);
        self.resume = resume_from(&exchange, first, self.answer_at);
        self.failed(work, hold, failure, Some(done)).await
    }

    /// The unit is to end: the server's own answer says what became of it. A transaction that is ending will be over soon.
    fn cut(&self, work: &Work, place: Place) -> bool {
        if matches!(place, Place::Commit | Place::Rollback) || work.statement.any(Effects::ENDS) {
            return false;
        }
        // Some of these do not end with an error, but answer something else (seen): MySQL's SLEEP 1, MariaDB's GET_LOCK NULL.
        self.kill_statement(work.statement.any(Effects::SLEEPS | Effects::USER_LOCK));
        true
    }

    /// An error was kept back.
    async fn withheld(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        (mut exchange, done, first): (Exchange, Completion, u8),
        (ended_by_us, place): (bool, Place),
    ) -> Result<Attempt, End> {
        if exchange.is_unsolicited() {
            // The server's goodbye, said before it read the command.
            self.answer_at = Some(first);
            return self.failed(work, hold, (Sent::Nothing, Broke::Lost, false, place), None).await;
        }
        if !exchange.is_behind() {
            // The withheld frame's number is the one that an answer in its place must have.
            self.answer_at = self.answer_at.map(|next| next.wrapping_sub(1));
        }
        self.resume = resume_from(&exchange, first, self.answer_at);
        let kept = exchange.take_kept();
        if self.wrap.open {
            if !exchange.delivered() {
                self.answer_at = Some(first);
            }
            return Box::pin(self.wrapped(work, hold, (exchange, done, kept), ended_by_us)).await;
        }
        let mut done = done;
        done.whole = exchange.is_between_results();
        let answer = (done, exchange.mark().rows(), kept, first);
        self.server_error(work, hold, answer, (exchange.delivered(), ended_by_us, place)).await
    }

    /// A whole answer without error. `rows` is the digest of its rows.
    pub(super) fn finished(&mut self, work: &Work, done: Completion, rows: (u64, u64)) {
        let before = self.before();
        let inside = done.status.contains(StatusFlags::IN_TRANS);
        self.note_commit(work, &done, (false, inside));
        self.note_seen(work, &done, false);
        let Some(lease) = &mut self.lease else { return };
        if done.any {
            lease.status = done.status;
            if !lease.reading {
                self.status = done.status;
            } else if self.reading.transaction {
                self.status.set(StatusFlags::IN_TRANS, done.status.contains(StatusFlags::IN_TRANS));
            }
        }
        self.note_prepared(work, &done);
        self.track(work, &done, None);
        self.handle.set_in_transaction(self.in_transaction() && !self.is_on_replica());
        self.journalize(work, &before, (&done, rows, None));
        self.handle.set_movable(self.journal.as_ref().is_some_and(|journal| journal.is_firm()));
        let on_replica = self.is_on_replica();
        self.shared.metrics.statement(metric_kind(&work.statement), on_replica);
    }

    /// After an error the status flags are not known: inside a transaction the server is asked.
    pub(super) async fn after_error(
        &mut self,
        work: &Work,
        done: Completion,
        (code, rows): (u16, (u64, u64)),
    ) {
        let before = self.before();
        let doubtful = self.in_transaction()
            || !self.status.contains(StatusFlags::AUTOCOMMIT)
            || work.statement.any(Effects::MULTI | Effects::STORED_CODE | Effects::BEGINS | Effects::UNSURE);
        self.note_commit(work, &done, (true, false));
        self.note_seen(work, &done, true);
        self.track(work, &done, Some(code));
        if self.lease.is_none() {
            return;
        }
        if doubtful {
            self.ask_for_status(work, code).await;
        }
        self.handle.set_in_transaction(self.in_transaction() && !self.is_on_replica());
        self.journalize(work, &before, (&done, rows, Some(code)));
        self.handle.set_movable(self.journal.as_ref().is_some_and(|journal| journal.is_firm()));
        let on_replica = self.is_on_replica();
        self.shared.metrics.statement(metric_kind(&work.statement), on_replica);
    }

    /// Takes in what an answer says of commits, and what it leaves unsaid.
    fn note_commit(&mut self, work: &Work, done: &Completion, ended: (bool, bool)) {
        let unreported = self.unit.ended(work, done, ended);
        let Some(lease) = &mut self.lease else { return };
        if unreported {
            lease.commits.blur();
        }
        if lease.commits.note(&done.track) {
            self.shared.acknowledged.note(self.handle.id, lease.server, lease.commits.last());
        }
        if work.statement.any(Effects::SETS_TRACKERS) && !done.is_reported {
            lease.commits.lose_track();
            // Nobody else may get it so: what it does not report is not known of them.
            lease.dirty = true;
        }
    }

    /// What a finished statement did to the session; the server connection's session is the same now.
    pub(super) fn track(&mut self, work: &Work, done: &Completion, error: Option<u16>) {
        let changes: Vec<Change<'_>> = done.track.iter().filter_map(change).collect();
        let outcome = Outcome {
            error,
            status: done.status.bits(),
            // Those of an earlier statement of the same text may still be there.
            warnings: done.most_warnings,
            affected_rows: done.affected_rows,
            last_insert_id: done.last_insert_id,
            own_id: done.last_insert_id > 0 && self.may_name_id(work, done.last_insert_id),
            had_insert_id: self.lease.is_some() && self.here.insert_id,
            result_set: done.result_set,
            ends_rows: done.ends_rows,
            rows: done.rows,
            ended: done.ends.0 + done.ends.1 / 2,
            changes: &changes,
        };
        self.note_conditions(work, done, error.is_some());
        let before = self.tracker.pins();
        // To prepare a statement, to fetch rows or to ask for statistics changes nothing of what the statement before left, but
        // for warnings.
        if error.is_none() && work.statement.any(Effects::SETS_GLOBAL) {
            // New sessions may begin with something else now, one that logs in before the monitor has looked among them.
            self.lease.iter().for_each(|lease| self.shared.pools.doubt(lease.server));
            self.shared.monitor.kick();
        }
        let quiet =
            matches!(work.kind, CommandKind::StmtPrepare | CommandKind::StmtFetch | CommandKind::Statistics);
        if quiet && done.most_warnings > 0 {
            self.tracker.pin(PinReason::Warnings);
        }
        if !quiet || error.is_some() {
            // Another one may be on the connection then.
            self.here.no_row_count = keeps_row_count(&work.statement) || done.is_reported;
            self.tracker.observe(&work.statement, work.text.of(&self.command), work.dialect, &outcome);
        }
        let pins = self.tracker.pins();
        if pins != before {
            for pin in pins.iter().filter(|pin| !before.contains(*pin)) {
                self.shared.metrics.pins.with_label_values(&[pin.name()]).inc();
            }
        }
        // Those that lapsed with the statement are gone too.
        self.handle.set_pins(pins);
        let Some(lease) = &mut self.lease else { return };
        if lease.state.fingerprint() != self.tracker.state().fingerprint() {
            if let Some(journal) = &mut self.journal {
                journal.keep_start(&lease.state);
            }
            let same = self.shared.states.shared(self.tracker.state());
            same.into_iter().for_each(|same| self.tracker.share(same));
            lease.follow(self.tracker.state());
        }
        if lease.reading && !pins.for_session().is_empty() {
            // Never seen: what goes to a replica leaves nothing behind. If it did, it must not bind the session to one.
            lease.broken = true;
            self.lost_pins = self.take_pins();
            return;
        }
        // Temporary tables, locks and the like outlive the session on the connection: nobody else may get it so.
        if !self.tracker.is_insert_id_open() {
            self.here.insert_id |= self.tracker.is_insert_id_there() || done.last_insert_id > 0;
        }
        self.here.found_rows |= !quiet && self.tracker.left_found_rows();
        lease.dirty |= self.tracker.connection_is_suspect() || !self.tracker.stains().is_empty();
        self.note_insert_id(work, error.is_some());
    }

    /// The server connection must not be used again.
    pub(super) fn break_lease(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.broken = true;
        }
    }
}
