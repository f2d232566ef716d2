use proptest::prelude::*;
use sqlparser::ast::{SetExpr, Statement as Ast};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;

use super::super::details;
use super::super::walk::Walk;
use super::*;

fn dialects() -> impl Strategy<Value = Dialect> {
    (any::<[bool; 4]>(), prop_oneof![Just(80_036), Just(90_704), Just(101_119), Just(0)]).prop_map(
        |([ansi_quotes, no_backslash_escapes, mariadb, multibyte_unsafe], version)| Dialect {
            ansi_quotes,
            no_backslash_escapes,
            mariadb,
            version,
            multibyte_unsafe,
        },
    )
}

const FRAGMENTS: &[&str] = &[
    "SELECT",
    "INSERT",
    "INTO",
    "t",
    "UPDATE",
    "SET",
    "DELETE",
    "FROM",
    "FOR",
    "UPDATE",
    "WITH",
    "AS",
    "(",
    ")",
    ",",
    ";",
    "'",
    "\"",
    "`",
    "\\",
    "--",
    "-- ",
    "#",
    "\n",
    "/*",
    "*/",
    "/*!",
    "/*!40000",
    "/*M!",
    "/*!999999",
    "@a",
    "@@x",
    ":=",
    "=",
    "1",
    "1.5",
    "0x1",
    "1e5",
    ".",
    "f",
    "count",
    "VALUES",
    "CREATE",
    "TEMPORARY",
    "TABLE",
    "PROCEDURE",
    "BEGIN",
    "END",
    "COMMIT",
    "CALL",
    "LOAD",
    "DATA",
    "EXPLAIN",
    "ANALYZE",
    "SHOW",
    "WARNINGS",
    "KILL",
    "NOW",
    "LAST_INSERT_ID",
    "GLOBAL",
    "STATEMENT",
    "TRANSACTION",
    "NAMES",
    "PASSWORD",
    "é",
    "\u{0}",
    "$$",
    "{",
    "?",
];

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let fragments =
        prop::collection::vec((prop::sample::select(FRAGMENTS), any::<bool>()), 0..40).prop_map(|parts| {
            let mut text = Vec::new();
            for (part, blank) in parts {
                text.extend_from_slice(part.as_bytes());
                if blank {
                    text.push(b' ');
                }
            }
            text
        });
    prop_oneof![fragments, prop::collection::vec(any::<u8>(), 0..200)]
}

/// Statements that sqlparser can read, put together from parts.
fn sentences() -> impl Strategy<Value = String> {
    let expression = prop::sample::select(vec![
        "1",
        "'a;b'",
        "a",
        "`a`",
        "NOW()",
        "COUNT(*)",
        "f(a)",
        "(SELECT 1)",
        "a + 1",
        "CASE WHEN a THEN 1 END",
        "NULL",
        "x'41'",
        "-1.5",
        "/* c */ b",
    ]);
    let verb = prop::sample::select(vec![
        "SELECT {e} FROM t WHERE {e} = {e}",
        "SELECT {e} FROM t WHERE a = {e} FOR UPDATE",
        "INSERT INTO t (a, b) VALUES ({e}, {e})",
        "INSERT INTO t SELECT {e} FROM u",
        "UPDATE t SET a = {e} WHERE b = {e}",
        "DELETE FROM t WHERE {e}",
        "REPLACE INTO t (a) VALUES ({e})",
        "WITH x AS (SELECT {e}) SELECT {e} FROM x",
        "CREATE TABLE t (a INT)",
        "CREATE TABLE t AS SELECT {e}",
        "DROP TABLE t",
        "TRUNCATE TABLE t",
        "ALTER TABLE t ADD COLUMN b INT",
        "CREATE INDEX i ON t (a)",
        "CALL p({e})",
        "EXPLAIN SELECT {e}",
    ]);
    let comment = prop::sample::select(vec!["", "/* x */ ", "-- y\n", "# z\n", "\t"]);
    (comment, verb, prop::collection::vec(expression, 4)).prop_map(|(comment, verb, expressions)| {
        let mut text = comment.to_owned();
        let mut parts = verb.split("{e}");
        text += parts.next().unwrap_or_default();
        for (part, expression) in parts.zip(expressions) {
            text += expression;
            text += part;
        }
        text
    })
}

