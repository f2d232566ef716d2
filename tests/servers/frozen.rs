//! A primary that hangs for a few seconds, and nobody takes its place: as without a proxy, everybody waits. What is open there
//! goes on as it was, and is not done again beside what was on its way when the server stopped.

use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::task::JoinHandle;

use crate::support::{Scene, TestResult, eventually};

/// Until a server that is silent counts as down.
const DOWN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    waited_for(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    waited_for(Flavor::Mysql9).await
}

fn send(mut client: Conn, sql: &'static str) -> JoinHandle<Result<(), String>> {
    tokio::spawn(async move { client.query_drop(sql).await.map_err(|error| format!("{sql}: {error}")) })
}

/// Without a guard nothing that was given up could be told from what was not.
async fn waited_for(flavor: Flavor) -> TestResult {
    let without = |options: tideover_sandbox::proxy::ProxyOptions| options.set("guard", "mode", "\"off\"");
    let scene = Scene::with(ClusterOptions::new(flavor), without).await?;
    let (mut reader, mut writer, mut committer) =
        (scene.connect().await?, scene.connect().await?, scene.connect().await?);
    reader.query_drop("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await?;
    reader.query_drop("INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)").await?;
    // A snapshot, which no other transaction has.
    reader.query_drop("BEGIN").await?;
    let seen: Option<i32> = reader.query_first("SELECT SUM(n) FROM t").await?;
    committer.query_drop("BEGIN").await?;
    committer.query_drop("UPDATE t SET n = n + 1 WHERE id = 2").await?;
    // There is a server connection for it: none can be opened while the server hangs.
    writer.query_drop("DO 1").await?;
    let primary = scene.cluster.primary().clone();
    primary.freeze()?;
    let sent = [send(writer, "UPDATE t SET n = n + 1 WHERE id = 1"), send(committer, "COMMIT")];
    let down = || async { Ok(scene.status("/gate/state").await?.as_str() != Some("open")) };
    eventually("it counts as down", DOWN, down).await?;
    let read = tokio::spawn(async move {
        let seen: Option<i32> = reader.query_first("SELECT SUM(n) FROM t").await?;
        reader.query_drop("COMMIT").await?;
        Ok::<_, mysql_async::Error>(seen)
    });
    primary.thaw()?;
    for done in sent {
        done.await??;
    }
    assert_eq!(read.await??, seen, "it has another snapshot");
    let mut client = scene.connect().await?;
    client.query_drop("UPDATE t SET n = n + 1 WHERE id = 3").await?;
    let stored: Vec<i32> = client.query("SELECT n FROM t ORDER BY id").await?;
    assert_eq!(stored, [1, 1, 1]);
    scene.finish()
}
