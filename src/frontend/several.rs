//! Several statements in one text, which the servers answer one after the other. If one of them is refused, or the connection
//! is lost, those that were answered stand, as far as the client knows. So the text is cut there: what is in front was a
//! command of its own, done and, in a transaction, in the journal; the rest is a command that is run as any other.

use tideover_protocol::command::CommandKind;
use tideover_protocol::status::StatusFlags;

use crate::replay::{Broke, Place, Sent};
use crate::sql::{Dialect, Effects, Kind, Statement, classify, details};

use super::answer::Completion;
use super::each::units;
use super::journaling::LOOKS_BACK;
use super::run::Attempt;
use super::session::{End, Session};
use super::unit::Hold;
use super::work::{Text, Work};

/// What statements may do of which a text is cut: nothing that stays with the session.
const PLAIN: Effects = Effects::READS_ONLY
    .union(Effects::WRITES)
    .union(Effects::LOCKING)
    .union(Effects::IMPLICIT_COMMIT)
    .union(Effects::BEGINS)
    .union(Effects::ENDS)
    .union(Effects::READS_USER_VARIABLE)
    .union(Effects::READS_LAST_INSERT_ID)
    .union(Effects::READS_CLOCK)
    .union(Effects::READS_SYSDATE)
    .union(Effects::READS_RANDOM)
    .union(Effects::READS_UUID)
    .union(Effects::READS_CONNECTION_ID)
    .union(Effects::READS_SERVER_STATE)
    .union(Effects::SLEEPS)
    .union(Effects::VARIES)
    .union(Effects::HINT_PRIMARY)
    .union(Effects::HINT_REPLICA);
/// ER_SERVER_SHUTDOWN.
const SHUTDOWN: u16 = 1053;

/// Where a text is cut.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    /// Where the statements end that were answered.
    head: usize,
    /// Where the next one begins.
    tail: usize,
    /// Whether a transaction is open in between.
    open: bool,
}

impl Session {
    /// A statement amid a text has failed. Gives what follows for the rest of it, if what comes before can stand for itself;
    /// `rows`: the digest of its rows.
    pub(super) async fn failed_amid_text(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        (done, rows): (&mut Completion, (u64, u64)),
        broke: Broke,
    ) -> Result<Option<Attempt>, End> {
        let lost = matches!(broke, Broke::Lost | Broke::Answered(SHUTDOWN));
        let refused = matches!(broke, Broke::ReadOnly | Broke::NotReady | Broke::EndedByUs);
        if !(lost || refused) || work.kind != CommandKind::Query || work.statement.kind != Kind::Multi {
            return Ok(None);
        }
        let Some(rest) = self.keep_answered(work, (done, rows), lost) else { return Ok(None) };
        // The one that was refused is the first of the rest, of which nothing was executed.
        let place = match self.place(&rest.statement) {
            Place::Code | Place::Commit if refused => Place::Inside,
            place => place,
        };
        (self.resume, self.amid_text) = (None, true);
        let failure = (Sent::Something, broke, false, place);
        let attempt = Box::pin(self.failed(&rest, hold, failure, None)).await?;
        if self.rest.is_none() {
            self.rest = Some(Box::new(rest));
        }
        Ok(Some(attempt))
    }

    /// Takes in what was answered of a text as a command of its own, and makes the rest the present command.
    fn keep_answered(
        &mut self,
        work: &Work,
        (done, rows): (&mut Completion, (u64, u64)),
        lost: bool,
    ) -> Option<Work> {
        let Text::Command(range) = work.text.clone() else { return None };
        if self.wrap.open || self.is_on_replica() || !done.whole || self.answer_at.is_none() {
            return None;
        }
        let autocommit = self.status.contains(StatusFlags::AUTOCOMMIT);
        let text = self.command.get(range.clone())?;
        let answered = done.ends.0 + done.ends.1 / 2;
        let cut = cut(text, work.dialect, answered, (self.in_transaction(), lost))?;
        if !autocommit || done.status.contains(StatusFlags::IN_TRANS) != cut.open {
            return None;
        }
        // In one transaction they prove each other.
        let apart = !self.in_transaction() && !cut.open;
        let of = |text: &[u8]| {
            let statement = classify(text, work.dialect);
            Work { tags: statement.tags.clone(), statement, text: Text::None, ..work.clone() }
        };
        let (head_text, tail_text) = (text.get(..cut.head)?, text.get(cut.tail..)?);
        let (mut head, mut tail) = (of(head_text), of(tail_text));
        let front = self.command.get(..range.start)?;
        let (first, second) = ([front, head_text].concat(), [front, tail_text].concat());
        (head.text, tail.text) =
            (Text::Command(range.start..first.len()), Text::Command(range.start..second.len()));
        let mut done = std::mem::take(done);
        done.error = None;
        done.status.remove(StatusFlags::MORE_RESULTS);
        self.command = first;
        self.finished(&head, done, rows);
        self.command = second;
        if apart {
            // Those that were answered are in doubt no more.
            self.unit.first += work.tags.offsets().filter(|at| *at < cut.tail).count() as u64;
        }
        let keeps = self.keeps_warnings(&tail.statement, tail.text.of(&self.command), tail.dialect);
        self.begin_statement(&tail.statement, keeps);
        Some(tail)
    }
}

