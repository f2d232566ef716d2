//! Switchovers with transactions open all the time, planned and by somebody else: nobody notices, and every transaction's
//! reads and writes fit together.

use std::time::Duration;

use tideover_sandbox::{
    servers::{ClusterOptions, Flavor, PromoteOptions},
    workload::{Mix, Workload, WorkloadOptions},
};
use tokio::time::sleep;

use super::support::{Scene, TestResult, length};

#[tokio::test]
async fn mariadb_10_11_planned() -> TestResult {
    planned(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mariadb_11_8_planned() -> TestResult {
    planned(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9_planned() -> TestResult {
    planned(Flavor::Mysql9).await
}

#[tokio::test]
async fn mariadb_10_11_by_somebody_else() -> TestResult {
    by_somebody_else(Flavor::MariaDb1011, PromoteOptions::planned()).await
}

#[tokio::test]
async fn mariadb_10_11_by_somebody_else_with_kill() -> TestResult {
    by_somebody_else(Flavor::MariaDb1011, PromoteOptions::planned_with_kill()).await
}

#[tokio::test]
async fn mysql_9_by_somebody_else() -> TestResult {
    by_somebody_else(Flavor::Mysql9, PromoteOptions::planned()).await
}

#[tokio::test]
async fn mysql_9_by_somebody_else_with_kill() -> TestResult {
    by_somebody_else(Flavor::Mysql9, PromoteOptions::planned_with_kill()).await
}

/// Clients in long transactions, and as many with a bit of everything.
pub(crate) struct Load {
    long: Workload,
    short: Workload,
}

const CLIENTS: u16 = 16;

impl Load {
    pub(crate) async fn start(scene: &Scene, most: Duration) -> TestResult<Self> {
        // Enough accounts that they seldom wait for each other's.
        let common = WorkloadOptions { clients: CLIENTS, accounts: 5000, ..scene.workload() };
        let long_hold = Duration::from_millis(50)..most;
        let long = WorkloadOptions { mix: Mix::long(), long_hold, ..common.clone() };
        Ok(Self { long: Workload::start(long).await?, short: Workload::start(common).await? })
    }

    /// Nobody noticed anything. Gives the number of long transactions, and of those that were told 1213. `torn`: so many transactions may have been told
    /// 1213, because their connections were killed, and their locks with them, before the server had stopped all writes:
    /// then another transaction can have changed what they had read, and committed it.
    pub(crate) async fn close(self, scene: &Scene, torn: u64) -> TestResult<(u64, u64)> {
        // All must have stopped before any books are compared: they share the accounts.
        let (long, short) = tokio::join!(self.long.stop(), self.short.stop());
        let primary = scene.cluster.find_primary().await?;
        let mut connection = primary.connect_as("root", "", Some("app")).await?;
        let mut all_torn = 0;
        for (name, report) in [("long", &long), ("short", &short)] {
            let books = report.books.check(&mut connection).await?;
            let mut told = report.snapshot.clone();
            let rolled_back = told.errors.remove(&1213).map_or(0, |errors| errors.count);
            all_torn += rolled_back;
            println!(
                "  {name}: longest wait {} ms, {} units in {:?}",
                report.snapshot.longest_wait.as_millis(),
                report.snapshot.total_ok(),
                report.snapshot.elapsed
            );
            let clean = told.is_clean() && rolled_back <= torn;
            assert!(clean, "{name}: clients noticed: {:#?}", report.snapshot);
            assert!(books.is_clean() && books.unknown == 0, "{name}: {books:#?}");
            assert!(books.acknowledged > 0, "{name}: nothing happened");
        }
        Ok((long.snapshot.total_ok(), all_torn))
    }
}

/// Those still open after a second are moved.
async fn planned(flavor: Flavor) -> TestResult {
    let scene = Scene::with(ClusterOptions::new(flavor), |options| {
        options.set("switchover", "drain_timeout", "\"1s\"")
    })
    .await?;
    let load = Load::start(&scene, Duration::from_secs(length(5, 20))).await?;
    sleep(Duration::from_secs(2)).await;
    let (count, mut cut) = (length(3, 50), 0);
    for _ in 0..count {
        let report = scene.switch().await?;
        cut += report.cut_units;
        sleep(Duration::from_millis(1500)).await;
    }
    let (transactions, _) = load.close(&scene, 0).await?;
    println!("{flavor}: {count} switchovers, {transactions} long transactions, {cut} moved while open");
    assert!(cut > 0, "no transaction was open when the time was over, so nothing was tested");
    scene.finish()
}

/// Without any notice.
async fn by_somebody_else(flavor: Flavor, how: PromoteOptions) -> TestResult {
    let scene = Scene::with(ClusterOptions::new(flavor), |options| options).await?;
    let load = Load::start(&scene, Duration::from_secs(2)).await?;
    sleep(Duration::from_secs(1)).await;
    let count = length(2, 20);
    for _ in 0..count {
        let target = scene.next_primary().await?;
        let mut servers = scene.cluster.servers().iter();
        let target = servers.find(|server| server.address() == target).ok_or("no such server")?;
        scene.cluster.promote_by_hand(target, how.clone()).await?;
        sleep(Duration::from_secs(1)).await;
    }
    let torn = if how.kill_connections { count as u64 } else { 0 };
    let (transactions, told) = load.close(&scene, torn).await?;
    let killed = if how.kill_connections { ", connections killed" } else { "" };
    println!(
        "{flavor}: {count} switchovers by somebody else{killed}, {transactions} long transactions, {told} were told 1213"
    );
    scene.finish()
}
