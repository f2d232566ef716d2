//! Any session, as its statements and their answers tell of it. What rebuilds it on another server connection is read as the
//! one statement that it was written as, in whatever mode that connection is: nothing in a name or a value gets out of its
//! quotes.
#![no_main]
#![allow(dead_code, unreachable_pub, unused_imports, reason = "modules of the proxy, of which a part is used here")]

#[path = "../../../src/session/mod.rs"]
mod session;
#[path = "../../../src/sql/mod.rs"]
mod sql;

use libfuzzer_sys::fuzz_target;
use session::{Change, Outcome, SessionState, Step, Tracker, UserValue, plan};
use sql::{Dialect, Kind, classify, details};

const VARIABLES: [&str; 8] = [
    "sql_mode",
    "character_set_client",
    "collation_connection",
    "character_set_results",
    "time_zone",
    "autocommit",
    "wait_timeout",
    "last_insert_id",
];
const COLLATIONS: [&str; 4] = ["utf8mb4_general_ci", "binary", "latin1_swedish_ci", ""];
const ERRORS: [u16; 4] = [1064, 1054, 1146, 1205];

/// Bytes, and pieces with a length byte in front.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    fn piece(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?);
        let (piece, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        Some(piece)
    }
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect()
}

/// The steps from one state to the other hold one statement each, however they are read.
fn check_steps(from: &SessionState, to: &SessionState, base: &SessionState, mariadb: bool) {
    let plan = plan(from, to, base);
    let _ = plan.as_one("a=1", true);
    for step in &plan.steps {
        let Step::Query(text) = step else { continue };
        // These hold a text of the client's, and are run in the modes that it was written in.
        if step.may_be_refused().is_some() {
            continue;
        }
        for modes in 0..4 {
            let dialect = Dialect {
                ansi_quotes: modes & 1 != 0,
                no_backslash_escapes: modes & 2 != 0,
                mariadb,
                version: if mariadb { 101_119 } else { 90_704 },
                multibyte_unsafe: false,
            };
            let shown = String::from_utf8_lossy(text);
            // DO: prepares an assignment as the variable was then.
            assert!(matches!(classify(text, dialect).kind, Kind::Set | Kind::Do), "{shown}");
            assert_eq!(details::pieces(text, dialect).len(), 1, "{shown}");
        }
    }
}

/// One statement and its answer.
fn step(tracker: &mut Tracker, input: &mut Input<'_>, mariadb: bool) -> Option<()> {
    let (flags, text) = (input.byte()?, input.piece()?);
    let (choice, value) = (input.byte()?, input.piece()?);
    let dialect = tracker.state().dialect(mariadb, if mariadb { 101_119 } else { 90_704 });
    let statement = classify(text, dialect);
    let name = VARIABLES[usize::from(choice) % VARIABLES.len()].as_bytes();
    let mut changes = Vec::new();
    if flags & 1 != 0 {
        changes.push(Change::Variable { name, value });
    }
    if flags & 2 != 0 {
        changes.push(Change::Schema(value));
    }
    let outcome = Outcome {
        error: (flags & 4 != 0).then(|| ERRORS[usize::from(choice) % ERRORS.len()]),
        status: u16::from(flags >> 3 & 1),
        warnings: u16::from(flags >> 4 & 1),
        affected_rows: u64::from(choice),
        last_insert_id: u64::from(choice >> 4),
        own_id: flags & 0x20 != 0,
        had_insert_id: flags & 0x10 != 0,
        result_set: flags & 0x40 != 0,
        ends_rows: flags & 0x60 == 0x60,
        rows: u64::from(choice),
        ended: usize::from(choice >> 6),
        changes: &changes,
    };
    tracker.begin(&statement, choice & 0x80 != 0);
    tracker.observe(&statement, text, dialect, &outcome);
    if flags & 0x80 != 0
        && let Some(unread) = tracker.unread(true)
    {
        let of = |at: usize| UserValue {
            kind: choice.wrapping_add(at as u8),
            unsigned: flags & 1 != 0,
            length: u32::from(choice),
            text: (choice & 1 == 0).then(|| value.to_vec()),
            hex: hex(value),
            collation: COLLATIONS[(usize::from(choice) + at) % COLLATIONS.len()].into(),
        };
        let values: Vec<UserValue> = (0..unread.names.len()).map(of).collect();
        tracker.learn(&unread, &values, u64::from(choice));
    }
    Some(())
}

fuzz_target!(|data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else { return };
    let mariadb = first & 1 != 0;
    let mut base = SessionState::new();
    for (name, value) in [
        ("sql_mode", "STRICT_TRANS_TABLES"),
        ("character_set_client", "utf8mb4"),
        ("character_set_results", "utf8mb4"),
        ("collation_connection", "utf8mb4_general_ci"),
    ] {
        base.set_variable(name.as_bytes(), value.as_bytes());
    }
    let mut tracker = Tracker::new(base.clone());
    let mut input = Input(rest);
    while step(&mut tracker, &mut input, mariadb).is_some() {
        let state = tracker.state();
        assert!(plan(state, state, &base).is_empty());
        let _ = (tracker.stains(), tracker.pins().for_session(), state.prepare_environment());
    }
    check_steps(&base, tracker.state(), &base, mariadb);
    check_steps(tracker.state(), &base, &base, mariadb);
    tracker.reset(base.clone());
    assert_eq!(*tracker.state(), base);
});
