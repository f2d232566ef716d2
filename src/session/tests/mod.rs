mod prepared;
mod restore;
mod state;
mod tracker;

use super::{Change, Outcome, SessionState};

fn var<'a>(name: &'a str, value: &'a str) -> Change<'a> {
    Change::Variable { name: name.as_bytes(), value: value.as_bytes() }
}

/// A state with these variables, `schema` for the schema, `@name` for user variables.
fn state(parts: &[(&str, &str)]) -> SessionState {
    let mut state = SessionState::new();
    for (name, value) in parts {
        match name.strip_prefix('@') {
            Some(user) => state.set_user_variable(user, value),
            None if *name == "schema" => state.set_schema(Some(value.as_bytes())),
            None => state.apply(&[var(name, value)]),
        }
    }
    state
}

fn ok<'a>(changes: &'a [Change<'a>]) -> Outcome<'a> {
    Outcome { status: 2, changes, ..Outcome::default() }
}
