//! The primary is lost and Tideover promotes by itself (`failover.mode = "auto"`).

use std::{sync::Arc, time::Duration};

use mysql_async::prelude::Queryable;
use serde_json::Value;
use tideover_sandbox::{
    proxy::ProxyOptions,
    servers::{ClusterOptions, Flavor, Server},
    workload::{DeadlockPolicy, Workload, WorkloadOptions},
};
use tokio::time::{Instant, sleep};

use crate::support::{Scene, TestResult, eventually, length};

fn auto(options: ProxyOptions) -> ProxyOptions {
    options.set("failover", "mode", "\"auto\"").set("failover", "detect", "\"2s\"")
}

async fn scene(flavor: Flavor, semi_sync: bool) -> TestResult<Scene> {
    Scene::with(ClusterOptions { semi_sync, ..ClusterOptions::new(flavor) }, auto).await
}

/// Waits until another server than `old` is the primary, and says how long that took.
async fn new_primary(scene: &Scene, old: &Server, limit: Duration) -> TestResult<Duration> {
    let began = Instant::now();
    let old = Value::from(old.address().to_string());
    eventually("a new primary", limit, || async {
        let primary = scene.status("/primary").await?;
        Ok(primary.is_string() && primary != old)
    })
    .await?;
    Ok(began.elapsed())
}

/// What `/v1/status` says of a server.
async fn view(scene: &Scene, server: &Server) -> TestResult<(String, String)> {
    let servers = scene.status("/servers").await?;
    let address = server.address().to_string();
    let found = servers.as_array().into_iter().flatten().find(|s| s["address"] == *address);
    let text = |key: &str| found.and_then(|s| s[key].as_str()).unwrap_or_default().to_owned();
    Ok((text("role"), text("problem")))
}

/// The old primary is a replica again, or it is set aside for what it has too much.
async fn taken_back(scene: &Scene, old: &Server) -> TestResult<bool> {
    let fate = eventually("the old primary's fate", Duration::from_secs(30), || async {
        let (role, problem) = view(scene, old).await?;
        Ok(role == "replica" && problem.is_empty() || problem.contains("must be rebuilt"))
    })
    .await;
    if let Err(error) = fate {
        return Err(format!("{error}: {:?}", view(scene, old).await?).into());
    }
    Ok(view(scene, old).await?.0 == "replica")
}

/// The last flight's cause and result.
async fn last_flight(scene: &Scene) -> TestResult<Value> {
    let answer = scene.proxy.admin().json("/v1/flights").await?;
    Ok(answer["flights"][0].clone())
}