/// Cuts a text behind the statements that were `answered`. `inside`: it was sent in an open transaction. `lost`: whether the rest
/// was executed is not known, and the guard must be able to tell it from what was: the text must be one transaction, or each
/// statement one of its own.
fn cut(text: &[u8], dialect: Dialect, answered: usize, (inside, lost): (bool, bool)) -> Option<Cut> {
    let ranges = details::pieces(text, dialect);
    let (last, next) = (ranges.get(answered.checked_sub(1)?)?, ranges.get(answered)?);
    let (mut open, mut several) = (inside, false);
    let mut cut = None;
    for (at, range) in ranges.iter().enumerate() {
        let piece = classify(text.get(range.clone())?, dialect);
        if !is_plain(&piece) {
            return None;
        }
        if at == answered {
            cut = Some(Cut { head: last.end, tail: next.start, open });
            if open && several {
                return None;
            }
        }
        match piece.kind {
            Kind::Begin => {
                several |= open;
                open = true;
            }
            Kind::Commit | Kind::Rollback => {
                several |= at + 1 < ranges.len();
                open = false;
            }
            _ => several |= !open && !piece.any(Effects::READS_ONLY),
        }
    }
    let halves = [text.get(..last.end)?, text.get(next.start..)?];
    let understood = halves.iter().all(|half| !classify(half, dialect).any(Effects::UNSURE));
    let apart = !inside && units(text, dialect).is_some();
    cut.filter(|cut| understood && (!lost || apart || (cut.open && !several)))
}

pub(super) fn is_plain(piece: &Statement) -> bool {
    let known = matches!(
        piece.kind,
        Kind::Select
            | Kind::With
            | Kind::Insert
            | Kind::Update
            | Kind::Delete
            | Kind::Replace
            | Kind::Begin
            | Kind::Commit
            | Kind::Rollback
            | Kind::Savepoint
            | Kind::ReleaseSavepoint
            | Kind::RollbackTo
    );
    known && !piece.any(LOOKS_BACK) && PLAIN.contains(piece.effects)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rest of the text, and whether a transaction is open before it.
    fn rest(text: &str, answered: usize, inside: bool, lost: bool) -> Option<(&str, bool)> {
        let cut = cut(text.as_bytes(), Dialect::default(), answered, (inside, lost))?;
        Some((text.get(cut.tail..).expect("the rest"), cut.open))
    }

    #[test]
    fn where_a_text_can_be_cut() {
        let writes = "INSERT INTO t VALUES (1); UPDATE t SET a=2;DELETE FROM t";
        let whole = "BEGIN; INSERT INTO t VALUES (';'); SELECT a FROM t FOR UPDATE; COMMIT;";
        for (text, answered, inside, lost, wanted) in [
            (writes, 1, false, false, Some(("UPDATE t SET a=2;DELETE FROM t", false))),
            (writes, 2, false, false, Some(("DELETE FROM t", false))),
            // Which of them the server has executed, their tags tell.
            (writes, 1, false, true, Some(("UPDATE t SET a=2;DELETE FROM t", false))),
            (writes, 1, true, true, Some(("UPDATE t SET a=2;DELETE FROM t", true))),
            (writes, 0, false, false, None),
            (writes, 3, false, false, None),
            (whole, 1, false, false, Some((&whole[7..], true))),
            (whole, 3, false, true, Some(("COMMIT;", true))),
            (whole, 3, false, false, Some(("COMMIT;", true))),
            ("BEGIN; DELETE FROM t; COMMIT; DELETE FROM u", 2, false, true, None),
            ("BEGIN; DELETE FROM t; COMMIT; DELETE FROM u", 3, false, false, Some(("DELETE FROM u", false))),
            ("BEGIN; DELETE FROM t; COMMIT; BEGIN; DELETE FROM u", 4, false, false, None),
            ("DELETE FROM t; BEGIN; DELETE FROM u; COMMIT", 2, false, false, None),
            ("DELETE FROM t; COMMIT", 1, true, true, Some(("COMMIT", true))),
            ("DELETE FROM t; SET @a = 1; DELETE FROM u", 1, false, false, None),
            ("DELETE FROM t; CALL p(); DELETE FROM u", 1, false, false, None),
            ("DELETE FROM t; DROP TABLE u", 1, false, false, None),
            ("DELETE FROM t; SELECT ROW_COUNT(); DELETE FROM u", 2, false, false, None),
            ("DELETE FROM t; /*!50000 DELETE FROM u; DELETE FROM v */", 2, false, false, None),
        ] {
            assert_eq!(rest(text, answered, inside, lost), wanted, "{text} {answered} {inside} {lost}");
        }
    }
}
