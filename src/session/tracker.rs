use super::found_rows::FoundRows;
use super::held::Held;
use super::restore::DATABASE_COLLATION;
use super::state::slot;
use super::{Change, PinReason, Pins, SessionState, set};
use crate::sql::{Dialect, Effects, Kind, Statement, classify, details, set_for_statement};

/// How a statement ended, as its last packet tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome<'a> {
    /// The code of the ERR packet, if it was one.
    pub error: Option<u16>,
    /// The status flags of the protocol (0x0001: in a transaction).
    pub status: u16,
    /// Number of warnings.
    pub warnings: u16,
    /// Affected rows.
    pub affected_rows: u64,
    /// The insert id of the OK packet.
    pub last_insert_id: u64,
    /// The statement may have given its row that id itself: then it is not LAST_INSERT_ID().
    pub own_id: bool,
    /// Before it, LAST_INSERT_ID() was on the connection what it is for the session.
    pub had_insert_id: bool,
    /// A result set came before.
    pub result_set: bool,
    /// Its last packet was the end of one.
    pub ends_rows: bool,
    /// Rows of the last one.
    pub rows: u64,
    /// Results that had ended when the error came, if it was one.
    pub ended: usize,
    /// What the session trackers reported.
    pub changes: &'a [Change<'a>],
}

/// Follows a client's session: what it would take to go on elsewhere, and why it cannot just now.
///
/// Per statement: `begin` before it is routed, `observe` after its last packet. Of an answer with several
/// results, `apply` takes the trackers of those before the last.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    pub(super) state: SessionState,
    pub(super) pins: Pins,
    pub(super) last_insert_id: u64,
    /// An id that was reported and may not be LAST_INSERT_ID(): to be compared with what its connection says.
    pub(super) own_id: Option<u64>,
    row_count: i64,
    pub(super) found_rows: FoundRows,
    /// It has asked for FOUND_ROWS() without SQL_CALC_FOUND_ROWS, or for ROW_COUNT(), and may do so again.
    pub(super) asks_found_rows: bool,
    /// FOUND_ROWS() on its connection is the session's since the last statement.
    found_rows_there: bool,
    asks_row_count: bool,
    pub(super) asks_insert_id: bool,
    suspect: bool,
    /// User variables were set whose names are not known, or whose values cannot be read.
    pub(super) blind: bool,
    pub(super) held: Option<Box<Held>>,
}

const ER_PARSE_ERROR: u16 = 1064;

impl Tracker {
    /// A session that begins in `state`: a new connection's, with the schema the client asked for.
    #[must_use]
    pub fn new(state: SessionState) -> Self {
        Self { state, ..Self::default() }
    }

    /// What must be rebuilt elsewhere.
    #[must_use]
    pub const fn state(&self) -> &SessionState {
        &self.state
    }

    /// Goes on with a state that is the same, but shared with others.
    pub fn share(&mut self, same: SessionState) {
        debug_assert_eq!(self.state, same);
        self.state = same;
    }

    /// Why the session cannot go elsewhere now.
    #[must_use]
    pub const fn pins(&self) -> Pins {
        self.pins
    }

    /// What ROW_COUNT() gives.
    #[must_use]
    pub const fn row_count(&self) -> i64 {
        self.row_count
    }

    /// Whether the last statement failed in a way that may have left something on the server connection that no
    /// tracker told of. Such a connection must be reset before another session gets it.
    #[must_use]
    pub const fn connection_is_suspect(&self) -> bool {
        self.suspect
    }

    /// Whether FOUND_ROWS() on the session's connection is the session's by the last statement.
    #[must_use]
    pub const fn left_found_rows(&self) -> bool {
        self.found_rows_there
    }

    /// A statement was prepared that may ask for what others leave.
    pub const fn may_ask(&mut self, statement: &Statement) {
        self.asks_found_rows |= statement.any(Effects::READS_FOUND_ROWS);
        self.asks_row_count |= statement.any(Effects::READS_ROW_COUNT);
        self.asks_insert_id |= statement.any(Effects::READS_LAST_INSERT_ID);
    }

