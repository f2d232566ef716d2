//! The primary is killed again and again at random moments, under clients that keep books: nobody notices.

use std::time::Duration;

use tideover_sandbox::{
    proxy::ProxyOptions,
    servers::{ClusterOptions, Flavor, PromoteOptions},
    workload::Workload,
};
use tokio::time::{Instant, sleep};

use super::support::{Scene, TestResult, length};

#[tokio::test]
async fn mariadb_10_11_promoted_by_somebody() -> TestResult {
    crashes(Flavor::MariaDb1011, Promotion::BySomebody).await
}

#[tokio::test]
async fn mysql_9_promoted_by_somebody() -> TestResult {
    crashes(Flavor::Mysql9, Promotion::BySomebody).await
}

/// Who promotes a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promotion {
    BySomebody,
}

impl Promotion {
    fn configure(self, options: ProxyOptions) -> ProxyOptions {
        match self {
            Self::BySomebody => options,
        }
    }
}

/// Semi-synchronous replication, so that nothing that was acknowledged is lost by the database itself.
async fn crashes(flavor: Flavor, promotion: Promotion) -> TestResult {
    let cluster = ClusterOptions { semi_sync: true, ..ClusterOptions::new(flavor) };
    let scene = Scene::with(cluster, |options| promotion.configure(options)).await?;
    let rounds = length(2, 50);
    let (mut units, mut rebuilt, mut longest) = (0, 0, Duration::ZERO);
    for round in 0..rounds {
        let workload = Workload::start(scene.workload()).await?;
        sleep(Duration::from_millis(500 + random(1000))).await;
        let old = scene.cluster.primary().clone();
        old.kill().await?;
        let killed = Instant::now();
        if promotion == Promotion::BySomebody {
            sleep(Duration::from_millis(random(1000))).await;
            let best = scene.cluster.most_advanced_replica().await?.clone();
            let how = PromoteOptions { others_first: true, ..PromoteOptions::failover() };
            scene.cluster.promote_by_hand(&best, how).await?;
        }
        let promoted = killed.elapsed();
        sleep(Duration::from_millis(500)).await;
        let (report, books) = scene.close(workload).await?;
        let snapshot = &report.snapshot;
        units += snapshot.total_ok();
        longest = longest.max(snapshot.longest_wait.saturating_sub(promoted));
        assert!(snapshot.is_clean(), "round {round}: clients noticed: {snapshot:#?}");
        assert!(books.is_clean() && books.unknown == 0, "round {round}: {books:#?}");
        rebuilt += u32::from(scene.cluster.rejoin_or_rebuild(&old).await?);
        scene.cluster.wait_semi_sync().await?;
        // What was primary once may be promoted again when it was seen following its successor.
        scene.wait_roles().await?;
    }
    println!(
        "{flavor}, {rounds} crashes, {promotion:?}: no errors, nothing lost or doubled in {units} units; longest wait beyond \
         the promotion {} ms; {rebuilt} old primaries held what the new one lacked",
        longest.as_millis()
    );
    scene.finish()
}

/// Some number below `limit`: the moments need not be repeatable, only different.
fn random(limit: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(limit) % limit
}
