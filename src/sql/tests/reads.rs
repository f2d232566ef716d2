use super::super::Kind::{Do, Explain, Multi, Other, Select, Show, With};
use super::*;

const READ: &str = "READS_ONLY";
const CODE: &str = "STORED_CODE | WRITES";

#[test]
fn plain_reads_are_reads() {
    check_both(&[
        ("SELECT 1", Select, READ),
        ("select c from sbtest1 where id=12345", Select, READ),
        ("  \n\tSELECT 1 ;", Select, READ),
        ("SELECT 1;;;", Select, READ),
        ("/* app */ SELECT 1", Select, READ),
        ("-- note\nSELECT 1", Select, READ),
        ("--\nSELECT 1", Select, READ),
        ("SELECT 1 --", Select, READ),
        ("SELECT 1 -- FOR UPDATE", Select, READ),
        ("# note\nSELECT 1", Select, READ),
        ("SELECT /*+ MAX_EXECUTION_TIME(10) */ * FROM t", Select, READ),
        ("(SELECT 1)", Select, READ),
        ("((SELECT 1) UNION (SELECT 2)) ORDER BY 1", Select, READ),
        ("TABLE t", Select, READ),
        ("VALUES ROW(1,2), ROW(3,4)", Select, READ),
        ("SELECT `a b`.`c``d` FROM `x`", Select, READ),
        ("SELECT 'it''s; DROP TABLE t', \"a\\\"b\" FROM t", Select, READ),
        ("SELECT 'FOR UPDATE', `FOR`, 'INTO OUTFILE'", Select, READ),
        ("SELECT x'41', 0x41, b'01', 0b01, N'a', _utf8mb4'b', 1.5e-3, .5, 1e5", Select, READ),
        ("SELECT a->'$.x', a->>'$.y' FROM t", Select, READ),
        ("SELECT * FROM t WHERE a = ? AND b IN (?, ?)", Select, READ),
        ("SELECT COUNT(*), MAX(a), GROUP_CONCAT(b) FROM t GROUP BY (c) HAVING (1)", Select, READ),
        (
            "SELECT CAST(a AS DECIMAL(10,2)), CONVERT(b, CHAR(10)), CONVERT(c USING utf8mb4) FROM t",
            Select,
            READ,
        ),
        ("SELECT a FROM t USE INDEX FOR JOIN (i) WHERE MATCH (a) AGAINST ('x')", Select, READ),
        ("SELECT IF(a, b, c), CASE (a) WHEN (1) THEN (2) ELSE (3) END FROM t", Select, READ),
        ("SELECT RANK() OVER (PARTITION BY a ORDER BY b) FROM t WINDOW w AS (ORDER BY c)", Select, READ),
        ("SELECT * FROM (SELECT 1) AS x (a), (SELECT 2) y (b)", Select, READ),
        ("SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (a INT PATH '$')) AS j", Select, READ),
        ("SELECT * FROM a JOIN b USING (id) LEFT JOIN c ON (a.x = c.x)", Select, READ),
        (
            "SELECT * FROM t PARTITION (p0) WHERE EXISTS (SELECT 1) AND NOT (a) OR a = ANY (SELECT 1)",
            Select,
            READ,
        ),
        ("SELECT 1 UNION ALL (SELECT 2) LIMIT 1", Select, READ),
        ("SELECT DISTINCT (a) FROM t", Select, READ),
        ("SELECT {fn LENGTH('x')}, {d '2020-01-01'}", Select, READ),
        ("SELECT INTERVAL(1, 2), DATE_ADD('2020-01-01', INTERVAL (1) DAY)", Select, READ),
        ("SELECT 1 FROM t WHERE größe = 1", Select, READ),
        ("WITH a AS (SELECT 1) SELECT * FROM a", With, READ),
        (
            "WITH RECURSIVE a (x) AS (SELECT 1 UNION ALL SELECT x+1 FROM a), b (y, z) AS (SELECT 1, 2) SELECT 1",
            With,
            READ,
        ),
        ("WITH a AS (SELECT 1) (SELECT * FROM a)", With, READ),
        ("(WITH a AS (SELECT 1) SELECT * FROM a)", With, READ),
        ("DO 1", Do, READ),
        ("HELP 'select'", Other, READ),
        ("SELECT 1; SELECT 2", Multi, "READS_ONLY | MULTI"),
        ("", Kind::Empty, READ),
        (" ; ; ", Kind::Empty, READ),
        ("/* nothing */", Kind::Empty, READ),
    ]);
}

