//! LAST_INSERT_ID(), as far as answers tell it. PURE.

use super::{Outcome, PinReason, Tracker};
use crate::sql::{Effects, Kind, Statement};

/// What runs is not in the text.
const CODE: Effects = Effects::STORED_CODE.union(Effects::SQL_EXECUTE);

impl Tracker {
    /// What LAST_INSERT_ID() gives, as far as known from answers: to be set (`SET last_insert_id=N`) on another
    /// connection before a statement that reads it. 0 if nothing was inserted yet.
    #[must_use]
    pub const fn last_insert_id(&self) -> u64 {
        self.last_insert_id
    }

    /// Whether the session has ever read LAST_INSERT_ID().
    #[must_use]
    pub const fn asks_insert_id(&self) -> bool {
        self.asks_insert_id
    }

    /// Whether the id that the last INSERT reported may be one that it named itself: an answer tells the two apart no more
    /// than the connection, unless that one is asked ([`learn_insert_id`](Self::learn_insert_id)).
    #[must_use]
    pub const fn is_insert_id_open(&self) -> bool {
        self.own_id.is_some()
    }

    /// Whether the server connection alone knows what LAST_INSERT_ID() is.
    #[must_use]
    pub const fn is_insert_id_there(&self) -> bool {
        self.own_id.is_none()
            && (self.pins.contains(PinReason::LastInsertId) || self.pins.contains(PinReason::CallResult))
    }

    /// Whether LAST_INSERT_ID() must be what it is for this session when the statement begins: it reads it, or it may leave
    /// it as it is or set it, of which its answer does not tell. `several_rows`: it inserts several; if it fails, ids may have
    /// been generated.
    #[must_use]
    pub fn wants_insert_id(&self, statement: &Statement, several_rows: bool) -> bool {
        let called = matches!(statement.kind, Kind::Call | Kind::Execute | Kind::Multi | Kind::Other);
        let computes = CODE | Effects::READS_LAST_INSERT_ID | Effects::COMPUTES_USER_VARIABLE;
        let told = statement.kind == Kind::Set && !statement.any(computes);
        let writes = statement.kind == Kind::Multi && statement.any(Effects::WRITES);
        statement.any(Effects::READS_LAST_INSERT_ID)
            || (statement.any(Effects::SETS_LAST_INSERT_ID) && !told)
            || (statement.any(CODE) && (called || self.last_insert_id > 0))
            || writes
            || several_rows
    }

    /// What LAST_INSERT_ID() gives on the session's connection. Whether that is the session's too: not if another session
    /// has left it there.
    pub fn learn_insert_id(&mut self, found: u64) -> bool {
        self.pins.remove(PinReason::CallResult);
        let generated = self.own_id.take() == Some(found);
        if generated {
            self.last_insert_id = found;
        }
        generated
    }

    pub(super) fn set_last_insert_id(&mut self, digits: &[u8]) {
        match str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()) {
            Some(id) => {
                (self.last_insert_id, self.own_id) = (id, None);
                self.pins.remove(PinReason::LastInsertId);
            }
            None => self.pins.insert(PinReason::LastInsertId),
        }
    }

    /// A statement has ended.
    pub(super) fn keep_insert_id(&mut self, statement: &Statement, outcome: &Outcome<'_>) {
        let failed = outcome.error.is_some();
        if statement.kind == Kind::Multi {
            self.keep_of_several(statement, outcome);
        } else if failed {
            // A part of its rows may have got ids before it failed, or LAST_INSERT_ID(expr) its argument.
            let inserts = matches!(statement.kind, Kind::Insert | Kind::Replace | Kind::Load);
            if outcome.had_insert_id && (inserts || statement.any(CODE | Effects::SETS_LAST_INSERT_ID)) {
                self.ask_for_insert_id();
            }
        } else if outcome.last_insert_id > 0 && (outcome.own_id || statement.kind == Kind::Execute) {
            self.own_id = Some(outcome.last_insert_id);
            self.pins.insert(PinReason::CallResult);
        } else if outcome.last_insert_id > 0 {
            self.take_insert_id(outcome.last_insert_id);
        } else if statement.any(CODE) && matches!(statement.kind, Kind::Call | Kind::Execute | Kind::Other) {
            self.ask_for_insert_id();
        } else if statement.any(Effects::SETS_LAST_INSERT_ID) {
            // SET is taken from its own text or report, but for the function: `SET @a = LAST_INSERT_ID(5)`.
            if statement.kind != Kind::Set || statement.any(Effects::COMPUTES_USER_VARIABLE) {
                self.own_id = None;
                self.pins.insert(PinReason::LastInsertId);
            }
        }
    }

    /// Several statements in one text: which of them came last to set it, no answer tells, unless all are plain.
    fn keep_of_several(&mut self, statement: &Statement, outcome: &Outcome<'_>) {
        let plain = outcome.error.is_none()
            && !outcome.own_id
            && !statement.any(CODE | Effects::SETS_LAST_INSERT_ID | Effects::UNSURE);
        let touches = statement.any(Effects::WRITES | CODE | Effects::SETS_LAST_INSERT_ID);
        if !plain && touches && outcome.had_insert_id {
            self.ask_for_insert_id();
        } else if outcome.last_insert_id > 0 {
            // Those in front of one that failed have done what they do.
            self.take_insert_id(outcome.last_insert_id);
        }
    }

    fn take_insert_id(&mut self, id: u64) {
        (self.last_insert_id, self.own_id) = (id, None);
        self.pins.remove(PinReason::LastInsertId);
        self.pins.remove(PinReason::CallResult);
    }

    /// It is to be read from the connection, which had the session's own when the statement began.
    fn ask_for_insert_id(&mut self) {
        self.own_id = None;
        self.pins.insert(PinReason::CallResult);
    }
}
