//! Transactions of many kinds, and the binary log in which they stand.

use std::path::Path;

use tideover_protocol::binlog::{DumpFlags, SETUP, dump_command, dump_gtid_command};
use tideover_protocol::capability::Capabilities;

use crate::{Recording, Result};

/// Values of every type that a row image can hold.
const TYPES: &str = "CREATE TABLE types (a TINYINT, b SMALLINT UNSIGNED, c MEDIUMINT, d BIGINT, e FLOAT, f DOUBLE, \
    g DECIMAL(20,7), h BIT(11), i YEAR, j DATE, k TIME(3), l DATETIME(6), m TIMESTAMP NULL, n CHAR(3), \
    o CHAR(100) CHARACTER SET utf8mb4, p VARCHAR(20), q VARCHAR(300), r BINARY(4), s VARBINARY(9), t TINYTEXT, u TEXT, \
    v MEDIUMBLOB, w LONGTEXT, x ENUM('one','two'), y SET('a','b','c'), z JSON, g1 GEOMETRY, k0 TIME, l0 DATETIME, \
    m3 TIMESTAMP(3) NULL)";
const VALUES: &str = "(-1, 65535, 7, -9, 1.5, 2.5, 1234567890123.1234567, b'10101010101', 2026, '2026-11-21', \
    '-12:34:56.789', '2026-11-21 12:34:56.123456', '2026-11-21 12:34:56', 'abc', 'äöü', 'short', REPEAT('l', 280), \
    'bin', 'varbin', 'tiny', 'text', 'blob', 'long', 'two', 'a,c', '{\"k\": [1, 2]}', ST_GeomFromText('POINT(1 2)'), \
    '01:02:03', '2026-01-01 00:00:00', '2026-11-21 12:34:56.789')";

/// Runs the transactions and returns the recording of the log from its start.
pub(crate) fn record(socket: &Path) -> Result<Recording> {
    let mut on = Recording::start(socket, modern())?;
    if on.mariadb {
        on.must("RESET MASTER")?;
        on.must("SET GLOBAL log_bin_compress = OFF")?;
    } else {
        on.must("RESET BINARY LOGS AND GTIDS")?;
    }
    on.must("CREATE DATABASE IF NOT EXISTS shop")?;
    on.must("USE shop")?;
    changes(&mut on)?;
    definitions(&mut on)?;
    transactions(&mut on)?;
    if on.mariadb {
        mariadb(&mut on)?
    } else {
        mysql(&mut on)?
    }
    dump(socket, "SELECT 1", |mariadb| {
        let annotate = if mariadb { DumpFlags::SEND_ANNOTATE_ROWS } else { DumpFlags::empty() };
        Ok(dump_command(b"binlog.000001", 4, DumpFlags::NON_BLOCK | annotate, 0))
    })
}

/// The same log from its last transaction on, by GTID; checksums off.
pub(crate) fn record_tail(socket: &Path) -> Result<Recording> {
    let mut on = Recording::start(socket, modern())?;
    let mariadb = on.mariadb;
    on.must("SET GLOBAL binlog_checksum = NONE")?;
    let executed = if mariadb { "SELECT @@gtid_binlog_pos" } else { "SELECT @@gtid_executed" };
    let answer = on.must(executed)?;
    // One row with one column: the last but one packet.
    let mut rest = &answer[..];
    let mut payloads = Vec::new();
    while let Some((&[low, high, _, _], tail)) = rest.split_first_chunk() {
        let (payload, tail) = tail.split_at(usize::from(low) | usize::from(high) << 8);
        payloads.push(payload);
        rest = tail;
    }
    let row = payloads[payloads.len() - 2];
    let skip = if row[0] == 0xfc { 3 } else { 1 };
    let executed = String::from_utf8(row[skip..].to_vec())?;
    on.must("INSERT INTO shop.b (v) VALUES ('the last')")?;
    on.must("SET GLOBAL binlog_checksum = CRC32")?;
    dump(socket, &format!("SET @slave_connect_state = '{executed}'"), |mariadb| {
        if mariadb {
            return Ok(dump_command(b"", 4, DumpFlags::NON_BLOCK | DumpFlags::SEND_ANNOTATE_ROWS, 0));
        }
        Ok(dump_gtid_command(&executed, DumpFlags::NON_BLOCK, 0)?)
    })
}

fn modern() -> Capabilities {
    crate::dialects(false).swap_remove(2).1
}

