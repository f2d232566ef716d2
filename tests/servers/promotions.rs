//! Keys of `[failover]` that say when a primary is lost, and what its successor may take.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use serde_json::Value;
use tideover_sandbox::{
    proxy::{Proxy, ProxyOptions},
    servers::{Cluster, ClusterOptions, Flavor, Server},
};

use crate::support::{TestResult, eventually, open, options, program, slots};

/// Longer than any of this takes.
const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test]
async fn mariadb_10_11_confirm_witnesses_and_apply_timeout() -> TestResult {
    let _slot = slots(1).await?;
    let cluster = Cluster::start(ClusterOptions::new(Flavor::MariaDb1011)).await?;
    cluster.primary().run(&["CREATE TABLE app.t (a INT PRIMARY KEY, b INT) SELECT 1 AS a, 0 AS b"]).await?;
    cluster.wait_in_sync().await?;
    confirm(&cluster).await?;
    cluster.wait_in_sync().await?;
    witnesses_and_apply_timeout(&cluster).await
}

/// One of several proxies in front of one cluster, which promotes by itself.
async fn start(cluster: &Cluster, configure: impl FnOnce(ProxyOptions) -> ProxyOptions) -> TestResult<Proxy> {
    let options = ProxyOptions::new(program(), cluster).set("failover", "mode", "\"auto\"");
    Ok(Proxy::start(&configure(options)).await?)
}

async fn status(proxy: &Proxy, pointer: &str) -> TestResult<Value> {
    let status = proxy.admin().json("/v1/status").await?;
    Ok(status.pointer(pointer).cloned().unwrap_or_default())
}

async fn is_primary(proxy: &Proxy, server: &Server) -> TestResult {
    let what = format!("{} is the primary", server.address());
    let done = eventually(&what, LIMIT, async || {
        Ok(status(proxy, "/primary").await? == server.address().to_string())
    })
    .await;
    done.map_err(|error| format!("{error}\n{}", proxy.log()).into())
}

/// A primary that refuses connections is not lost before that time.
async fn confirm(cluster: &Cluster) -> TestResult {
    let proxy = start(cluster, |options| options.set("failover", "confirm", "\"1h\"")).await?;
    let primary = cluster.primary();
    primary.kill().await?;
    eventually("it waits for the time to pass", LIMIT, async || {
        let note = status(&proxy, "/failover/note").await?;
        Ok(note.as_str().is_some_and(|note| note.ends_with("of 3600000 ms")))
    })
    .await?;
    for replica in cluster.replicas() {
        assert!(replica.is_read_only().await?, "port {} was promoted", replica.port);
    }
    primary.start_again().await?;
    is_primary(&proxy, primary).await
}

/// One replica is gone before its primary, so that there is no majority: one witness is enough if told so. It is promoted
/// when it has applied all that it has received, and not before.
async fn witnesses_and_apply_timeout(cluster: &Cluster) -> TestResult {
    let proxy = start(cluster, |options| {
        options.set("failover", "witnesses", "1").set("failover", "apply_timeout", "\"700ms\"")
    })
    .await?;
    let (primary, replicas) = (cluster.primary(), cluster.replicas());
    let [witness, absent] = replicas[..] else { return Err("not two replicas".into()) };
    absent.kill().await?;
    eventually("one replica is seen to be gone", LIMIT, async || {
        Ok(status(&proxy, "/servers/2/role").await? == "down")
    })
    .await?;
    let mut reader = witness.connect_as("root", "", Some("app")).await?;
    reader.query_drop("BEGIN").await?;
    reader.query_drop("SELECT b FROM t WHERE a = 1 FOR UPDATE").await?;
    primary.run(&["UPDATE app.t SET b = 1"]).await?;
    let position = primary.position().await?;
    eventually("the other one has received it", LIMIT, async || {
        Ok(witness.replica_status("Gtid_IO_Pos").await?.as_deref() == Some(&*position))
    })
    .await?;
    primary.kill().await?;
    eventually("it is told what is waited for", LIMIT, async || {
        let flights = proxy.admin().get("/v1/flights").await?.body;
        Ok(flights.contains("within 700 ms (failover.apply_timeout)"))
    })
    .await
    .map_err(|error| format!("{error}\n{}", proxy.log()))?;
    assert!(witness.is_read_only().await?, "promoted before it has all");
    reader.query_drop("ROLLBACK").await?;
    is_primary(&proxy, witness).await?;
    let mut client = open(options(proxy.address(), "app", "app")).await?;
    assert_eq!(client.query_first::<i32, _>("SELECT b FROM t").await?, Some(1));
    Ok(())
}