    /// Pins for a reason that only the caller sees: cursors, long data, binary log.
    pub const fn pin(&mut self, reason: PinReason) {
        self.pins.insert(reason);
    }

    /// Takes a pin away, and forgets what it stood for.
    pub fn unpin(&mut self, reason: PinReason) {
        self.pins.remove(reason);
        if reason == PinReason::UserVariable {
            self.forget_unread();
        }
    }

    /// The session was reset (COM_RESET_CONNECTION, COM_CHANGE_USER) and is now in `state`. FOUND_ROWS() outlives that (seen on
    /// all three).
    pub fn reset(&mut self, state: SessionState) {
        *self = Self {
            found_rows: self.found_rows,
            asks_found_rows: self.asks_found_rows,
            asks_row_count: self.asks_row_count,
            asks_insert_id: self.asks_insert_id,
            ..Self::new(state)
        };
    }

    /// Something was answered without a server that sets ROW_COUNT() on one: to 0, or to -1 if it was refused.
    pub const fn set_row_count(&mut self, rows: i64) {
        self.row_count = rows;
        self.pins.remove(PinReason::RowCount);
    }

    /// Notes what follows SET ROLE for this session.
    pub fn set_role(&mut self, role: &str) {
        self.state.set_role(role);
    }

    /// A statement is about to be routed: pins for what the last one left lapse unless it asks for that.
    /// `keeps_warnings`: it leaves those of the statement before it.
    pub const fn begin(&mut self, statement: &Statement, keeps_warnings: bool) {
        self.suspect = false;
        self.may_ask(statement);
        // Of one that never asked, the next statement is not waited for longer than this.
        if !self.asks_found_rows {
            self.pins.remove(PinReason::FoundRows);
        }
        if !statement.any(Effects::READS_DIAGNOSTICS) && !keeps_warnings {
            self.pins.remove(PinReason::Warnings);
        }
        if !statement.any(Effects::READS_ROW_COUNT) {
            self.pins.remove(PinReason::RowCount);
        }
        if !statement.any(Effects::SEQUENCE) {
            self.pins.remove(PinReason::Sequence);
        }
    }

    /// Takes in what the trackers reported with one packet.
    pub fn apply(&mut self, changes: &[Change<'_>]) {
        // What comes with every statement or commit and changes nothing here.
        let idle = |change: &Change<'_>| {
            matches!(change, Change::State | Change::Variable { name: b"statement_id" | b"last_gtid", .. })
        };
        if changes.iter().all(idle) {
            return;
        }
        let charset = |state: &SessionState| {
            let of = |name| state.variable(name).map(<[u8]>::to_vec);
            (of("character_set_connection"), of("collation_connection"))
        };
        let before = self.state.user_strings().next().is_some().then(|| charset(&self.state));
        let schema = self.state.schema().map(<[u8]>::to_vec);
        self.state.apply(changes);
        // Strings in user variables are of the character set that they were set in.
        if before.is_some_and(|before| before != charset(&self.state)) {
            let names: Vec<String> = self.state.user_strings().map(str::to_owned).collect();
            names.iter().for_each(|name| self.compute(name));
        }
        let from_database =
            self.state.variable("collation_connection") == Some(DATABASE_COLLATION.as_bytes());
        if from_database && self.state.schema() != schema.as_deref() {
            self.pins.insert(PinReason::UntrackedVariable);
        }
        for change in changes {
            match change {
                Change::Characteristics([]) => self.pins.remove(PinReason::NextTransaction),
                Change::Variable { name: b"last_insert_id", value } => self.set_last_insert_id(value),
                // `WHERE id IS NULL` asks for the last id, once: no other connection can be brought to that.
                Change::Variable { name: b"sql_auto_is_null", value: b"ON" | b"1" } => {
                    self.pins.insert(PinReason::UntrackedVariable);
                }
                _ => {}
            }
        }
    }

