//! The commit marker: what carries no tag is proven by a row.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tideover_sandbox::proxy::ProxyOptions;
use tideover_sandbox::servers::{Flavor, PromoteOptions};
use tokio::sync::watch;
use tokio::time::timeout;

use super::alive::code;
use super::relay::Cut;
use super::{Bench, support};

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

const TABLE: &str =
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60) UNIQUE, n INT DEFAULT 0)";

async fn all(flavor: Flavor) {
    let bench = Bench::start_marked(flavor, "auto").await;
    let guard = bench.guard().await;
    assert_eq!(guard["why_no_marker"], serde_json::json!([]), "{guard}");
    bench.run(TABLE).await;
    bench.run("CREATE PROCEDURE p(x VARCHAR(60)) INSERT INTO t (v) VALUES (x)").await;
    let mut client = bench.client().await;
    bench.run("CREATE TABLE old (v VARCHAR(60)) ENGINE=MyISAM").await;
    for procedure in PROCEDURES {
        bench.run(procedure).await;
    }
    transactions(&bench, &mut client).await;
    calls(&bench, &mut client).await;
    as_without(&bench, &mut client).await;
    without_mark(&bench, &mut client).await;
    failover(&bench).await;
    without_the_procedure(&bench, &mut client).await;
    drop(bench);
    marker_alone(flavor).await;
}

async fn rows(bench: &Bench, value: &str) -> u64 {
    bench.number(&format!("SELECT COUNT(*) FROM app.t WHERE v = '{value}'")).await
}

async fn transactions(bench: &Bench, client: &mut Conn) {
    for cut in Cut::ALL {
        for end in ["COMMIT", "COMMIT AND CHAIN"] {
            let value = format!("{end} {cut:?}");
            client.query_drop("BEGIN").await.unwrap();
            client.query_drop(format!("CALL p('{value}')")).await.unwrap();
            let mut done = bench.relays[0].cut("COMMIT", cut.into());
            assert_eq!(code(client.query_drop(end).await), 0, "{value}\n{}", bench.proxy.log());
            assert!(done.happened(), "{value}");
            client.query_drop(format!("INSERT INTO t (v) VALUES ('{value} then')")).await.unwrap();
            client.query_drop("ROLLBACK").await.unwrap();
            assert_eq!(rows(bench, &value).await, 1, "{value}");
            let chained = end != "COMMIT";
            assert_eq!(rows(bench, &format!("{value} then")).await, u64::from(!chained), "{value}");
        }
    }
}

/// The COMMIT is done all the same, and is in doubt if its answer is lost.
async fn without_the_procedure(bench: &Bench, client: &mut Conn) {
    bench.run("DROP PROCEDURE tideover.mark").await;
    for (value, cut, expected) in [("plain", None, 0), ("cut", Some(Cut::AfterExecution), 1180)] {
        client.query_drop("BEGIN").await.unwrap();
        client.query_drop(format!("CALL p('{value}')")).await.unwrap();
        let _done = cut.map(|cut| bench.relay_of_primary().cut("COMMIT", cut.into()));
        assert_eq!(code(client.query_drop("COMMIT").await), expected, "{value}\n{}", bench.proxy.log());
        assert_eq!(rows(bench, value).await, 1, "{value}");
    }
    let guard = bench.guard().await;
    let why = guard["why_no_marker"].to_string();
    assert!(why.contains("account app"), "{guard}");
}

const PROCEDURES: [&str; 9] = [
    "CREATE PROCEDURE reading(x VARCHAR(60)) SELECT CONCAT('read ', COUNT(*)) FROM t WHERE v = x",
    "CREATE FUNCTION writing(x VARCHAR(60)) RETURNS INT DETERMINISTIC MODIFIES SQL DATA BEGIN \
     INSERT INTO t (v) VALUES (x); RETURN 1; END",
    "CREATE PROCEDURE by_function(x VARCHAR(60)) SELECT writing(x)",
    "CREATE PROCEDURE two(x VARCHAR(60)) BEGIN INSERT INTO t (v) VALUES (x); \
     INSERT INTO t (v) VALUES (CONCAT(x, ' too')); SELECT v FROM t WHERE v = x; END",
    "CREATE PROCEDURE outer_one(x VARCHAR(60)) CALL two(x)",
    "CREATE PROCEDURE commits(x VARCHAR(60)) BEGIN START TRANSACTION; INSERT INTO t (v) VALUES (x); COMMIT; END",
    "CREATE PROCEDURE fails(x VARCHAR(60)) BEGIN INSERT INTO t (v) VALUES (x); INSERT INTO t (v) VALUES (x); END",
    "CREATE PROCEDURE warns(x VARCHAR(60)) INSERT IGNORE INTO t (v, n) VALUES (x, 99999999999)",
    "CREATE PROCEDURE plain(x VARCHAR(60)) INSERT INTO old VALUES (x)",
];

