//! SET statements, where the text has to make up for what trackers leave out.

use super::restore::{DATABASE_COLLATION, quote};
use super::state::{is_state, slot};
use super::{Change, PinReason, Tracker};
use crate::sql::details::{self, Target, Value};
use crate::sql::{Dialect, Effects, Statement};

/// Takes in a SET that succeeded. Every session variable it names must be in the report, or have been set to a
/// literal; else the session is pinned.
///
/// Servers leave out: the collation of `SET NAMES … COLLATE` (all), variables that share storage with one
/// touched before (MariaDB from 11 on reports the other one), and what is no session state.
pub(super) fn take_in(
    tracker: &mut Tracker,
    statement: &Statement,
    (text, dialect): (&[u8], Dialect),
    changes: &[Change<'_>],
) {
    let Some(assignments) = details::assignments(text, dialect) else {
        if statement.any(Effects::SETS_USER_VARIABLE) {
            tracker.compute_all(text, dialect);
        }
        let reported = changes.iter().any(|change| matches!(change, Change::Variable { .. }));
        if statement.any(Effects::SETS_SESSION) && !reported && !statement.any(Effects::SETS_ROLE) {
            tracker.pins.insert(PinReason::UntrackedVariable);
        }
        return;
    };
    // Variables may also be set within an expression: `SET @a = (@b := 1)`.
    if statement.any(Effects::COMPUTES_USER_VARIABLE) && details::assigns_within(text, dialect) {
        tracker.compute_all(text, dialect);
    }
    for assignment in assignments {
        match assignment.target {
            Target::User(name) => user_variable(tracker, &name, assignment.value),
            Target::Session(name) => session_variable(tracker, &name, assignment.value, changes),
            Target::CharacterSet => character_set(tracker, changes),
            Target::Elsewhere => {}
        }
    }
}

fn user_variable(tracker: &mut Tracker, name: &str, value: Value) {
    let literal = match value {
        Value::Number(number) => number,
        Value::Text(text) => quote(&text),
        Value::Word(word) if ["null", "true", "false"].contains(&&*word.to_ascii_lowercase()) => {
            word.to_ascii_uppercase()
        }
        _ => {
            tracker.compute(name);
            return;
        }
    };
    tracker.state.set_user_variable(name, &literal);
}

fn session_variable(tracker: &mut Tracker, name: &str, value: Value, changes: &[Change<'_>]) {
    if matches!(name, "last_insert_id" | "identity") {
        let reported = reports(changes, |reported| reported == b"last_insert_id");
        match value {
            _ if reported => {}
            Value::Number(number) => tracker.set_last_insert_id(number.as_bytes()),
            _ => tracker.set_last_insert_id(b""),
        }
        return;
    }
    if name.starts_with("session_track_") {
        return;
    }
    if !is_state(name.as_bytes()) {
        let lifted =
            name == "timestamp" && matches!(&value, Value::Default | Value::Number(_) if is_zero(&value));
        if !lifted {
            tracker.pins.insert(PinReason::UntrackedVariable);
        }
        return;
    }
    if reports(changes, |reported| reported == name.as_bytes()) {
        return;
    }
    let same_slot = |reported: &[u8]| slot(reported) == slot(name.as_bytes());
    // Reported under its other name; only a character set leaves open which collation it has.
    if reports(changes, same_slot) && !name.starts_with("collation_") {
        return;
    }
    match value {
        Value::Number(text) | Value::Text(text) => set(tracker, name, text.as_bytes()),
        Value::Word(word) if word.eq_ignore_ascii_case("null") => set(tracker, name, b""),
        Value::Word(word) => set(tracker, name, word.as_bytes()),
        Value::Default if !reports(changes, same_slot) => tracker.state.forget_variable(name),
        Value::Expression if !reports(changes, same_slot) => {
            tracker.pins.insert(PinReason::UntrackedVariable)
        }
        Value::Default | Value::Expression => {}
    }
}

/// `SET CHARACTER SET` gives the connection the default database's collation, of which MySQL and older MariaDB
/// report the character set only.
fn character_set(tracker: &mut Tracker, changes: &[Change<'_>]) {
    if !reports(changes, |name| name == b"collation_connection") {
        set(tracker, "collation_connection", DATABASE_COLLATION.as_bytes());
    }
}

/// Goes through `apply`, which sees to what depends on a variable.
fn set(tracker: &mut Tracker, name: &str, value: &[u8]) {
    tracker.apply(&[Change::Variable { name: name.as_bytes(), value }]);
}

fn reports(changes: &[Change<'_>], matches: impl Fn(&[u8]) -> bool) -> bool {
    changes.iter().any(|change| matches!(change, Change::Variable { name, .. } if matches(name)))
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.bytes().all(|digit| matches!(digit, b'0' | b'.')),
        value => *value == Value::Default,
    }
}
