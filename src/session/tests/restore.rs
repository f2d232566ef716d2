use super::*;
use crate::session::{PinReason, Tracker, UserValue};
use crate::session::{Step, plan};
use crate::sql::{Dialect, classify};

type Parts = &'static [(&'static str, &'static str)];

fn base() -> SessionState {
    let mut base = state(&[
        ("sql_mode", "STRICT_TRANS_TABLES"),
        ("character_set_client", "utf8mb4"),
        ("character_set_results", "utf8mb4"),
        ("collation_connection", "utf8mb4_general_ci"),
    ]);
    base.note_results(true);
    base
}

/// A state that differs from `base` in these.
fn with(parts: Parts) -> SessionState {
    let mut state = base();
    for (name, value) in parts {
        match name.strip_prefix('@') {
            Some(user) => state.set_user_variable(user, value),
            None if *name == "schema" => state.set_schema(Some(value.as_bytes())),
            None => state.apply(&[var(name, value)]),
        }
    }
    state
}

/// The steps as texts; a schema as `USE`.
fn texts(from: &SessionState, to: &SessionState, base: &SessionState) -> Vec<String> {
    let step = |step: &Step| match step {
        Step::InitDb(schema) => format!("USE {}", String::from_utf8_lossy(schema)),
        Step::Query(text) => String::from_utf8_lossy(text).into_owned(),
    };
    plan(from, to, base).steps.iter().map(step).collect()
}

#[test]
fn values_are_quoted_as_servers_want_them() {
    let rows: &[(&str, &str, &str)] = &[
        ("wait_timeout", "100", "wait_timeout=100"),
        ("long_query_time", "1.250000", "long_query_time=1.250000"),
        ("lc_time_names", "de_DE", "lc_time_names='de_DE'"),
        ("foreign_key_checks", "OFF", "foreign_key_checks='OFF'"),
        ("sql_mode", "", "sql_mode=''"),
        ("sql_mode", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "sql_mode='ANSI_QUOTES,NO_BACKSLASH_ESCAPES'"),
        ("character_set_results", "", "character_set_results=NULL"),
        ("time_zone", "+02:00", "time_zone='+02:00'"),
        ("init", "it's", "init='it''s'"),
        ("init", "a\\b", "init=CONVERT(0x615C62 USING utf8mb4)"),
        ("init", "é", "init=CONVERT(0xC3A9 USING utf8mb4)"),
        ("init", "-5", "init=-5"),
        ("init", "5.", "init='5.'"),
        ("init", "-", "init='-'"),
        ("hot.key_buffer_size", "5", "hot.key_buffer_size=5"),
    ];
    for (name, value, wanted) in rows {
        let to = state(&[(name, value)]);
        let steps = texts(&SessionState::new(), &to, &SessionState::new());
        assert_eq!(steps, [format!("SET {wanted}")], "{name}");
    }
    let mut odd = SessionState::new();
    odd.set_variable(b"a=1,b", b"2");
    assert!(plan(&SessionState::new(), &odd, &SessionState::new()).steps.is_empty());
}

#[test]
fn only_differences_are_set() {
    let rows: &[(Parts, Parts, Option<&str>)] = &[
        (&[], &[], None),
        (&[("wait_timeout", "5")], &[("wait_timeout", "5")], None),
        (&[("wait_timeout", "5")], &[("wait_timeout", "6")], Some("SET wait_timeout=6")),
        (&[("wait_timeout", "5")], &[], Some("SET wait_timeout=DEFAULT")),
        (&[("foreign_key_checks", "OFF")], &[], Some("SET foreign_key_checks=@@global.foreign_key_checks")),
        (&[("sql_mode", "ANSI")], &[], Some("SET sql_mode='STRICT_TRANS_TABLES'")),
        (&[], &[("sql_mode", "ANSI"), ("autocommit", "OFF")], Some("SET autocommit='OFF',sql_mode='ANSI'")),
        (&[], &[("character_set_connection", "latin1")], Some("SET character_set_connection='latin1'")),
        // Back to a collation that is not its character set's default one.
        (
            &[("character_set_connection", "utf8mb4")],
            &[],
            Some("SET collation_connection='utf8mb4_general_ci'"),
        ),
        // Results in the connection's collation, and in their character set's own.
        (&[("character_set_results", "utf8mb4")], &[], Some("SET NAMES utf8mb4 COLLATE utf8mb4_general_ci")),
        (&[], &[("character_set_results", "utf8mb4")], Some("SET character_set_results='utf8mb4'")),
        (
            &[("character_set_results", "latin1")],
            &[("character_set_client", "latin1"), ("collation_connection", "latin1_bin")],
            Some(
                "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci,character_set_client='latin1',collation_connection='latin1_bin'",
            ),
        ),
        // Collations come after whatever decides what they mean.
        (
            &[],
            &[
                ("collation_connection", "utf8mb4_bin"),
                ("default_week_format", "1"),
                ("character_set_collations", "utf8mb4=utf8mb4_bin"),
            ],
            Some(
                "SET character_set_collations='utf8mb4=utf8mb4_bin',default_week_format=1,collation_connection='utf8mb4_bin'",
            ),
        ),
        (
            &[("tx_isolation", "SERIALIZABLE")],
            &[("transaction_isolation", "READ-COMMITTED")],
            Some("SET transaction_isolation='READ-COMMITTED'"),
        ),
    ];
    for (from, to, wanted) in rows {
        let steps = texts(&with(from), &with(to), &base());
        assert_eq!(steps.first().map(String::as_str), *wanted, "{from:?} {to:?}");
        assert!(steps.len() < 2, "{steps:?}");
    }
}

