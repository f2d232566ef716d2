//! SET statements, where the text has to make up for what trackers leave out.

use super::restore::{DATABASE_COLLATION, quote};
use super::sql_prepare::{BINARY, nulled, plain_null};
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
    // Which of several assignments comes first is the server's business.
    let set_here: Vec<Target> = assignments.iter().map(|one| one.target.clone()).collect();
    let sets = |name: &str| set_here.contains(&Target::Session(name.to_owned()));
    for assignment in assignments {
        let value = match assignment.value {
            Value::User(name) if set_here.contains(&Target::User(name.clone())) => Value::Expression,
            value => value,
        };
        match assignment.target {
            Target::User(name) => user_variable(tracker, &name, value),
            Target::Session(name) => session_variable(tracker, &name, value, changes),
            Target::CharacterSet => character_set(tracker, changes),
            Target::Elsewhere => {}
        }
    }
    if reports(changes, |name| name == b"character_set_results") {
        // Set by itself, or by SET NAMES, with a collation perhaps.
        let alone = sets("character_set_results") || set_here.contains(&Target::CharacterSet);
        if alone || sets("collation_connection") {
            tracker.state.note_results(!alone);
        }
    }
}

fn user_variable(tracker: &mut Tracker, name: &str, value: Value) {
    let literal = match value {
        Value::Number(number) => number,
        Value::Text(text) => quote(&text),
        Value::Word(word) if ["true", "false"].contains(&&*word.to_ascii_lowercase()) => {
            word.to_ascii_uppercase()
        }
        Value::Word(word) if word.eq_ignore_ascii_case("null") => {
            let null = match tracker.state.user_variable(name) {
                Some(before) => nulled(name, before),
                None => Some(plain_null(name)),
            };
            let Some(null) = null else { return tracker.compute(name) };
            null
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
        // As programs do that put a setting back: `SET @@sql_quote_show_create := @old`.
        Value::User(other) if !reports(changes, same_slot) => {
            match tracker.state.user_variable(&other).and_then(plain_value) {
                Some(plain) => set(tracker, name, &plain),
                None => tracker.pins.insert(PinReason::UntrackedVariable),
            }
        }
        Value::Default if !reports(changes, same_slot) => tracker.state.forget_variable(name),
        Value::Expression if !reports(changes, same_slot) => {
            tracker.pins.insert(PinReason::UntrackedVariable)
        }
        Value::Default | Value::User(_) | Value::Expression => {}
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

/// What a system variable is that was set to a user variable with this literal: whole numbers, and text in plain ASCII.
fn plain_value(literal: &str) -> Option<Vec<u8>> {
    let literal = literal.strip_prefix(BINARY).unwrap_or(literal);
    let cast = literal.strip_prefix("CAST(").and_then(|rest| rest.strip_suffix(" AS UNSIGNED)"));
    let number = cast.unwrap_or(literal);
    let digits = number.strip_prefix('-').unwrap_or(number);
    if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(number.as_bytes().to_vec());
    }
    let text = match literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(text) => text.as_bytes().to_vec(),
        None => {
            let (charset, rest) = literal.strip_prefix('_')?.split_once(" X'")?;
            let (hex, _) = rest.split_once('\'')?;
            ["latin1", "utf8", "utf8mb3", "utf8mb4", "ascii"].contains(&charset).then_some(())?;
            let digit = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
            (0..hex.len()).step_by(2).map(digit).collect::<Option<Vec<u8>>>()?
        }
    };
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
    text.iter().all(plain).then_some(text)
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.bytes().all(|digit| matches!(digit, b'0' | b'.')),
        value => *value == Value::Default,
    }
}

#[cfg(test)]
mod tests {
    use super::plain_value;

    #[test]
    fn literals_that_are_plain() {
        for (literal, plain) in [
            ("1", Some("1")),
            ("-5", Some("-5")),
            ("/*binary*/-5", Some("-5")),
            ("CAST(1 AS UNSIGNED)", Some("1")),
            ("'ANSI'", Some("ANSI")),
            ("''", Some("")),
            ("_latin1 X'414E5349' COLLATE latin1_swedish_ci", Some("ANSI")),
            ("_utf8mb4 X'' COLLATE utf8mb4_bin", Some("")),
            ("_ucs2 X'0041' COLLATE ucs2_bin", None),
            ("_latin1 X'E4' COLLATE latin1_bin", None),
            ("_binary X'41'", None),
            ("'it''s'", None),
            ("1.5", None),
            ("NULL", None),
        ] {
            assert_eq!(plain_value(literal), plain.map(|text| text.as_bytes().to_vec()), "{literal}");
        }
    }
}
