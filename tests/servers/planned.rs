//! Planned switchovers in a row under load: no error, nothing lost, nothing doubled, no session lost.

use std::time::Duration;

use tideover_sandbox::{
    proxy::SwitchoverReport,
    servers::{ClusterOptions, Flavor},
    workload::{Workload, WorkloadOptions},
};
use tokio::time::sleep;

use crate::support::{Scene, TestResult, length};

#[tokio::test]
async fn mariadb_10_11_under_unpaced_clients() -> TestResult {
    unpaced(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mariadb_11_8_under_unpaced_clients() -> TestResult {
    unpaced(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9_under_unpaced_clients() -> TestResult {
    unpaced(Flavor::Mysql9).await
}

#[tokio::test]
async fn mariadb_10_11_at_10_and_100_a_second() -> TestResult {
    paced(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_at_10_and_100_a_second() -> TestResult {
    paced(Flavor::Mysql9).await
}

/// 32 clients as fast as they can, transactions of up to 200 ms among them.
async fn unpaced(flavor: Flavor) -> TestResult {
    let scene = Scene::alone(ClusterOptions::new(flavor), |options| options).await?;
    // Between so many accounts that hardly anybody waits for somebody else's row, a wait is the switchover's; between few,
    // rows are waited for in long queues.
    for accounts in length(vec![200], vec![200_000, 200]) {
        let workload = WorkloadOptions {
            transaction_hold: Duration::ZERO..Duration::from_millis(65),
            accounts,
            ..scene.workload()
        };
        in_a_row(&scene, workload, &format!("unpaced, {accounts} accounts"), length(3, 20)).await?;
    }
    scene.finish()
}

async fn paced(flavor: Flavor) -> TestResult {
    let scene = Scene::with(ClusterOptions::new(flavor), |options| options).await?;
    for pace in [10, 100] {
        let workload = WorkloadOptions { pace: Some(pace), ..scene.workload() };
        in_a_row(&scene, workload, &format!("{pace}/s"), length(2, 20)).await?;
    }
    scene.finish()
}

async fn in_a_row(scene: &Scene, options: WorkloadOptions, name: &str, count: usize) -> TestResult {
    let workload = Workload::start(options).await?;
    sleep(Duration::from_secs(1)).await;
    workload.forget_waits();
    let mut reports = Vec::new();
    for _ in 0..count {
        reports.push(scene.switch().await?);
        sleep(Duration::from_millis(500)).await;
    }
    let (report, books) = scene.close(workload).await?;
    let snapshot = &report.snapshot;
    print(scene, name, &reports);
    println!(
        "  longest wait of a client {} ms (p99.9 {} ms); {} units, {} writes acknowledged",
        snapshot.longest_wait.as_millis(),
        snapshot.p999.as_millis(),
        snapshot.total_ok(),
        books.acknowledged
    );
    assert!(snapshot.is_clean(), "{name}: clients noticed: {snapshot:#?}");
    assert!(books.is_clean() && books.unknown == 0, "{name}: {books:#?}");
    assert!(books.acknowledged > 0 && snapshot.total_ok() > 0, "{name}: nothing happened");
    for report in &reports {
        assert!(report.held_ms <= report.total_ms, "{report:#?}");
    }
    Ok(())
}

fn print(scene: &Scene, name: &str, reports: &[SwitchoverReport]) {
    println!("{}, {name}: {} switchovers", scene.cluster.flavor(), reports.len());
    for report in reports {
        println!(
            "  {:.0} ms in all, database {:.0}, held {} clients for {:.0} ms: {}",
            report.total_ms,
            report.switch_ms,
            report.held_sessions,
            report.held_ms,
            report.timeline()
        );
    }
}
