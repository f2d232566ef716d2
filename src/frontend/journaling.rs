//! Keeps the journal of the open transaction: what the client sent, what it was answered, and what must be set so that
//! sending it again gives the same.

use std::time::{SystemTime, UNIX_EPOCH};

use tideover_protocol::command::CommandKind;
use tideover_protocol::packet::SessionTrack;
use tideover_protocol::response::ResponseShape;
use tideover_protocol::status::StatusFlags;

use crate::backend::Swallow;
use crate::replay::{Digest, Ended, Entry, Fixed, Isolation, Journal, Place, Recording, Sent, recording};
use crate::session::{PinReason, Pins};
use crate::sql::details::{self, Target};
use crate::sql::{Dialect, Effects, Kind, Statement, classify};

use super::answer::Completion;
use super::doubt;
use super::ids::{LaterId, later_ids};
use super::session::Session;
use super::work::Work;

/// One command of a transaction, as it can be sent again.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) work: Work,
    /// The client's payload; of an execution the server's, with its parameter types.
    pub(super) command: Box<[u8]>,
    /// Parameters sent ahead.
    pub(super) long_data: Vec<(u16, Box<[u8]>)>,
    /// What [`doubt::blind_spot`] said.
    pub(super) blind: Option<&'static str>,
    /// Ids that INSERTs of the text generated, but for the first.
    pub(super) later_ids: Vec<LaterId>,
}

impl Recorded {
    /// Whether it began the transaction.
    pub(super) fn begins(&self) -> bool {
        matches!(self.work.statement.kind, Kind::Begin | Kind::StartTransactionReadOnly)
    }
}

/// The session before a command.
pub(super) struct Before {
    inside: bool,
    /// Statements commit by themselves.
    by_itself: bool,
    pins: Pins,
    last_insert_id: u64,
}

/// Reads something of the statement before it, which a SET in between would change.
pub(super) const LOOKS_BACK: Effects =
    Effects::READS_ROW_COUNT.union(Effects::READS_FOUND_ROWS).union(Effects::READS_DIAGNOSTICS);

impl Session {
    pub(super) fn before(&self) -> Before {
        Before {
            inside: self.in_transaction(),
            by_itself: self.status.contains(StatusFlags::AUTOCOMMIT),
            pins: self.tracker.pins(),
            last_insert_id: self.tracker.last_insert_id(),
        }
    }

    /// Whether a transaction may be open after the statement, and is to be kept.
    pub(super) fn is_journaled(&self, work: &Work) -> bool {
        let opens = Effects::BEGINS | Effects::SETS_NEXT_TRANSACTION;
        self.shared.journals.per_transaction > 0
            && (self.in_transaction()
                || !self.status.contains(StatusFlags::AUTOCOMMIT)
                || work.statement.any(opens))
    }

    /// Whether the unit could surely be done again without the client's noticing, if it were ended while this statement
    /// runs: the statement is one, has no answer yet, and does not end the unit.
    pub(super) fn is_movable(&self, work: &Work) -> bool {
        let unknown = Effects::MULTI
            | Effects::STORED_CODE
            | Effects::SQL_EXECUTE
            | Effects::UNSURE
            | Effects::LOCAL_INFILE
            | Effects::OUTFILE
            | Effects::XA
            | Effects::ENDS
            | Effects::READS_ONLY;
        if work.statement.any(unknown) || self.holds_tables() {
            return false;
        }
        match self.place(&work.statement) {
            Place::Inside => self.journal.as_ref().is_some_and(|journal| journal.is_firm()),
            Place::Autocommit => !work.statement.any(Effects::IMPLICIT_COMMIT),
            place => place == Place::Session,
        }
    }

    /// What must be set on the server connection before the statement: the time and the seeds that it shall use, so that
    /// it can be done again with the same; or the clock's own time, if it was set for the statement before. A SET behind
    /// the statement would be simpler and would change ROW_COUNT(), FOUND_ROWS() and SHOW WARNINGS.
    pub(super) fn prelude(&mut self, work: &Work) -> Option<String> {
        self.fixed = Fixed::default();
        let statement = &work.statement;
        if work.kind == CommandKind::StmtPrepare || statement.any(LOOKS_BACK) {
            return None;
        }
        let clock = statement.any(Effects::READS_CLOCK) && !self.sets_clock(work);
        let random = statement.any(Effects::READS_RANDOM);
        if (clock || random) && self.may_fix(work) {
            self.fixed.micros = if clock { now_micros() } else { 0 };
            self.fixed.seeds = random.then(seeds);
        }
        let mut set = self.fixed.assignments();
        let lease = self.lease.as_mut()?;
        if lease.clock_set && self.fixed.micros == 0 {
            set = if set.is_empty() { "timestamp=DEFAULT".to_owned() } else { set + ",timestamp=DEFAULT" };
        }
        lease.clock_set = self.fixed.micros > 0;
        (!set.is_empty()).then(|| format!("SET {set}"))
    }

