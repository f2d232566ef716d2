use proptest::prelude::*;

use super::*;
use crate::session::{PinReason, Pins, Tracker};
use crate::sql::{Dialect, classify};

const DIALECT: Dialect = Dialect::MARIADB;

fn run(tracker: &mut Tracker, text: &str, outcome: &Outcome<'_>) {
    let statement = classify(text.as_bytes(), DIALECT);
    tracker.begin(&statement, false);
    tracker.observe(&statement, text.as_bytes(), DIALECT, outcome);
}

fn after(texts: &[&str]) -> Tracker {
    let mut tracker = Tracker::default();
    for text in texts {
        run(&mut tracker, text, &ok(&[]));
    }
    tracker
}

fn pins(reasons: &[PinReason]) -> Pins {
    reasons.iter().copied().collect()
}

/// Statements in a row, and what holds the session afterwards.
/// The server reports both values, one of which is gone.
#[test]
fn a_variable_set_for_a_statement_and_for_longer_is_not_known() {
    for (other, wanted) in
        [("SET lock_wait_timeout = 2", &[PinReason::UntrackedVariable][..]), ("SELECT 1", &[])]
    {
        let mut tracker = Tracker::default();
        run(&mut tracker, &format!("SET STATEMENT lock_wait_timeout = 1 FOR DO 1; {other}"), &ok(&[]));
        assert_eq!(tracker.pins(), pins(wanted), "{other}");
    }
}

