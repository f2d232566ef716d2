//! A connection is cut and the primary lives on.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tideover_sandbox::faults::Moment;
use tideover_sandbox::servers::Flavor;

use super::Bench;
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
    let guard = bench.guard().await;
    assert_eq!(guard["guarded"], true, "{guard}");
    assert_eq!((&guard["mode"], &guard["why_not"]), (&"auto".into(), &serde_json::json!([])));
    bench
        .run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60) UNIQUE, n INT DEFAULT 0)")
        .await;
    let mut client = bench.client().await;
    for cut in Cut::ALL {
        insert(&bench, &mut client, cut).await;
        update(&bench, &mut client, cut).await;
        several_rows(&bench, &mut client, cut).await;
        upsert(&bench, &mut client, cut).await;
        delete(&bench, &mut client, cut).await;
        several_statements(&bench, &mut client, cut.into()).await;
        prepared(&bench, &mut client, cut).await;
        definition(&bench, &mut client, cut).await;
        commit(&bench, &mut client, cut).await;
        commit_of_prepared(&bench, &mut client, cut).await;
    }
    // Amid the first answer, between two, amid a later one.
    for bytes in [5, 20, 60, 100, 150] {
        several_statements(&bench, &mut client, Moment::Amid(bytes)).await;
    }
    for bytes in [5, 20, 50, 55, 60, 65, 70] {
        end_with_others(&bench, &mut client, Moment::Amid(bytes)).await;
    }
}

/// The number of the error, 0 for none. Nothing may break the client's connection.
pub(crate) fn code(result: Result<(), Error>) -> u16 {
    match result {
        Ok(()) => 0,
        Err(Error::Server(error)) => error.code,
        Err(other) => panic!("the client's connection broke: {other}"),
    }
}

/// Runs `sql` on a connection that is cut there, and wants it done as if nothing had happened.
async fn run_cut(bench: &Bench, client: &mut Conn, sql: &str, cut: Cut) {
    let mut done = bench.relays[0].cut(sql, cut.into());
    let result = client.query_drop(sql).await;
    assert!(result.is_ok(), "{cut:?}, {sql}: {result:?}\n{}", bench.proxy.log());
    assert!(done.happened(), "{sql}: was not cut");
}

async fn insert(bench: &Bench, client: &mut Conn, cut: Cut) {
    let sql = format!("INSERT INTO t (v) VALUES ('insert {cut:?}')");
    run_cut(bench, client, &sql, cut).await;
    assert_eq!(client.affected_rows(), 1);
    let id = bench.number(&format!("SELECT id FROM app.t WHERE v='insert {cut:?}'")).await;
    assert_eq!(client.last_insert_id(), Some(id), "{cut:?}");
    assert_eq!(client.query_first::<u64, _>("SELECT LAST_INSERT_ID()").await.unwrap(), Some(id));
}

async fn update(bench: &Bench, client: &mut Conn, cut: Cut) {
    bench.run(&format!("INSERT INTO t (v) VALUES ('update {cut:?}')")).await;
    let sql = format!("UPDATE t SET n = n + 1 WHERE v = 'update {cut:?}'");
    run_cut(bench, client, &sql, cut).await;
    assert_eq!(client.affected_rows(), 1);
    assert_eq!(bench.number(&format!("SELECT n FROM app.t WHERE v='update {cut:?}'")).await, 1, "{cut:?}");
}

async fn several_rows(bench: &Bench, client: &mut Conn, cut: Cut) {
    let sql = format!("INSERT INTO t (v) VALUES ('a {cut:?}'), ('b {cut:?}'), ('c {cut:?}')");
    run_cut(bench, client, &sql, cut).await;
    assert_eq!(client.affected_rows(), 3);
    let id = bench.number(&format!("SELECT id FROM app.t WHERE v='a {cut:?}'")).await;
    assert_eq!(client.last_insert_id(), Some(id), "{cut:?}");
}

async fn upsert(bench: &Bench, client: &mut Conn, cut: Cut) {
    let sql = format!("INSERT INTO t (v, n) VALUES ('a {cut:?}', 9) ON DUPLICATE KEY UPDATE n = n + 5");
    run_cut(bench, client, &sql, cut).await;
    assert_eq!(client.affected_rows(), 2);
    assert_eq!(bench.number(&format!("SELECT n FROM app.t WHERE v='a {cut:?}'")).await, 5, "{cut:?}");
}

