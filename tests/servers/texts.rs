//! Several statements in one text, and a switchover by somebody else amid them: each is done once, and the client has all
//! answers.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tideover_sandbox::servers::{ClusterOptions, Flavor, PromoteOptions};
use tokio::task::JoinHandle;

use crate::support::{Scene, TestResult, eventually};

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    both(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mariadb_11_8() -> TestResult {
    both(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    both(Flavor::Mysql9).await
}

/// What is sent, and what is open before; whether also where connections are ended, after which nobody can tell which of
/// several commits there were.
const TEXTS: [(&str, &str, bool); 3] = [
    ("", "INSERT INTO t (v) VALUES ('each'); SELECT SLEEP(2); INSERT INTO t (v) VALUES ('each')", false),
    (
        "",
        "BEGIN; INSERT INTO t (v) VALUES ('one'); SELECT SLEEP(2); INSERT INTO t (v) VALUES ('one'); COMMIT",
        true,
    ),
    (
        "BEGIN",
        "INSERT INTO t (v) VALUES ('rest'); SELECT SLEEP(2); INSERT INTO t (v) VALUES ('rest'); COMMIT",
        true,
    ),
];

async fn both(flavor: Flavor) -> TestResult {
    let scene = Scene::with(ClusterOptions::new(flavor), |options| options).await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(10))").await?;
    scene.cluster.wait_in_sync().await?;
    switch_amid(&scene, false).await?;
    switch_amid(&scene, true).await?;
    let stored: Vec<(String, u64)> = client.query("SELECT v, COUNT(*) FROM t GROUP BY v ORDER BY v").await?;
    assert_eq!(stored, [("each", 2), ("one", 4), ("rest", 4)].map(|(v, count)| (v.to_owned(), count)));
    scene.finish()
}

/// Sends all texts, and switches while they sleep.
async fn switch_amid(scene: &Scene, kill: bool) -> TestResult {
    let mut sent: Vec<JoinHandle<Result<(), String>>> = Vec::new();
    for (before, text, _) in TEXTS.iter().filter(|(_, _, by_kill)| !kill || *by_kill) {
        let mut client = scene.connect().await?;
        if !before.is_empty() {
            client.query_drop(*before).await?;
        }
        sent.push(tokio::spawn(async move {
            let told = |error: mysql_async::Error| format!("{text}: {error}");
            client.query_drop(*text).await.map_err(told)?;
            // Whatever is left over of the answers would be taken for this one.
            let word: Option<String> = client.query_first("SELECT 'next'").await.map_err(told)?;
            if word.as_deref() == Some("next") { Ok(()) } else { Err(format!("{text}: {word:?}")) }
        }));
    }
    let primary = scene.cluster.primary().clone();
    let mut looker = primary.connect().await?;
    let count = sent.len() as u64;
    let sleeping = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(2)%' \
                    AND info NOT LIKE '%processlist%'";
    for _ in 0..1000 {
        let now: Option<u64> = looker.query_first(sleeping).await?;
        if now == Some(count) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(looker);
    let target = scene.next_primary().await?;
    let servers = scene.cluster.servers();
    let target = servers.iter().find(|server| server.address() == target).ok_or("no such server")?.clone();
    let how = if kill { PromoteOptions::planned_with_kill() } else { PromoteOptions::planned() };
    scene.cluster.promote_by_hand(&target, how).await?;
    for done in sent {
        done.await??;
    }
    let state = || async { Ok(scene.status("/gate/state").await?.as_str() == Some("open")) };
    eventually("it is over", Duration::from_secs(20), state).await
}
