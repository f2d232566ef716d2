//! Statements whose text the lists of MySQL 9 cannot show (error 3854), and those that a table's AUTO_INCREMENT lock holds.

use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::{
    proxy::{Proxy, ProxyOptions},
    servers::{Cluster, ClusterOptions, Flavor},
};
use tokio::time::sleep;

use crate::support::{TestResult, open, options, program, slots};

#[tokio::test]
async fn mysql_9_an_emoji_in_a_statement_refuses_no_switchover() -> TestResult {
    let (cluster, proxy) = scene(Flavor::Mysql9).await?;
    // Somebody's transaction, past the proxy, that must be ended for the fence.
    let mut direct = cluster.primary().connect_as("app", "app", Some("app")).await?;
    direct.query_drop("BEGIN").await?;
    direct.query_drop("INSERT INTO t (b) VALUES (1)").await?;
    let ended = tokio::spawn(async move { direct.query_drop("SELECT SLEEP(20), '\u{1f600}' FROM t").await });
    sleep(Duration::from_millis(500)).await;
    let switched = proxy.admin().switchover(None, |_| {}).await?;
    assert!(switched.is_done(), "{switched:#?}");
    ended.abort();
    let mut client = client(&proxy).await?;
    client.query_drop("INSERT INTO t (b) VALUES (2)").await?;
    Ok(())
}

/// MariaDB tells a statement that was ended while it waited for that lock that no number could be read.
#[tokio::test]
async fn mariadb_10_11_what_waits_for_auto_increment_goes_on_elsewhere() -> TestResult {
    let (cluster, proxy) = scene(Flavor::MariaDb1011).await?;
    let mut direct = cluster.primary().connect_as("app", "app", Some("app")).await?;
    let holder =
        tokio::spawn(
            async move { direct.query_drop("INSERT INTO t (b) SELECT SLEEP(1) FROM seq_1_to_10").await },
        );
    sleep(Duration::from_millis(1500)).await;
    let mut waiting = client(&proxy).await?;
    let waits = tokio::spawn(async move { waiting.query_drop("INSERT INTO t (b) VALUES (7)").await });
    sleep(Duration::from_millis(500)).await;
    let switched = proxy.admin().switchover(None, |_| {}).await?;
    assert!(switched.is_done(), "{switched:#?}");
    waits.await?.map_err(|error| format!("{error}\n{}", proxy.log()))?;
    holder.abort();
    let mut client = client(&proxy).await?;
    assert_eq!(client.query_first::<u32, _>("SELECT COUNT(*) FROM t WHERE b = 7").await?, Some(1));
    Ok(())
}

async fn scene(flavor: Flavor) -> TestResult<(Cluster, Proxy)> {
    let _slot = slots(1).await?;
    let cluster = Cluster::start(ClusterOptions::new(flavor)).await?;
    cluster.primary().run(&["CREATE TABLE app.t (a INT PRIMARY KEY AUTO_INCREMENT, b INT)"]).await?;
    cluster.wait_in_sync().await?;
    let options = ProxyOptions::new(program(), &cluster).set("switchover", "drain_timeout", "\"500ms\"");
    let proxy = Proxy::start(&options).await?;
    Ok((cluster, proxy))
}

async fn client(proxy: &Proxy) -> TestResult<Conn> {
    Ok(open(options(proxy.address(), "app", "app")).await?)
}
