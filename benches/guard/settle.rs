//! How long sessions in doubt wait for their outcome when there is much to read: 500 units whose answers were lost, and a
//! gigabyte of binary log that was written before or after them.

use std::time::{Duration, Instant};

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::{
    faults::{Moment, Relay},
    proxy::{Proxy, ProxyOptions},
    servers::{Cluster, ClusterOptions, Flavor, PromoteOptions},
};
use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::{Outcome, connect, program};

/// Units in doubt.
const UNITS: usize = 500;
/// One row of the bulk, bytes.
const ROW: usize = 8 << 20;
/// How long one waits for something that must happen.
const LIMIT: Duration = Duration::from_secs(120);

/// Where the bulk of the log lies.
#[derive(Clone, Copy)]
pub(crate) enum Bulk {
    /// Older than all that is in doubt.
    Before,
    /// Between the units in doubt and the end of the log: all of it must be read.
    After,
}

/// Measures both, on both kinds of server, with so many bytes of bulk.
pub(crate) async fn table(bytes: usize) -> Outcome {
    println!(
        "\n| server | log | written | promotion to first answer, ms | to the median | to the last of {UNITS} |\n\
         |---|---|---|---|---|---|"
    );
    for flavor in [Flavor::MariaDb1011, Flavor::Mysql9] {
        for bulk in [Bulk::Before, Bulk::After] {
            let times = measure(flavor, bulk, bytes).await?;
            let at = |place: usize| times[place].as_secs_f64() * 1e3;
            let name = if matches!(bulk, Bulk::Before) { "before the doubt" } else { "after the doubt" };
            println!(
                "| {flavor} | {} MiB | {name} | {:.0} | {:.0} | {:.0} |",
                bytes >> 20,
                at(0),
                at(UNITS / 2),
                at(UNITS - 1)
            );
        }
    }
    Ok(())
}

/// From the moment when the promoted server took writes until each session had its answer, sorted.
async fn measure(flavor: Flavor, bulk: Bulk, bytes: usize) -> Outcome<Vec<Duration>> {
    let scene = Scene::start(flavor).await?;
    if matches!(bulk, Bulk::Before) {
        scene.write(bytes).await?;
    }
    let (release, held) = watch::channel(false);
    let answers = scene.lose_answers(held).await?;
    if matches!(bulk, Bulk::After) {
        scene.write(bytes).await?;
    }
    scene.cluster.wait_in_sync().await?;
    let old = scene.cluster.primary().clone();
    old.kill().await?;
    release.send_replace(true);
    // The proxy has noticed by then, and the promotion is not what it waits for.
    sleep(Duration::from_millis(500)).await;
    let best = scene.cluster.most_advanced_replica().await?.clone();
    let began = Instant::now();
    let promoted = scene.cluster.promote_by_hand(&best, PromoteOptions::failover()).await?;
    let writable = began + promoted.writable_after;
    let mut times = Vec::new();
    for answered in answers.join_all().await {
        times.push(answered?.saturating_duration_since(writable));
    }
    times.sort_unstable();
    let sums = "SELECT CAST(SUM(n) AS UNSIGNED) FROM app.counters";
    let sum = best.query_one::<u64>(sums).await?.unwrap_or_default();
    if sum != UNITS as u64 {
        return Err(format!("{UNITS} units were answered and {sum} were done").into());
    }
    Ok(times)
}

/// A primary behind a relay, a replica, and a proxy in front of them.
struct Scene {
    proxy: Proxy,
    relay: Relay,
    cluster: Cluster,
}

impl Scene {
    async fn start(flavor: Flavor) -> Outcome<Self> {
        let connections = format!("--max-connections={}", UNITS + 100);
        let options = ClusterOptions {
            replicas: 1,
            server_options: vec![
                connections,
                "--max-allowed-packet=64M".into(),
                "--innodb-buffer-pool-size=256M".into(),
            ],
            ..ClusterOptions::new(flavor)
        };
        let cluster = Cluster::start(options).await?;
        let primary = cluster.primary();
        primary.run(&["CREATE TABLE app.counters (id INT PRIMARY KEY, n BIGINT NOT NULL)"]).await?;
        primary.run(&["CREATE TABLE app.bulk (id INT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)"]).await?;
        let rows: Vec<_> = (0..UNITS).map(|id| format!("({id}, 0)")).collect();
        primary.run(&[&format!("INSERT INTO app.counters VALUES {}", rows.join(","))]).await?;
        cluster.wait_in_sync().await?;
        // Only the primary stands behind a relay: what is measured is not the relay.
        let relay = Relay::start(primary.address()).await?;
        let replicas = cluster.replicas().into_iter().map(|server| server.address());
        let addresses: Vec<_> =
            [relay.address()].into_iter().chain(replicas).map(|at| format!("\"{at}\"")).collect();
        let options = ProxyOptions::new(program(), &cluster)
            .set("cluster", "servers", format!("[{}]", addresses.join(", ")))
            .set("pool", "max_per_server", (UNITS + 20).to_string())
            .set("guard", "mode", "\"tag\"");
        let proxy = Proxy::start(&options).await?;
        Ok(Self { proxy, relay, cluster })
    }

    /// Writes so many bytes into the log, past the proxy.
    async fn write(&self, bytes: usize) -> Outcome {
        let mut connection = self.cluster.primary().connect_as("root", "", Some("app")).await?;
        for _ in 0..bytes.div_ceil(ROW) {
            connection.query_drop(format!("INSERT INTO bulk (v) VALUES (REPEAT('x', {ROW}))")).await?;
        }
        self.cluster.wait_in_sync().await?;
        Ok(())
    }

    /// Has a unit done in each session, whose answer nobody gets. Each then waits for what the proxy says of it.
    async fn lose_answers(&self, held: watch::Receiver<bool>) -> Outcome<JoinSet<Outcome<Instant>>> {
        let (mut answers, mut hits) = (JoinSet::new(), Vec::new());
        for id in 0..UNITS {
            let sql = format!("UPDATE counters SET n = n + 1 WHERE id = {id} -- .");
            hits.push(self.relay.cut_and_hold(&format!("id = {id} -- ."), Moment::Executed, held.clone()));
            let mut client: Conn = connect(self.proxy.address()).await?;
            answers.spawn(async move {
                client.query_drop(sql).await?;
                if client.affected_rows() == 1 {
                    return Ok(Instant::now());
                }
                Err("the answer was not the one that was lost".into())
            });
        }
        for mut hit in hits {
            if !hit.within(LIMIT).await {
                return Err("a statement was not executed in time".into());
            }
        }
        Ok(answers)
    }
}