#[test]
fn pins_come_and_go() {
    use PinReason::{
        Handler, LastInsertId, NextTransaction, Role, SqlPrepare, TableLock, TemporaryTable, Unsure,
        UntrackedVariable, UserLock, UserVariable, Xa,
    };
    let rows: &[(&[&str], &[PinReason])] = &[
        (&["SELECT 1", "INSERT INTO t VALUES (1)"], &[]),
        (&["CREATE TEMPORARY TABLE t (a INT)"], &[TemporaryTable]),
        (&["CREATE TEMPORARY TABLE t (a INT)", "DROP TABLE t"], &[]),
        (&["CREATE TEMPORARY TABLE t (a INT)", "DROP TEMPORARY TABLE u"], &[TemporaryTable]),
        (&["CREATE TEMPORARY TABLE t (a INT)", "CREATE TEMPORARY TABLE u (a INT)", "DROP TABLE t, u"], &[]),
        (&["CREATE TEMPORARY TABLE t (a INT)", "ALTER TABLE t RENAME u", "DROP TABLE t"], &[TemporaryTable]),
        (&["SELECT GET_LOCK('a', 1)"], &[UserLock]),
        (&["SELECT GET_LOCK('a', 1)", "DO RELEASE_LOCK('A')"], &[]),
        (&["SELECT GET_LOCK('a', 1)", "SELECT GET_LOCK('a', 1)", "DO RELEASE_LOCK('a')"], &[UserLock]),
        (&["SELECT GET_LOCK(@a, 1)", "DO RELEASE_LOCK('a')"], &[UserLock]),
        (&["SELECT GET_LOCK(x, 1) FROM t", "SELECT RELEASE_ALL_LOCKS()"], &[]),
        (&["LOCK TABLES t READ"], &[TableLock]),
        (&["LOCK TABLES t READ", "UNLOCK TABLES"], &[]),
        (&["LOCK TABLES t READ", "BEGIN"], &[]),
        (&["FLUSH TABLES WITH READ LOCK", "BEGIN"], &[TableLock]),
        (&["FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES"], &[]),
        (&["LOCK INSTANCE FOR BACKUP", "UNLOCK TABLES"], &[TableLock]),
        (&["LOCK INSTANCE FOR BACKUP", "UNLOCK INSTANCE"], &[]),
        (&["SET @a = 5, @b = 'x', @c = NULL"], &[]),
        (&["SET @a = @@x"], &[UserVariable]),
        (&["SELECT @a := 5"], &[UserVariable]),
        (&["SELECT 1 INTO @a"], &[UserVariable]),
        (&["SET @a = ?"], &[UserVariable]),
        (&["PREPARE s FROM 'SELECT 1'"], &[]),
        (&["PREPARE s FROM @unknown"], &[SqlPrepare]),
        (&["PREPARE s FROM @unknown", "PREPARE s FROM 'SELECT 1'"], &[SqlPrepare]),
        (&["PREPARE s FROM @unknown", "DEALLOCATE PREPARE s"], &[]),
        (&["PREPARE s FROM 'SET @a = ?'", "EXECUTE s USING @b"], &[UserVariable]),
        (&["SELECT @a := 5", "SET @a = 6"], &[]),
        (&["SET @a = 1, @b = (@c := 2)"], &[UserVariable]),
        (&["PREPARE s FROM 'SELECT 1'", "DEALLOCATE PREPARE S"], &[]),
        (&["HANDLER t OPEN"], &[Handler]),
        (&["HANDLER t OPEN AS h", "HANDLER h READ FIRST"], &[Handler]),
        (&["HANDLER t OPEN AS h", "HANDLER h CLOSE"], &[]),
        (&["XA START 'x'", "XA END 'x'"], &[Xa]),
        (&["XA START 'x'", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'"], &[]),
        (&["SET TRANSACTION READ ONLY"], &[NextTransaction]),
        (&["SET TRANSACTION READ ONLY", "SELECT 1"], &[NextTransaction]),
        (&["SET TRANSACTION READ ONLY", "COMMIT"], &[]),
        (&["SET ROLE r"], &[]),
        (&["SET ROLE \"r\""], &[Role]),
        (&["SET timestamp = 5"], &[UntrackedVariable]),
        (&["SET timestamp = DEFAULT"], &[]),
        (&["SET insert_id = 5"], &[UntrackedVariable]),
        (&["SET wait_timeout = @x"], &[UntrackedVariable]),
        (&["SELECT LAST_INSERT_ID(5)"], &[LastInsertId]),
        (&["UPDATE t SET a = LAST_INSERT_ID(a + 1)"], &[LastInsertId]),
        (&["SET sql_auto_is_null = 1"], &[UntrackedVariable]),
        (&["SET last_insert_id = 5"], &[]),
        (&["FROB"], &[Unsure]),
        (&["CREATE TEMPORARY TABLE t (a INT); SET @a = 5"], &[TemporaryTable]),
    ];
    for (texts, wanted) in rows {
        assert_eq!(after(texts).pins(), pins(wanted), "{texts:?}");
    }
}

#[test]
fn warnings_amid_several_statements_are_kept() {
    for (text, kept) in
        [("GET DIAGNOSTICS CONDITION 1 @a = MESSAGE_TEXT; SHOW WARNINGS", true), ("SHOW WARNINGS", false)]
    {
        let mut tracker = Tracker::default();
        run(&mut tracker, text, &Outcome { warnings: 1, ..ok(&[]) });
        assert_eq!(tracker.pins().contains(PinReason::Warnings), kept, "{text}");
    }
}

/// As programs do that put a setting back as it was.
#[test]
fn variables_set_to_user_variables() {
    use PinReason::UntrackedVariable;
    let rows: &[(&[&str], &[PinReason])] = &[
        (&["SET @x = 1", "SET wait_timeout = @x"], &[]),
        (&["SET @x = 1, wait_timeout = @x"], &[UntrackedVariable]),
        (&["SET @x = 'a'", "SET sql_mode = @x"], &[]),
        (&["SET @x = 1.5", "SET wait_timeout = @x"], &[UntrackedVariable]),
        (&["SET @x = 1", "SET wait_timeout = @x + 1"], &[UntrackedVariable]),
    ];
    for (texts, wanted) in rows {
        assert_eq!(after(texts).pins(), pins(wanted), "{texts:?}");
    }
}

#[test]
fn short_pins_wait_for_one_statement() {
    let mut tracker = Tracker::default();
    run(&mut tracker, "INSERT INTO t VALUES ('x')", &Outcome { warnings: 1, ..ok(&[]) });
    assert_eq!(tracker.pins(), pins(&[PinReason::Warnings]));
    assert!(tracker.pins().for_session().is_empty());
    run(&mut tracker, "SHOW WARNINGS", &ok(&[]));
    run(&mut tracker, "SHOW COUNT(*) WARNINGS", &ok(&[]));
    assert_eq!(tracker.pins(), pins(&[PinReason::Warnings]));
    run(&mut tracker, "SELECT 1", &ok(&[]));
    assert!(tracker.pins().is_empty());

    run(&mut tracker, "SELECT nope", &Outcome { error: Some(1054), ..ok(&[]) });
    assert_eq!(tracker.pins(), pins(&[PinReason::Warnings]));
    assert_eq!(tracker.row_count(), -1);

    let rows = |rows| Outcome { result_set: true, rows, ..ok(&[]) };
    run(&mut tracker, "SELECT SQL_CALC_FOUND_ROWS 1", &rows(1));
    assert_eq!((tracker.pins(), tracker.found_rows()), (pins(&[PinReason::FoundRows]), None));
    run(&mut tracker, "SELECT FOUND_ROWS()", &rows(1));
    assert_eq!((tracker.pins(), tracker.found_rows()), (Pins::NONE, Some(1)));
    // A write leaves it.
    run(&mut tracker, "SELECT SQL_CALC_FOUND_ROWS 1", &rows(1));
    run(&mut tracker, "INSERT INTO t VALUES (1)", &ok(&[]));
    assert_eq!(tracker.pins(), pins(&[PinReason::FoundRows]));
    run(&mut tracker, "SELECT a FROM t", &rows(7));
    run(&mut tracker, "COMMIT", &ok(&[]));
    assert_eq!((tracker.pins(), tracker.found_rows()), (Pins::NONE, Some(7)));
    // Who asked once may ask again.
    run(&mut tracker, "SHOW TABLES", &rows(2));
    assert_eq!((tracker.pins(), tracker.found_rows()), (pins(&[PinReason::FoundRows]), None));
    run(&mut tracker, "SELECT 1", &rows(1));
    assert!(tracker.pins().is_empty());

    run(&mut tracker, "SELECT NEXTVAL(s)", &rows(1));
    assert_eq!(tracker.pins(), pins(&[PinReason::Sequence]));
    run(&mut tracker, "SELECT LASTVAL(s)", &rows(1));
    assert_eq!(tracker.pins(), pins(&[PinReason::Sequence]));
    run(&mut tracker, "CALL p()", &ok(&[]));
    assert_eq!(tracker.pins(), pins(&[PinReason::CallResult, PinReason::FoundRows]));
    run(&mut tracker, "SELECT 1", &rows(1));
    // Until its connection was asked.
    assert_eq!(tracker.pins(), pins(&[PinReason::CallResult]));
    let unread = tracker.unread(false).expect("something to read");
    tracker.learn(&unread, &[], 5);
    assert_eq!((tracker.pins(), tracker.last_insert_id()), (Pins::NONE, 5));
}

#[test]
fn an_id_that_an_insert_may_have_named_is_compared_with_the_connections() {
    let named = |id| Outcome { last_insert_id: id, own_id: true, ..ok(&[]) };
    let mut tracker = Tracker::default();
    run(&mut tracker, "INSERT INTO t (b) VALUES ('x')", &Outcome { last_insert_id: 3, ..ok(&[]) });
    for (found, last) in [(99, 3), (3, 3), (7, 7)] {
        run(&mut tracker, "INSERT INTO t VALUES (7, 'x')", &named(7));
        assert!(tracker.is_insert_id_open() && tracker.pins().contains(PinReason::CallResult));
        let unread = tracker.unread(false).expect("something to read");
        tracker.learn(&unread, &[], found);
        assert_eq!((tracker.pins(), tracker.last_insert_id()), (Pins::NONE, last), "{found}");
    }
    // What another session has left on the connection is not this one's.
    run(&mut tracker, "SELECT @a := 1", &ok(&[]));
    let unread = tracker.unread(false).expect("something to read");
    tracker.learn(&unread, &[Default::default()], 1234);
    assert_eq!(tracker.last_insert_id(), 7);
}

#[test]
fn of_several_statements_only_the_connection_knows_the_last_id() {
    let ended = |error, last_insert_id, had_insert_id| Outcome {
        error,
        last_insert_id,
        had_insert_id,
        ended: 1,
        ..ok(&[])
    };
    let plain = "INSERT INTO t (b) VALUES (1); INSERT INTO t (b) VALUES (2)";
    let mixed = "INSERT INTO t (b) VALUES (1); SELECT LAST_INSERT_ID(77)";
    let rows = [
        (plain, None, true, true),
        (plain, Some(1062), true, false),
        (plain, Some(1062), false, true),
        (mixed, None, true, false),
    ];
    for (text, error, had, known) in rows {
        let mut tracker = Tracker::default();
        run(&mut tracker, text, &ended(error, 5, had));
        assert_eq!(tracker.is_insert_id_there(), !known, "{text} {error:?} {had}");
        assert_eq!(tracker.last_insert_id(), if known { 5 } else { 0 }, "{text} {error:?} {had}");
        if !known {
            tracker.learn(&Default::default(), &[], 6);
            assert_eq!(tracker.last_insert_id(), 6);
        }
    }
    // One that failed amid its rows may have generated ids.
    let mut tracker = Tracker::default();
    run(&mut tracker, "INSERT INTO t (b) VALUES (1), (1)", &ended(Some(1062), 0, true));
    assert!(tracker.is_insert_id_there());
}

#[test]
fn of_several_statements_those_behind_an_error_have_not_run() {
    let text = "SET @a = 1; SET no_such = 1, wait_timeout = 5; SET sort_buffer_size = 7";
    let mut tracker = Tracker::default();
    run(&mut tracker, text, &Outcome { error: Some(1193), ended: 1, ..ok(&[]) });
    assert_eq!(tracker.state().user_variable("a"), Some("1"));
    assert_eq!(tracker.state().variables().count(), 0);
}

#[test]
fn literal_user_variables_are_kept() {
    let tracker = after(&["SET @A = 5, @b := 'it''s', @c = \"x\", @d = NULL, @e = true, @a = -1.5"]);
    let kept: Vec<_> = tracker.state().user_variables().collect();
    assert_eq!(kept, [("a", "-1.5"), ("b", "'it''s'"), ("c", "'x'"), ("d", "X'',@`d`=NULL"), ("e", "TRUE")]);
    // A string is of the character set it was set in.
    let mut tracker = tracker;
    run(&mut tracker, "SET NAMES latin1", &ok(&[var("character_set_connection", "latin1")]));
    assert_eq!(tracker.pins(), pins(&[PinReason::UserVariable]));
}

#[test]
fn the_text_makes_up_for_the_trackers() {
    let mut tracker = Tracker::default();
    // MariaDB 11: reported under the name of another variable.
    run(&mut tracker, "SET foreign_key_checks = 0, unique_checks = OFF", &ok(&[var("autocommit", "ON")]));
    assert_eq!(tracker.state().variable("foreign_key_checks"), Some(b"0".as_slice()));
    assert_eq!(tracker.state().variable("unique_checks"), Some(b"OFF".as_slice()));
    run(&mut tracker, "SET foreign_key_checks = DEFAULT", &ok(&[]));
    assert_eq!(tracker.state().variable("foreign_key_checks"), None);
    // The collation is in no report.
    let names = [var("character_set_client", "utf8mb4"), var("character_set_connection", "utf8mb4")];
    run(&mut tracker, "SET NAMES utf8mb4 COLLATE utf8mb4_bin", &ok(&names));
    assert_eq!(tracker.state().variable("collation_connection"), Some(b"utf8mb4_bin".as_slice()));
    run(&mut tracker, "SET NAMES utf8mb4", &ok(&names));
    assert_eq!(tracker.state().variable("collation_connection"), None);
    run(&mut tracker, "SET CHARACTER SET utf8mb4", &ok(&names));
    assert_eq!(tracker.state().variable("collation_connection"), Some(b"@@collation_database".as_slice()));
    assert!(tracker.pins().is_empty());
    run(&mut tracker, "USE other", &ok(&[Change::Schema(b"other")]));
    assert_eq!(tracker.pins(), pins(&[PinReason::UntrackedVariable]));
}

#[test]
fn reports_that_are_no_lasting_change() {
    let mut tracker = Tracker::default();
    let text = "SET STATEMENT sort_buffer_size=100000 FOR SELECT 1";
    run(&mut tracker, text, &ok(&[var("sort_buffer_size", "100000"), Change::State]));
    run(&mut tracker, "SET session_track_schema = 0", &ok(&[var("session_track_schema", "OFF")]));
    assert_eq!(tracker.state(), &SessionState::new());
    assert!(tracker.pins().is_empty());
}

#[test]
fn stored_code_may_leave_something_behind() {
    let mut tracker = Tracker::default();
    run(&mut tracker, "CALL p()", &ok(&[]));
    assert!(tracker.pins().for_session().is_empty());
    run(&mut tracker, "CALL p()", &Outcome { error: Some(1644), ..ok(&[]) });
    assert!(tracker.connection_is_suspect() && tracker.pins().for_session().is_empty());
    run(&mut tracker, "CALL p()", &ok(&[Change::State]));
    assert!(!tracker.connection_is_suspect());
    assert_eq!(tracker.pins().for_session(), pins(&[PinReason::StoredCode]));
    // A parse error ran nothing.
    let mut tracker = Tracker::default();
    run(&mut tracker, "FROB", &Outcome { error: Some(1064), ..ok(&[]) });
    assert!(tracker.pins().for_session().is_empty() && !tracker.connection_is_suspect());
    run(&mut tracker, "FROB", &Outcome { error: Some(1317), ..ok(&[]) });
    assert!(tracker.pins().contains(PinReason::Unsure));
}

#[test]
fn numbers_for_the_next_statement() {
    let mut tracker = Tracker::default();
    run(
        &mut tracker,
        "INSERT INTO t (a) VALUES (1)",
        &Outcome { last_insert_id: 7, affected_rows: 1, ..ok(&[]) },
    );
    assert_eq!((tracker.last_insert_id(), tracker.row_count()), (7, 1));
    run(&mut tracker, "SELECT 1", &Outcome { result_set: true, ends_rows: true, ..ok(&[]) });
    assert_eq!((tracker.last_insert_id(), tracker.row_count()), (7, -1));
    // Behind the rows of a CALL comes its own OK.
    run(&mut tracker, "CALL p()", &Outcome { result_set: true, last_insert_id: 7, ..ok(&[]) });
    assert_eq!(tracker.row_count(), 0);
    run(&mut tracker, "SET last_insert_id = 9", &ok(&[]));
    assert_eq!(tracker.last_insert_id(), 9);
    run(&mut tracker, "SET last_insert_id = @x", &ok(&[var("last_insert_id", "11")]));
    assert_eq!(tracker.last_insert_id(), 11);
    run(&mut tracker, "DO LAST_INSERT_ID(5)", &ok(&[]));
    assert!(tracker.pins().contains(PinReason::LastInsertId));
    run(&mut tracker, "INSERT INTO t (a) VALUES (1)", &Outcome { last_insert_id: 8, ..ok(&[]) });
    assert!(tracker.pins().is_empty());
}

#[test]
fn one_shot_characteristics_are_followed() {
    let mut tracker = Tracker::default();
    run(
        &mut tracker,
        "SET TRANSACTION READ ONLY",
        &ok(&[Change::Characteristics(b"SET TRANSACTION READ ONLY;")]),
    );
    run(&mut tracker, "SELECT 1", &ok(&[]));
    assert!(tracker.pins().contains(PinReason::NextTransaction));
    run(&mut tracker, "SELECT * FROM t", &ok(&[Change::Characteristics(b"")]));
    assert!(tracker.pins().is_empty());
}

#[test]
fn names_of_pins_are_distinct() {
    let names: std::collections::BTreeSet<_> = PinReason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), PinReason::ALL.len());
    let all: Pins = PinReason::ALL.into_iter().collect();
    assert_eq!(all.iter().collect::<Vec<_>>(), PinReason::ALL);
}

