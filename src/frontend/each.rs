//! Several statements in one text, each committed by itself, of which the answers were lost. They ran in order, and each has a
//! tag of its own, so the guard is asked about one after the other: those that were executed are answered, and the rest is run
//! on the present primary.

use std::ops::Range;

use tideover_protocol::command::CommandKind;
use tideover_protocol::status::StatusFlags;

use crate::guard::{Case, Settlement};
use crate::sql::{Dialect, Kind, classify, details};

use super::doubt::{unanswerable, writing};
use super::run::Attempt;
use super::session::{End, Session};
use super::several::is_plain;
use super::unit::Hold;
use super::work::{Text, Work};

impl Session {
    /// Where the statements of a text stand, if each is a unit of its own whose outcome can be told from the others'.
    pub(super) fn pieces_of(&self, work: &Work) -> Option<Vec<Range<usize>>> {
        let apart = work.kind == CommandKind::Query
            && work.statement.kind == Kind::Multi
            && self.status.contains(StatusFlags::AUTOCOMMIT)
            && !self.wrap.open
            && !self.has_kept();
        apart.then(|| units(work.text.of(&self.command), work.dialect)).flatten()
    }

    /// Asks about each of `pieces` in turn. `case`: that of the whole text.
    pub(super) async fn ask_for_each(
        &mut self,
        work: &Work,
        hold: &mut Hold,
        (whole, pieces): (Case, Vec<Range<usize>>),
    ) -> Result<Attempt, End> {
        let server = whole.server;
        let mut number = whole.numbers.start;
        for (at, piece) in pieces.iter().enumerate() {
            let Some(one) = self.from(work, piece.clone()) else { break };
            let next = number + one.tags.len() as u64;
            let text = one.text.of(&self.command).to_vec();
            let case = Case {
                numbers: number..whole.numbers.end,
                own: (next > number).then_some(number),
                writing: writing(one.statement.kind),
                unanswerable: unanswerable(&one, &text),
                text,
                ..whole.clone()
            };
            number = next;
            match self.wait_for_guard(case, hold).await? {
                Settlement::Committed { affected_rows, inserted, .. } => {
                    self.count("committed");
                    let more = at + 1 < pieces.len();
                    self.answer_for(&one, (affected_rows, inserted), more).await?;
                    if !more {
                        return Ok(Attempt::Done);
                    }
                }
                Settlement::NotCommitted => {
                    self.count("not_committed");
                    self.leave_out(work, piece.start);
                    return self.once_more(server, hold).await;
                }
                Settlement::CannotTell(why) => return Ok(self.unknown(&why)),
            }
        }
        Ok(self.unknown("of several statements sent together at least one was executed"))
    }

    /// One statement of the text, or all from there on, as a command of its own.
    fn from(&self, work: &Work, piece: Range<usize>) -> Option<Work> {
        let Text::Command(range) = &work.text else { return None };
        let statement = classify(work.text.of(&self.command).get(piece.clone())?, work.dialect);
        let text = Text::Command(range.start + piece.start..range.start + piece.end);
        Some(Work { tags: statement.tags.clone(), statement, text, ..work.clone() })
    }

    /// What stands in front of `start` has been executed and answered: the rest is the present command.
    fn leave_out(&mut self, work: &Work, start: usize) {
        if start == 0 {
            return;
        }
        let Text::Command(range) = &work.text else { return };
        let Some(mut rest) = self.from(work, start..range.len()) else { return };
        self.command.drain(range.start..range.start + start);
        rest.text = Text::Command(range.start..range.end - start);
        let keeps = self.keeps_warnings(&rest.statement, rest.text.of(&self.command), rest.dialect);
        self.begin_statement(&rest.statement, keeps);
        (self.resume, self.amid_text) = (None, true);
        self.rest = Some(Box::new(rest));
    }
}

/// Where the statements of a text stand, if each of them is a transaction of its own, and leaves nothing but what it writes.
pub(super) fn units(text: &[u8], dialect: Dialect) -> Option<Vec<Range<usize>>> {
    let pieces = details::pieces(text, dialect);
    let all = pieces.iter().all(|piece| text.get(piece.clone()).is_some_and(|text| is_unit(text, dialect)));
    all.then_some(pieces)
}

fn is_unit(text: &[u8], dialect: Dialect) -> bool {
    let statement = classify(text, dialect);
    let by_itself = matches!(
        statement.kind,
        Kind::Select | Kind::With | Kind::Insert | Kind::Update | Kind::Delete | Kind::Replace
    );
    by_itself && is_plain(&statement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_texts_are_units_each() {
        for (text, wanted) in [
            ("INSERT INTO t VALUES (1); UPDATE t SET a=2;DELETE FROM t", Some(3)),
            ("INSERT INTO t VALUES (';');", Some(1)),
            ("INSERT INTO t VALUES (1); SELECT 1", Some(2)),
            ("BEGIN; INSERT INTO t VALUES (1); COMMIT", None),
            ("INSERT INTO t VALUES (1); SAVEPOINT a", None),
            ("INSERT INTO t VALUES (1); CALL p()", None),
            ("INSERT INTO t VALUES (1); SELECT ROW_COUNT()", None),
            ("INSERT INTO t VALUES (1); SET @a = 1", None),
            ("INSERT INTO t VALUES (1); DROP TABLE t", None),
        ] {
            let found = units(text.as_bytes(), Dialect::default()).map(|pieces| pieces.len());
            assert_eq!(found, wanted, "{text}");
        }
    }
}
