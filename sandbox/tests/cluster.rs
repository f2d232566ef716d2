//! The sandbox against real servers: one test for each kind, which `scripts/servers` gets if they are not here yet.

use std::time::Duration;

use tideover_sandbox::{
    SandboxError,
    servers::{Cluster, ClusterOptions, Flavor, PromoteOptions},
    workload::{Books, BooksReport, DeadlockPolicy, Snapshot, Workload, WorkloadOptions},
};
use tokio::time::sleep;

#[tokio::test]
async fn mariadb_10_11() -> Result<(), SandboxError> {
    everything(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mariadb_11_8() -> Result<(), SandboxError> {
    everything(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9() -> Result<(), SandboxError> {
    everything(Flavor::Mysql9).await
}

/// One cluster's life: load in peace, a switchover by hand under load, a crash under load, a rejoin.
async fn everything(flavor: Flavor) -> Result<(), SandboxError> {
    let cluster = Cluster::start(ClusterOptions { semi_sync: true, ..ClusterOptions::new(flavor) }).await?;
    monitor_account_may_do_its_work(&cluster).await?;
    clients_of_a_quiet_primary_see_nothing(&cluster).await?;
    books_notice_what_is_wrong(&cluster).await?;
    clients_of_a_demoted_primary_see_errors_and_lose_nothing(&cluster).await?;
    killed_clients_lose_their_sessions(&cluster).await?;
    a_frozen_primary_answers_nobody(&cluster).await?;
    a_crashed_primary_rejoins(&cluster).await?;

    let pids: Vec<_> = cluster.servers().iter().filter_map(|server| server.pid()).collect();
    let directory = cluster.primary().directory().to_owned();
    assert_eq!(pids.len(), 3);
    drop(cluster);
    for pid in pids {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} outlived its cluster");
    }
    assert!(!directory.exists());
    Ok(())
}

async fn monitor_account_may_do_its_work(cluster: &Cluster) -> Result<(), SandboxError> {
    use mysql_async::prelude::Queryable;
    let replica = cluster.replicas()[0];
    let mariadb = cluster.flavor().is_mariadb();
    let read_only = if mariadb { "read_only" } else { "super_read_only" };
    let mut statements = vec![
        "SHOW REPLICA STATUS".to_owned(),
        "SHOW FULL PROCESSLIST".to_owned(),
        "SHOW BINLOG EVENTS LIMIT 1".to_owned(),
        "SELECT user, plugin, authentication_string FROM mysql.user".to_owned(),
        "SELECT COUNT(*) FROM information_schema.innodb_trx".to_owned(),
        "STOP REPLICA".to_owned(),
        "START REPLICA".to_owned(),
        format!("SET GLOBAL {read_only}=0"),
        "SET SESSION sql_log_bin=0".to_owned(),
        "CREATE SCHEMA tideover".to_owned(),
        "DROP SCHEMA tideover".to_owned(),
        format!("SET GLOBAL {read_only}=1"),
    ];
    if mariadb {
        statements.push("SELECT Priv FROM mysql.global_priv".to_owned());
        statements.push("SHOW MASTER STATUS".to_owned());
    } else {
        statements.push("SELECT * FROM performance_schema.replication_connection_status".to_owned());
        statements.push("SHOW BINARY LOG STATUS".to_owned());
        statements.push("SET GLOBAL binlog_rows_query_log_events=ON".to_owned());
    }
    let mut connection = replica.connect_as("tideover", "tideover", None).await?;
    for sql in statements {
        connection.query_drop(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    let app = replica.connect_as("app", "app", Some("app")).await?;
    connection.query_drop(format!("KILL {}", app.id())).await.expect("the monitor account may end others");
    Ok(())
}

async fn clients_of_a_quiet_primary_see_nothing(cluster: &Cluster) -> Result<(), SandboxError> {
    let (snapshot, books) = load(cluster, |_| {}, async { Ok(()) }).await?;
    assert!(snapshot.is_clean(), "{snapshot:#?}");
    assert!(books.is_clean() && books.unknown == 0, "{books:#?}");
    assert!(books.acknowledged > 20 && snapshot.total_ok() > 40, "{snapshot:#?}");
    Ok(())
}

/// Each kind of damage, done on purpose, must show.
async fn books_notice_what_is_wrong(cluster: &Cluster) -> Result<(), SandboxError> {
    let workload = Workload::start(options(cluster)).await?;
    sleep(Duration::from_millis(500)).await;
    let books = workload.stop().await.books;
    let damage = [
        "DELETE FROM events ORDER BY row_id DESC LIMIT 1",
        "INSERT INTO events (token, body) SELECT token, body FROM events ORDER BY row_id DESC LIMIT 1",
        "INSERT INTO events (token, body) SELECT token + 1000000, '' FROM events ORDER BY row_id DESC LIMIT 1",
        "UPDATE counters SET n = n - 1 WHERE n > 0",
        "UPDATE accounts SET balance = balance + 1 WHERE id = 3",
    ];
    for sql in damage {
        cluster.primary().run(&["USE app", sql]).await?;
    }
    let report = check(cluster, &books).await?;
    assert_eq!((report.lost, report.doubled, report.unasked, report.torn), (9, 1, 1, 1), "{report:#?}");
    cluster.primary().run(&["DROP DATABASE app", "CREATE DATABASE app"]).await
}

async fn clients_of_a_demoted_primary_see_errors_and_lose_nothing(
    cluster: &Cluster,
) -> Result<(), SandboxError> {
    let target = cluster.replicas()[0].clone();
    let hold = |options: &mut WorkloadOptions| {
        options.transaction_hold = Duration::ZERO..Duration::from_millis(20);
        options.accounts = 20;
        options.deadlocks = DeadlockPolicy::Retry;
    };
    let promote = async { cluster.promote_by_hand(&target, PromoteOptions::planned()).await };
    let (snapshot, books) = load(cluster, hold, promote).await?;
    assert!(snapshot.errors.contains_key(&1290), "{snapshot:#?}");
    assert!(books.is_clean(), "{books:#?}");
    assert_eq!(cluster.find_primary().await?.port, target.port);
    Ok(())
}

async fn killed_clients_lose_their_sessions(cluster: &Cluster) -> Result<(), SandboxError> {
    let target = cluster.replicas()[0].clone();
    let promote = async { cluster.promote_by_hand(&target, PromoteOptions::planned_with_kill()).await };
    let (snapshot, books) = load(cluster, |_| {}, promote).await?;
    assert!(snapshot.lost_sessions >= 8 && snapshot.reconnects >= 8, "{snapshot:#?}");
    assert!(books.is_clean(), "{books:#?}");
    Ok(())
}

async fn a_frozen_primary_answers_nobody(cluster: &Cluster) -> Result<(), SandboxError> {
    let workload = Workload::start(options(cluster)).await?;
    sleep(Duration::from_millis(300)).await;
    cluster.primary().freeze()?;
    sleep(Duration::from_millis(600)).await;
    let waiting = workload.snapshot().waiting_now;
    assert!(waiting > Duration::from_millis(400), "{waiting:?}");
    cluster.primary().thaw()?;
    let report = workload.stop().await;
    assert!(report.snapshot.is_clean(), "{:#?}", report.snapshot);
    assert!(report.snapshot.longest_wait > Duration::from_millis(400));
    Ok(())
}

async fn a_crashed_primary_rejoins(cluster: &Cluster) -> Result<(), SandboxError> {
    let old = cluster.primary().clone();
    let fail_over = async {
        old.kill().await?;
        let best = cluster.most_advanced_replica().await?.clone();
        cluster.promote_by_hand(&best, PromoteOptions::failover()).await
    };
    let (snapshot, books) = load(cluster, |_| {}, fail_over).await?;
    assert!(snapshot.errors.contains_key(&0) && snapshot.lost_sessions > 0, "{snapshot:#?}");
    assert!(books.is_clean(), "semi-synchronous replication lost something: {books:#?}");
    cluster.rejoin(&old).await?;
    cluster.primary().run(&["CREATE TABLE app.last (a INT PRIMARY KEY)"]).await?;
    cluster.wait_in_sync().await?;
    assert!(old.is_read_only().await?);
    Ok(())
}

fn options(cluster: &Cluster) -> WorkloadOptions {
    WorkloadOptions { clients: 8, ..WorkloadOptions::new(cluster.primary().address()) }
}

/// Eight clients directly on the primary for two seconds, with `event` in the middle; then the books against whoever is
/// primary in the end.
async fn load<T>(
    cluster: &Cluster,
    change: impl FnOnce(&mut WorkloadOptions),
    event: impl Future<Output = Result<T, SandboxError>>,
) -> Result<(Snapshot, BooksReport), SandboxError> {
    let mut options = options(cluster);
    change(&mut options);
    let workload = Workload::start(options).await?;
    sleep(Duration::from_secs(1)).await;
    event.await?;
    sleep(Duration::from_secs(1)).await;
    let report = workload.stop().await;
    Ok((report.snapshot, check(cluster, &report.books).await?))
}

async fn check(cluster: &Cluster, books: &Books) -> Result<BooksReport, SandboxError> {
    let mut connection = cluster.primary().connect_as("root", "", Some("app")).await?;
    books.check(&mut connection).await
}