proptest! {
    /// No text and no report makes it panic, and after a reset nothing is left.
    #[test]
    fn any_statement_can_be_followed(
        words in prop::collection::vec(prop::sample::select(WORDS), 0..12),
        error in prop::option::of(0..5_000_u16),
        warnings in 0..2_u16,
        value in prop::collection::vec(any::<u8>(), 0..6),
    ) {
        let mut tracker = Tracker::default();
        let text = words.join(" ");
        let changes = [Change::Variable { name: b"time_zone", value: &value }, Change::Schema(&value), Change::State];
        run(&mut tracker, &text, &Outcome { error, warnings, ..ok(&changes) });
        run(&mut tracker, &text, &ok(&[]));
        tracker.reset(SessionState::new());
        prop_assert!(tracker.pins().is_empty());
        prop_assert_eq!(tracker.state(), &SessionState::new());
    }
}

const WORDS: &[&str] = &[
    "SET",
    "@a",
    "=",
    "5",
    ",",
    ";",
    "SELECT",
    "GET_LOCK('a',1)",
    "CREATE",
    "TEMPORARY",
    "TABLE",
    "t",
    "DROP",
    "LOCK",
    "TABLES",
    "UNLOCK",
    "HANDLER",
    "OPEN",
    "CLOSE",
    "PREPARE",
    "FROM",
    "'x'",
    "DEALLOCATE",
    "XA",
    "START",
    "COMMIT",
    "NAMES",
    "COLLATE",
    "utf8mb4_bin",
    "CHARACTER",
    "last_insert_id",
    "RELEASE_LOCK('a')",
    "timestamp",
    "DEFAULT",
];