    /// A statement has ended. `text` is the statement's, `dialect` what it was classified with.
    pub fn observe(&mut self, statement: &Statement, text: &[u8], dialect: Dialect, outcome: &Outcome<'_>) {
        if statement.kind == Kind::Execute
            && let Some(inner) = self.executed(text, dialect)
        {
            // What runs is known: it is taken for what the client sent.
            let statement = classify(&inner, dialect);
            // Where its values come from, the text does not say.
            let outcome = &Outcome { own_id: outcome.last_insert_id > 0, ..*outcome };
            self.may_ask(&statement);
            return self.observe(&statement, &inner, dialect, outcome);
        }
        if statement.any(Effects::SETS_FOR_STATEMENT) {
            let passing = set_for_statement(text, dialect);
            let lasts = |change: &Change<'_>| !matches!(change, Change::Variable { name, .. } if passing.iter().any(|passing| slot(passing) == slot(name)));
            let changes: Vec<Change<'_>> = outcome.changes.iter().copied().filter(lasts).collect();
            self.apply(&changes);
            if statement.kind == Kind::Multi && also_sets(text, dialect) {
                // Which of the reports are of what lasts, they do not tell.
                self.pins.insert(PinReason::UntrackedVariable);
            }
        } else {
            self.apply(outcome.changes);
        }
        let failed = outcome.error.is_some();
        if statement.kind == Kind::Multi {
            self.several((text, dialect), outcome);
        } else if failed {
            self.failed(statement, (text, dialect), outcome);
        } else {
            self.single(statement, text, dialect, outcome);
        }
        self.keep_insert_id(statement, outcome);
        self.keep_short(statement, outcome);
        self.found_rows_there = self.keep_found_rows(statement, (text, dialect), outcome);
    }

    /// Several statements in one text: the server stops at the first that fails.
    fn several(&mut self, (text, dialect): (&[u8], Dialect), outcome: &Outcome<'_>) {
        // Those that may give more than one result leave open how many ran.
        let mut counted = true;
        for (at, range) in details::pieces(text, dialect).into_iter().enumerate() {
            let piece = text.get(range).unwrap_or_default();
            let statement = classify(piece, dialect);
            let ran = outcome.error.is_none() || (counted && at < outcome.ended);
            if ran {
                self.single(&statement, piece, dialect, outcome);
            } else if counted && at > outcome.ended {
                return;
            } else {
                self.failed(&statement, (piece, dialect), outcome);
                if !counted && statement.any(Effects::SETS_SESSION | Effects::SQL_PREPARE) {
                    self.pins.insert(PinReason::UntrackedVariable);
                }
            }
            counted &= !statement.any(Effects::STORED_CODE | Effects::SQL_EXECUTE | Effects::UNSURE);
        }
    }

    fn failed(&mut self, statement: &Statement, (text, dialect): (&[u8], Dialect), outcome: &Outcome<'_>) {
        let ran = outcome.error != Some(ER_PARSE_ERROR);
        if ran && statement.any(Effects::SETS_USER_VARIABLE) {
            self.compute_all(text, dialect);
        }
        if statement.kind == Kind::Prepare {
            self.prepare_failed(text, dialect);
        }
        if ran && statement.any(Effects::UNSURE) {
            self.pins.insert(PinReason::Unsure);
        }
        let code = Effects::STORED_CODE | Effects::SQL_EXECUTE | Effects::USER_LOCK | Effects::UNSURE;
        self.suspect |= ran && statement.any(code);
    }

    /// What a statement that succeeded did to the session.
    fn single(&mut self, statement: &Statement, text: &[u8], dialect: Dialect, outcome: &Outcome<'_>) {
        let tracked = Effects::UNSURE
            | Effects::SETS_ROLE
            | Effects::SETS_SESSION
            | Effects::SETS_USER_VARIABLE
            | Effects::SETS_NEXT_TRANSACTION
            | Effects::STORED_CODE
            | Effects::SQL_EXECUTE
            | Effects::XA;
        if statement.any(tracked) {
            self.variables(statement, text, dialect, outcome);
        }
        if matches!(statement.kind, Kind::Prepare | Kind::Deallocate) {
            self.prepare(statement, text, dialect);
        }
        let holding =
            Effects::TEMPORARY_TABLE | Effects::USER_LOCK | Effects::TABLE_LOCK | Effects::HANDLER_OPEN;
        if statement.any(holding) || self.held.is_some() {
            self.holdings(statement, text, dialect);
        }
        let ends = Effects::ENDS | Effects::IMPLICIT_COMMIT | Effects::WRITES;
        let outside = outcome.status & 1 == 0;
        // Whether stored code has begun one, trackers tell.
        let not =
            Effects::BEGINS | Effects::SETS_NEXT_TRANSACTION | Effects::STORED_CODE | Effects::SQL_EXECUTE;
        // `SET autocommit=1` ends one only if there is one, of which trackers tell too.
        if outside && statement.any(ends) && !statement.any(not) && statement.kind != Kind::Set {
            self.pins.remove(PinReason::NextTransaction);
        }
    }

