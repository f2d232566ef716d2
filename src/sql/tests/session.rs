use super::super::Kind::{
    Begin, Commit, Deallocate, Handler, Kill, LockTables, Multi, Other, Prepare, ReleaseSavepoint, Rollback,
    RollbackTo, Savepoint, Select, Set, StartTransactionReadOnly, UnlockTables, Update, Use, Xa,
};
use super::*;

const BEGINS: &str = "BEGINS | IMPLICIT_COMMIT";

#[test]
fn transactions() {
    check_both(&[
        ("BEGIN", Begin, BEGINS),
        ("begin work;", Begin, BEGINS),
        ("START TRANSACTION", Begin, BEGINS),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT", Begin, BEGINS),
        ("START TRANSACTION READ WRITE", Begin, BEGINS),
        ("START TRANSACTION READ ONLY", StartTransactionReadOnly, BEGINS),
        ("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", StartTransactionReadOnly, BEGINS),
        ("COMMIT", Commit, "ENDS"),
        ("COMMIT WORK AND CHAIN", Commit, "ENDS | CHAIN"),
        ("COMMIT AND NO CHAIN NO RELEASE", Commit, "ENDS"),
        ("COMMIT RELEASE", Commit, "ENDS | RELEASE"),
        ("ROLLBACK", Rollback, "ENDS"),
        ("ROLLBACK AND CHAIN", Rollback, "ENDS | CHAIN"),
        ("ROLLBACK TO x", RollbackTo, ""),
        ("ROLLBACK WORK TO SAVEPOINT x", RollbackTo, ""),
        ("SAVEPOINT x", Savepoint, ""),
        ("RELEASE SAVEPOINT x", ReleaseSavepoint, ""),
        ("XA START 'x'", Xa, "XA | BEGINS"),
        ("XA END 'x'", Xa, "XA"),
        ("XA PREPARE 'x'", Xa, "XA"),
        ("XA COMMIT 'x' ONE PHASE", Xa, "XA | ENDS"),
        ("XA ROLLBACK 'x'", Xa, "XA | ENDS"),
        ("XA RECOVER", Xa, "XA | READS_SERVER_STATE"),
    ]);
}

