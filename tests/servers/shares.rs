//! `[[server]]` and `[[route]]`: which replica serves, and for whom.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tideover_sandbox::{
    proxy::{Proxy, ProxyOptions},
    servers::{Cluster, ClusterOptions, Flavor},
};

use tokio::time::{Instant, sleep};

use crate::support::{TestResult, eventually, open, options, program, slots};

/// Reads of one kind, one after the other.
const READS: u64 = 40;

/// One of several proxies in front of one cluster.
struct Front<'a> {
    cluster: &'a Cluster,
    proxy: Proxy,
}

impl<'a> Front<'a> {
    /// Reads wait for a replica rather than go elsewhere, and none of them for another one's position.
    async fn start(
        cluster: &'a Cluster,
        configure: impl FnOnce(ProxyOptions) -> ProxyOptions,
    ) -> TestResult<Self> {
        let options = ProxyOptions::new(program(), cluster)
            .set("routing", "slow_start", "\"0s\"")
            .set("routing", "consistency", "\"eventual\"")
            .set("routing", "fallback", "\"wait\"");
        let front = Self { cluster, proxy: Proxy::start(&configure(options)).await? };
        front.until_fit(&[1, 2]).await?;
        Ok(front)
    }

    /// Waits until these servers serve reads, by their places, and no others.
    async fn until_fit(&self, wanted: &[usize]) -> TestResult {
        eventually("the right replicas serve reads", Duration::from_secs(20), || async {
            let status = self.proxy.admin().json("/v1/status").await?;
            let readers = status["routing"]["readers"].as_array().cloned().unwrap_or_default();
            let fit = readers.iter().enumerate().filter(|(_, reader)| reader["fit"] == true);
            Ok(fit.map(|(at, _)| at).collect::<Vec<_>>() == wanted)
        })
        .await
    }

    /// Runs a read many times; gives how many of them each server has served as a replica.
    async fn serves(&self, sql: &str) -> TestResult<Vec<u64>> {
        let before = self.served().await?;
        let mut client = open(options(self.proxy.address(), "app", "app")).await?;
        for _ in 0..READS {
            client.query_drop(sql).await?;
        }
        // The last one is counted a moment after its answer; what no replica serves is waited for in vain.
        let deadline = Instant::now() + Duration::from_secs(1);
        loop {
            let after = self.served().await?;
            let served: Vec<u64> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
            if served.iter().sum::<u64>() == READS || Instant::now() >= deadline {
                return Ok(served);
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn served(&self) -> TestResult<Vec<u64>> {
        let status = self.proxy.admin().json("/v1/status").await?;
        let readers = status["routing"]["readers"].as_array().cloned().unwrap_or_default();
        Ok(readers.iter().filter_map(|reader| reader["reads"].as_u64()).collect())
    }
}

#[tokio::test]
async fn mariadb_11_8_zones_weights_and_rules() -> TestResult {
    let _slot = slots(1).await?;
    let cluster = Cluster::start(ClusterOptions::new(Flavor::MariaDb118)).await?;
    let setup = ["stock", "other"]
        .map(|name| format!("CREATE TABLE app.{name} (id INT PRIMARY KEY, n INT) SELECT 1 AS id, 7 AS n"));
    cluster.primary().run(&setup).await?;
    cluster.wait_in_sync().await?;
    zones(&cluster).await?;
    weights(&cluster).await?;
    rules(&cluster).await
}

/// `[[server]]` tables for both replicas.
fn tables(cluster: &Cluster, of_first: &str, of_second: &str) -> String {
    let [_, first, second] = cluster.addresses()[..] else { return String::new() };
    format!("[{{ address = \"{first}\", {of_first} }}, {{ address = \"{second}\", {of_second} }}]")
}

/// Reads stay in the proxy's own zone for as long as somebody serves there.
async fn zones(cluster: &Cluster) -> TestResult {
    let front = Front::start(cluster, |options| {
        let servers = tables(cluster, "zone = \"west\"", "zone = \"east\"");
        options
            .set("routing", "reads", "\"replicas\"")
            .set("routing", "zone", "\"east\"")
            .set("", "server", servers)
    })
    .await?;
    assert_eq!(front.serves("SELECT n FROM stock WHERE id = 1").await?, [0, 0, READS]);
    let near = front.cluster.servers()[2].clone();
    near.run(&["STOP REPLICA SQL_THREAD"]).await?;
    front.until_fit(&[1]).await?;
    assert_eq!(front.serves("SELECT n FROM stock WHERE id = 1").await?, [0, READS, 0]);
    near.run(&["START REPLICA SQL_THREAD"]).await?;
    front.until_fit(&[1, 2]).await
}

/// A thousandth of the weight is next to nothing, however fast its server is.
async fn weights(cluster: &Cluster) -> TestResult {
    let front = Front::start(cluster, |options| {
        let servers = tables(cluster, "weight = 1", "weight = 1000");
        options.set("routing", "reads", "\"replicas\"").set("", "server", servers)
    })
    .await?;
    let served = front.serves("SELECT n FROM stock WHERE id = 1").await?;
    assert!(served[0] == 0 && served[1] + served[2] == READS && served[2] > 3 * served[1], "{served:?}");
    Ok(())
}

/// What fits decides, the first of several, and nothing sends a read away that must stay.
async fn rules(cluster: &Cluster) -> TestResult {
    let rules = "[{ pattern = \"*where id = 2*\", to = \"primary\" }, \
                  { user = \"app\", schema = \"app\", pattern = \"select * from stock*\", to = \"replica\" }, \
                  { user = \"somebody\", to = \"replica\" }]";
    let front = Front::start(cluster, |options| options.set("", "route", rules)).await?;
    let by_replicas = async |sql| TestResult::Ok(front.serves(sql).await?.iter().sum::<u64>());
    assert_eq!(by_replicas("SELECT n FROM stock WHERE id = 1").await?, READS);
    assert_eq!(by_replicas("SELECT n FROM stock WHERE id = 2").await?, 0, "the first rule");
    assert_eq!(by_replicas("SELECT n FROM other WHERE id = 1").await?, 0, "no rule: routing.reads");
    assert_eq!(by_replicas("SELECT n FROM stock WHERE id = 1 FOR UPDATE").await?, 0, "it locks");
    let status = front.proxy.admin().json("/v1/status").await?;
    assert_eq!(status["routing"]["rules"], serde_json::json!([READS, READS, 0]), "{}", status["routing"]);
    Ok(())
}