    /// Whether the client sets the clock itself (`SET timestamp = UNIX_TIMESTAMP('2001-01-01')`): what it sets must stay.
    fn sets_clock(&self, work: &Work) -> bool {
        if work.statement.kind != Kind::Set {
            return false;
        }
        let assignments = details::assignments(work.text.of(&self.command), work.dialect);
        let is_clock = |target: &Target| matches!(target, Target::Session(name) if name == "timestamp");
        assignments.is_some_and(|all| all.iter().any(|assignment| is_clock(&assignment.target)))
    }

    /// Reads the answer to what [`prelude`](Self::prelude) gave, which was sent in front of the command.
    pub(super) async fn after_prelude(&mut self) -> Result<(), Sent> {
        let Some(lease) = &mut self.lease else { return Err(Sent::Nothing) };
        match lease.swallow(ResponseShape::Simple).await {
            Ok(Swallow::Done(_)) => Ok(()),
            Ok(Swallow::Error(_)) => {
                // MariaDB's secure_timestamp: then the time is what it is.
                lease.clock_set = false;
                self.fixed = Fixed::default();
                Ok(())
            }
            Err(_) => Err(Sent::Something),
        }
    }

    /// Only in transactions that can be done again, and not against a time that the client has set itself.
    fn may_fix(&self, work: &Work) -> bool {
        let inside = self.in_transaction() || !self.status.contains(StatusFlags::AUTOCOMMIT);
        inside
            && self.is_journaled(work)
            && self.journal.as_ref().is_none_or(|journal| journal.spoiled().is_none())
            && !self.tracker.pins().contains(PinReason::UntrackedVariable)
    }

    /// A command has ended; `rows` is the digest of its rows.
    pub(super) fn journalize(
        &mut self,
        work: &Work,
        before: &Before,
        (done, rows, error): (&Completion, (u64, u64), Option<u16>),
    ) {
        let open = self.in_transaction() || self.tracker.pins().contains(PinReason::NextTransaction);
        if !open || work.kind == CommandKind::StmtPrepare {
            return;
        }
        let decided = self.decide_recording(work, before, (done, error));
        match decided {
            Recording::Nothing => return,
            Recording::Restart => self.journal = None,
            Recording::Chain | Recording::Spoiled(_) | Recording::Entry { .. } | Recording::Read => {}
        }
        let mut journal = self.journal.take().unwrap_or_else(|| self.new_journal(work, before));
        match decided {
            Recording::Spoiled(why) => journal.spoil(why),
            Recording::Chain => {
                journal.chain(Recorded::begins, self.tracker.last_insert_id());
            }
            _ => {
                let digest = Digest { rows, results: done.results, error };
                self.record(&mut journal, work, (digest, &done.more_insert_ids), decided);
            }
        }
        if touches_what_stays(&done.track) {
            journal.spoil("it wrote to a table that cannot be rolled back");
        }
        self.journal = Some(journal);
    }

    fn new_journal(&self, work: &Work, before: &Before) -> Box<Journal<Recorded>> {
        let pins = before.pins.for_session().iter().filter(|pin| *pin != PinReason::NextTransaction);
        let lost: Vec<&str> = pins.map(PinReason::name).collect();
        let mut journal = Journal::new(self.shared.journals.clone(), before.last_insert_id, &lost);
        if self.sees_commits(work) {
            journal.set_sees_commits();
        }
        Box::new(journal)
    }

    /// Whether the transaction that `work` begins, or will begin, is surely at READ COMMITTED: by the session's level, which
    /// the text itself does not change.
    fn sees_commits(&self, work: &Work) -> bool {
        let sets =
            Effects::SETS_SESSION | Effects::SETS_NEXT_TRANSACTION | Effects::MULTI | Effects::STORED_CODE;
        !work.statement.any(sets)
            && !self.tracker.pins().contains(PinReason::NextTransaction)
            && Isolation::sees_commits(self.isolation())
    }

    /// The session's isolation level, as its variable spells it.
    fn isolation(&self) -> Option<&[u8]> {
        let state = self.tracker.state();
        state.variable("transaction_isolation").or_else(|| state.variable("tx_isolation"))
    }

    fn decide_recording(
        &self,
        work: &Work,
        before: &Before,
        (done, error): (&Completion, Option<u16>),
    ) -> Recording {
        let text = work.text.of(&self.command);
        let pieces = if work.statement.kind == Kind::Multi { pieces(text, work.dialect) } else { Vec::new() };
        let isolation = Isolation::of(self.isolation());
        let cursor = matches!(work.shape, ResponseShape::ResultSets { cursor: true } | ResponseShape::Fetch);
        let begun = self.journal.as_ref().map(|journal| journal.sees_commits());
        let sees_commits = begun.unwrap_or_else(|| self.sees_commits(work));
        recording(&Ended {
            statement: &work.statement,
            pieces: &pieces,
            inside_before: before.inside,
            failed: error.is_some(),
            by_itself: before.by_itself,
            keeps: self.wrap.keeps,
            reads_tables: work.kind == CommandKind::StmtFetch || names_tables(text, work, isolation),
            committed: done.track.iter().any(is_commit),
            isolation,
            sees_commits: sees_commits && !cursor,
        })
    }

