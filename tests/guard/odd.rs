//! Statements whose outcome cannot be proven, or not in the plain way, and faults that are not a plain cut. What cannot be
//! proven must end in 1180 on a living connection, and must not be done a second time.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::time::sleep;

use super::Bench;
use super::alive::code;
use super::relay::Cut;

#[tokio::test]
async fn mariadb_10_11() {
    all(Flavor::MariaDb1011).await;
}

#[tokio::test]
async fn mariadb_11_8() {
    all(Flavor::MariaDb118).await;
}

#[tokio::test]
async fn mysql_9() {
    all(Flavor::Mysql9).await;
}

async fn all(flavor: Flavor) {
    let bench = Bench::start(flavor).await;
    prepare(&bench).await;
    let mut client = bench.client().await;
    what_cannot_be_proven(&bench, &mut client).await;
    several_statements(&bench, &mut client).await;
    a_table_without_transactions(&bench, &mut client).await;
    other_ends_of_transactions(&bench, &mut client).await;
    nothing_changed(&bench, &mut client).await;
    while_it_runs(&bench, &mut client).await;
    killed_amid_a_lock_wait(&bench, &mut client).await;
    if flavor.is_mariadb() {
        returned_rows(&bench, &mut client).await;
        drawn_numbers(&bench, &mut client).await;
    }
}

async fn prepare(bench: &Bench) {
    bench
        .run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60) UNIQUE, n INT DEFAULT 0)")
        .await;
    bench.run("CREATE TABLE plain (v VARCHAR(60)) ENGINE=MyISAM").await;
    bench.run("CREATE PROCEDURE p(x VARCHAR(60)) INSERT INTO t (v) VALUES (x)").await;
}

async fn cut(bench: &Bench, client: &mut Conn, sql: &str, cut: Cut) -> u16 {
    // Behind the first statement of several a tag stands between.
    let needle = sql.split(';').next().unwrap();
    let mut done = bench.relays[0].cut(needle, cut.into());
    let result = code(client.query_drop(sql).await);
    assert!(done.happened(), "{sql}: was not cut");
    client.query_drop("DO 0").await.unwrap();
    result
}

async fn rows(bench: &Bench, table: &str, value: &str) -> u64 {
    bench.number(&format!("SELECT COUNT(*) FROM app.{table} WHERE v='{value}'")).await
}

async fn what_cannot_be_proven(bench: &Bench, client: &mut Conn) {
    assert_eq!(cut(bench, client, "CALL p('called')", Cut::AfterExecution).await, 1180);
    assert_eq!(rows(bench, "t", "called").await, 1);
    assert_eq!(cut(bench, client, "CALL p('not called')", Cut::BeforeArrival).await, 1180);
    assert_eq!(rows(bench, "t", "not called").await, 0);
    for (table, when) in [("d1", Cut::AfterExecution), ("d2", Cut::BeforeArrival)] {
        bench.run(&format!("CREATE TABLE {table} (a INT)")).await;
        assert_eq!(cut(bench, client, &format!("DROP TABLE {table}"), when).await, 1180);
    }
    // A CALL amid a transaction: nothing follows from what is not found, unless something is.
    for (value, sql, expected) in [("a1", "DO 1", 1180), ("a2", "INSERT INTO t (v) VALUES ('a2 too')", 0)] {
        client.query_drop("BEGIN").await.unwrap();
        client.query_drop(format!("CALL p('{value}')")).await.unwrap();
        client.query_drop(sql).await.unwrap();
        assert_eq!(cut(bench, client, &format!("COMMIT /* {value} */"), Cut::AfterExecution).await, expected);
        assert_eq!(rows(bench, "t", value).await, 1);
    }
}

async fn several_statements(bench: &Bench, client: &mut Conn) {
    let text =
        |tail| format!("INSERT INTO t (v) VALUES ('m1 {tail}'); INSERT INTO t (v) VALUES ('m2 {tail}')");
    for (tail, when) in [("after", Cut::AfterExecution), ("before", Cut::BeforeArrival)] {
        assert_eq!(cut(bench, client, &text(tail), when).await, 0);
        let of = |which| format!("{which} {tail}");
        assert_eq!((rows(bench, "t", &of("m1")).await, rows(bench, "t", &of("m2")).await), (1, 1));
    }
    // What each of them answered, nobody knows any more.
    let text = |tail| format!("BEGIN /* {tail} */; INSERT INTO t (v) VALUES ('m3 {tail}'); COMMIT");
    assert_eq!(cut(bench, client, &text("after"), Cut::AfterExecution).await, 1180);
    assert_eq!(rows(bench, "t", "m3 after").await, 1);
    assert_eq!(cut(bench, client, &text("before"), Cut::BeforeArrival).await, 0);
    assert_eq!(rows(bench, "t", "m3 before").await, 1);
}

async fn a_table_without_transactions(bench: &Bench, client: &mut Conn) {
    assert_eq!(cut(bench, client, "INSERT INTO plain VALUES ('after')", Cut::AfterExecution).await, 1180);
    assert_eq!(rows(bench, "plain", "after").await, 1);
    assert_eq!(cut(bench, client, "INSERT INTO plain VALUES ('before')", Cut::BeforeArrival).await, 0);
    assert_eq!(rows(bench, "plain", "before").await, 1);
}