fn dump(socket: &Path, before: &str, command: impl Fn(bool) -> Result<Vec<u8>>) -> Result<Recording> {
    let mut on = Recording::start(socket, modern())?;
    for statement in SETUP.iter().chain([&before]) {
        on.must(statement)?;
    }
    let command = command(on.mariadb)?;
    on.command("BINLOG DUMP", &command)?;
    Ok(on)
}

fn changes(on: &mut Recording) -> Result<()> {
    on.must("/*td:ddl*/CREATE TABLE b (v VARCHAR(40), id INT AUTO_INCREMENT PRIMARY KEY, n INT)")?;
    on.must("/*td:insert-3*/INSERT INTO b (v) VALUES ('one'), ('two'), ('three')")?;
    on.must("/*td:update-2*/UPDATE b SET v = CONCAT(v, '!') WHERE id < 3")?;
    on.must("UPDATE b SET v = v")?;
    on.must("/*td:delete-1*/DELETE FROM b WHERE id = 3")?;
    on.must("/*td:select-2*/INSERT INTO b (v, n) SELECT v, id FROM b")?;
    on.must("/*td:replace*/REPLACE INTO b (id, v) VALUES (1, 'replaced')")?;
    on.must("/*td:upsert*/INSERT INTO b (id, v) VALUES (2, 'x') ON DUPLICATE KEY UPDATE v = 'y'")?;
    on.must(TYPES)?;
    on.must(&format!(
        "/*td:types-3*/INSERT INTO types VALUES {VALUES}, {VALUES}, (1{})",
        ", NULL".repeat(29)
    ))?;
    on.must("/*td:types-update-3*/UPDATE types SET q = NULL, d = 5")?;
    on.must("/*td:types-delete-3*/DELETE FROM types")?;
    on.must("CREATE TABLE wide (t TEXT)")?;
    on.must("/*td:wide-6*/INSERT INTO wide SELECT REPEAT('x', 1500) FROM b, b c LIMIT 6")?;
    on.must("CREATE TABLE log (what TEXT)")?;
    on.must("CREATE TRIGGER tr AFTER UPDATE ON b FOR EACH ROW INSERT INTO log VALUES (NEW.v)")?;
    on.must("/*td:trigger*/UPDATE b SET n = 1 WHERE id IN (1, 2)")?;
    on.must("DROP TRIGGER tr")?;
    on.must("/*td:multi-delete*/DELETE b, log FROM b, log WHERE b.v = log.what")?;
    on.must("/*td:load*/LOAD DATA LOCAL INFILE 'x' INTO TABLE b FIELDS TERMINATED BY ',' (id, v)")?;
    let insert = on.prepare("/*td:prepared*/INSERT INTO b (v) VALUES (?)")?.statement_id;
    on.execute("insert", insert, 0, &[(0xfd, b"\x05hello")])?;
    on.must("/*td:truncate*/TRUNCATE log")?;
    Ok(())
}

/// Definitions whose text some servers write anew, so that a comment in front may be lost.
fn definitions(on: &mut Recording) -> Result<()> {
    on.must("/*td:create-table-select*/CREATE TABLE s AS SELECT * FROM b")?;
    on.must("/*td:alter*/ALTER TABLE s ADD COLUMN extra INT")?;
    on.must("/*td:create-index*/CREATE INDEX i ON s (n)")?;
    on.must("/*td:rename*/RENAME TABLE s TO s2")?;
    on.must("/*td:drop-table*/DROP TABLE s2")?;
    on.must("/*td:create-view*/CREATE VIEW vw AS SELECT 1")?;
    on.must("/*td:drop-view*/DROP VIEW vw")?;
    on.must("/*td:create-procedure*/CREATE PROCEDURE pr() INSERT INTO b (v) VALUES ('from a procedure')")?;
    on.must("/*td:call*/CALL pr()")?;
    on.must("/*td:drop-procedure*/DROP PROCEDURE pr")?;
    on.must("/*td:create-trigger*/CREATE TRIGGER tr2 BEFORE INSERT ON b FOR EACH ROW SET @x = 1")?;
    on.must("/*td:drop-trigger*/DROP TRIGGER tr2")?;
    on.must("/*td:create-event*/CREATE EVENT ev ON SCHEDULE EVERY 1 YEAR DO SELECT 1")?;
    on.must("/*td:drop-event*/DROP EVENT ev")?;
    on.must("/*td:create-user*/CREATE USER u@localhost IDENTIFIED BY 'secret'")?;
    on.must("/*td:grant*/GRANT SELECT ON shop.* TO u@localhost")?;
    on.must("/*td:set-password*/ALTER USER u@localhost IDENTIFIED BY 'new'")?;
    on.must("/*td:drop-user*/DROP USER u@localhost")?;
    on.must("/*td:create-database*/CREATE DATABASE other")?;
    on.must("/*td:drop-database*/DROP DATABASE other")?;
    on.must("/*td:analyze*/ANALYZE TABLE b")?;
    on.must("/*td:flush*/FLUSH TABLES")?;
    Ok(())
}

