//! How long the proxy keeps one waiting after a crash, beyond what the promotion takes.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tideover_sandbox::servers::{ClusterOptions, Flavor, OldPrimary, PromoteOptions};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::support::{Scene, TestResult, length};

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    first_write(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    first_write(Flavor::Mysql9).await
}

/// Clients that wait for the new primary.
const CLIENTS: usize = 8;
/// Certainly more than detection takes: the promotion is never what the proxy is measured by.
const APART: Duration = Duration::from_millis(300);

/// From the moment when the promoted server took writes to the first write that the proxy served.
async fn first_write(flavor: Flavor) -> TestResult {
    let scene = Scene::alone(ClusterOptions::new(flavor), |options| options).await?;
    scene.cluster.primary().run(&["CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT)"]).await?;
    let mut times = Vec::new();
    for round in 0..length(3, 20) {
        scene.cluster.wait_in_sync().await?;
        // What was primary once may be promoted again when it was seen following its successor.
        scene.wait_roles().await?;
        let old = scene.cluster.primary().clone();
        let mut ready = Vec::new();
        for _ in 0..CLIENTS {
            ready.push(scene.connect().await?);
        }
        old.kill().await?;
        let mut clients = JoinSet::new();
        for (client, mut connection) in ready.into_iter().enumerate() {
            clients.spawn(async move {
                connection.query_drop(format!("INSERT INTO t (v) VALUES ({client})")).await?;
                Ok::<_, mysql_async::Error>(Instant::now())
            });
        }
        sleep(APART).await;
        let best = scene.cluster.most_advanced_replica().await?.clone();
        let begin = Instant::now();
        let how = PromoteOptions { old: OldPrimary::Dead, ..PromoteOptions::failover() };
        let report = scene.cluster.promote_by_hand(&best, how).await?;
        let writable = begin + report.writable_after;
        let mut first: Option<Instant> = None;
        while let Some(served) = clients.join_next().await {
            let served = served?.map_err(|error| format!("round {round}: {error}"))?;
            first = Some(first.map_or(served, |first| first.min(served)));
        }
        let first = first.ok_or("nobody was served")?;
        times.push(first.saturating_duration_since(writable));
        scene.cluster.rejoin_or_rebuild(&old).await?;
    }
    times.sort_unstable();
    let (median, most) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "{flavor}: {} crashes; first write served after the promoted server took writes: median {:.1} ms, longest {:.1} ms",
        times.len(),
        median.as_secs_f64() * 1000.0,
        most.as_secs_f64() * 1000.0
    );
    // How fast the machine is nobody knows: this is only that the proxy does not sleep over it.
    assert!(median < Duration::from_secs(2), "{times:?}");
    scene.finish()
}