#[test]
fn names_of_schemas_are_sent_in_a_character_set_that_has_them() {
    const LATIN1: (&str, &str) = ("character_set_client", "latin1");
    let rows: &[(Parts, Parts, &[&str])] = &[
        (&[], &[("schema", "имя")], &["USE имя"]),
        (&[LATIN1], &[LATIN1, ("schema", "plain")], &["USE plain"]),
        (
            &[LATIN1],
            &[LATIN1, ("schema", "имя")],
            &["SET character_set_client='utf8mb4'", "USE имя", "SET character_set_client='latin1'"],
        ),
        (&[LATIN1], &[("schema", "имя")], &["SET character_set_client='utf8mb4'", "USE имя"]),
        (&[], &[LATIN1, ("schema", "имя")], &["USE имя", "SET character_set_client='latin1'"]),
    ];
    for (from, to, wanted) in rows {
        assert_eq!(texts(&with(from), &with(to), &base()), *wanted, "{from:?} {to:?}");
    }
}

/// In UTF-16 words between quotes are not what servers take for a time zone.
#[test]
fn literals_are_those_of_a_narrow_character_set() {
    let wide = &[("character_set_client", "utf8mb4"), ("collation_connection", "utf16_general_ci")];
    let steps = texts(&with(wide), &with(&[("time_zone", "+01:00")]), &base());
    assert_eq!(steps.first().map(String::as_str), Some("SET NAMES utf8mb4"));
    assert!(steps.last().is_some_and(|last| last.contains("time_zone='+01:00'")), "{steps:?}");
}

#[test]
fn schemas_and_user_variables() {
    let steps = |from: Parts, to: Parts| texts(&with(from), &with(to), &base());
    let plan = |from: Parts, to: Parts| plan(&with(from), &with(to), &base());
    assert!(plan(&[("schema", "a")], &[("schema", "a")]).is_empty());
    assert_eq!(steps(&[("schema", "a")], &[("schema", "b")]), ["USE b"]);
    assert_eq!(steps(&[], &[("schema", "b")]), ["USE b"]);
    assert!(plan(&[("schema", "a")], &[]).needs_fresh_connection);
    let users =
        steps(&[("@a", "1"), ("@b", "2"), ("@c", "3")], &[("@a", "1"), ("@b", "'x'"), ("@d", "NULL")]);
    assert_eq!(users, ["SET @`b`='x',@`d`=NULL,@`c`=X'',@`c`=NULL"]);
    // A value that only the server knows is left alone.
    assert!(steps(&[("@a", "1")], &[("@a", "")]).is_empty());
    assert_eq!(steps(&[("@a", "")], &[("@a", "1")]), ["SET @`a`=1"]);
}

#[test]
fn roles_come_first() {
    let mut login = base();
    login.set_role("NONE");
    let mut other = with(&[("schema", "a")]);
    other.set_role("reader");
    assert_eq!(texts(&login, &other, &login), ["SET ROLE reader", "USE a"]);
    assert_eq!(texts(&other, &with(&[("schema", "a")]), &login), ["SET ROLE NONE"]);
}

/// A statement is prepared in the schema and mode of its PREPARE, whatever the session has come to since.
#[test]
fn prepared_statements_are_made_where_they_were_made() {
    let mut tracker = Tracker::new(with(&[("schema", "a")]));
    let mut run = |text: &str, changes: &[Change<'_>]| {
        let dialect = Dialect::default();
        let statement = classify(text.as_bytes(), dialect);
        tracker.observe(&statement, text.as_bytes(), dialect, &ok(changes));
        (tracker.state().clone(), tracker.pins())
    };
    let (state, pins) = run("PREPARE One FROM 'SELECT \\'x\\''", &[]);
    assert!(pins.is_empty());
    let there = with(&[("schema", "a")]);
    assert_eq!(texts(&there, &state, &base()), ["PREPARE `one` FROM 'SELECT \\'x\\''"]);
    assert_eq!(texts(&state, &there, &base()), ["DEALLOCATE PREPARE `one`"]);
    run("USE b", &[Change::Schema(b"b")]);
    let (state, _) = run("SET sql_mode='ANSI'", &[var("sql_mode", "ANSI")]);
    let steps = ["PREPARE `one` FROM 'SELECT \\'x\\''", "USE b", "SET sql_mode='ANSI'"];
    assert_eq!(texts(&there, &state, &base()), steps);
    run("SET @t = 'SELECT 1'", &[]);
    let (state, pins) = run("PREPARE two FROM @t", &[]);
    assert!(pins.is_empty());
    let mut before = state.clone();
    before.set_prepared("two", None);
    let steps = [
        "SET @`tideover text`='SELECT 1'",
        "PREPARE `two` FROM @`tideover text`",
        "SET @`tideover text`=NULL",
    ];
    assert_eq!(texts(&before, &state, &base()), steps);
    let (state, _) = run("DEALLOCATE PREPARE ONE", &[]);
    assert_eq!(texts(&before, &state, &base())[0], "DEALLOCATE PREPARE `one`");
    let (_, pins) = run("PREPARE three FROM @unknown", &[]);
    assert!(pins.contains(PinReason::SqlPrepare));
}

