use super::*;

/// Where the tag goes is marked with `^`.
#[test]
fn tags_stand_before_each_write() {
    let rows = [
        "^INSERT INTO t VALUES (1)",
        "  ^UPDATE t SET a = 1 ;",
        "/* app */ ^DELETE FROM t",
        "# x\n^REPLACE INTO t VALUES (1)",
        "^INSERT /*+ SET_VAR(x=1) */ INTO t VALUES (1)",
        "^/*!40000 INSERT INTO t VALUES (1) */",
        "/* a */ ^/*! UPDATE */ t SET a = 1",
        "^INSERT INTO t VALUES (1); ^INSERT INTO t VALUES (2)",
        "BEGIN; ^UPDATE t SET a = ';'; SELECT 1; ^DELETE FROM t; COMMIT",
        "^DELETE FROM a;^DELETE FROM b;^DELETE FROM c;^DELETE FROM d;^DELETE FROM e;^DELETE FROM f",
        "^WITH a AS (SELECT 1) UPDATE t SET x = 1",
        "^LOAD DATA INFILE 'x' INTO TABLE t",
        "^CREATE TABLE t (a INT)",
        "^ALTER TABLE t ADD b INT",
        "^TRUNCATE t",
        "^CREATE INDEX i ON t (a)",
        "^OPTIMIZE TABLE t",
        "^DROP VIEW v",
        "^DROP PROCEDURE p",
        "^DROP USER u",
        "^CREATE ROLE r",
        "^ALTER EVENT e DISABLE",
        "^ALTER PROCEDURE p COMMENT 'x'",
        "^RENAME USER a TO b",
        "^REVOKE ALL ON d.* FROM u",
        "^SELECT NEXTVAL(s)",
        "^ANALYZE UPDATE t SET a = 1",
        "^SET STATEMENT lock_wait_timeout=5 FOR INSERT INTO t VALUES (1)",
        "SELECT 1",
        "COMMIT",
        "SELECT 1 FOR UPDATE",
    ];
    for row in rows {
        let text = row.replace('^', "");
        for dialect in [MYSQL, MARIADB] {
            let statement = classify(text.as_bytes(), dialect);
            let mut tagged = Vec::new();
            statement.tags.write(text.as_bytes(), b"^", &mut tagged);
            assert_eq!(str::from_utf8(&tagged).unwrap(), row);
            assert_eq!(statement.tags.len(), row.matches('^').count());
            assert!(statement.tags.cover_all_writes(), "{row}");
        }
    }
}

#[test]
fn writes_without_a_tag_are_known() {
    for text in [
        "CALL p()",
        "SELECT f()",
        "DROP TABLE t",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE PROCEDURE p() SELECT 1",
        "GRANT ALL ON *.* TO u",
        "CREATE USER u",
        "ALTER VIEW v AS SELECT 1",
        "DROP SEQUENCE s",
        "EXECUTE s",
        "CREATE TEMPORARY TABLE t (a INT)",
        "SELECT 'open",
        "INSERT INTO t VALUES (1); SELECT 'open",
    ] {
        let statement = of(text);
        assert!(statement.tags.is_empty(), "{text}");
        assert!(!statement.tags.cover_all_writes(), "{text}");
    }
    let mixed = of("INSERT INTO t VALUES (1); CALL p()");
    assert_eq!(mixed.tags.len(), 1);
    assert!(!mixed.tags.cover_all_writes());
    let function = of("UPDATE t SET a = f(1)");
    assert!(function.tags.len() == 1 && !function.tags.cover_all_writes());
    // The comment began with the statement before: no room for a tag.
    let shared = of("/*! SET x = 1; INSERT INTO t VALUES (1) */");
    assert!(shared.tags.is_empty() && !shared.tags.cover_all_writes());
}
