use super::super::details::{
    Assignment, Target, Value, assignments, handler_name, lock_name, locks_tables, pieces, prepared_name,
    table_names, unlocks_tables,
};
use super::*;

fn set(text: &str) -> Option<String> {
    let list = assignments(text.as_bytes(), MYSQL)?;
    let show = |assignment: &Assignment| {
        let target = match &assignment.target {
            Target::User(name) => format!("@{name}"),
            Target::Session(name) => name.clone(),
            Target::Elsewhere => "-".to_owned(),
            Target::CharacterSet => "charset".to_owned(),
        };
        let value = match &assignment.value {
            Value::Number(number) => number.clone(),
            Value::Text(text) => format!("'{text}'"),
            Value::Word(word) => word.clone(),
            Value::Default => "DEFAULT".to_owned(),
            Value::User(name) => format!("@{name}"),
            Value::Expression => "?".to_owned(),
        };
        format!("{target}={value}")
    };
    Some(list.iter().map(show).collect::<Vec<_>>().join(" "))
}

#[test]
fn assignments_are_read() {
    let rows: &[(&str, Option<&str>)] = &[
        ("SET a = 1", Some("a=1")),
        ("SET SQL_MODE='', Time_Zone = '+00:00'", Some("sql_mode='' time_zone='+00:00'")),
        ("SET SESSION a = ON, b := OFF;", Some("a=ON b=OFF")),
        ("SET @@session.a = -1.5, @@b = DEFAULT", Some("a=-1.5 b=DEFAULT")),
        ("SET GLOBAL a = 1, b = 2, SESSION c = 3", Some("-=1 -=2 c=3")),
        ("SET @@global.a = 1, c = 3", Some("-=1 c=3")),
        ("SET @a = 5, @`B c` = 1", Some("@a=5 @b c=1")),
        ("SET @a = 5, @`ü` = 1", None),
        ("SET @a = 5, @`B` = 'it''s', @c = NULL", Some("@a=5 @b='it's' @c=NULL")),
        ("SET @a = \"x\"", Some("@a='x'")),
        ("SET @a = 'a\\nb'", Some("@a=?")),
        ("SET @a = 'é'", Some("@a=?")),
        ("SET @a = _utf8'x', b = 2", Some("@a=? b=2")),
        ("SET a = 1 + 1, b = f(1, 2), c = 3", Some("a=? b=? c=3")),
        ("SET a = (SELECT 1, 2), b = 1", Some("a=? b=1")),
        ("SET a = @x, b = @`Y` + 1", Some("a=@x b=?")),
        ("SET NAMES utf8mb4", Some("")),
        ("SET NAMES utf8mb4 COLLATE utf8mb4_bin, a = 1", Some("collation_connection='utf8mb4_bin' a=1")),
        ("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'", Some("collation_connection='utf8mb4_bin'")),
        ("SET CHARACTER SET latin1", Some("charset=DEFAULT")),
        ("SET a = 1, NAMES latin1, b = 2", Some("a=1 b=2")),
        ("SET @@transaction_isolation = 'SERIALIZABLE'", Some("-='SERIALIZABLE'")),
        ("SET a", None),
        ("SET a =", Some("a=?")),
        ("SET TRANSACTION READ ONLY", None),
        ("SET STATEMENT a = 1 FOR SELECT 1", None),
        ("SELECT 1", None),
    ];
    for (text, wanted) in rows {
        assert_eq!(set(text).as_deref(), *wanted, "{text}");
    }
}

#[test]
fn names_are_read() {
    let tables = |text: &str| table_names(text.as_bytes(), MYSQL, "d").map(|names| names.join(" "));
    for (text, wanted) in [
        ("CREATE TEMPORARY TABLE t (a INT, b INT)", Some("d.t")),
        ("CREATE OR REPLACE TEMPORARY TABLE IF NOT EXISTS `x``y`.t SELECT 1", Some("x`y.t")),
        ("DROP TEMPORARY TABLE IF EXISTS a, e.b CASCADE", Some("d.a e.b")),
        ("DROP TABLES a", Some("d.a")),
        ("DROP VIEW a", None),
        ("DROP TABLE", None),
    ] {
        assert_eq!(tables(text).as_deref(), wanted, "{text}");
    }
    for (text, wanted) in [
        ("PREPARE S1 FROM 'x'", Some("s1")),
        ("DEALLOCATE PREPARE `S1`", Some("s1")),
        ("DROP PREPARE s1", Some("s1")),
        ("EXECUTE s1 USING @a", Some("s1")),
        ("DEALLOCATE x", None),
    ] {
        assert_eq!(prepared_name(text.as_bytes(), MYSQL).as_deref(), wanted, "{text}");
    }
    for (text, wanted) in [
        ("HANDLER t OPEN", Some("t")),
        ("HANDLER d.t OPEN AS h", Some("h")),
        ("HANDLER d.t OPEN h;", Some("h")),
        ("HANDLER h CLOSE", Some("h")),
    ] {
        assert_eq!(handler_name(text.as_bytes(), MYSQL).as_deref(), wanted, "{text}");
    }
    for (text, wanted) in [
        ("SELECT GET_LOCK('A', 10)", Some("a")),
        ("SELECT GET_LOCK('a', -1) AS l", Some("a")),
        ("SELECT get_lock('a',1) l;", Some("a")),
        ("DO RELEASE_LOCK('a')", Some("a")),
        ("SELECT GET_LOCK('a', 1) FROM t", None),
        ("SELECT GET_LOCK(@a, 1)", None),
        ("SELECT GET_LOCK('a', 1), GET_LOCK('b', 1)", None),
        ("SELECT 1", None),
    ] {
        assert_eq!(lock_name(text.as_bytes(), MYSQL).as_deref(), wanted, "{text}");
    }
    assert!(unlocks_tables(b"UNLOCK TABLES", MYSQL) && !unlocks_tables(b"UNLOCK INSTANCE", MYSQL));
    assert!(
        locks_tables(b"LOCK TABLE a READ", MYSQL)
            && locks_tables(b"FLUSH LOCAL TABLES WITH READ LOCK", MYSQL)
    );
    assert!(!locks_tables(b"LOCK INSTANCE FOR BACKUP", MYSQL));
}

#[test]
fn texts_are_cut_at_semicolons() {
    let cut = |text: &str| {
        let found = pieces(text.as_bytes(), MYSQL);
        found.into_iter().map(|range| text[range].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(cut("SELECT ';' ; /* ; */ SET a=1;;"), ["SELECT ';' ", "SET a=1"]);
    assert_eq!(cut("/*! SET a=1 */; SELECT 2"), ["/*! SET a=1 */", "SELECT 2"]);
    assert!(cut(" ; -- x").is_empty());
}
