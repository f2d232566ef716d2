//! Replicas whose applier does not run when their primary is lost: what they have received may be nowhere else.

use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::{
    proxy::{Proxy, ProxyOptions},
    servers::{Cluster, ClusterOptions, Flavor, Server},
};
use tokio::time::sleep;

use crate::support::{TestResult, eventually, open, options, program, slots};

/// Longer than any of this takes.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn mariadb_10_11_nothing_received_is_forgotten() -> TestResult {
    let (cluster, proxy) = scene(Flavor::MariaDb1011).await?;
    stopped(&cluster, &proxy).await?;
    broken(&cluster, &proxy).await
}

#[tokio::test]
async fn mysql_9_nothing_received_is_forgotten() -> TestResult {
    let (cluster, proxy) = scene(Flavor::Mysql9).await?;
    stopped(&cluster, &proxy).await
}

/// With semi-synchronous replication: what is acknowledged is on a replica, applied or not.
async fn scene(flavor: Flavor) -> TestResult<(Cluster, Proxy)> {
    let _slot = slots(1).await?;
    let cluster = Cluster::start(ClusterOptions { semi_sync: true, ..ClusterOptions::new(flavor) }).await?;
    cluster.primary().run(&["CREATE TABLE app.t (a INT PRIMARY KEY)"]).await?;
    cluster.wait_in_sync().await?;
    let options = ProxyOptions::new(program(), &cluster).set("failover", "mode", "\"auto\"");
    let proxy = Proxy::start(&options).await?;
    Ok((cluster, proxy))
}

async fn insert(client: &mut Conn, values: std::ops::Range<u32>) -> TestResult {
    for value in values {
        client.query_drop(format!("INSERT INTO t VALUES ({value})")).await?;
    }
    Ok(())
}

async fn count(client: &mut Conn) -> TestResult<u32> {
    Ok(client.query_first::<u32, _>("SELECT COUNT(*) FROM t").await?.unwrap_or_default())
}

/// Somebody has stopped the appliers: they go on, and all is there when clients are let in.
async fn stopped(cluster: &Cluster, proxy: &Proxy) -> TestResult {
    let mut client = open(options(proxy.address(), "app", "app")).await?;
    insert(&mut client, 0..10).await?;
    for replica in cluster.replicas() {
        replica.run(&["STOP REPLICA SQL_THREAD"]).await?;
    }
    insert(&mut client, 10..60).await?;
    cluster.primary().kill().await?;
    insert(&mut client, 60..61).await.map_err(|error| format!("{error}\n{}", proxy.log()))?;
    assert_eq!(count(&mut client).await?, 61, "{}", proxy.log());
    Ok(())
}

/// Errors have ended the appliers: nobody is promoted, however often it is tried, and who mends them loses nothing.
async fn broken(cluster: &Cluster, proxy: &Proxy) -> TestResult {
    let old = cluster.primary();
    old.set_read_only_at_start(true);
    old.start_again().await?;
    eventually("all follow the new primary", LIMIT, async || {
        let primary = cluster.find_primary().await?.port;
        let others = cluster.servers().iter().filter(|s| s.port != primary);
        for server in others {
            if server.replica_status("Slave_IO_Running").await?.as_deref() != Some("Yes") {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await?;
    let primary = cluster.find_primary().await?.clone();
    let others: Vec<_> = cluster.servers().iter().filter(|s| s.port != primary.port).collect();
    for replica in &others {
        replica.run(&["SET sql_log_bin=0", "INSERT INTO app.t VALUES (100)"]).await?;
    }
    let mut client = open(options(proxy.address(), "app", "app")).await?;
    insert(&mut client, 100..150).await?;
    for replica in &others {
        ended(replica).await?;
    }
    primary.kill().await?;
    let waiting = tokio::spawn(async move { insert(&mut client, 150..151).await.map(|()| client) });
    // More than one try.
    sleep(Duration::from_secs(5)).await;
    for replica in &others {
        assert!(replica.is_read_only().await?, "port {} was promoted", replica.port);
        let mend = ["SET sql_log_bin=0", "DELETE FROM app.t WHERE a = 100", "START REPLICA SQL_THREAD"];
        replica.run(&mend).await?;
    }
    let mut client = waiting.await??;
    assert_eq!(count(&mut client).await?, 61 + 51, "{}", proxy.log());
    Ok(())
}

async fn ended(replica: &Server) -> TestResult {
    eventually("its applier ends", LIMIT, async || {
        Ok(replica.replica_status("Slave_SQL_Running").await?.as_deref() == Some("No"))
    })
    .await
}