/// What is done without a transaction around it is in one of ours, and is proven.
async fn calls(bench: &Bench, client: &mut Conn) {
    for cut in Cut::ALL {
        for call in ["two", "outer_one"] {
            let value = format!("{call} {cut:?}");
            let sql = format!("CALL {call}('{value}')");
            let mut done = bench.relays[0].cut(&sql, cut.into());
            let found: Vec<String> = client.query(&sql).await.unwrap();
            assert!(done.happened(), "{value}");
            assert_eq!(found, std::slice::from_ref(&value), "{}", bench.proxy.log());
            assert_eq!((rows(bench, &value).await, rows(bench, &format!("{value} too")).await), (1, 1));
            let value = format!("{value} end");
            let mut done = bench.relays[0].cut("tideover.mark", cut.into());
            let found: Vec<String> = client.query(format!("CALL {call}('{value}')")).await.unwrap();
            assert!(done.happened(), "{value}");
            assert_eq!(found, std::slice::from_ref(&value), "{}", bench.proxy.log());
            assert_eq!((rows(bench, &value).await, rows(bench, &format!("{value} too")).await), (1, 1));
        }
        // Nothing is written, so nothing is left to be proven.
        let mut done = bench.relays[0].cut("tideover.mark", cut.into());
        let found: Vec<String> = client.query("CALL reading('nothing')").await.unwrap();
        assert_eq!((found, done.happened()), (vec!["read 0".to_owned()], false));
        let value = format!("function {cut:?}");
        let found: Vec<u8> = client.query(format!("CALL by_function('{value}')")).await.unwrap();
        assert!(done.happened(), "{value}");
        assert_eq!((found, rows(bench, &value).await), (vec![1], 1), "{}", bench.proxy.log());
        let value = format!("prepared {cut:?}");
        let mut done = bench.relays[0].cut("tideover.mark", cut.into());
        let found: Vec<String> = client.exec("CALL two(?)", (&value,)).await.unwrap();
        assert!(done.happened(), "{value}");
        assert_eq!(found, std::slice::from_ref(&value), "{}", bench.proxy.log());
        assert_eq!(rows(bench, &value).await, 1);
    }
}

type Warnings = Vec<(String, u16, String)>;

async fn direct(bench: &Bench) -> Conn {
    support::open(support::options(bench.primary().address(), "app", "app")).await.unwrap()
}

/// What the client sees is what it would see by itself.
async fn as_without(bench: &Bench, client: &mut Conn) {
    client.query_drop("CALL p('seen')").await.unwrap();
    assert_eq!(client.affected_rows(), 1);
    assert_eq!(client.query_first::<i64, _>("SELECT ROW_COUNT()").await.unwrap(), Some(1));
    client.query_drop("CALL warns('warned')").await.unwrap();
    assert_eq!(client.get_warnings(), 1);
    let warnings: Warnings = client.query("SHOW WARNINGS").await.unwrap();
    let mut direct = direct(bench).await;
    direct.query_drop("CALL warns('warned directly')").await.unwrap();
    let same: Warnings = direct.query("SHOW WARNINGS").await.unwrap();
    assert_eq!(warnings, same);
    assert_eq!(code(client.query_drop("CALL fails('half')").await), 1062);
    let warnings: Warnings = client.query("SHOW WARNINGS").await.unwrap();
    assert_eq!(code(direct.query_drop("CALL fails('half')").await), 1062);
    let same: Warnings = direct.query("SHOW WARNINGS").await.unwrap();
    assert_eq!(warnings[0].1, 1062);
    assert_eq!(warnings.len(), same.len(), "{warnings:?} {same:?}");
    assert_eq!(rows(bench, "half").await, 1, "what came before the error stays");
    let warnings: Warnings = client.query("DO 0; SHOW WARNINGS").await.unwrap();
    assert!(warnings.is_empty());
    for cut in [Cut::AfterExecution, Cut::BeforeArrival] {
        let value = format!("half {cut:?}");
        let _done = bench.relays[0].cut("tideover.mark", cut.into());
        assert_eq!(code(client.query_drop(format!("CALL fails('{value}')")).await), 1062);
        assert_eq!(rows(bench, &value).await, 1);
    }
    let id = client.query_first::<u64, _>("CALL p('ids')").await;
    assert!(id.is_ok());
    let stored = bench.number("SELECT id FROM app.t WHERE v = 'ids'").await;
    assert_eq!(client.query_first::<u64, _>("SELECT LAST_INSERT_ID()").await.unwrap(), Some(stored));
}

/// What cannot be put into a transaction is not, and stays in doubt.
async fn without_mark(bench: &Bench, client: &mut Conn) {
    for call in ["commits", "plain"] {
        let value = format!("{call} in doubt");
        let sql = format!("CALL {call}('{value}')");
        let mut done = bench.relays[0].cut(&sql, Cut::AfterExecution.into());
        assert_eq!(code(client.query_drop(&sql).await), 1180, "{}", bench.proxy.log());
        assert!(done.happened(), "{value}");
        client.query_drop("DO 0").await.unwrap();
    }
    assert_eq!(rows(bench, "commits in doubt").await, 1);
}