    fn record(
        &mut self,
        journal: &mut Journal<Recorded>,
        work: &Work,
        (digest, more_ids): (Digest, &[u64]),
        decided: Recording,
    ) {
        let mut long_data = Vec::new();
        let command: Box<[u8]> = match work.kind {
            CommandKind::StmtExecute | CommandKind::StmtBulkExecute | CommandKind::StmtFetch => {
                if let Some(statement) = work.prepared.and_then(|id| self.prepared.get(id)) {
                    long_data.extend(statement.long_data().map(|(number, data)| (number, data.into())));
                }
                std::mem::take(&mut self.outgoing).into()
            }
            _ => self.command.as_slice().into(),
        };
        let bytes =
            command.len() + long_data.iter().map(|(_, data): &(u16, Box<[u8]>)| data.len()).sum::<usize>();
        let mut fixed = self.fixed;
        let client_set_time = self.tracker.pins().contains(PinReason::UntrackedVariable);
        if fixed.micros == 0 && work.statement.any(Effects::WRITES) && !client_set_time {
            // What defaults and triggers make of the time is not in the text.
            fixed.micros = now_micros();
        }
        let inserts = matches!(work.statement.kind, Kind::Insert | Kind::Replace | Kind::Load | Kind::Multi);
        let insert_id = Some(digest.results.first_insert_id).filter(|id| inserts && *id > 0);
        let blind = if doubt::may_write(&work.statement) { self.blind_spot(work) } else { None };
        let later_ids = if work.statement.kind == Kind::Multi && !more_ids.is_empty() {
            let all: Vec<u64> = [digest.results.first_insert_id].iter().chain(more_ids).copied().collect();
            later_ids(work.text.of(&command), work.dialect, &all)
        } else {
            Vec::new()
        };
        let command = Recorded { work: work.clone(), command, long_data, blind, later_ids };
        let soft = matches!(decided, Recording::Entry { soft: true });
        let loose = decided == Recording::Read;
        journal.record(Entry { command, digest, fixed, insert_id, loose }, bytes, soft);
    }
}

fn pieces(text: &[u8], dialect: Dialect) -> Vec<Statement> {
    let ranges = details::pieces(text, dialect).into_iter();
    ranges.map(|range| classify(text.get(range).unwrap_or_default(), dialect)).collect()
}

/// Whether its answer may depend on tables. Only asked where it matters: the text is read again for it.
fn names_tables(text: &[u8], work: &Work, isolation: Isolation) -> bool {
    match work.statement.kind {
        // They are long now and then, and what they read is locked.
        Kind::Insert | Kind::Replace if isolation != Isolation::Weak => false,
        Kind::Select | Kind::With | Kind::Do | Kind::Set | Kind::Insert | Kind::Replace => {
            details::mentions(text, work.dialect, &[b"from", b"table"])
        }
        Kind::Begin | Kind::StartTransactionReadOnly => details::mentions(text, work.dialect, &[b"snapshot"]),
        Kind::Show | Kind::Explain => false,
        _ => true,
    }
}

/// The fourth place of the transaction state: `w` for a write to a table without transactions (both servers' manuals,
/// `session_track_transaction_info`).
fn touches_what_stays(track: &[SessionTrack]) -> bool {
    track
        .iter()
        .any(|item| matches!(item, SessionTrack::TransactionState(state) if state.get(3) == Some(&b'w')))
}

fn is_commit(item: &SessionTrack) -> bool {
    match item {
        SessionTrack::Gtids(_) => true,
        SessionTrack::SystemVariable { name, .. } => name == b"last_gtid",
        _ => false,
    }
}

fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}

/// Below 2^30 - 1, the modulus of the servers' generator.
fn seeds() -> (u32, u32) {
    let mut bytes = [0_u8; 8];
    // Without randomness from the system the clock must do: nothing secret hangs on RAND().
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        bytes = now_micros().to_le_bytes();
    }
    let [a, b, c, d, e, f, g, h] = bytes;
    let below = |word: u32| word % 0x3fff_ffff;
    (below(u32::from_le_bytes([a, b, c, d])), below(u32::from_le_bytes([e, f, g, h])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_stays_is_seen_in_the_transaction_state() {
        let state = |text: &[u8]| [SessionTrack::TransactionState(text.to_vec())];
        assert!(!touches_what_stays(&state(b"T_______")));
        assert!(!touches_what_stays(&state(b"T___W___")));
        assert!(touches_what_stays(&state(b"T__w____")));
        assert!(touches_what_stays(&state(b"I__w____")));
    }

    #[test]
    fn seeds_are_in_range() {
        let (one, two) = seeds();
        assert!(one < 0x3fff_ffff && two < 0x3fff_ffff);
    }
}
