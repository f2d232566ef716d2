use super::super::Kind::{
    Administration, Call, Ddl, Delete, Execute, Flush, Insert, Load, Multi, Other, Replace, Update,
};
use super::*;

const WRITES: &str = "WRITES";
const COMMITS: &str = "WRITES | IMPLICIT_COMMIT";

#[test]
fn rows_are_written() {
    check_both(&[
        ("INSERT INTO t VALUES (1)", Insert, WRITES),
        ("INSERT INTO t (a, b) VALUES (1, 2), (3, 4)", Insert, WRITES),
        ("INSERT INTO db.t(a,b) VALUES (1,2)", Insert, WRITES),
        ("insert ignore t (a) select a from u where b in (1)", Insert, WRITES),
        (
            "INSERT INTO `db`.`t` (`a`) VALUES (DEFAULT(a)) AS new(x) ON DUPLICATE KEY UPDATE a = new.x",
            Insert,
            WRITES,
        ),
        ("INSERT INTO t PARTITION (p0) (a) VALUES (1)", Insert, WRITES),
        ("INSERT INTO t SET a = 1", Insert, WRITES),
        ("INSERT INTO t () VALUES ()", Insert, WRITES),
        (
            "INSERT INTO t VALUES (NOW(), RAND(), UUID())",
            Insert,
            "WRITES | READS_CLOCK | READS_RANDOM | READS_UUID",
        ),
        ("INSERT INTO t (a) VALUES (f(1))", Insert, "WRITES | STORED_CODE"),
        ("INSERT INTO t SELECT * FROM u FOR UPDATE", Insert, "WRITES | LOCKING"),
        (
            "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE id = LAST_INSERT_ID(id)",
            Insert,
            "WRITES | SETS_LAST_INSERT_ID",
        ),
        ("INSERT INTO t (a) VALUES (LAST_INSERT_ID())", Insert, "WRITES | READS_LAST_INSERT_ID"),
        ("INSERT INTO t (a) VALUES (1) RETURNING (a)", Insert, WRITES),
        ("REPLACE INTO t (a) VALUES (REPLACE('a', 'b', 'c'))", Replace, WRITES),
        ("UPDATE t SET a = a + 1 WHERE id = 5", Update, WRITES),
        ("UPDATE t SET a = @x", Update, "WRITES | READS_USER_VARIABLE"),
        ("DELETE FROM t WHERE id = 1", Delete, WRITES),
        ("DELETE a, b FROM a JOIN b USING (id)", Delete, WRITES),
        ("/* c */ # d\n UPDATE t SET a = 1", Update, WRITES),
        ("/*!40000 INSERT INTO t VALUES (1) */", Insert, WRITES),
        ("/*! UPDATE */ t SET a = 1", Update, WRITES),
        ("WITH a AS (SELECT 1) UPDATE t, a SET x = 1", Update, WRITES),
        ("WITH a (x) AS (SELECT 1) DELETE FROM t", Delete, WRITES),
        ("LOAD DATA INFILE 'x' INTO TABLE t (a, b)", Load, WRITES),
        (
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE t CHARACTER SET utf8 FIELDS TERMINATED BY ','",
            Load,
            "WRITES | LOCAL_INFILE",
        ),
        ("LOAD XML LOCAL INFILE 'x' INTO TABLE t", Load, "WRITES | LOCAL_INFILE"),
        (
            "LOAD DATA INFILE 'x' INTO TABLE db.t (a, @b) SET c = @b + 1",
            Load,
            "WRITES | SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE | READS_USER_VARIABLE",
        ),
        ("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", Multi, "WRITES | MULTI"),
        ("BEGIN; UPDATE t SET a = 1; COMMIT", Multi, "WRITES | MULTI | BEGINS | ENDS | IMPLICIT_COMMIT"),
        ("CALL p(1)", Call, "STORED_CODE | WRITES"),
        (
            "CALL db.p(@out)",
            Call,
            "STORED_CODE | WRITES | READS_USER_VARIABLE | SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE",
        ),
        ("EXECUTE s USING @a", Execute, "SQL_EXECUTE | WRITES | READS_USER_VARIABLE"),
        ("EXECUTE IMMEDIATE 'DELETE FROM t'", Execute, "SQL_EXECUTE | WRITES | STORED_CODE"),
    ]);
}