async fn other_ends_of_transactions(bench: &Bench, client: &mut Conn) {
    // Nothing but reads and locks: there is nothing that could be lost.
    for when in Cut::ALL {
        client.query_drop("BEGIN").await.unwrap();
        client.query_drop("SELECT * FROM t WHERE id = 1 FOR UPDATE").await.unwrap();
        assert_eq!(cut(bench, client, &format!("COMMIT /* read {when:?} */"), when).await, 0);
    }
    for when in [Cut::AfterExecution, Cut::BeforeArrival] {
        // The next transaction commits the one before.
        client.query_drop("BEGIN").await.unwrap();
        client.query_drop(format!("INSERT INTO t (v) VALUES ('implicit {when:?}')")).await.unwrap();
        let _done = bench.relays[0].cut(&format!("BEGIN /* {when:?} */"), when.into());
        assert_eq!(code(client.query_drop(format!("BEGIN /* {when:?} */")).await), 0);
        client.query_drop(format!("INSERT INTO t (v) VALUES ('undone {when:?}')")).await.unwrap();
        client.query_drop("ROLLBACK").await.unwrap();
        assert_eq!(rows(bench, "t", &format!("implicit {when:?}")).await, 1);
        assert_eq!(rows(bench, "t", &format!("undone {when:?}")).await, 0);
        // A definition does so too, and stands in the log by itself.
        client.query_drop("BEGIN").await.unwrap();
        client.query_drop(format!("INSERT INTO t (v) VALUES ('defined {when:?}')")).await.unwrap();
        let sql = format!("CREATE TABLE amid_{when:?} (a INT)");
        assert_eq!(cut(bench, client, &sql, when).await, 0, "{when:?}");
        assert_eq!(rows(bench, "t", &format!("defined {when:?}")).await, 1);
    }
}

async fn nothing_changed(bench: &Bench, client: &mut Conn) {
    for when in Cut::ALL {
        let sql = format!("UPDATE t SET n = 1 WHERE v = 'nobody {when:?}'");
        assert_eq!(cut(bench, client, &sql, when).await, 0);
    }
}

/// The server goes on with the statement: it is waited for, and its outcome taken.
async fn while_it_runs(bench: &Bench, client: &mut Conn) {
    bench.run("INSERT INTO t (v) VALUES ('slow')").await;
    let sql = "UPDATE t SET n = n + 1 WHERE v = 'slow' AND SLEEP(1) = 0";
    assert_eq!(cut(bench, client, sql, Cut::WhileExecuting).await, 0);
    assert_eq!(bench.number("SELECT n FROM app.t WHERE v = 'slow'").await, 1);
}

/// Somebody ends the connection while its statement waits for a lock: it is run again.
async fn killed_amid_a_lock_wait(bench: &Bench, client: &mut Conn) {
    bench.run("INSERT INTO t (v) VALUES ('locked')").await;
    let mut holder = bench.client().await;
    holder.query_drop("BEGIN").await.unwrap();
    holder.query_drop("SELECT * FROM t WHERE v = 'locked' FOR UPDATE").await.unwrap();
    let update = client.query_drop("UPDATE t SET n = n + 1 WHERE v = 'locked'");
    let others = async {
        let find = "SELECT id FROM information_schema.processlist WHERE info LIKE '/*td:%UPDATE t SET n = n + 1 WHERE v = ''locked''%'";
        let id = loop {
            match bench.number(find).await {
                0 => sleep(Duration::from_millis(20)).await,
                id => break id,
            }
        };
        bench.run(&format!("KILL {id}")).await;
        sleep(Duration::from_millis(500)).await;
        holder.query_drop("COMMIT").await.unwrap();
    };
    let (result, ()) = tokio::join!(update, others);
    assert_eq!(code(result), 0);
    assert_eq!(bench.number("SELECT n FROM app.t WHERE v = 'locked'").await, 1);
}

async fn returned_rows(bench: &Bench, client: &mut Conn) {
    for (when, expected) in [(Cut::AfterExecution, 1180), (Cut::BeforeArrival, 0)] {
        let sql = format!("INSERT INTO t (v) VALUES ('returned {when:?}') RETURNING id");
        assert_eq!(cut(bench, client, &sql, when).await, expected);
        assert_eq!(rows(bench, "t", &format!("returned {when:?}")).await, 1);
    }
}

async fn drawn_numbers(bench: &Bench, client: &mut Conn) {
    bench.run("CREATE SEQUENCE s").await;
    for when in Cut::ALL {
        let sql = format!("SELECT NEXTVAL(s) /* {when:?} */");
        let _done = bench.relays[0].cut(&sql, when.into());
        assert!(client.query_first::<u64, _>(&sql).await.unwrap().is_some());
    }
}

/// Without the guard there are no tags, and everything in doubt ends in 1180.
#[tokio::test]
async fn switched_off() {
    let options = ClusterOptions { replicas: 0, ..ClusterOptions::new(Flavor::MariaDb118) };
    let bench = Bench::start_with(options, |options| options.set("guard", "mode", "\"off\"")).await;
    prepare(&bench).await;
    let guard = bench.guard().await;
    assert_eq!((&guard["mode"], &guard["guarded"]), (&"off".into(), &false.into()), "{guard}");
    let mut client = bench.client().await;
    for when in [Cut::AfterExecution, Cut::BeforeArrival] {
        let sql = format!("INSERT INTO t (v) VALUES ('off {when:?}')");
        let _done = bench.relays[0].cut(&sql, when.into());
        match client.query_drop(&sql).await {
            Err(Error::Server(error)) => {
                assert_eq!(error.code, 1180);
                assert!(error.message.contains("guard.mode"), "{}", error.message);
            }
            other => panic!("{other:?}"),
        }
    }
    let tagged = bench.cluster.primary().query("SHOW BINLOG EVENTS IN 'binlog.000001'").await.unwrap();
    assert!(!tagged.is_empty());
    let has_tag =
        |row: &mysql_async::Row| row.get::<String, _>("Info").is_some_and(|info| info.contains("td:"));
    assert!(!tagged.iter().any(has_tag));
}
