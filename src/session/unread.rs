//! What only the server knows of a session until it is asked: values of user variables, LAST_INSERT_ID() after a CALL; and
//! what its SQL-level prepared statements are. PURE.

use super::sql_prepare::{BINARY, SqlStatement, is_number, literal};
use super::state::UNREAD;
use super::{PinReason, Pins, Tracker};
use crate::sql::{Dialect, Effects, Kind, Statement, assigned_variables, classify, details};

/// Bytes of all literals of user variables that a session takes along; with more it is pinned.
const MOST: usize = 256 << 10;
/// Variables in one text.
const MOST_NAMES: usize = 256;

/// What is to be read from a session's server connection so that the session can leave it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// User variables, without `@`. They hold no backquote.
    pub names: Vec<String>,
}

/// A user variable as a result shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserValue {
    /// The column's type code.
    pub kind: u8,
    /// The column is unsigned.
    pub unsigned: bool,
    /// The column's length.
    pub length: u32,
    /// The value as text; `None` for NULL.
    pub text: Option<Vec<u8>>,
    /// HEX() of the value.
    pub hex: Vec<u8>,
    /// COLLATION() of the value.
    pub collation: Vec<u8>,
}

impl UserValue {
    /// Whether the variable was never set, for all that can be seen: on MySQL its column has another type than that of one
    /// that was set to NULL, on MariaDB another length.
    fn is_unset(&self) -> bool {
        const VAR_STRING: u8 = 253;
        let untyped = self.collation == b"binary" && !matches!(self.kind, 0..=9 | 246);
        self.text.is_none() && untyped && (self.kind == VAR_STRING || self.length == 1 << 24)
    }
}

impl Tracker {
    /// What is to be read before the session can leave its server connection: if that is all that keeps it there, or,
    /// `at_once`, all that will be kept.
    #[must_use]
    pub fn unread(&self, at_once: bool) -> Option<Unread> {
        let asks = [PinReason::UserVariable, PinReason::LastInsertId, PinReason::CallResult];
        if self.blind || !asks.into_iter().any(|reason| self.pins.contains(reason)) {
            return None;
        }
        let rest: Pins = self.pins.iter().filter(|reason| !asks.contains(reason)).collect();
        let rest = if at_once { rest.for_session() } else { rest };
        rest.is_empty().then(|| Unread { names: self.state.unread().map(str::to_owned).collect() })
    }

    /// The reasons for which the session's server connection must be reset before anybody else gets it.
    #[must_use]
    pub fn stains(&self) -> Pins {
        let readable = self.unread(true).is_some();
        let stains = self.pins.for_session().iter();
        stains
            .filter(|reason| {
                !readable || !matches!(reason, PinReason::UserVariable | PinReason::LastInsertId)
            })
            .collect()
    }

    /// Takes in what was read: the values, in the order of the names, and LAST_INSERT_ID().
    pub fn learn(&mut self, unread: &Unread, values: &[UserValue], last_insert_id: u64) {
        for (name, value) in unread.names.iter().zip(values) {
            match literal(name, value) {
                // Never set, for all that can be seen.
                Some(_) if value.is_unset() => self.state.forget_user_variable(name),
                Some(literal) if literal.len() <= MOST => self.state.set_user_variable(name, &literal),
                _ => self.blind = true,
            }
        }
        let bytes: usize = self.state.user_variables().map(|(_, literal)| literal.len()).sum();
        self.blind |= bytes > MOST || values.len() < unread.names.len();
        if self.own_id.is_some() {
            self.learn_insert_id(last_insert_id);
        } else if self.pins.contains(PinReason::LastInsertId) || self.pins.contains(PinReason::CallResult) {
            // Otherwise it may be what another session has left on the connection.
            self.last_insert_id = last_insert_id;
        }
        self.pins.remove(PinReason::LastInsertId);
        self.pins.remove(PinReason::CallResult);
        self.check_unread();
    }