/// The primary dies while the answers to marked COMMITs are due, and a replica is promoted.
async fn failover(bench: &Bench) {
    let (release, released) = watch::channel(false);
    let mut tasks = Vec::new();
    for cut in [Cut::AfterExecution, Cut::BeforeArrival] {
        for what in ["call", "transaction"] {
            let value = format!("{what} {cut:?} died");
            let mut client = bench.client().await;
            if what == "transaction" {
                client.query_drop("BEGIN").await.unwrap();
                client.query_drop(format!("CALL p('{value}')")).await.unwrap();
            }
            let order = bench.relay_of_primary();
            let mut done = order.cut_and_hold("tideover.mark", cut.into(), released.clone());
            let sql = if what == "call" { format!("CALL p('{value}')") } else { "COMMIT".to_owned() };
            let task = tokio::spawn(async move { client.query_drop(sql).await });
            assert!(done.within(Duration::from_secs(20)).await, "{value}: was not cut");
            tasks.push((value, task));
        }
    }
    let old = bench.cluster.primary().clone();
    old.kill().await.unwrap();
    let _ = release.send(true);
    let new = bench.cluster.most_advanced_replica().await.unwrap().clone();
    bench.cluster.promote_by_hand(&new, PromoteOptions::failover()).await.unwrap();
    for (value, task) in tasks {
        let result = timeout(Duration::from_secs(40), task).await.expect("hangs").unwrap();
        assert_eq!(code(result), 0, "{value}\n{}", bench.proxy.log());
        assert_eq!(rows(bench, &value).await, 1, "{value}");
    }
}

/// A CALL is lost with its server, and no other server comes that could say whether its procedure is still what it was: "nothing
/// was executed" might be a lie.
#[tokio::test]
async fn mariadb_10_11_nobody_says_what_was_called() {
    let hold = |options: ProxyOptions| options.set("hold", "timeout", "\"2s\"");
    let bench = Bench::start_marked_with(Flavor::MariaDb1011, "auto", hold).await;
    bench.run(TABLE).await;
    bench.run("CREATE PROCEDURE p(x VARCHAR(60)) INSERT INTO t (v) VALUES (x)").await;
    let mut client = bench.client().await;
    client.query_drop("CALL p('first')").await.unwrap();
    let (release, released) = watch::channel(false);
    let order = bench.relay_of_primary();
    let mut done = order.cut_and_hold("CALL p('lost')", Cut::AfterExecution.into(), released);
    let task = tokio::spawn(async move {
        let told = client.query_drop("CALL p('lost')").await;
        (told, client)
    });
    assert!(done.within(Duration::from_secs(20)).await, "it was not cut");
    bench.cluster.primary().kill().await.unwrap();
    let _ = release.send(true);
    let (told, mut client) = timeout(Duration::from_secs(40), task).await.expect("hangs").unwrap();
    assert_eq!(code(told), 1180, "{}", bench.proxy.log());
    // Of what was never sent it is true.
    assert_eq!(code(client.query_drop("CALL p('late')").await), 1205);
}

/// `guard.mode = "marker"`: every write leaves a mark, and none carries a tag.
async fn marker_alone(flavor: Flavor) {
    let bench = Bench::start_marked(flavor, "marker").await;
    let guard = bench.guard().await;
    assert_eq!((&guard["mode"], &guard["guarded"]), (&"marker".into(), &true.into()), "{guard}");
    bench.run(TABLE).await;
    let mut client = bench.client().await;
    let insert = client.prep("INSERT INTO t (v) VALUES (?)").await.unwrap();
    for cut in Cut::ALL {
        for needle in ["INSERT", "tideover.mark"] {
            let value = format!("text {needle} {cut:?}");
            let mut done = bench.relays[0].cut(needle, cut.into());
            client.query_drop(format!("INSERT INTO t (v) VALUES ('{value}')")).await.unwrap();
            assert!(done.happened(), "{value}");
            let id = bench.number(&format!("SELECT id FROM app.t WHERE v = '{value}'")).await;
            assert_eq!((client.affected_rows(), client.last_insert_id()), (1, Some(id)), "{value}");
            assert_eq!(client.query_first::<i64, _>("SELECT ROW_COUNT()").await.unwrap(), Some(1));
        }
        let value = format!("prepared {cut:?}");
        let mut done = bench.relays[0].cut("tideover.mark", cut.into());
        client.exec_drop(&insert, (&value,)).await.unwrap();
        assert!(done.happened(), "{value}");
        assert_eq!(rows(&bench, &value).await, 1);
        let value = format!("commit {cut:?}");
        client.query_drop("BEGIN").await.unwrap();
        client.query_drop(format!("INSERT INTO t (v) VALUES ('{value}')")).await.unwrap();
        let mut done = bench.relays[0].cut("COMMIT", cut.into());
        client.query_drop("COMMIT").await.unwrap();
        assert!(done.happened(), "{value}");
        assert_eq!(rows(&bench, &value).await, 1);
    }
    assert_eq!(code(client.query_drop("INSERT INTO t (v) VALUES ('prepared BeforeArrival')").await), 1062);
    client.query_drop("DO 0").await.unwrap();
}