/// Each of several statements in a text is a unit of its own: those that were done are answered as they would have been, and
/// the others are done.
async fn several_statements(bench: &Bench, client: &mut Conn, moment: Moment) {
    let v = format!("{moment:?}");
    let texts = [
        format!("INSERT INTO t (v) VALUES ('x {v}')"),
        format!("INSERT INTO t (v) VALUES ('y {v}'), ('z {v}')"),
        format!("UPDATE t SET n = n + 1 WHERE v IN ('x {v}', 'y {v}', 'z {v}')"),
        format!("INSERT INTO t (v, n) VALUES ('w {v}', LAST_INSERT_ID())"),
        format!("DELETE FROM t WHERE v = 'z {v}'"),
    ];
    let mut done = bench.relays[0].cut(&texts[0], moment);
    let mut result = match client.query_iter(texts.join("; ")).await {
        Ok(result) => result,
        Err(error) => panic!("{v}: {error}\n{}", bench.proxy.log()),
    };
    let mut answers = Vec::new();
    loop {
        answers.push((result.affected_rows(), result.last_insert_id().unwrap_or_default()));
        if result.is_empty() {
            break;
        }
        if let Err(error) = result.collect::<mysql_async::Row>().await {
            panic!("{v}: {error} behind {answers:?}\n{}", bench.proxy.log());
        }
    }
    drop(result);
    assert!(done.happened(), "{v}: was not cut");
    let id = async |name| bench.number(&format!("SELECT id FROM app.t WHERE v = '{name} {v}'")).await;
    let (x, y, w) = (id("x").await, id("y").await, id("w").await);
    assert_eq!(answers, [(1, x), (2, y), (3, 0), (1, w), (1, 0)], "{v}");
    let stored = format!("SELECT SUM(n) FROM app.t WHERE v IN ('x {v}', 'y {v}', 'z {v}')");
    assert_eq!(bench.number(&stored).await, 2, "{v}");
    assert_eq!(bench.number(&format!("SELECT n FROM app.t WHERE v = 'w {v}'")).await, y, "{v}");
}

/// A text that ends a transaction, and whose own write changes nothing: what was written before it proves that it was committed.
async fn end_with_others(bench: &Bench, client: &mut Conn, moment: Moment) {
    let v = format!("end {moment:?}");
    bench.run(&format!("INSERT INTO t (v) VALUES ('{v}')")).await;
    client.query_drop("BEGIN").await.unwrap();
    client.query_drop(format!("UPDATE t SET n = n + 1 WHERE v = '{v}'")).await.unwrap();
    let text = format!("UPDATE t SET n = 7 WHERE v = 'nobody {v}'; COMMIT");
    let mut done = bench.relays[0].cut(&text, moment);
    let told = code(client.query_drop(&text).await);
    assert!(done.happened(), "{v}: was not cut");
    let stored = bench.number(&format!("SELECT n FROM app.t WHERE v = '{v}'")).await;
    assert!(told == 0 && stored == 1 || told == 1180 && stored <= 1, "{v}: told {told}, {stored} times");
}

async fn delete(bench: &Bench, client: &mut Conn, cut: Cut) {
    let sql = format!("DELETE FROM t WHERE v IN ('b {cut:?}', 'c {cut:?}')");
    run_cut(bench, client, &sql, cut).await;
    assert_eq!(client.affected_rows(), 2, "{cut:?}");
}

async fn prepared(bench: &Bench, client: &mut Conn, cut: Cut) {
    let statement = client.prep("INSERT INTO t (v) VALUES (?)").await.unwrap();
    client.exec_drop(&statement, (format!("earlier {cut:?}"),)).await.unwrap();
    let value = format!("prepared {cut:?}");
    let _done = bench.relays[0].cut(&value, cut.into());
    let result = client.exec_drop(&statement, (&value,)).await;
    assert!(result.is_ok(), "{cut:?}: {result:?}\n{}", bench.proxy.log());
    assert_eq!(client.affected_rows(), 1);
    let id = bench.number(&format!("SELECT id FROM app.t WHERE v='{value}'")).await;
    assert_eq!(client.last_insert_id(), Some(id), "{cut:?}");
    client.exec_drop(&statement, (format!("later {cut:?}"),)).await.unwrap();
}

async fn definition(bench: &Bench, client: &mut Conn, cut: Cut) {
    let sql = format!("CREATE TABLE made_{cut:?} (a INT)");
    run_cut(bench, client, &sql, cut).await;
    let sql = format!("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'made_{cut:?}'");
    assert_eq!(bench.number(&sql).await, 1);
}

/// COMMIT is OK exactly if the transaction is there.
async fn commit(bench: &Bench, client: &mut Conn, cut: Cut) {
    client.query_drop("BEGIN").await.unwrap();
    client.query_drop(format!("INSERT INTO t (v) VALUES ('commit {cut:?}')")).await.unwrap();
    client.query_drop("UPDATE t SET n = n + 1 WHERE id = 1").await.unwrap();
    end_of_transaction(bench, client, cut, "commit").await;
}

async fn commit_of_prepared(bench: &Bench, client: &mut Conn, cut: Cut) {
    client.query_drop("BEGIN").await.unwrap();
    client.exec_drop("INSERT INTO t (v) VALUES (?)", (format!("pcommit {cut:?}"),)).await.unwrap();
    end_of_transaction(bench, client, cut, "pcommit").await;
}

async fn end_of_transaction(bench: &Bench, client: &mut Conn, cut: Cut, what: &str) {
    let _done = bench.relays[0].cut("COMMIT", cut.into());
    // If it was not executed, the transaction is done again, and committed then.
    let committed = code(client.query_drop("COMMIT").await);
    assert_eq!(committed, 0, "{cut:?}, {what}\n{}", bench.proxy.log());
    let there = bench.number(&format!("SELECT COUNT(*) FROM app.t WHERE v='{what} {cut:?}'")).await;
    assert_eq!(there, 1, "{cut:?}, {what}");
    client.query_drop("SELECT 1").await.unwrap();
}
