//! Which replica gets a read, as an operator sets it: maintenance, zones, weights, hints and rules, each a proxy of its own in
//! front of one cluster; and that `tideover explain` says the same.

use std::process::Command;
use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use serde_json::Value;
use tideover_sandbox::proxy::{Proxy, ProxyOptions};
use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{TestResult, eventually, options, program, slots};

#[tokio::test]
async fn mariadb_10_11_reads_go_where_they_are_sent() -> TestResult {
    sent(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_reads_go_where_they_are_sent() -> TestResult {
    sent(Flavor::Mysql9).await
}

/// A cluster, and its replicas' addresses.
struct Stage {
    cluster: Cluster,
    replicas: [String; 2],
}

impl Stage {
    /// A proxy with this configuration, which says of each replica what `servers` has for it.
    async fn proxy(&self, servers: [&str; 2], more: &[(&str, &str, &str)]) -> TestResult<Proxy> {
        let tables: Vec<String> = self
            .replicas
            .iter()
            .zip(servers)
            .filter(|(_, said)| !said.is_empty())
            .map(|(address, said)| format!("{{ address = \"{address}\", {said} }}"))
            .collect();
        let mut options = ProxyOptions::new(program(), &self.cluster)
            .set("routing", "reads", "\"replicas\"")
            .set("routing", "slow_start", "\"0s\"")
            .set("routing", "wait", "\"5s\"")
            .set("routing", "consistency", "\"eventual\"")
            .set("", "server", format!("[{}]", tables.join(", ")));
        for (table, key, value) in more {
            options = options.set(table, key, *value);
        }
        let proxy = Proxy::start(&options).await?;
        eventually("both replicas are known", Duration::from_secs(20), || async {
            let status = proxy.admin().json("/v1/status").await?;
            let known = status["servers"].as_array().into_iter().flatten();
            Ok(known.filter(|server| server["role"] == "replica").count() == 2)
        })
        .await?;
        Ok(proxy)
    }

    /// Reads that each replica has served, when all of `all` are counted: the last ones are a moment after their answers.
    async fn served_of(&self, proxy: &Proxy, all: u64) -> TestResult<[u64; 2]> {
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let served = self.served(proxy).await?;
            if served[0] + served[1] >= all || Instant::now() >= deadline {
                return Ok(served);
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Reads that each replica has served.
    async fn served(&self, proxy: &Proxy) -> TestResult<[u64; 2]> {
        let status = proxy.admin().json("/v1/status").await?;
        let readers =
            status.pointer("/routing/readers").and_then(Value::as_array).cloned().unwrap_or_default();
        let of = |address: &String| {
            readers.iter().find(|reader| reader["address"] == **address).and_then(|r| r["reads"].as_u64())
        };
        Ok([of(&self.replicas[0]).unwrap_or(0), of(&self.replicas[1]).unwrap_or(0)])
    }
}

async fn connect(proxy: &Proxy) -> TestResult<Conn> {
    Ok(Conn::new(options(proxy.address(), "app", "app")).await?)
}

/// Reads of several clients at once.
async fn read(proxy: &Proxy, sql: &'static str) -> TestResult {
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let mut connection = connect(proxy).await?;
        clients.spawn(async move {
            for _ in 0..50 {
                connection.query_drop(sql).await?;
            }
            connection.disconnect().await
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(())
}

const SELECT: &str = "SELECT n FROM c WHERE id = 1";

async fn sent(flavor: Flavor) -> TestResult {
    let _slot = slots(1).await?;
    let cluster = Cluster::start(ClusterOptions::new(flavor)).await?;
    let setup = ["CREATE TABLE app.c (id INT PRIMARY KEY, n INT)", "INSERT INTO app.c VALUES (1, 1)"];
    cluster.primary().run(&setup).await?;
    cluster.wait_in_sync().await?;
    let replicas = cluster.replicas().iter().map(|replica| replica.address().to_string()).collect::<Vec<_>>();
    let stage = Stage { replicas: replicas.try_into().map_err(|_| "not two replicas")?, cluster };

    let proxy = stage.proxy(["maintenance = true", ""], &[]).await?;
    read(&proxy, SELECT).await?;
    assert_eq!(stage.served_of(&proxy, 200).await?, [0, 200], "one is in maintenance");

    let proxy = stage.proxy(["zone = \"a\"", "zone = \"b\""], &[("routing", "zone", "\"b\"")]).await?;
    read(&proxy, SELECT).await?;
    assert_eq!(stage.served_of(&proxy, 200).await?, [0, 200], "one is nearer");
    let near = &stage.cluster.replicas()[1];
    near.run(&["STOP REPLICA SQL_THREAD"]).await?;
    eventually("reads go to the other zone", Duration::from_secs(20), || async {
        read(&proxy, SELECT).await?;
        Ok(stage.served(&proxy).await?[0] > 0)
    })
    .await?;
    near.run(&["START REPLICA SQL_THREAD"]).await?;

    let proxy = stage.proxy(["weight = 1000", "weight = 10"], &[]).await?;
    read(&proxy, SELECT).await?;
    let [heavy, light] = stage.served_of(&proxy, 200).await?;
    println!("{flavor}: {heavy} and {light} reads with weights of 1000 and 10");
    assert!(heavy + light == 200 && heavy > light, "{heavy} and {light}");
    ruled(&stage).await
}

/// Rules decide in their order, hints come first, and each is counted once for a statement.
async fn ruled(stage: &Stage) -> TestResult {
    let rules =
        "[{ pattern = \"SELECT n FROM c*\", to = \"primary\" }, { user = \"app\", to = \"replica\" }]";
    let more = [("", "route", rules), ("routing", "consistency", "\"session\"")];
    let proxy = stage.proxy(["", ""], &more).await?;
    read(&proxy, SELECT).await?;
    read(&proxy, "SELECT id FROM c").await?;
    let hinted = "/* tideover:replica */ SELECT n FROM c";
    read(&proxy, hinted).await?;
    read(&proxy, "/* tideover:primary */ SELECT id FROM c").await?;
    read(&proxy, "SELECT id FROM c FOR UPDATE").await?;
    let [one, other] = stage.served_of(&proxy, 400).await?;
    let status = proxy.admin().json("/v1/status").await?;
    assert_eq!(one + other, 400, "{}", status["routing"]);
    let count = |name: &str| status["routing"]["reasons"][name].as_u64();
    assert_eq!(count("rule"), Some(400), "{}", status["routing"]);
    assert_eq!(count("hint_replica"), Some(200), "{}", status["routing"]);
    assert_eq!(count("hint_primary"), Some(200), "{}", status["routing"]);
    assert_eq!(count("locks"), Some(200), "{}", status["routing"]);
    assert_eq!(status["routing"]["rules"], serde_json::json!([200, 200]), "{}", status["routing"]);
    let wanted = [
        (SELECT, "primary", "rule"),
        ("SELECT id FROM c", "replica", "rule"),
        (hinted, "replica", "hint_replica"),
        ("/* tideover:primary */ SELECT id FROM c", "primary", "hint_primary"),
        ("SELECT id FROM c FOR UPDATE", "primary", "locks"),
    ];
    for (sql, to, reason) in wanted {
        let explained = Command::new(program())
            .args(["explain", "--json", "--user", "app", "--schema", "app", "-c"])
            .arg(proxy.config_path())
            .arg(sql)
            .output()?;
        let said: Value = serde_json::from_slice(&explained.stdout)?;
        for family in said.as_array().into_iter().flatten() {
            assert_eq!((family["to"].as_str(), family["reason"].as_str()), (Some(to), Some(reason)), "{sql}");
        }
    }
    Ok(())
}
