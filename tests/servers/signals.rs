//! Leaving service: what is open is finished, within a bound.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use serde_json::json;
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::support::{Scene, TestResult, command::tideover, eventually, open_transactions};

async fn scene(drain: &str) -> TestResult<Scene> {
    Scene::with(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options.set("shutdown", "drain_timeout", format!("\"{drain}\""))
    })
    .await
}

#[tokio::test]
async fn sigterm_lets_open_units_finish() -> TestResult {
    let scene = scene("20s").await?;
    let mut client = scene.connect().await?;
    let idle = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT)").await?;
    client.query_drop("BEGIN").await?;
    client.query_drop("INSERT INTO t VALUES (1)").await?;
    scene.proxy.terminate()?;
    eventually("not ready", Duration::from_secs(5), async || Ok(!scene.proxy.admin().is_ready().await))
        .await?;
    eventually("nobody is let in any more", Duration::from_secs(5), async || {
        Ok(TcpStream::connect(scene.proxy.address()).await.is_err())
    })
    .await?;
    // The transaction goes on to its end.
    client.query_drop("INSERT INTO t VALUES (2)").await?;
    client.query_drop("COMMIT").await?;
    let status = scene.proxy.wait_end(Duration::from_secs(10)).await?.ok_or("it still runs")?;
    assert_eq!(status.code(), Some(0));
    let count: Option<i64> = scene.cluster.primary().query_one("SELECT COUNT(*) FROM app.t").await?;
    assert_eq!(count, Some(2));
    drop(idle);
    scene.finish_ended()
}

#[tokio::test]
async fn sigterm_is_bounded() -> TestResult {
    let scene = scene("1s").await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT)").await?;
    client.query_drop("BEGIN").await?;
    client.query_drop("INSERT INTO t VALUES (1)").await?;
    let begin = Instant::now();
    scene.proxy.terminate()?;
    let status = scene.proxy.wait_end(Duration::from_secs(10)).await?.ok_or("it still runs")?;
    println!("ended {} ms after SIGTERM with {status}", begin.elapsed().as_millis());
    assert!(begin.elapsed() > Duration::from_millis(800), "a transaction was open");
    let primary = scene.cluster.primary();
    eventually("the transaction is rolled back", Duration::from_secs(5), async || {
        Ok(open_transactions(primary).await? == 0)
    })
    .await?;
    let count: Option<i64> = primary.query_one("SELECT COUNT(*) FROM app.t").await?;
    assert_eq!(count, Some(0));
    scene.finish_ended()
}

/// What happens to a pod: its preStop hook drains, and SIGTERM follows at once. That must not cut what is open.
#[tokio::test]
async fn sigterm_behind_a_drain_lets_open_units_finish() -> TestResult {
    let scene = scene("60s").await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT)").await?;
    client.query_drop("BEGIN").await?;
    client.query_drop("INSERT INTO t VALUES (1)").await?;
    let admin = format!("http://{}", scene.proxy.admin().address());
    let drained = tideover(&["drain", "--json"], &[("TIDEOVER_ADMIN", &admin)]).await?;
    assert_eq!((drained.code, &drained.json()?["leaving"]), (Some(0), &json!(true)), "{drained:?}");
    scene.proxy.terminate()?;
    eventually("nobody is let in any more", Duration::from_secs(20), async || {
        Ok(TcpStream::connect(scene.proxy.address()).await.is_err())
    })
    .await?;
    client.query_drop("INSERT INTO t VALUES (2)").await?;
    client.query_drop("COMMIT").await?;
    let status = scene.proxy.wait_end(Duration::from_secs(20)).await?.ok_or("it still runs")?;
    assert_eq!(status.code(), Some(0));
    let count: Option<i64> = scene.cluster.primary().query_one("SELECT COUNT(*) FROM app.t").await?;
    assert_eq!(count, Some(2));
    scene.finish_ended()
}

#[tokio::test]
async fn a_second_sigterm_ends_it_at_once() -> TestResult {
    let scene = scene("60s").await?;
    let mut client = scene.connect().await?;
    client.query_drop("BEGIN").await?;
    client.query_drop("SELECT 1").await?;
    scene.proxy.terminate()?;
    sleep(Duration::from_millis(500)).await;
    assert!(scene.proxy.is_running(), "a transaction was open");
    scene.proxy.terminate()?;
    let ended = scene.proxy.wait_end(Duration::from_secs(3)).await?;
    assert!(ended.is_some(), "it still runs after the second SIGTERM");
    scene.finish_ended()
}