#[test]
fn what_a_read_depends_on_is_named() {
    check_both(&[
        ("SELECT NOW()", Select, "READS_ONLY | READS_CLOCK"),
        ("SELECT CURRENT_TIMESTAMP, t.current_date FROM t", Select, "READS_ONLY | READS_CLOCK"),
        ("SELECT current_timestamp(6)", Select, "READS_ONLY | READS_CLOCK"),
        ("SELECT UTC_DATE", Select, "READS_ONLY | READS_CLOCK"),
        ("SELECT t.current_date FROM t", Select, READ),
        ("SELECT SYSDATE(6)", Select, "READS_ONLY | READS_SYSDATE"),
        ("SELECT RAND()", Select, "READS_ONLY | READS_RANDOM"),
        ("SELECT UUID(), RANDOM_BYTES(4)", Select, "READS_ONLY | READS_UUID"),
        ("SELECT CONNECTION_ID()", Select, "READS_ONLY | READS_CONNECTION_ID"),
        ("SELECT @@pseudo_thread_id", Select, "READS_ONLY | READS_CONNECTION_ID"),
        ("SELECT LAST_INSERT_ID()", Select, "READS_ONLY | READS_LAST_INSERT_ID"),
        ("SELECT last_insert_id( )", Select, "READS_ONLY | READS_LAST_INSERT_ID"),
        ("SELECT @@last_insert_id, @@identity", Select, "READS_ONLY | READS_LAST_INSERT_ID"),
        ("SELECT @@session.`identity`", Select, "READS_ONLY | READS_LAST_INSERT_ID"),
        ("SELECT FOUND_ROWS()", Select, "READS_ONLY | READS_FOUND_ROWS"),
        ("SELECT ROW_COUNT()", Select, "READS_ONLY | READS_ROW_COUNT"),
        ("SELECT SQL_CALC_FOUND_ROWS * FROM t LIMIT 1", Select, "READS_ONLY | CALCULATES_FOUND_ROWS"),
        ("SELECT @@warning_count", Select, "READS_ONLY | READS_DIAGNOSTICS"),
        ("SELECT @@session.error_count", Select, "READS_ONLY | READS_DIAGNOSTICS"),
        ("SELECT @@version_comment LIMIT 1", Select, "READS_ONLY | READS_SERVER_STATE"),
        ("SELECT @@global.read_only, VERSION()", Select, "READS_ONLY | READS_SERVER_STATE"),
        ("SELECT @@timestamp", Select, "READS_ONLY | READS_CLOCK"),
        ("SELECT @a, @`b c`, @'d', @\"e\", @f.g", Select, "READS_ONLY | READS_USER_VARIABLE"),
        ("SELECT SLEEP(1)", Select, "READS_ONLY | SLEEPS"),
        ("SELECT * FROM information_schema.processlist", Select, "READS_ONLY | READS_SERVER_STATE | VARIES"),
        ("SELECT * FROM performance_schema.threads", Select, "READS_ONLY | READS_SERVER_STATE | VARIES"),
        ("SELECT MASTER_POS_WAIT('a', 1)", Select, "READS_ONLY | SLEEPS | READS_SERVER_STATE"),
        ("SELECT IS_FREE_LOCK('a')", Select, "READS_ONLY | READS_SERVER_STATE"),
    ]);
    check(
        MARIADB,
        &[("SELECT LASTVAL(s)", Select, "SEQUENCE"), ("SELECT PREVIOUS VALUE FOR s", Select, "SEQUENCE")],
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn selects_that_do_more_than_read() {
    check_both(&[
        ("SELECT 1 FOR UPDATE", Select, "LOCKING"),
        ("SELECT * FROM t FOR\nUPDATE SKIP LOCKED", Select, "LOCKING"),
        ("SELECT * FROM t FOR /* x */ SHARE OF t NOWAIT", Select, "LOCKING"),
        ("SELECT * FROM t LOCK IN SHARE MODE", Select, "LOCKING"),
        ("SELECT 1.5FOR UPDATE", Select, "LOCKING"),
        ("SELECT 1e5FOR UPDATE", Select, "LOCKING"),
        ("SELECT .5FOR UPDATE", Select, "LOCKING"),
        ("SELECT 'a'FOR UPDATE", Select, "LOCKING"),
        ("SELECT * FROM `t`FOR UPDATE", Select, "LOCKING"),
        ("SELECT \\NFOR UPDATE", Select, "LOCKING"),
        ("SELECT 1--1 FOR UPDATE", Select, "LOCKING"),
        ("SELECT 1 -- x\nFOR UPDATE", Select, "LOCKING"),
        ("SELECT 1 /* ' */ FOR UPDATE", Select, "LOCKING"),
        ("SELECT '\\\\' FOR UPDATE -- '", Select, "LOCKING"),
        ("SELECT 1 /*! FOR UPDATE */", Select, "LOCKING"),
        ("SELECT 1 /*!50000 FOR UPDATE */", Select, "LOCKING"),
        ("SELECT 1for FROM t", Select, READ),
        ("SELECT 0x1for FROM t", Select, READ),
        ("SELECT t.5for FROM t", Select, READ),
        ("SELECT * FROM (SELECT 1 FROM t FOR UPDATE) x", Select, "LOCKING"),
        ("WITH a AS (SELECT 1) SELECT 1 FROM a FOR UPDATE", With, "LOCKING"),
        ("SELECT 1 INTO @a", Select, "SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE"),
        ("SELECT 1, 2 INTO @a, @b", Select, "SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE"),
        ("SELECT @a := 5", Select, "SETS_USER_VARIABLE | READS_USER_VARIABLE | COMPUTES_USER_VARIABLE"),
        ("SELECT * FROM t INTO OUTFILE '/tmp/x'", Select, "OUTFILE"),
        ("SELECT * INTO DUMPFILE '/tmp/x' FROM t", Select, "OUTFILE"),
        ("SELECT GET_LOCK('a', 1)", Select, "USER_LOCK"),
        ("SELECT RELEASE_LOCK('a')", Select, "RELEASES_USER_LOCK"),
        ("DO RELEASE_ALL_LOCKS()", Do, "RELEASES_USER_LOCK | RELEASES_ALL_USER_LOCKS"),
        ("SELECT LAST_INSERT_ID(5)", Select, "SETS_LAST_INSERT_ID"),
        ("SELECT LAST_INSERT_ID(id + 1) FROM t", Select, "SETS_LAST_INSERT_ID"),
        ("SELECT f(1)", Select, CODE),
        ("SELECT db.count(1)", Select, CODE),
        ("SELECT `count`(1)", Select, CODE),
        ("SELECT `db`.`f` (1)", Select, CODE),
        ("SELECT f /* x */ (1)", Select, CODE),
        ("SELECT count (1)", Select, CODE),
        ("SELECT abs (1)", Select, READ),
        ("SELECT 1abc(2)", Select, CODE),
        ("SELECT 1 WHERE a = (b) AND f (c)", Select, CODE),
        ("DO f()", Do, CODE),
        ("SELECT NEXTVAL(s)", Select, "SEQUENCE | WRITES"),
        ("SELECT NEXT VALUE FOR s", Select, "SEQUENCE | WRITES"),
        ("SELECT SETVAL(s, 1)", Select, "SEQUENCE | WRITES"),
        ("SELECT 1; DELETE FROM t", Multi, "WRITES | MULTI"),
    ]);
    check(
        MARIADB,
        &[
            ("SELECT s.nextval", Select, "SEQUENCE | WRITES"),
            ("SELECT 1 /*M! FOR UPDATE */", Select, "LOCKING"),
            ("SELECT 1 /*M!100000 FOR UPDATE */", Select, "LOCKING"),
            ("SELECT 1 /*M!990000 FOR UPDATE */", Select, READ),
            ("SELECT 1 /*!50701 FOR UPDATE */", Select, READ),
            ("SELECT 1 /*!100000 FOR UPDATE */", Select, "LOCKING"),
            ("SELECT NVL(1, 2), median(a) OVER () FROM t", Select, READ),
            ("SELECT REGEXP_LIKE('a', 'b')", Select, CODE),
        ],
    );
    check(
        MYSQL,
        &[
            ("SELECT t.nextval FROM t", Select, READ),
            ("SELECT 1 /*M! FOR UPDATE */", Select, READ),
            ("SELECT 1 /*!80000 FOR UPDATE */", Select, "LOCKING"),
            ("SELECT 1 /*!99999 FOR UPDATE */", Select, READ),
            ("SELECT nvl(1, 2)", Select, CODE),
            ("SELECT REGEXP_LIKE('a', 'b'), ANY_VALUE(c) FROM t", Select, READ),
        ],
    );
}

#[test]
fn modes_change_what_quotes_mean() {
    let ansi = Dialect { ansi_quotes: true, ..MYSQL };
    let plain_backslash = Dialect { no_backslash_escapes: true, ..MYSQL };
    check(
        ansi,
        &[
            ("SELECT \"f\"(1)", Select, CODE),
            ("SELECT \"a\\\" FOR UPDATE", Select, "LOCKING"),
            ("SELECT 'a\\'' FROM t", Select, READ),
        ],
    );
    check(
        MYSQL,
        &[("SELECT \"a\\\" FOR UPDATE\"", Select, READ), ("SELECT \"a\"\"b\" FOR UPDATE", Select, "LOCKING")],
    );
    check(
        plain_backslash,
        &[("SELECT 'a\\' FOR UPDATE", Select, "LOCKING"), ("SELECT \"a\\\" FOR UPDATE", Select, "LOCKING")],
    );
    let gbk = Dialect { multibyte_unsafe: true, ..MYSQL };
    let text = b"SELECT '\xbf\\' FOR UPDATE -- '";
    assert!(classify(text, gbk).any(Effects::UNSURE));
    assert!(!classify(b"SELECT 'a\\' b'", gbk).any(Effects::UNSURE));
}

#[test]
fn what_servers_keep_for_themselves_is_named() {
    check_both(&[
        ("SELECT * FROM information_schema.columns", Select, READ),
        ("SELECT * FROM `information_schema`.`views`", Select, READ),
        ("SELECT * FROM information_schema.tables", Select, "READS_ONLY | VARIES"),
        ("SELECT * FROM `INFORMATION_SCHEMA` . `tables`", Select, "READS_ONLY | VARIES"),
        ("SELECT * FROM `mysql`.db", Select, "READS_ONLY | VARIES"),
        ("SELECT USER(), user FROM t", Select, "READS_ONLY | VARIES"),
        ("SELECT t.user, u.current_user FROM t", Select, READ),
        ("/* tideover:primary */ SELECT 1", Select, "READS_ONLY | HINT_PRIMARY"),
        ("SELECT /*tideover:REPLICA*/ 1", Select, "READS_ONLY | HINT_REPLICA"),
        ("SELECT /* tideover:elsewhere */ '/* tideover:primary */'", Select, READ),
    ]);
}

#[test]
fn show_and_explain() {
    check_both(&[
        ("SHOW TABLES", Show, READ),
        ("SHOW FULL TABLES FROM db LIKE 'a%'", Show, READ),
        ("SHOW CREATE TABLE t", Show, "READS_ONLY | VARIES"),
        ("SHOW CHARACTER SET", Show, "READS_ONLY | VARIES"),
        ("SHOW INDEX FROM t", Show, "READS_ONLY | VARIES"),
        ("SHOW PROCEDURE STATUS", Show, READ),
        ("SHOW WARNINGS", Show, "READS_ONLY | READS_DIAGNOSTICS"),
        ("SHOW ERRORS LIMIT 1", Show, "READS_ONLY | READS_DIAGNOSTICS"),
        ("SHOW COUNT(*) WARNINGS", Show, "READS_ONLY | READS_DIAGNOSTICS"),
        ("SHOW VARIABLES LIKE 'x'", Show, "READS_ONLY | READS_SERVER_STATE"),
        ("SHOW FULL PROCESSLIST", Show, "READS_ONLY | READS_SERVER_STATE"),
        ("SHOW MASTER STATUS", Show, "READS_ONLY | READS_SERVER_STATE"),
        ("SHOW TABLES WHERE f(1)", Show, CODE),
        ("SHOW OPEN TABLES", Show, "READS_ONLY | READS_SERVER_STATE"),
        ("SHOW TABLE STATUS", Show, "READS_ONLY | VARIES"),
        ("SHOW EVENTS", Show, "READS_ONLY | VARIES"),
        ("SHOW CREATE EVENT e", Show, "READS_ONLY | VARIES"),
        ("SHOW CREATE VIEW v", Show, READ),
        ("EXPLAIN SELECT 1", Explain, "READS_ONLY | VARIES"),
        ("EXPLAIN t", Explain, READ),
        ("DESC t c", Explain, READ),
        ("EXPLAIN FORMAT=JSON SELECT * FROM t", Explain, "READS_ONLY | VARIES"),
        ("EXPLAIN ANALYZE SELECT * FROM t", Explain, "READS_ONLY | VARIES"),
        ("EXPLAIN FOR CONNECTION 5", Explain, "READS_ONLY | READS_SERVER_STATE"),
        ("EXPLAIN UPDATE t SET a = 1", Explain, "VARIES"),
        ("EXPLAIN ANALYZE DELETE FROM t", Explain, "WRITES | VARIES"),
        ("EXPLAIN SELECT f(1)", Explain, "STORED_CODE | WRITES | VARIES"),
        ("EXPLAIN WITH a AS (SELECT 1) SELECT 1 FROM a", Explain, "READS_ONLY | VARIES"),
        ("ANALYZE SELECT 1", Explain, "READS_ONLY | VARIES"),
        ("ANALYZE FORMAT=JSON SELECT 1", Explain, "READS_ONLY | VARIES"),
        ("ANALYZE UPDATE t SET a = 1", Explain, "WRITES | VARIES"),
        ("ANALYZE FORMAT=JSON UPDATE t SET a = 1", Explain, "WRITES | VARIES"),
        (
            "EXPLAIN FORMAT=JSON INTO @v SELECT 1",
            Explain,
            "SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE | VARIES",
        ),
    ]);
}

#[test]
fn doubt_is_never_a_read() {
    const UNSURE: &str = "UNSURE | WRITES";
    check_both(&[
        ("SELECT 'open", Select, UNSURE),
        ("SELECT `open", Select, UNSURE),
        ("SELECT 1 /* open", Select, UNSURE),
        ("SELECT 1 /*! open", Select, UNSURE),
        ("SELECT 1 \u{1} FOR", Select, UNSURE),
        ("FROB t", Other, UNSURE),
        ("1", Other, UNSURE),
        ("(1)", Other, UNSURE),
        ("WITH a AS (SELECT 1)", With, UNSURE),
        ("SELECT 1 /*!999999 /* x */ */", Select, UNSURE),
        ("IF 1 THEN SELECT 1", Other, UNSURE),
    ]);
    // A no-break space in latin1 parts words that look like one.
    assert!(classify(b"SELECT 1 FOR\xa0UPDATE", MYSQL).any(Effects::UNSURE));
    assert!(!classify("SELECT voilà".as_bytes(), MYSQL).any(Effects::UNSURE));
    let old = Dialect { version: 80_036, ..MYSQL };
    assert!(classify(b"SELECT 1 /*!100100 FOR UPDATE */", old).any(Effects::UNSURE));
}