fn writes(ast: &Ast) -> bool {
    match ast {
        Ast::Query(query) => {
            !query.locks.is_empty()
                || matches!(*query.body, SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_))
        }
        Ast::Explain { .. } | Ast::ExplainTable { .. } => false,
        Ast::ShowTables { .. }
        | Ast::ShowColumns { .. }
        | Ast::ShowVariables { .. }
        | Ast::ShowCreate { .. } => false,
        _ => true,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

    /// No bytes make it panic, and its own rules hold for all of them.
    #[test]
    fn any_bytes_are_classified(text in texts(), dialect in dialects()) {
        let statement = classify(&text, dialect);
        let effects = statement.effects;
        if effects.contains(Effects::READS_ONLY) {
            prop_assert!(!effects.intersects(Effects::NOT_A_READ));
            prop_assert!(statement.tags.is_empty());
        }
        if effects.contains(Effects::UNSURE) {
            prop_assert!(effects.contains(Effects::WRITES));
            prop_assert!(statement.tags.is_empty());
        }
        prop_assert!(statement.tags.offsets().all(|at| at < text.len()));
    }

    /// Reading on to the end of a statement finds what reading token by token finds.
    #[test]
    fn a_statement_read_at_once_says_the_same(text in texts(), dialect in dialects(), steps in 0..5) {
        let (mut one, mut other) = (Walk::new(&text, dialect), Walk::new(&text, dialect));
        for _ in 0..steps {
            if !one.last.ends() {
                one.step();
            }
        }
        one.finish();
        while !other.last.ends() {
            other.step();
        }
        prop_assert_eq!((one.lexer.at(), one.depth, one.effects), (other.lexer.at(), other.depth, other.effects));
        prop_assert_eq!((one.last.kind, one.before.kind()), (other.last.kind, other.before.kind()));
        prop_assert_eq!((one.lexer.trouble, one.lexer.hints), (other.lexer.trouble, other.lexer.hints));
    }

    /// Nor do the readers of details, whatever they are given.
    #[test]
    fn any_bytes_have_details(text in texts(), dialect in dialects()) {
        let _ = details::assignments(&text, dialect);
        let _ = details::table_names(&text, dialect, "d");
        let _ = (details::prepared_name(&text, dialect), details::handler_name(&text, dialect));
        let _ = (details::lock_name(&text, dialect), details::locks_tables(&text, dialect));
        let mut end = 0;
        for range in details::pieces(&text, dialect) {
            prop_assert!(end <= range.start && range.start < range.end && range.end <= text.len());
            end = range.end;
        }
    }

    /// Putting the tags in changes nothing but the offsets.
    #[test]
    fn a_tag_does_not_change_the_meaning(text in texts(), dialect in dialects()) {
        let plain = classify(&text, dialect);
        let mut tagged = Vec::new();
        plain.tags.write(&text, b"/*td:1f.2a*/", &mut tagged);
        let again = classify(&tagged, dialect);
        prop_assert_eq!(plain.kind, again.kind);
        prop_assert_eq!(plain.effects, again.effects);
        prop_assert_eq!(plain.tags.len(), again.tags.len());
    }

    /// What a full parser calls a write is never taken for a read.
    #[test]
    fn never_less_careful_than_a_parser(text in sentences(), mariadb in any::<bool>()) {
        let Ok(parsed) = Parser::parse_sql(&MySqlDialect {}, &text) else { return Ok(()) };
        let dialect = if mariadb { MARIADB } else { MYSQL };
        if parsed.iter().any(writes) {
            prop_assert!(!classify(text.as_bytes(), dialect).any(Effects::READS_ONLY), "{}", text);
        }
    }
}
