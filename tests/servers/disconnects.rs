//! Clients that go away at bad moments leave nothing behind.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tideover_sandbox::servers::Flavor;
use tokio::time::sleep;

use crate::support::{Scene, TestResult, eventually, open_transactions};

#[tokio::test]
async fn mariadb_10_11_amid_a_transaction() -> TestResult {
    amid_a_transaction(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_amid_a_transaction() -> TestResult {
    amid_a_transaction(Flavor::Mysql9).await
}

/// The transaction is rolled back, its locks are gone, and the next user of the server connection finds it clean.
async fn amid_a_transaction(flavor: Flavor) -> TestResult {
    let scene = Scene::start(flavor).await?;
    let mut witness = scene.connect().await?;
    witness.query_drop("CREATE TABLE t (a INT PRIMARY KEY, n INT NOT NULL)").await?;
    witness.query_drop("INSERT INTO t VALUES (1, 0)").await?;
    for round in 0..10 {
        let mut client = scene.connect().await?;
        client.query_drop("SET sql_mode='ANSI_QUOTES', @left='behind'").await?;
        client.query_drop("BEGIN").await?;
        client.query_drop("UPDATE t SET n = n + 1 WHERE a = 1").await?;
        client.query_drop(format!("INSERT INTO t VALUES ({}, 1)", round + 10)).await?;
        if round % 2 == 0 {
            // In the middle of a statement, too.
            let waiting = tokio::spawn(async move { client.query_drop("SELECT SLEEP(2)").await });
            sleep(Duration::from_millis(50)).await;
            waiting.abort();
            let _ = waiting.await;
        } else {
            drop(client);
        }
    }
    let primary = scene.cluster.primary();
    eventually("all transactions are rolled back", Duration::from_secs(10), async || {
        Ok(open_transactions(primary).await? == 0)
    })
    .await?;
    // Nobody holds the row, and nobody's write is there.
    witness.query_drop("UPDATE t SET n = n + 1 WHERE a = 1").await?;
    let rows: Vec<(i32, i32)> = witness.query("SELECT a, n FROM t").await?;
    assert_eq!(rows, [(1, 1)]);
    // Whoever comes next gets a clean session, on whichever connection.
    for _ in 0..10 {
        let mut next = scene.connect().await?;
        let state: Option<(Option<String>, String)> =
            next.query_first("SELECT @left, @@session.sql_mode").await?;
        let (left, mode) = state.ok_or("no row")?;
        assert_eq!(left, None);
        assert!(!mode.contains("ANSI_QUOTES"), "{mode}");
        next.query_drop("ROLLBACK").await?;
    }
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_amid_an_autocommit_statement() -> TestResult {
    amid_an_autocommit_statement(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_amid_an_autocommit_statement() -> TestResult {
    amid_an_autocommit_statement(Flavor::Mysql9).await
}

/// What was sent is left to finish, as it would be without a proxy.
async fn amid_an_autocommit_statement(flavor: Flavor) -> TestResult {
    let scene = Scene::start(flavor).await?;
    let mut witness = scene.connect().await?;
    witness.query_drop("CREATE TABLE t (a INT PRIMARY KEY)").await?;
    for round in 0..5 {
        let mut client = scene.connect().await?;
        let sql = format!("INSERT INTO t SELECT {round} + SLEEP(0.4)");
        let waiting = tokio::spawn(async move { client.query_drop(sql).await });
        sleep(Duration::from_millis(100)).await;
        waiting.abort();
        let _ = waiting.await;
    }
    eventually("all five rows are there", Duration::from_secs(10), async || {
        let count: Option<i64> = scene.cluster.primary().query_one("SELECT COUNT(*) FROM app.t").await?;
        Ok(count == Some(5))
    })
    .await?;
    // The last sessions go when their statements have.
    scene.wait_status("/sessions/clients", serde_json::json!(1), Duration::from_secs(5)).await?;
    scene.finish()
}
