//! Keys of `[switchover]` and `[monitor]` that bound something: what does not finish in time is put back, and the message
//! names the bound and its key.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use serde_json::json;
use tideover_sandbox::{
    proxy::SwitchoverReport,
    servers::{ClusterOptions, Flavor, Server},
};

use crate::support::{Scene, TestResult};

/// Longer than any of this takes.
const LIMIT: Duration = Duration::from_secs(60);
/// Server connections that the application has before the switchover: more than are opened ahead of need.
const CLIENTS: usize = 5;

async fn attempt(scene: &Scene, target: &Server) -> TestResult<SwitchoverReport> {
    Ok(scene.proxy.admin().switchover(Some(target.address()), |_| {}).await?)
}

/// A switchover that failed before anything was promoted: the database is as it was.
async fn put_back(scene: &Scene, report: &SwitchoverReport, why: &str) -> TestResult {
    assert_eq!(report.outcome, "failed", "{report:#?}");
    assert!(report.problems.iter().any(|problem| problem.contains(why)), "{why}: {:?}", report.problems);
    let primary = scene.cluster.find_primary().await?;
    assert_eq!(scene.status("/primary").await?, json!(primary.address().to_string()));
    assert_eq!(scene.status("/gate/state").await?, json!("open"));
    Ok(())
}

#[tokio::test]
async fn mariadb_10_11_a_switchover_that_cannot_finish_is_put_back() -> TestResult {
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options
            .set("switchover", "warm_connections", "3")
            .set("switchover", "fence_timeout", "\"4s\"")
            .set("switchover", "catch_up_timeout", "\"1s\"")
            .set("switchover", "max_lag", "\"30s\"")
            // What is open is waited for, though it could be done again.
            .set("switchover", "move_after", "\"60s\"")
            .set("switchover", "drain_timeout", "\"60s\"")
    })
    .await?;
    scene.wait_roles().await?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(scene.connect().await?);
    }
    clients[0].query_drop("CREATE TABLE t (a INT PRIMARY KEY, b INT)").await?;
    clients[0].query_drop("INSERT INTO t VALUES (1, 0)").await?;
    for client in &mut clients {
        client.query_drop("BEGIN").await?;
        client.query_drop("SELECT b FROM t").await?;
    }
    for client in &mut clients {
        client.query_drop("COMMIT").await?;
    }
    scene.cluster.wait_in_sync().await?;
    let (primary, target) = (scene.cluster.primary().clone(), scene.cluster.replicas()[0].clone());

    // Setting read_only waits for whoever has locked tables; one who does nothing meanwhile is not ended.
    let mut stranger = primary.connect_as("root", "", Some("app")).await?;
    stranger.query_drop("LOCK TABLES t WRITE").await?;
    let report = attempt(&scene, &target).await?;
    put_back(&scene, &report, "within 4000 ms (switchover.fence_timeout)").await?;
    let warm = report.phases.iter().find(|phase| phase.phase == "warm").map(|phase| &*phase.detail);
    assert_eq!(warm, Some("3 connections opened"), "{report:#?}");
    stranger.query_drop("UNLOCK TABLES").await?;
    clients[0].query_drop("UPDATE t SET b = b + 1").await?;
    scene.cluster.wait_in_sync().await?;

    // What is committed while the primary is drained waits for a row on the target.
    let mut reader = target.connect_as("root", "", Some("app")).await?;
    reader.query_drop("BEGIN").await?;
    reader.query_drop("SELECT b FROM t WHERE a = 1 FOR UPDATE").await?;
    clients[0].query_drop("BEGIN").await?;
    clients[0].query_drop("UPDATE t SET b = b + 1").await?;
    let (report, committed) = tokio::join!(attempt(&scene, &target), async {
        scene.wait_status("/gate/state", json!("draining"), LIMIT).await?;
        TestResult::Ok(clients[0].query_drop("COMMIT").await?)
    });
    committed?;
    let report = report?;
    put_back(&scene, &report, "within 1000 ms (switchover.catch_up_timeout)").await?;
    reader.query_drop("ROLLBACK").await?;
    clients[0].query_drop("UPDATE t SET b = b + 1").await?;
    scene.cluster.wait_in_sync().await?;
    for server in scene.cluster.servers() {
        assert_eq!(server.query_one::<i32>("SELECT b FROM app.t").await?, Some(3), "port {}", server.port);
    }
    scene.finish()
}

/// Nobody looks by himself here, so that it is known which look fails how.
#[tokio::test]
async fn mariadb_11_8_a_look_takes_at_most_its_time() -> TestResult {
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb118), |options| {
        options.set("monitor", "interval", "\"1h\"").set("monitor", "timeout", "\"700ms\"")
    })
    .await?;
    let [target, frozen] = scene.cluster.replicas()[..] else { return Err("not two replicas".into()) };
    // A dry run looks at all.
    let body = json!({ "to": target.address().to_string(), "dry_run": true }).to_string();
    let look = async || scene.proxy.admin().switchover_with(&body, |_| {}).await;
    frozen.freeze()?;
    look().await?;
    let seen = scene.status("/servers/2").await?;
    let problem = seen["problem"].as_str().unwrap_or_default();
    assert!(problem.contains("no answer within 700 ms"), "{seen:#}");
    assert_eq!(seen["role"], "replica", "silent once: {seen:#}");
    look().await?;
    assert_eq!(scene.status("/servers/2/role").await?, json!("down"), "silent twice");
    frozen.thaw()?;
    look().await?;
    assert_eq!(scene.status("/servers/2/role").await?, json!("replica"));
    scene.finish()
}
