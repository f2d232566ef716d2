//! Sends the commands of a journal on one server connection and compares the answers with those that the client got.

use std::io;
use std::sync::atomic::Ordering;

use tideover_protocol::command::{CommandKind, rewrite_statement_id};
use tideover_protocol::packet::{ErrPacket, OkPacket};
use tideover_protocol::response::{Control, ResponseShape};
use tideover_protocol::status::StatusFlags;

use crate::backend::{Lease, Swallow, payload_of};
use crate::gate::Gate;
use crate::relay::Mark;
use crate::replay::{Digest, Entry, Journal, is_read_only_refusal};
use crate::session::SessionState;
use crate::sql::{Effects, details};
use crate::topology::TopologyStore;

use super::answer::Completion;
use super::ids::{LaterId, results_of_sets, with_sets};
use super::journaling::Recorded;
use super::prepared::{prepare_on, queue_long_data};
use super::trace::UnitTrace;
use super::turns::Steps;
use super::work::{Text, tagged, with_tags};

/// ER_LOCK_WAIT_TIMEOUT and ER_LOCK_DEADLOCK: others are doing theirs again too, or the first of new units. Nothing that the
/// client did.
const COLLISIONS: [u16; 2] = [1205, 1213];
/// The server is about to go, or is not ready: see `replay::policy`.
const NOT_NOW: [u16; 3] = [1047, 1053, 3100];
/// Of a statement in an error's text, characters.
const SHOWN: usize = 80;

/// How an attempt ended.
#[derive(Debug)]
pub(super) enum Rerun {
    /// The transaction is open again, as it was.
    Done,
    /// An answer was another, or a statement was refused.
    Differs(String),
    /// A lock was not to be had.
    Collided,
    /// The server is gone or refuses writes.
    Lost,
    /// A statement had a value of its own for its AUTO_INCREMENT column, which is noted now: the one that was set for it
    /// would be used by the next statement.
    OwnValue,
}

pub(super) struct Runner<'a> {
    pub(super) lease: &'a mut Lease,
    pub(super) unit: &'a mut UnitTrace,
    /// What the session is to be in the end.
    pub(super) state: &'a SessionState,
    pub(super) store: &'a TopologyStore,
    /// Where the others wait.
    pub(super) gate: &'a Gate,
    /// Commands that were done.
    pub(super) steps: &'a Steps,
}

/// What came back for one command.
struct Answer {
    digest: Digest,
    completion: Completion,
    error: Option<ErrPacket>,
}