#[test]
fn definitions_write_and_commit() {
    check_both(&[
        ("CREATE TABLE t (id INT PRIMARY KEY, KEY k (id))", Ddl, COMMITS),
        ("CREATE TABLE t AS SELECT 1", Ddl, COMMITS),
        ("CREATE TABLE IF NOT EXISTS t LIKE u", Ddl, COMMITS),
        ("CREATE OR REPLACE TABLE t (a INT)", Ddl, COMMITS),
        ("CREATE TEMPORARY TABLE t (a INT)", Ddl, "WRITES | TEMPORARY_TABLE"),
        ("CREATE OR REPLACE TEMPORARY TABLE t AS SELECT 1", Ddl, "WRITES | TEMPORARY_TABLE"),
        ("CREATE UNIQUE INDEX i ON t (a)", Ddl, COMMITS),
        ("CREATE DATABASE d", Ddl, COMMITS),
        ("CREATE VIEW v AS SELECT f(1) FROM event", Ddl, COMMITS),
        ("CREATE USER 'u'@'%' IDENTIFIED BY 'x'", Ddl, "WRITES | IMPLICIT_COMMIT | READS_USER_VARIABLE"),
        ("CREATE ROLE r", Ddl, COMMITS),
        ("CREATE SEQUENCE s", Ddl, COMMITS),
        ("ALTER TABLE t ADD COLUMN b INT DEFAULT (1)", Ddl, COMMITS),
        ("ALTER DATABASE d CHARACTER SET utf8mb4", Ddl, COMMITS),
        ("DROP TABLE t", Ddl, "WRITES | IMPLICIT_COMMIT | DROPS_TEMPORARY"),
        ("DROP TEMPORARY TABLE IF EXISTS t", Ddl, "WRITES | DROPS_TEMPORARY"),
        ("DROP INDEX i ON t", Ddl, COMMITS),
        ("DROP VIEW v", Ddl, COMMITS),
        ("TRUNCATE t", Ddl, COMMITS),
        ("TRUNCATE TABLE t", Ddl, COMMITS),
        ("RENAME TABLE a TO b", Ddl, COMMITS),
        ("GRANT SELECT (a, b) ON d.* TO u", Ddl, COMMITS),
        ("REVOKE ALL ON d.* FROM u", Ddl, COMMITS),
    ]);
}

#[test]
fn stored_programs_are_one_statement() {
    check_both(&[
        ("CREATE PROCEDURE p() SELECT 1", Ddl, COMMITS),
        ("CREATE PROCEDURE p() BEGIN SELECT 1; DELETE FROM t; END", Ddl, COMMITS),
        ("CREATE DEFINER=`a`@`b` PROCEDURE p(IN a INT) BEGIN SET @x = 1; END;", Ddl, COMMITS),
        ("CREATE DEFINER=event@localhost TABLE", Ddl, "WRITES | IMPLICIT_COMMIT | READS_USER_VARIABLE"),
        ("CREATE FUNCTION f() RETURNS INT RETURN 1", Ddl, COMMITS),
        ("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1; END", Ddl, COMMITS),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM t; END x", Ddl, COMMITS),
        ("ALTER EVENT e DO BEGIN DELETE FROM t; END", Ddl, COMMITS),
        ("CREATE PROCEDURE p() SELECT 1; SET @a = 1", Ddl, "WRITES | IMPLICIT_COMMIT | UNSURE"),
        ("BEGIN NOT ATOMIC SELECT 1; DELETE FROM t; END", Other, "WRITES | UNSURE | STORED_CODE"),
    ]);
}

#[test]
fn administration() {
    check_both(&[
        ("ANALYZE TABLE t", Administration, COMMITS),
        ("ANALYZE LOCAL TABLE t", Administration, COMMITS),
        ("OPTIMIZE TABLE t", Administration, COMMITS),
        ("REPAIR TABLE t", Administration, COMMITS),
        ("CHECK TABLE t", Administration, "IMPLICIT_COMMIT"),
        ("CHECKSUM TABLE t", Administration, ""),
        ("FLUSH PRIVILEGES", Flush, "IMPLICIT_COMMIT"),
        ("FLUSH TABLES WITH READ LOCK", Flush, "IMPLICIT_COMMIT | TABLE_LOCK"),
        ("FLUSH TABLES t FOR EXPORT", Flush, "IMPLICIT_COMMIT | TABLE_LOCK"),
        ("RESET MASTER", Administration, COMMITS),
        ("PURGE BINARY LOGS TO 'x'", Administration, COMMITS),
        ("CHANGE MASTER TO MASTER_HOST='x'", Administration, "IMPLICIT_COMMIT"),
        ("START SLAVE", Administration, "IMPLICIT_COMMIT"),
        ("STOP REPLICA", Administration, "IMPLICIT_COMMIT"),
        ("SHUTDOWN", Administration, WRITES),
        ("BINLOG 'abc'", Administration, COMMITS),
        ("LOAD INDEX INTO CACHE t", Administration, "IMPLICIT_COMMIT"),
        ("BACKUP STAGE START", Administration, "IMPLICIT_COMMIT | TABLE_LOCK"),
    ]);
}