fn transactions(on: &mut Recording) -> Result<()> {
    on.must("BEGIN")?;
    on.must("/*td:t1*/INSERT INTO b (v) VALUES ('in a transaction')")?;
    on.must("SAVEPOINT s")?;
    on.must("/*td:t2*/UPDATE b SET n = 7 WHERE v = 'hello'")?;
    on.must("ROLLBACK TO s")?;
    on.must("/*td:t3*/DELETE FROM b WHERE v = 'hello'")?;
    on.must("/*td:commit*/COMMIT")?;
    on.must("BEGIN")?;
    on.must("/*td:rolled-back*/INSERT INTO b (v) VALUES ('never')")?;
    on.must("ROLLBACK")?;
    on.must("CREATE TABLE my (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=MyISAM")?;
    on.must("/*td:myisam*/INSERT INTO my VALUES (NULL), (NULL)")?;
    on.must("SET SESSION binlog_format = STATEMENT")?;
    on.must("/*td:statement*/INSERT INTO b (v) VALUES ('as a statement')")?;
    on.must("SET SESSION binlog_format = ROW")?;
    on.must("SET SESSION binlog_row_image = MINIMAL")?;
    on.must("/*td:minimal-1*/UPDATE b SET n = 8 WHERE id = 101")?;
    on.must("SET SESSION binlog_row_image = FULL")?;
    on.must("XA START 'x1'")?;
    on.must("/*td:xa*/INSERT INTO b (v) VALUES ('xa')")?;
    on.must("XA END 'x1'")?;
    on.must("XA PREPARE 'x1'")?;
    on.must("XA COMMIT 'x1'")?;
    on.must("XA START 'x2'")?;
    on.must("/*td:xa-one-phase*/INSERT INTO b (v) VALUES ('xa')")?;
    on.must("XA END 'x2'")?;
    on.must("XA COMMIT 'x2' ONE PHASE")?;
    Ok(())
}

fn mariadb(on: &mut Recording) -> Result<()> {
    on.must("SET GLOBAL log_bin_compress = ON, GLOBAL log_bin_compress_min_len = 10")?;
    on.must("/*td:compressed*/INSERT INTO b (v) VALUES ('compressed')")?;
    on.must("/*td:compressed-ddl*/ALTER TABLE b COMMENT 'a comment that is long enough for compression to be tried'")?;
    on.must("SET GLOBAL log_bin_compress = OFF")?;
    on.must("SET SESSION binlog_annotate_row_events = OFF")?;
    on.must("/*td:unannotated*/INSERT INTO b (v) VALUES ('no text')")?;
    on.must("SET SESSION binlog_annotate_row_events = ON")?;
    Ok(())
}

fn mysql(on: &mut Recording) -> Result<()> {
    on.must("CREATE TABLE j (id INT PRIMARY KEY, d JSON)")?;
    on.must("/*td:json-1*/INSERT INTO j VALUES (1, '{\"k\": \"a long value that is worth a difference\"}')")?;
    on.must("SET SESSION binlog_row_value_options = PARTIAL_JSON")?;
    on.must("/*td:partial-json*/UPDATE j SET d = JSON_SET(d, '$.k', 'short')")?;
    on.must("SET SESSION binlog_row_value_options = ''")?;
    on.must("SET SESSION binlog_transaction_compression = ON")?;
    on.must("/*td:compressed*/INSERT INTO b (v) VALUES ('compressed')")?;
    on.must("SET SESSION binlog_transaction_compression = OFF")?;
    on.must("SET SESSION gtid_next = 'AUTOMATIC:a_tag'")?;
    on.must("/*td:tagged*/INSERT INTO b (v) VALUES ('with a tagged GTID')")?;
    on.must("SET SESSION gtid_next = 'AUTOMATIC'")?;
    on.must("SET SESSION binlog_rows_query_log_events = OFF")?;
    on.must("/*td:unannotated*/INSERT INTO b (v) VALUES ('no text')")?;
    on.must("SET SESSION binlog_rows_query_log_events = ON")?;
    Ok(())
}
