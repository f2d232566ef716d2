//! Switchovers by somebody else, without any notice: `read_only` set on the old primary, the application's connections
//! killed or not, a replica promoted.

use std::time::Duration;

use tideover_sandbox::{
    servers::{ClusterOptions, Flavor, PromoteOptions},
    workload::{DeadlockPolicy, Workload, WorkloadOptions},
};
use tokio::time::sleep;

use crate::support::{Scene, TestResult, length};

#[tokio::test]
async fn mariadb_10_11_without_kill() -> TestResult {
    by_somebody_else(Flavor::MariaDb1011, PromoteOptions::planned()).await
}

#[tokio::test]
async fn mariadb_10_11_with_kill() -> TestResult {
    by_somebody_else(Flavor::MariaDb1011, PromoteOptions::planned_with_kill()).await
}

#[tokio::test]
async fn mysql_9_without_kill() -> TestResult {
    by_somebody_else(Flavor::Mysql9, PromoteOptions::planned()).await
}

#[tokio::test]
async fn mysql_9_with_kill() -> TestResult {
    by_somebody_else(Flavor::Mysql9, PromoteOptions::planned_with_kill()).await
}

/// Transactions that were open at the moment get 1213 and are run again by the clients; nobody sees any other error.
async fn by_somebody_else(flavor: Flavor, how: PromoteOptions) -> TestResult {
    let scene = Scene::with(ClusterOptions::new(flavor), |options| options).await?;
    let options = WorkloadOptions { deadlocks: DeadlockPolicy::Retry, ..scene.workload() };
    let workload = Workload::start(options).await?;
    sleep(Duration::from_secs(1)).await;
    let count = length(3, 20);
    let mut times = Vec::new();
    for _ in 0..count {
        let target = scene.next_primary().await?;
        let servers = scene.cluster.servers();
        let target =
            servers.iter().find(|server| server.address() == target).ok_or("no such server")?.clone();
        let report = scene.cluster.promote_by_hand(&target, how.clone()).await?;
        times.push(report.writable_after.as_millis());
        sleep(Duration::from_secs(1)).await;
    }
    let (report, books) = scene.close(workload).await?;
    let snapshot = &report.snapshot;
    println!(
        "{flavor}, {count} switchovers by somebody else{}: writable after {times:?} ms; longest wait {} ms, {} \
         transactions run again, {} units",
        if how.kill_connections { ", connections killed" } else { "" },
        snapshot.longest_wait.as_millis(),
        snapshot.retried_deadlocks,
        snapshot.total_ok()
    );
    assert!(snapshot.is_clean(), "clients noticed: {snapshot:#?}");
    assert!(books.is_clean() && books.unknown == 0, "{books:#?}");
    // Each switchover may hit what each client had open, and little more.
    let most = u64::from(32_u16) * count as u64 * 2;
    assert!(snapshot.retried_deadlocks <= most, "{} of at most {most}", snapshot.retried_deadlocks);
    scene.finish()
}
