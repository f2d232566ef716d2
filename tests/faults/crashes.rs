//! The primary is killed again and again at random moments, under clients that keep books: nobody notices.

use std::time::Duration;

use tideover_sandbox::{
    proxy::ProxyOptions,
    servers::{ClusterOptions, Flavor, PromoteOptions, Server},
    workload::Workload,
};
use tokio::time::{Instant, sleep};

use super::support::{Scene, TestResult, eventually, length};

#[tokio::test]
async fn mariadb_10_11_promoted_by_somebody() -> TestResult {
    crashes(Flavor::MariaDb1011, Promotion::BySomebody).await
}

#[tokio::test]
async fn mysql_9_promoted_by_somebody() -> TestResult {
    crashes(Flavor::Mysql9, Promotion::BySomebody).await
}

#[tokio::test]
async fn mariadb_10_11_promoted_automatically() -> TestResult {
    crashes(Flavor::MariaDb1011, Promotion::Automatic).await
}

#[tokio::test]
async fn mysql_9_promoted_automatically() -> TestResult {
    crashes(Flavor::Mysql9, Promotion::Automatic).await
}

/// Who promotes a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promotion {
    BySomebody,
    /// `failover.mode = "auto"`.
    Automatic,
}

impl Promotion {
    pub(crate) fn configure(self, options: ProxyOptions) -> ProxyOptions {
        match self {
            Self::BySomebody => options,
            Self::Automatic => {
                options.set("failover", "mode", "\"auto\"").set("failover", "detect", "\"2s\"")
            }
        }
    }

    /// Another server becomes the primary.
    pub(crate) async fn happen(self, scene: &Scene, old: &Server) -> TestResult {
        if self == Self::BySomebody {
            sleep(Duration::from_millis(random(1000))).await;
            let best = scene.cluster.most_advanced_replica().await?.clone();
            let how = PromoteOptions { others_first: true, ..PromoteOptions::failover() };
            scene.cluster.promote_by_hand(&best, how).await?;
            return Ok(());
        }
        let old = serde_json::Value::from(old.address().to_string());
        eventually("a new primary", Duration::from_secs(20), || async {
            let primary = scene.status("/primary").await?;
            Ok(primary.is_string() && primary != old)
        })
        .await?;
        // It forgets whom it followed a moment later.
        let alone = || async { Ok(scene.cluster.find_primary().await.is_ok()) };
        eventually("the new primary follows nobody", Duration::from_secs(20), alone).await
    }

    /// The server that had died is a replica again. Gives whether it had to be made anew.
    pub(crate) async fn undo(self, scene: &Scene, old: &Server) -> TestResult<bool> {
        old.set_read_only_at_start(true);
        if self == Self::Automatic {
            old.start_again().await?;
            let address = old.address().to_string();
            eventually("the proxy has dealt with the old primary", Duration::from_secs(30), || async {
                let servers = scene.status("/servers").await?;
                let of_old = |server: &&serde_json::Value| server["address"] == *address;
                let found =
                    servers.as_array().into_iter().flatten().find(of_old).cloned().unwrap_or_default();
                let set_aside =
                    found["problem"].as_str().is_some_and(|text| text.contains("must be rebuilt"));
                Ok(found["role"] == "replica" || set_aside)
            })
            .await?;
        }
        let rebuilt = scene.cluster.rejoin_or_rebuild(old).await?;
        scene.cluster.wait_semi_sync().await?;
        // What was primary once may be promoted again when it was seen following its successor.
        scene.wait_roles().await?;
        Ok(rebuilt)
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
        promotion.happen(&scene, &old).await?;
        let promoted = killed.elapsed();
        sleep(Duration::from_millis(500)).await;
        let (report, books) = scene.close(workload).await?;
        let snapshot = &report.snapshot;
        units += snapshot.total_ok();
        longest = longest.max(snapshot.longest_wait.saturating_sub(promoted));
        assert!(snapshot.is_clean(), "round {round}: clients noticed: {snapshot:#?}");
        assert!(books.is_clean() && books.unknown == 0, "round {round}: {books:#?}");
        rebuilt += u32::from(promotion.undo(&scene, &old).await?);
    }
    println!(
        "{flavor}, {rounds} crashes, {promotion:?}: no errors, nothing lost or doubled in {units} units; longest wait beyond \
         the promotion {} ms; {rebuilt} old primaries held what the new one lacked",
        longest.as_millis()
    );
    scene.finish()
}

/// Some number below `limit`: the moments need not be repeatable, only different.
pub(crate) fn random(limit: u64) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(limit) % limit
}