impl Runner<'_> {
    /// Runs all. `inside`: a transaction must be open in the end.
    pub(super) async fn run(mut self, journal: &mut Journal<Recorded>, inside: bool) -> Rerun {
        *self.unit = UnitTrace::default();
        let mut insert_id_before =
            Some(journal.last_insert_id()).filter(|id| self.lease.insert_id != Some(*id));
        let Ok(entries) = journal.entries() else { return Rerun::OwnValue };
        let count = entries.len();
        for (at, entry) in entries.iter_mut().enumerate() {
            match self.one(entry, insert_id_before.take()).await {
                Ok(None) => {
                    self.steps.fetch_add(1, Ordering::Relaxed);
                    self.gate.progressed();
                }
                Ok(Some(Rerun::Differs(how))) => {
                    let which = shown(entry);
                    return Rerun::Differs(format!("statement {} of {count}, {which}, {how}", at + 1));
                }
                Ok(Some(other)) => return other,
                Err(_) => return Rerun::Lost,
            }
        }
        if inside && !self.lease.status.contains(StatusFlags::IN_TRANS) {
            return Rerun::Differs("it was over before its end".to_owned());
        }
        match self.lease.restore(self.state).await {
            Ok(Ok(())) => Rerun::Done,
            Ok(Err(refused)) => {
                Rerun::Differs(format!("session state: {}", String::from_utf8_lossy(&refused.message)))
            }
            Err(_) => Rerun::Lost,
        }
    }

    /// One command. `None`: as it was.
    async fn one(
        &mut self,
        entry: &mut Entry<Recorded>,
        insert_id_before: Option<u64>,
    ) -> io::Result<Option<Rerun>> {
        let generated = entry.insert_id.filter(|_| generates(entry));
        let setup = setup(entry, generated, insert_id_before);
        let later_ids = if generated.is_some() { entry.command.later_ids.as_slice() } else { &[] };
        if let Some(refused) = self.send(&entry.command, (&setup, later_ids)).await? {
            return Ok(Some(refusal(&refused, None)));
        }
        if !setup.is_empty() {
            self.lease.clock_set |= entry.fixed.micros > 0;
            if let Swallow::Error(refused) = self.lease.swallow(ResponseShape::Simple).await? {
                return Ok(Some(refusal(&refused, None)));
            }
        }
        let work = &entry.command.work;
        let answer = self.answer(work.shape, &results_of_sets(later_ids)).await?;
        let inside = self.lease.status.contains(StatusFlags::IN_TRANS);
        if self.unit.ended(work, &answer.completion, (answer.error.is_some(), inside)) {
            self.lease.commits.blur();
        }
        if let Some(refused) = &answer.error
            && entry.digest.error != Some(refused.code)
        {
            return Ok(Some(refusal(refused, entry.digest.error)));
        }
        if answer.digest != entry.digest && !(entry.loose && answer.error.is_none()) {
            return Ok(Some(Rerun::Differs(difference(entry, &answer.digest))));
        }
        if generated.is_some() && self.is_insert_id_left().await? {
            entry.insert_id = None;
            return Ok(Some(Rerun::OwnValue));
        }
        Ok(None)
    }

    /// Queues setup and command in one write. `Some`: the statement cannot be prepared here.
    async fn send(
        &mut self,
        recorded: &Recorded,
        (setup, later_ids): (&str, &[LaterId]),
    ) -> io::Result<Option<ErrPacket>> {
        let work = &recorded.work;
        let mut id = None;
        if let Text::Prepared(prepared) = &work.text {
            // As the session was at this point, which the connection has followed.
            let state = self.lease.state.clone();
            match prepare_on(self.lease, prepared, &state).await {
                Ok(Ok(known)) => id = Some(known),
                Ok(Err(refused)) => return Ok(Some(refused)),
                Err(_) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
        self.note(recorded);
        if !setup.is_empty() {
            self.lease.queue_query(setup);
        }
        match id {
            Some(id) => {
                queue_long_data(self.lease, id, recorded.long_data.iter().map(|(p, data)| (*p, &**data)));
                let mut command = recorded.command.to_vec();
                rewrite_statement_id(&mut command, id)
                    .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
                self.lease.io.queue_packet(&command, 0);
            }
            None => {
                let lease = &mut **self.lease;
                let tag = match work.kind {
                    CommandKind::Query => lease.commits.numbered_tag(),
                    _ => lease.commits.tag(),
                };
                match &work.text {
                    Text::Command(text) if !later_ids.is_empty() => {
                        let (longer, places) = with_sets(&recorded.command, text, &work.tags, later_ids);
                        lease.io.queue_parts(&with_tags(&longer, places.into_iter(), (tag, &[])), 0);
                    }
                    _ => {
                        let parts =
                            tagged(&recorded.command, &work.tags, (tag, &[]), work.kind, lease.capabilities);
                        lease.io.queue_parts(&parts, 0);
                    }
                }
            }
        }
        self.lease.io.flush().await?;
        Ok(None)
    }

    /// For the guard, as when it was sent for the first time.
    fn note(&mut self, recorded: &Recorded) {
        let fresh = !self.lease.status.contains(StatusFlags::IN_TRANS);
        self.unit.mark(self.store.load());
        let next = self.lease.commits.number() + 1;
        self.unit.note(&recorded.work, recorded.blind, (fresh, next));
        if recorded.work.kind == CommandKind::Query && !recorded.work.tags.is_empty() {
            self.lease.commits.begin_command(1);
        }
    }

    /// Reads an answer, of which the results at some places count for nothing.
    async fn answer(&mut self, shape: ResponseShape, left_out: &[usize]) -> io::Result<Answer> {
        let lease = &mut **self.lease;
        let mut scanner = lease.scanner(shape);
        let mut mark = Mark::default();
        let mut completion = Completion::default();
        let mut result = 0;
        loop {
            let taken = |piece: &[u8], metadata| mark.take_in(piece, metadata);
            let (control, frame) = lease.next_control(&mut scanner, taken).await?;
            let payload = payload_of(&frame);
            let mut error = None;
            match control {
                Control::Err => error = Some(lease.error_in(payload)),
                Control::Ok { .. } => {
                    lease.take_in(payload);
                    if left_out.contains(&result) {
                        // One of ours.
                    } else if let Ok(ok) = OkPacket::decode(payload, lease.capabilities) {
                        completion.note_ok(&ok);
                    }
                }
                Control::Eof { .. } => {
                    completion.note_eof(payload);
                    lease.status = completion.status;
                }
                Control::LocalInfile => return Err(io::ErrorKind::InvalidData.into()),
                _ => {}
            }
            result += usize::from(scanner.is_at_head());
            if control.is_last() {
                let digest = Digest {
                    rows: mark.rows(),
                    results: completion.results,
                    error: error.as_ref().map(|e| e.code),
                };
                return Ok(Answer { digest, completion, error });
            }
        }
    }

    /// Whether the id that was set is still to be used: then the statement had one of its own.
    async fn is_insert_id_left(&mut self) -> io::Result<bool> {
        let row = self.lease.query_row("SELECT @@insert_id LIMIT 1", 1).await?;
        Ok(row.first().is_some_and(|value| value != b"0"))
    }
}

/// Whether the ids of the statement's rows are to be those that the client was told. Not where the answer may name the id
/// of a row that it updated.
fn generates(entry: &Entry<Recorded>) -> bool {
    let work = &entry.command.work;
    let text = work.text.of(&entry.command.command);
    entry.digest.error.is_none() && !details::mentions(text, work.dialect, &[b"duplicate"])
}

/// The SET statement before a command; empty for none.
fn setup(entry: &Entry<Recorded>, generated: Option<u64>, insert_id_before: Option<u64>) -> String {
    let mut set = entry.fixed.assignments();
    for (name, value) in [("insert_id", generated), ("last_insert_id", insert_id_before)] {
        if let Some(value) = value {
            set += &format!("{}{name}={value}", if set.is_empty() { "" } else { "," });
        }
    }
    if set.is_empty() { set } else { format!("SET {set}") }
}

/// What follows an error that the first run did not give.
fn refusal(refused: &ErrPacket, before: Option<u16>) -> Rerun {
    let message = String::from_utf8_lossy(&refused.message);
    match refused.code {
        code if COLLISIONS.contains(&code) => Rerun::Collided,
        code if NOT_NOW.contains(&code) || is_read_only_refusal(code, &refused.message) => Rerun::Lost,
        code => {
            let first =
                before.map_or_else(|| "succeeded".to_owned(), |before| format!("gave error {before}"));
            Rerun::Differs(format!(
                "{first} at first and gave error {code} ({message}) when it was run again"
            ))
        }
    }
}

/// In what an answer differs from the first.
fn difference(entry: &Entry<Recorded>, now: &Digest) -> String {
    let new_each_time = Effects::READS_UUID
        | Effects::READS_SYSDATE
        | Effects::READS_CONNECTION_ID
        | Effects::READS_SERVER_STATE
        | Effects::SEQUENCE;
    let what = if entry.digest.rows != now.rows {
        "gave other rows"
    } else if entry.digest.error != now.error {
        "did not fail as at first"
    } else {
        "changed other rows"
    };
    let because = if entry.command.work.statement.any(new_each_time) {
        " (it calls a function whose value is new each time)"
    } else {
        ""
    };
    format!("{what} when it was run again{because}")
}

/// A statement's text for an error message.
fn shown(entry: &Entry<Recorded>) -> String {
    let text = entry.command.work.text.of(&entry.command.command);
    let text = String::from_utf8_lossy(text.get(..text.len().min(4 * SHOWN)).unwrap_or_default());
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
