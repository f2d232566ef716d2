//! What the proxy does while nobody hears it: a server that takes connections and does not greet, a new primary that the
//! monitor cannot ask, a former primary that somebody is about to take into their hands.

use std::{fs, time::Duration};

use mysql_async::prelude::Queryable;
use serde_json::json;
use tideover_sandbox::{
    faults::Moment,
    servers::{ClusterOptions, Flavor},
};
use tokio::sync::watch;

use crate::support::{Scene, TestResult, eventually};

/// Longer than any of this takes.
const LIMIT: Duration = Duration::from_secs(60);
/// A part of what only the monitor says to servers of MariaDB.
const LOOK: &str = "@@global.gtid_current_pos, @@global.log_bin";

#[tokio::test]
async fn mariadb_10_11_connecting_takes_at_most_its_time() -> TestResult {
    let scene = Scene::relayed(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options.set("pool", "connect_timeout", "\"30s\"").set("hold", "timeout", "\"5m\"")
    })
    .await?;
    let (mut busy, mut waiting) = (scene.connect().await?, scene.connect().await?);
    busy.query_drop("CREATE TABLE t (a INT)").await?;
    let path = scene.proxy.config_path();
    let text = fs::read_to_string(&path)?.replace("connect_timeout = \"30s\"", "connect_timeout = \"300ms\"");
    fs::write(&path, text)?;
    let answer = scene.proxy.admin().post("/v1/reload", "").await?;
    assert!(answer.body.contains("pool.connect_timeout"), "{}", answer.body);
    // All server connections that there are.
    let mut busy = vec![busy];
    loop {
        let last = busy.last_mut().ok_or("nobody")?;
        last.query_drop("BEGIN").await?;
        last.query_drop("INSERT INTO t VALUES (1)").await?;
        if scene.status("/servers/0/idle").await? == json!(0) {
            break;
        }
        busy.push(scene.connect().await?);
    }
    // Who is connected is served, the monitor among them; who comes is not even greeted.
    let relay = &scene.relays[0];
    relay.deafen(true);
    let statement = tokio::spawn(async move { waiting.query_drop("INSERT INTO t VALUES (2)").await });
    // With the default (5 s) it would take longer.
    let limit = Duration::from_secs(30);
    eventually("it is tried again and again", limit, async || Ok(relay.unheard().came >= 10)).await?;
    assert!(relay.unheard().most < 10, "attempts that are given up stay open: {:?}", relay.unheard());
    assert!(!statement.is_finished());
    relay.deafen(false);
    statement.await??;
    for mut client in busy {
        client.query_drop("COMMIT").await?;
    }
    scene.finish()
}

/// Every look at the new primary fails for longer than three seconds, which was the time for it once.
#[tokio::test]
async fn mariadb_10_11_a_new_primary_is_looked_for_until_it_is_seen() -> TestResult {
    // Each of them takes its time (monitor.timeout).
    let scene = Scene::relayed(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options.set("monitor", "timeout", "\"1s\"")
    })
    .await?;
    scene.wait_roles().await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT)").await?;
    scene.cluster.wait_in_sync().await?;
    let relay = scene.relays[1].clone();
    let target = relay.address();
    let (promote, release) = watch::channel(false);
    let mut promoting = relay.cut_and_hold("SET GLOBAL read_only=0", Moment::Detained, release);
    let admin = scene.proxy.admin().clone();
    let switching = tokio::spawn(async move { admin.switchover(Some(target), |_| {}).await });
    assert!(promoting.within(LIMIT).await, "the target is not promoted");
    let (_never, heard) = watch::channel(false);
    let mut looks: Vec<_> =
        (0..4).map(|_| relay.cut_and_hold(LOOK, Moment::Detained, heard.clone())).collect();
    promote.send_replace(true);
    let report = switching.await??;
    let failed = looks.iter_mut().filter_map(|hit| hit.happened().then_some(())).count();
    relay.forget_orders();
    assert!(report.is_done() && failed == looks.len(), "{failed} looks failed: {report:#?}");
    let phase = |name| report.phases.iter().find(|phase| phase.phase == name).ok_or("no such phase");
    let (promote, release) = (phase("promote")?, phase("release")?);
    println!("published {} ms after the promotion began", release.at_ms - promote.at_ms);
    assert!(release.at_ms - promote.at_ms > 3_500.0, "{report:#?}");
    client.query_drop("INSERT INTO t VALUES (1)").await?;
    assert_eq!(scene.status("/primary").await?, json!(target.to_string()));
    scene.finish()
}

/// Between the look that shows a former primary to be back and the one before it is touched, somebody makes it follow the
/// new primary: then it is not touched.
#[tokio::test]
async fn mariadb_10_11_who_comes_back_is_looked_at_before_it_is_touched() -> TestResult {
    let scene = Scene::relayed(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options.set("failover", "mode", "\"auto\"").set("monitor", "timeout", "\"30s\"")
    })
    .await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT)").await?;
    scene.cluster.wait_in_sync().await?;
    let (old, relay) = (scene.cluster.servers()[0].clone(), scene.relays[0].clone());
    let known_as = relay.address().to_string();
    old.kill().await?;
    eventually("a new primary", LIMIT, async || {
        let primary = scene.status("/primary").await?;
        Ok(primary.is_string() && primary != known_as)
    })
    .await?;
    // The others follow it, and nothing is left to be done but for the one that is gone.
    eventually("the other replica follows", LIMIT, async || {
        let servers = scene.status("/servers").await?;
        let fine = |server: &&serde_json::Value| {
            server["problem"] == "" && (server["role"] == "primary" || server["role"] == "replica")
        };
        Ok(servers.as_array().into_iter().flatten().filter(fine).count() == 2)
    })
    .await?;
    let primary = scene.cluster.find_primary().await?.clone();

    let (look, release) = watch::channel(false);
    let mut first = relay.cut(LOOK, Moment::Passed);
    let mut second = relay.cut_and_hold(LOOK, Moment::Detained, release);
    let mut touched = relay.cut("CHANGE MASTER", Moment::Passed);
    old.set_read_only_at_start(true);
    old.start_again().await?;
    assert!(first.within(LIMIT).await && second.within(LIMIT).await, "it is not looked at");
    scene.cluster.repoint(&old, &primary).await?;
    eventually("it follows the new primary", LIMIT, async || {
        Ok(old.replica_status("Slave_IO_Running").await?.as_deref() == Some("Yes"))
    })
    .await?;
    look.send_replace(true);
    eventually("the proxy sees it as a replica", LIMIT, async || {
        let server = scene.status("/servers/0").await?;
        Ok(server["role"] == "replica" && server["problem"] == "")
    })
    .await?;
    // While it is at a server no switchover is begun.
    let body = json!({ "to": known_as, "dry_run": true }).to_string();
    eventually("it is done with it", LIMIT, async || {
        Ok(scene.proxy.admin().switchover_with(&body, |_| {}).await.is_ok())
    })
    .await?;
    assert!(!touched.happened(), "it was pointed elsewhere");
    let source = old.replica_status("Master_Port").await?;
    assert_eq!(source, Some(primary.port.to_string()), "what somebody has said stays");
    scene.finish()
}