#[tokio::test]
async fn mariadb_10_11_killed() -> TestResult {
    killed(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_killed() -> TestResult {
    killed(Flavor::Mysql9).await
}

/// SIGKILL under load, semi-synchronous replication. What is in doubt is looked up; everything else waits and succeeds.
async fn killed(flavor: Flavor) -> TestResult {
    let scene = scene(flavor, true).await?;
    for round in 0..length(2, 10) {
        let options = WorkloadOptions { clients: 32, deadlocks: DeadlockPolicy::Retry, ..scene.workload() };
        let workload = Workload::start(options).await?;
        sleep(Duration::from_secs(1)).await;
        let old = scene.cluster.find_primary().await?.clone();
        old.kill().await?;
        let took = new_primary(&scene, &old, Duration::from_secs(15)).await?;
        sleep(Duration::from_secs(2)).await;
        let (report, books) = scene.close(workload).await?;
        let snapshot = &report.snapshot;
        let flight = last_flight(&scene).await?;
        println!(
            "{flavor}, killed, round {round}: new primary after {} ms, longest wait {} ms, {} run again, {} errors, {} \
             units; flight: {} {}, {}",
            took.as_millis(),
            snapshot.longest_wait.as_millis(),
            snapshot.retried_deadlocks,
            snapshot.total_errors(),
            snapshot.total_ok(),
            flight["cause"],
            flight["result"],
            flight["totals"],
        );
        assert_eq!((flight["cause"].as_str(), flight["result"].as_str()), (Some("failover"), Some("done")));
        assert_eq!(snapshot.lost_sessions, 0, "{snapshot:#?}");
        assert_eq!(snapshot.wrong_answers.count, 0, "{:#?}", snapshot.wrong_answers);
        assert!(books.is_clean(), "{books:#?}");
        assert!(snapshot.errors.keys().all(|&code| code == 1180), "{:#?}", snapshot.errors);
        if round % 2 == 1 {
            // It comes back to follow another primary than the one that was promoted in its place.
            let switched = scene.proxy.admin().switchover(None, |_| {}).await?;
            assert!(switched.is_done(), "{switched:#?}");
            scene.cluster.find_primary().await?;
        }
        old.set_read_only_at_start(round % 2 == 0);
        old.start_again().await?;
        if !taken_back(&scene, &old).await? {
            println!("{flavor}, round {round}: the old primary had transactions of its own: made anew");
            scene.cluster.rebuild(&old).await?;
            // What the proxy saw last may be the server that was thrown away.
            eventually("a new replica is a replica", Duration::from_secs(30), || async {
                Ok(view(&scene, &old).await? == ("replica".to_owned(), String::new()))
            })
            .await?;
        }
        scene.cluster.wait_in_sync().await?;
    }
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_frozen() -> TestResult {
    frozen(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_frozen() -> TestResult {
    frozen(Flavor::Mysql9).await
}

/// SIGSTOP: connections stay open and nobody answers. The replicas notice nothing by themselves. When the old primary goes
/// on, it still believes itself to be one, and is fenced.
async fn frozen(flavor: Flavor) -> TestResult {
    let scene = scene(flavor, true).await?;
    let options = WorkloadOptions { clients: 16, deadlocks: DeadlockPolicy::Retry, ..scene.workload() };
    let workload = Workload::start(options).await?;
    sleep(Duration::from_secs(1)).await;
    let old = scene.cluster.primary().clone();
    old.freeze()?;
    let took = new_primary(&scene, &old, Duration::from_secs(25)).await?;
    sleep(Duration::from_secs(2)).await;
    old.thaw()?;
    let back = taken_back(&scene, &old).await?;
    eventually("the old primary is read-only", Duration::from_secs(5), || async {
        Ok(old.is_read_only().await?)
    })
    .await?;
    let (report, books) = scene.close(workload).await?;
    let snapshot = &report.snapshot;
    println!(
        "{flavor}, frozen: new primary after {} ms, longest wait {} ms, {} errors, old primary {}",
        took.as_millis(),
        snapshot.longest_wait.as_millis(),
        snapshot.total_errors(),
        if back { "follows" } else { "is set aside" }
    );
    assert_eq!(snapshot.lost_sessions, 0, "{snapshot:#?}");
    assert!(snapshot.errors.keys().all(|&code| code == 1180), "{:#?}", snapshot.errors);
    assert!(books.is_clean(), "{books:#?}");
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_lost_and_released() -> TestResult {
    lost(Flavor::MariaDb1011, "release").await
}

#[tokio::test]
async fn mysql_9_lost_and_held() -> TestResult {
    lost(Flavor::Mysql9, "hold").await
}

/// A primary dies with transactions that it acknowledged and nobody else has, and comes back with them. The loss is told,
/// the server is set aside, and with `on_loss = "hold"` traffic waits for a person.
async fn lost(flavor: Flavor, on_loss: &str) -> TestResult {
    let configure = |options| auto(options).set("failover", "on_loss", format!("\"{on_loss}\""));
    let scene = Scene::with(ClusterOptions::new(flavor), configure).await?;
    let old = scene.cluster.primary().clone();
    let replicas: Vec<Arc<Server>> = scene.cluster.replicas().into_iter().cloned().collect();
    old.run(&["CREATE TABLE app.t (a INT PRIMARY KEY)"]).await?;
    let (mut one, mut two) = (scene.connect().await?, scene.connect().await?);
    one.query_drop("INSERT INTO t VALUES (1)").await?;
    scene.cluster.wait_in_sync().await?;
    for replica in &replicas {
        replica.run(&["STOP REPLICA IO_THREAD"]).await?;
    }
    one.query_drop("INSERT INTO t VALUES (2)").await?;
    two.query_drop("BEGIN").await?;
    for value in [3, 4] {
        two.exec_drop("INSERT INTO t VALUES (?)", (value,)).await?;
    }
    two.query_drop("COMMIT").await?;
    old.kill().await?;
    for replica in &replicas {
        replica.run(&["START REPLICA IO_THREAD"]).await?;
    }
    new_primary(&scene, &old, Duration::from_secs(20)).await?;
    let flight = last_flight(&scene).await?;
    assert_eq!(flight["totals"]["lost"], 2, "{flight:#}");
    let sessions: Vec<(u64, &str)> = flight["sessions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| Some((s["session"].as_u64()?, s["notes"][0]["kind"].as_str()?)))
        .collect();
    assert_eq!(sessions, [(one.id().into(), "lost"), (two.id().into(), "lost")], "{flight:#}");
    let metrics = scene.proxy.admin().get("/metrics").await?.body;
    assert!(metrics.contains("tideover_lost_transactions_total 2"), "{metrics}");
    if on_loss == "hold" {
        let reasons = serde_json::json!(["lost_transactions"]);
        scene.wait_status("/gate/reasons", reasons, Duration::from_secs(5)).await?;
        let waiting = tokio::spawn(async move { one.query_drop("INSERT INTO t VALUES (5)").await });
        sleep(Duration::from_millis(300)).await;
        assert!(!waiting.is_finished(), "traffic is held for a person");
        scene.proxy.admin().post("/v1/release", "").await?;
        waiting.await??;
    } else {
        one.query_drop("INSERT INTO t VALUES (5)").await?;
    }
    let rows: Vec<i32> = two.query("SELECT a FROM t ORDER BY a").await?;
    assert_eq!(rows, [1, 5]);

    old.set_read_only_at_start(false);
    old.start_again().await?;
    assert!(!taken_back(&scene, &old).await?, "it has transactions that the new primary lacks");
    let (role, problem) = view(&scene, &old).await?;
    assert_eq!(role, "stale");
    assert!(problem.contains("2 transactions"), "{problem}");
    eventually("it is fenced", Duration::from_secs(5), || async { Ok(old.is_read_only().await?) }).await?;
    eventually("the log names it", Duration::from_secs(5), || async {
        Ok(scene.proxy.log().contains("set aside: it has transactions that the primary lacks"))
    })
    .await?;
    scene.finish()
}

/// The network between the proxy and the primary breaks, and nothing else: the replicas still reach it, so nobody is
/// promoted, and `status` says why.
#[tokio::test]
async fn a_cut_between_proxy_and_primary_promotes_nobody() -> TestResult {
    let scene = Scene::relayed(ClusterOptions::new(Flavor::MariaDb1011), auto).await?;
    assert_eq!(scene.status("/failover/mode").await?, "auto");
    scene.relays[0].silence(true);
    let limit = Duration::from_secs(30);
    eventually("a replica says that it reaches the primary", limit, || async {
        Ok(scene.status("/failover/note").await?.as_str().is_some_and(|note| note.contains("reaches it")))
    })
    .await?;
    // Longer than every time-out of the rule.
    sleep(Duration::from_secs(4)).await;
    assert_eq!(scene.status("/state").await?, "no_primary");
    for replica in scene.cluster.replicas() {
        assert!(replica.is_read_only().await?, "nobody was promoted");
    }
    scene.relays[0].silence(false);
    eventually("the primary is back", limit, || async {
        Ok(scene.status("/primary").await? == scene.relays[0].address().to_string())
    })
    .await?;
    assert_eq!(scene.status("/failover/note").await?, "");
    scene.cluster.wait_in_sync().await?;
    scene.finish()
}
