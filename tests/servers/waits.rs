//! Statements that wait on purpose when their server is replaced: ended, they answer as if they had waited in vain, which
//! no client must see.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tideover_sandbox::servers::Flavor;

use crate::support::{Scene, TestResult, eventually};

/// Longer than any of this takes.
const LIMIT: Duration = Duration::from_secs(60);
/// How long they sleep, seconds.
const SLEEP: u32 = 4;

#[tokio::test]
async fn mariadb_10_11_waits_begin_anew() -> TestResult {
    waits_begin_anew(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_waits_begin_anew() -> TestResult {
    waits_begin_anew(Flavor::Mysql9).await
}

async fn waits_begin_anew(flavor: Flavor) -> TestResult {
    let scene = Scene::start(flavor).await?;
    scene.wait_roles().await?;
    let old = scene.cluster.primary().clone();
    let mut holder = old.connect().await?;
    assert_eq!(holder.query_first::<Option<i64>, _>("SELECT GET_LOCK('held', 1)").await?, Some(Some(1)));
    let (mut locker, mut sleeper, mut inside) =
        (scene.connect().await?, scene.connect().await?, scene.connect().await?);
    inside.query_drop("BEGIN").await?;
    let locked = tokio::spawn(async move {
        let locked = locker.query_first::<Option<i64>, _>("SELECT GET_LOCK('held', 50)").await;
        locked.map(|row| (row, locker))
    });
    let slept =
        tokio::spawn(
            async move { sleeper.query_first::<Option<i64>, _>(format!("SELECT SLEEP({SLEEP})")).await },
        );
    let slept_inside = tokio::spawn(async move {
        let slept = inside.query_first::<Option<i64>, _>(format!("SELECT SLEEP({SLEEP})")).await?;
        inside.query_drop("COMMIT").await.map(|()| slept)
    });
    let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app' AND command <> 'Sleep' \
                   AND (info LIKE '%GET_LOCK%' OR info LIKE '%SLEEP(%')";
    eventually("all three wait", LIMIT, async || Ok(old.query_one::<i64>(running).await? == Some(3))).await?;
    let report = scene.proxy.admin().switchover_with(r#"{"drain_timeout": 0.2}"#, |_| {}).await?;
    assert_eq!(report.outcome, "done", "{report:#?}");
    assert_eq!(slept.await??, Some(Some(0)), "it has slept for its time");
    assert_eq!(slept_inside.await??, Some(Some(0)), "and so it has in a transaction");
    let (row, _locker) = locked.await??;
    assert_eq!(row, Some(Some(1)), "nobody holds the lock on the new primary");
    scene.finish()
}