    /// What was to be read cannot be: the session stays where it is.
    pub fn cannot_learn(&mut self) {
        self.blind = true;
    }

    /// A user variable was set to something that only the server knows.
    pub(super) fn compute(&mut self, name: &str) {
        self.state.set_user_variable(name, UNREAD);
        self.pins.insert(PinReason::UserVariable);
    }

    /// The same for every variable in a text.
    pub(super) fn compute_all(&mut self, text: &[u8], dialect: Dialect) {
        match details::user_variables(text, dialect) {
            Some(names) if names.len() <= MOST_NAMES => names.iter().for_each(|name| self.compute(name)),
            _ => {
                self.blind = true;
                self.pins.insert(PinReason::UserVariable);
            }
        }
    }

    /// Takes the pin away if every variable is known.
    pub(super) fn check_unread(&mut self) {
        if !self.blind && self.state.unread().next().is_none() {
            self.pins.remove(PinReason::UserVariable);
        } else {
            self.pins.insert(PinReason::UserVariable);
        }
    }

    pub(super) fn forget_unread(&mut self) {
        self.blind = false;
        let names: Vec<String> = self.state.unread().map(str::to_owned).collect();
        names.iter().for_each(|name| self.state.forget_user_variable(name));
    }

    /// A statement was prepared. On MariaDB the user variables that it assigns have the collation then of what they would be
    /// assigned (seen on 10.11.18 and 11.8.6: that of a parameter is binary), which strings show, and columns of NULL.
    pub fn prepared(&mut self, statement: &Statement, text: &[u8], dialect: Dialect) {
        self.may_ask(statement);
        if !dialect.mariadb || !statement.any(Effects::SETS_USER_VARIABLE) {
            return;
        }
        for (name, by_parameter) in assigned_variables(text, dialect).unwrap_or_default() {
            // One that was never set has nothing to show.
            let Some(literal) = self.state.user_variable(&name) else { continue };
            if !is_number(literal) {
                self.compute(&name);
            } else if by_parameter && !literal.starts_with(BINARY) {
                let binary = format!("{BINARY}{literal}");
                self.state.set_user_variable(&name, &binary);
            }
        }
    }

    /// PREPARE or DEALLOCATE PREPARE succeeded.
    pub(super) fn prepare(&mut self, statement: &Statement, text: &[u8], dialect: Dialect) {
        if statement.kind == Kind::Deallocate {
            if let Some(name) = details::prepared_name(text, dialect) {
                self.state.set_prepared(&name, None);
            }
            return;
        }
        let source = details::prepare_source(text, dialect).filter(|_| !dialect.multibyte_unsafe);
        let name =
            source.as_ref().map(|(name, _)| name.clone()).or_else(|| details::prepared_name(text, dialect));
        if let Some(name) = &name {
            self.state.set_prepared(name, None);
        }
        if let Some((name, source)) = source
            && let Some(statement) = SqlStatement::of(source, &self.state)
        {
            let inner = statement.plain_text().unwrap_or_default();
            self.state.set_prepared(&name, Some(statement));
            self.prepared(&classify(&inner, dialect), &inner, dialect);
            return;
        }
        self.held.get_or_insert_default().prepared.add(name);
        self.pins.insert(PinReason::SqlPrepare);
    }

    /// A PREPARE that fails leaves nothing under its name, unless its own form is wrong.
    pub(super) fn prepare_failed(&mut self, text: &[u8], dialect: Dialect) {
        if let Some((name, _)) = details::prepare_source(text, dialect) {
            self.state.set_prepared(&name, None);
        }
    }

    /// The text that an EXECUTE runs, or an EXECUTE IMMEDIATE, if it is known.
    #[must_use]
    pub fn executed(&self, text: &[u8], dialect: Dialect) -> Option<Vec<u8>> {
        let name = details::prepared_name(text, dialect)?;
        if self.pins.contains(PinReason::SqlPrepare) {
            return None;
        }
        self.state.prepared().get(&name)?.plain_text()
    }
}