    fn variables(&mut self, statement: &Statement, text: &[u8], dialect: Dialect, outcome: &Outcome<'_>) {
        if statement.any(Effects::UNSURE) {
            self.pins.insert(PinReason::Unsure);
        }
        if statement.any(Effects::SETS_ROLE) {
            match details::role(text, dialect) {
                Some(role) => {
                    self.state.set_role(&role);
                    self.pins.remove(PinReason::Role);
                }
                None => self.pins.insert(PinReason::Role),
            }
        }
        if statement.any(Effects::SETS_NEXT_TRANSACTION) {
            self.pins.insert(PinReason::NextTransaction);
        }
        if statement.any(Effects::XA) {
            if statement.any(Effects::BEGINS) {
                self.pins.insert(PinReason::Xa);
            } else if statement.any(Effects::ENDS) {
                self.pins.remove(PinReason::Xa);
            }
        }
        // A CALL into another schema says so too, whatever it does: that costs such a session its freedom.
        let changed = outcome.changes.contains(&Change::State);
        if changed && statement.any(Effects::STORED_CODE | Effects::SQL_EXECUTE) {
            self.pins.insert(PinReason::StoredCode);
        }
        if statement.kind == Kind::Set && statement.any(Effects::SETS_SESSION | Effects::SETS_USER_VARIABLE) {
            set::take_in(self, statement, (text, dialect), outcome.changes);
        } else if statement.any(Effects::SETS_USER_VARIABLE) {
            self.compute_all(text, dialect);
        }
        if self.pins.contains(PinReason::UserVariable) {
            self.check_unread();
        }
    }

    fn keep_short(&mut self, statement: &Statement, outcome: &Outcome<'_>) {
        let failed = outcome.error.is_some();
        let mut keep = |reason, reads, left| {
            if left && !statement.any(reads) {
                self.pins.insert(reason);
            }
        };
        // Of several statements another one may have left them.
        let asks = if statement.kind == Kind::Multi { Effects::empty() } else { Effects::READS_DIAGNOSTICS };
        keep(PinReason::Warnings, asks, outcome.warnings > 0);
        // GET DIAGNOSTICS for a condition that there is not succeeds, and leaves another one.
        let asked = statement.kind == Kind::Other && statement.any(Effects::READS_DIAGNOSTICS);
        keep(PinReason::Warnings, Effects::empty(), failed || asked);
        if failed {
            self.row_count = -1;
            return;
        }
        if asked {
            return;
        }
        let affected = i64::try_from(outcome.affected_rows).unwrap_or(i64::MAX);
        let row_count = if outcome.ends_rows { -1 } else { affected };
        // Others can be had on any connection.
        keep(PinReason::RowCount, Effects::READS_ROW_COUNT, self.asks_row_count && row_count > 1);
        let drew = statement.effects.contains(Effects::SEQUENCE.union(Effects::WRITES));
        keep(PinReason::Sequence, Effects::empty(), drew);
        self.row_count = row_count;
    }
}

/// Whether one of several statements may set variables for longer than itself.
fn also_sets(text: &[u8], dialect: Dialect) -> bool {
    let sets = Effects::SETS_SESSION | Effects::STORED_CODE | Effects::SQL_EXECUTE | Effects::UNSURE;
    details::pieces(text, dialect).into_iter().filter_map(|range| text.get(range)).any(|piece| {
        let statement = classify(piece, dialect);
        statement.any(sets) && !statement.any(Effects::SETS_FOR_STATEMENT)
    })
}
