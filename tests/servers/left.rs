//! What a statement has left on its server for the next one to ask for, and tables that a session has locked: a planned
//! switchover, or somebody else's, in between.

use std::time::Duration;

use mysql_async::{Conn, Row, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor, PromoteOptions, Server};

use crate::support::{Scene, TestResult, eventually};

/// Nothing here takes that long unless it waits for something that does not come.
const SOON: Duration = Duration::from_secs(15);

/// Somebody waits for being able to close the server.
const CLOSING: &str = "SELECT 1 FROM information_schema.processlist \
                       WHERE info LIKE 'SET GLOBAL%read_only=1' AND state LIKE 'Waiting for%'";

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    all(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    all(Flavor::Mysql9).await
}

async fn all(flavor: Flavor) -> TestResult {
    let scene = Scene::with(ClusterOptions::new(flavor), |options| {
        options.set("switchover", "drain_timeout", "\"20s\"")
    })
    .await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)").await?;
    client.query_drop("CREATE TABLE u (id INT PRIMARY KEY, v INT)").await?;
    client.query_drop("INSERT INTO t (v) VALUES (1), (2), (3), (4), (5)").await?;
    client.query_drop("INSERT INTO u VALUES (1, 0)").await?;
    scene.cluster.wait_in_sync().await?;
    what_was_left(&scene, true).await?;
    what_was_left(&scene, false).await?;
    locked_and_switched(&scene).await?;
    locked_and_closed(&scene).await?;
    scene.finish()
}

/// Warnings and FOUND_ROWS() of before a switchover.
async fn what_was_left(scene: &Scene, planned: bool) -> TestResult {
    let (mut warned, mut counted) = (scene.connect().await?, scene.connect().await?);
    let _: Option<i64> = warned.query_first("SELECT CAST('1x' AS SIGNED)").await?;
    let page: Vec<i32> = counted.query("SELECT SQL_CALC_FOUND_ROWS id FROM t LIMIT 2").await?;
    assert_eq!(page.len(), 2);
    if planned {
        scene.cluster.wait_in_sync().await?;
        scene.switch().await?;
    } else {
        let to = scene.cluster.replicas().first().map(|server| (*server).clone()).ok_or("no replica")?;
        scene.cluster.promote_by_hand(&to, PromoteOptions::planned()).await?;
        scene.wait_roles().await?;
    }
    let warnings: Vec<Row> = warned.query("SHOW WARNINGS").await?;
    let codes: Vec<Option<u32>> = warnings.iter().map(|row| row.get(1)).collect();
    assert_eq!(codes, [Some(1292)], "planned: {planned}");
    let found: Option<u64> = counted.query_first("SELECT FOUND_ROWS()").await?;
    assert_eq!(found, Some(5), "planned: {planned}");
    Ok(())
}

async fn lock(scene: &Scene) -> TestResult<Conn> {
    let mut locker = scene.connect().await?;
    locker.query_drop("LOCK TABLES t WRITE").await?;
    Ok(locker)
}

async fn unlock(locker: &mut Conn) -> TestResult {
    locker.query_drop("INSERT INTO t (v) VALUES (6)").await?;
    Ok(locker.query_drop("UNLOCK TABLES").await?)
}

/// A planned switchover waits for UNLOCK TABLES, as for a COMMIT.
async fn locked_and_switched(scene: &Scene) -> TestResult {
    let mut locker = lock(scene).await?;
    scene.cluster.wait_in_sync().await?;
    let (switched, unlocked) = tokio::join!(scene.switch(), async {
        let shut = async || Ok(scene.status("/gate/state").await?.as_str() != Some("open"));
        eventually("the gate is shut", SOON, shut).await?;
        unlock(&mut locker).await
    });
    unlocked?;
    switched?;
    Ok(())
}

/// Somebody closes the primary, which waits for UNLOCK TABLES; a transaction waits behind that.
async fn locked_and_closed(scene: &Scene) -> TestResult {
    let mut locker = lock(scene).await?;
    let mut other = scene.connect().await?;
    other.query_drop("BEGIN").await?;
    other.query_drop("UPDATE u SET v = v + 1 WHERE id = 1").await?;
    let primary = scene.cluster.primary().clone();
    let closing = tokio::spawn(async move { close(&primary, true).await.map_err(|error| error.to_string()) });
    let server = scene.cluster.primary().clone();
    let waits = async || {
        let mut connection = server.connect_as("root", "", None).await?;
        Ok(connection.query_first::<i32, _>(CLOSING).await?.is_some())
    };
    eventually("whoever closes it waits", SOON, waits).await?;
    let waiting = tokio::spawn(async move {
        let done = other.query_drop("UPDATE u SET v = v + 1 WHERE id = 1").await;
        (other, done)
    });
    let waits = async || Ok(scene.status("/gate/held").await?.as_u64() >= Some(1));
    eventually("the transaction waits", SOON, waits).await?;
    tokio::time::timeout(SOON, unlock(&mut locker)).await??;
    tokio::time::timeout(SOON, closing).await???;
    close(scene.cluster.primary(), false).await?;
    let (mut other, done) = tokio::time::timeout(SOON, waiting).await??;
    done?;
    other.query_drop("COMMIT").await?;
    let v: Option<i32> = other.query_first("SELECT v FROM u").await?;
    assert_eq!(v, Some(2));
    Ok(())
}

async fn close(server: &Server, closed: bool) -> TestResult {
    let sql = match (server.flavor.is_mariadb(), closed) {
        (true, true) => "SET GLOBAL read_only=1",
        (true, false) => "SET GLOBAL read_only=0",
        (false, true) => "SET GLOBAL super_read_only=1",
        (false, false) => "SET GLOBAL super_read_only=0, GLOBAL read_only=0",
    };
    Ok(server.run(&[sql]).await?)
}