#[test]
fn one_text_in_which_the_last_assignment_depends_on_all_others() {
    let one = |parts: Parts, several: bool| {
        let text = plan(&base(), &with(parts), &base()).as_one("last=1", several)?;
        Some(String::from_utf8_lossy(&text).into_owned())
    };
    let rows: &[(Parts, bool, Option<&str>)] = &[
        (&[("wait_timeout", "5")], false, Some("SET wait_timeout=5,last=1")),
        (&[("wait_timeout", "5"), ("@a", "1")], false, Some("SET wait_timeout=5,@`a`=1,last=1")),
        (&[("schema", "s"), ("@a", "1")], true, Some("USE `s`;SET @`a`=1;SET last=1")),
        (&[("schema", "s"), ("@a", "1")], false, None),
        // A name that depends on how the text is read.
        (&[("schema", "s`t"), ("@a", "1")], true, None),
        (&[("schema", "ü")], true, None),
    ];
    for (parts, several, wanted) in rows {
        assert_eq!(one(parts, *several).as_deref(), *wanted, "{parts:?}");
    }
    // Literals are read in the character set that comes before them.
    let texts = texts(&base(), &with(&[("collation_connection", "latin1_bin"), ("@a", "'x'")]), &base());
    assert_eq!(texts, ["SET collation_connection='latin1_bin'", "SET @`a`='x'"]);
}

#[test]
fn an_assignment_that_is_prepared_changes_collations() {
    let mut tracker = Tracker::new(with(&[("@a", "5"), ("@b", "'x'"), ("@c", "0,@`c`=NULL"), ("@d", "7")]));
    let start = tracker.state().clone();
    let text = b"SELECT @a := ?, @b := ?, @c := ?, @d := @d + 1, @never := ?";
    let mysql = Dialect::default();
    tracker.prepared(&classify(text, mysql), text, mysql);
    assert_eq!(tracker.state(), &start);
    tracker.prepared(&classify(text, Dialect::MARIADB), text, Dialect::MARIADB);
    let unread = tracker.unread(false).expect("something to read");
    assert_eq!(unread.names, ["b"]);
    let value =
        UserValue { kind: 251, hex: b"78".to_vec(), collation: b"binary".to_vec(), ..UserValue::default() };
    tracker.learn(&unread, &[UserValue { text: Some(b"x".to_vec()), ..value }], 0);
    assert!(tracker.pins().is_empty());
    let steps = [
        "SET @`a`=5,@`b`=_binary X'78',@`c`=0,@`c`=NULL",
        "DO IF(1,0,@`a`:=_binary''),IF(1,0,@`c`:=_binary'')",
    ];
    assert_eq!(texts(&start, tracker.state(), &base()), steps);
    // Where it is prepared again, all are set again.
    let mut there = tracker.state().clone();
    there.doubt_user_variables();
    assert_eq!(
        texts(&there, tracker.state(), &base())[0],
        "SET @`a`=5,@`b`=_binary X'78',@`c`=0,@`c`=NULL,@`d`=7"
    );
    // What is assigned is as ever.
    let set = b"SET @a = NULL, @c = 1";
    tracker.observe(&classify(set, Dialect::MARIADB), set, Dialect::MARIADB, &ok(&[]));
    assert_eq!(tracker.state().user_variable("a"), Some("/*binary*/0,@`a`=NULL"));
    assert_eq!(tracker.state().user_variable("c"), Some("1"));
}

#[test]
fn variables_are_set_behind_prepared_statements_that_assign_them() {
    let mut tracker = Tracker::new(with(&[("@a", "5"), ("@b", "6")]));
    let start = tracker.state().clone();
    let text = b"PREPARE s FROM 'SET @a = ?'";
    tracker.observe(&classify(text, Dialect::MARIADB), text, Dialect::MARIADB, &ok(&[]));
    let steps = ["PREPARE `s` FROM 'SET @a = ?'", "SET @`a`=5,@`b`=6", "DO IF(1,0,@`a`:=_binary'')"];
    assert_eq!(texts(&start, tracker.state(), &base()), steps);
}
