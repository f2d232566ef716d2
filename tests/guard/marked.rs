//! The commit marker: what carries no tag is proven by a row.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tideover_sandbox::servers::Flavor;

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

const TABLE: &str =
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60) UNIQUE, n INT DEFAULT 0)";

async fn all(flavor: Flavor) {
    let bench = Bench::start_marked(flavor, "auto").await;
    let guard = bench.guard().await;
    assert_eq!(guard["why_no_marker"], serde_json::json!([]), "{guard}");
    bench.run(TABLE).await;
    bench.run("CREATE PROCEDURE p(x VARCHAR(60)) INSERT INTO t (v) VALUES (x)").await;
    let mut client = bench.client().await;
    transactions(&bench, &mut client).await;
    without_the_procedure(&bench, &mut client).await;
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
        let _done = cut.map(|cut| bench.relays[0].cut("COMMIT", cut.into()));
        assert_eq!(code(client.query_drop("COMMIT").await), expected, "{value}\n{}", bench.proxy.log());
        assert_eq!(rows(bench, value).await, 1, "{value}");
    }
    let guard = bench.guard().await;
    let why = guard["why_no_marker"].to_string();
    assert!(why.contains("account app"), "{guard}");
}
