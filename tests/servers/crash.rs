//! The primary dies and a replica is promoted by somebody else two seconds later.

use std::time::Duration;

use tideover_sandbox::{
    servers::{ClusterOptions, Flavor, PromoteOptions},
    workload::{DeadlockPolicy, Workload, WorkloadOptions},
};
use tokio::time::sleep;

use crate::support::{Scene, TestResult, length};

/// `hold.timeout` of this test, seconds.
const HOLD: u64 = 15;

#[tokio::test]
async fn mariadb_10_11_killed() -> TestResult {
    killed(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_killed() -> TestResult {
    killed(Flavor::Mysql9).await
}

/// Semi-synchronous replication, so that nothing that was acknowledged is lost by the database itself. What had been sent
/// and was not answered is in doubt (1180) or, in a transaction, rolled back (1213); everything else waits and succeeds.
async fn killed(flavor: Flavor) -> TestResult {
    let cluster = ClusterOptions { semi_sync: true, ..ClusterOptions::new(flavor) };
    let scene =
        Scene::with(cluster, |options| options.set("hold", "timeout", format!("\"{HOLD}s\""))).await?;
    let clients = 32;
    for round in 0..length(1, 5) {
        let options = WorkloadOptions { clients, deadlocks: DeadlockPolicy::Retry, ..scene.workload() };
        let workload = Workload::start(options).await?;
        sleep(Duration::from_secs(1)).await;
        let old = scene.cluster.primary().clone();
        old.kill().await?;
        sleep(Duration::from_secs(2)).await;
        let best = scene.cluster.most_advanced_replica().await?.clone();
        scene.cluster.promote_by_hand(&best, PromoteOptions::failover()).await?;
        sleep(Duration::from_secs(2)).await;
        let (report, books) = scene.close(workload).await?;
        let snapshot = &report.snapshot;
        println!(
            "{flavor}, killed, round {round}: longest wait {} ms, {} transactions run again, {} in doubt, {} units",
            snapshot.longest_wait.as_millis(),
            snapshot.retried_deadlocks,
            snapshot.total_errors(),
            snapshot.total_ok()
        );
        assert!(snapshot.errors.keys().all(|&code| code == 1180), "{:#?}", snapshot.errors);
        assert!(snapshot.total_errors() <= clients.into(), "more in doubt than there were clients");
        assert_eq!(snapshot.lost_sessions, 0, "{snapshot:#?}");
        assert_eq!(snapshot.wrong_answers.count, 0, "{:#?}", snapshot.wrong_answers);
        assert!(books.is_clean(), "{books:#?}");
        let longest = snapshot.longest_wait;
        assert!(longest < Duration::from_secs(HOLD), "somebody hung for {longest:?}");
        // Two seconds without a primary were not an error for anybody who had not begun.
        assert!(longest > Duration::from_millis(1500), "nobody waited, so nothing was tested");
        scene.cluster.rejoin_or_rebuild(&old).await?;
        scene.cluster.wait_in_sync().await?;
    }
    scene.finish()
}