#[test]
fn set_in_all_its_forms() {
    check_both(&[
        ("SET NAMES utf8mb4", Set, "SETS_SESSION"),
        ("SET NAMES utf8mb4 COLLATE utf8mb4_bin, @a = 1", Set, "SETS_SESSION | SETS_USER_VARIABLE"),
        ("SET CHARACTER SET latin1", Set, "SETS_SESSION"),
        ("SET sql_mode = ''", Set, "SETS_SESSION"),
        ("SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI')", Set, "SETS_SESSION | READS_SERVER_STATE"),
        ("SET @@session.sql_mode = 'ANSI', time_zone = '+00:00'", Set, "SETS_SESSION"),
        ("SET @@sql_mode := 'ANSI'", Set, "SETS_SESSION"),
        ("SET GLOBAL x = 1", Set, "SETS_GLOBAL"),
        (
            "SET GLOBAL a = 1, b = 2, SESSION c = 3, @d = 4",
            Set,
            "SETS_GLOBAL | SETS_SESSION | SETS_USER_VARIABLE",
        ),
        ("SET PERSIST x = 1", Set, "SETS_GLOBAL"),
        ("SET @@global.x = 1, @@persist_only.y = 2", Set, "SETS_GLOBAL"),
        ("SET autocommit = 1", Set, "SETS_SESSION | IMPLICIT_COMMIT"),
        ("SET @@session.autocommit=ON", Set, "SETS_SESSION | IMPLICIT_COMMIT"),
        ("SET autocommit=0", Set, "SETS_SESSION"),
        ("SET AUTOCOMMIT = off", Set, "SETS_SESSION"),
        ("SET @a = 5", Set, "SETS_USER_VARIABLE"),
        ("SET @a := -5, @`b` = 'x', @c = NULL, @d = TRUE", Set, "SETS_USER_VARIABLE"),
        ("SET @a = 5 + 1", Set, "SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE"),
        ("SET @a = @b", Set, "SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE | READS_USER_VARIABLE"),
        ("SET @a = @b := 5", Set, "SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE | READS_USER_VARIABLE"),
        ("SET @a = (SELECT MAX(id) FROM t)", Set, "SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE"),
        ("SET @a = f(1)", Set, "SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE | STORED_CODE | WRITES"),
        ("SET @a = 1, @b = NOW()", Set, "SETS_USER_VARIABLE | COMPUTES_USER_VARIABLE | READS_CLOCK"),
        ("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", Set, "SETS_NEXT_TRANSACTION"),
        ("SET SESSION TRANSACTION READ ONLY", Set, "SETS_SESSION"),
        ("SET LOCAL TRANSACTION READ ONLY", Set, "SETS_SESSION"),
        ("SET GLOBAL TRANSACTION ISOLATION LEVEL SERIALIZABLE", Set, "SETS_GLOBAL"),
        ("SET @@transaction_isolation = 'SERIALIZABLE'", Set, "SETS_NEXT_TRANSACTION"),
        ("SET transaction_isolation = 'SERIALIZABLE'", Set, "SETS_SESSION"),
        ("SET PASSWORD = 'x'", Set, "WRITES | IMPLICIT_COMMIT"),
        ("SET PASSWORD FOR u = 'x'", Set, "WRITES | IMPLICIT_COMMIT"),
        ("SET ROLE r", Set, "SETS_SESSION | SETS_ROLE"),
        ("SET DEFAULT ROLE r FOR u", Set, "WRITES | IMPLICIT_COMMIT"),
        ("SET last_insert_id = 5", Set, "SETS_SESSION | SETS_LAST_INSERT_ID"),
        ("SET @@identity = 5", Set, "SETS_SESSION | SETS_LAST_INSERT_ID"),
        ("SET insert_id = 5, timestamp = 1", Set, "SETS_SESSION"),
        ("SET STATEMENT max_statement_time=1 FOR SELECT 1", Select, "READS_ONLY | SETS_FOR_STATEMENT"),
        ("SET STATEMENT max_statement_time=1 FOR UPDATE t SET a = 1", Update, "WRITES | SETS_FOR_STATEMENT"),
        ("SET SESSION session_track_gtids = OWN_GTID", Set, "SETS_SESSION | SETS_TRACKERS"),
        ("SET @@session.`session_track_schema` = 0", Set, "SETS_SESSION | SETS_TRACKERS"),
        ("SET ", Set, "UNSURE | WRITES"),
        ("SET @a = 1; SET @b = 2", Multi, "SETS_USER_VARIABLE | MULTI"),
    ]);
}

#[test]
fn the_rest() {
    check_both(&[
        ("USE db", Use, "SETS_SESSION"),
        ("LOCK TABLES a READ, b WRITE", LockTables, "TABLE_LOCK | IMPLICIT_COMMIT"),
        ("LOCK INSTANCE FOR BACKUP", LockTables, "TABLE_LOCK | IMPLICIT_COMMIT"),
        ("UNLOCK TABLES", UnlockTables, "IMPLICIT_COMMIT"),
        ("PREPARE s FROM 'SELECT ?'", Prepare, "SQL_PREPARE"),
        ("PREPARE s FROM @a", Prepare, "SQL_PREPARE | READS_USER_VARIABLE"),
        ("DEALLOCATE PREPARE s", Deallocate, ""),
        ("DROP PREPARE s", Deallocate, ""),
        ("KILL 5", Kill { connection: true, id: Some(5) }, ""),
        ("KILL CONNECTION 5", Kill { connection: true, id: Some(5) }, ""),
        ("KILL QUERY 5", Kill { connection: false, id: Some(5) }, ""),
        ("KILL SOFT QUERY ID 5", Kill { connection: false, id: None }, ""),
        ("KILL USER 'x'", Kill { connection: true, id: None }, ""),
        ("KILL @a", Kill { connection: true, id: None }, "READS_USER_VARIABLE"),
        ("KILL 5 + 1", Kill { connection: true, id: None }, ""),
        ("KILL 99999999999999999999999", Kill { connection: true, id: None }, ""),
        ("HANDLER t OPEN", Handler, "HANDLER_OPEN"),
        ("HANDLER t OPEN AS h", Handler, "HANDLER_OPEN"),
        ("HANDLER h READ i = (1)", Handler, ""),
        ("HANDLER h CLOSE", Handler, "HANDLER_CLOSE"),
        (
            "GET DIAGNOSTICS @a = NUMBER",
            Other,
            "READS_DIAGNOSTICS | SETS_USER_VARIABLE | READS_USER_VARIABLE | COMPUTES_USER_VARIABLE",
        ),
        ("SIGNAL SQLSTATE '45000'", Other, ""),
    ]);
}
