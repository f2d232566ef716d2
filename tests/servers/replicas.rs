//! A real replica that replicates through the proxy, as change-data-capture programs do: pinned, in nobody's way at a
//! switchover, and back by itself when its server is lost.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor, Server};

use crate::support::{Scene, TestResult, eventually};

#[tokio::test]
async fn mariadb_11_8_replicates_through() -> TestResult {
    replicates(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9_replicates_through() -> TestResult {
    replicates(Flavor::Mysql9).await
}

/// Makes a server that knows nothing of the cluster follow the proxy, from here on.
async fn follow(scene: &Scene, outside: &Server, flavor: Flavor) -> TestResult {
    let position = scene.cluster.primary().position().await?;
    let port = scene.proxy.address().port();
    if flavor == Flavor::Mysql9 {
        let source = format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, SOURCE_USER='repl', \
             SOURCE_PASSWORD='repl', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1"
        );
        let purged = format!("SET GLOBAL gtid_purged='{}'", position.replace('\n', ""));
        return Ok(outside
            .run(&["RESET BINARY LOGS AND GTIDS", purged.as_str(), source.as_str(), "START REPLICA"])
            .await?);
    }
    let source = format!(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='repl', MASTER_PASSWORD='repl', \
         MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1"
    );
    let here = format!("SET GLOBAL gtid_slave_pos='{position}'");
    Ok(outside.run(&["RESET MASTER", here.as_str(), source.as_str(), "START REPLICA"]).await?)
}

async fn replicates(flavor: Flavor) -> TestResult {
    let scene = Scene::start(flavor).await?;
    let own = ClusterOptions {
        replicas: 0,
        server_options: vec!["--server-id=77".to_owned()],
        ..ClusterOptions::new(flavor)
    };
    let elsewhere = Cluster::start(own).await?;
    let outside = elsewhere.primary();
    follow(&scene, outside, flavor).await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT PRIMARY KEY)").await?;
    let mut rows = 0;
    let mut arrives = async |client: &mut mysql_async::Conn, what: &str| -> TestResult {
        rows += 1;
        client.query_drop(format!("INSERT INTO t VALUES ({rows})")).await?;
        let wanted = rows;
        eventually(what, Duration::from_secs(30), || async move {
            let count = outside.query_one::<i64>("SELECT COUNT(*) FROM app.t").await.ok().flatten();
            Ok(count == Some(wanted))
        })
        .await
    };
    arrives(&mut client, "a row at the replica").await?;
    let pins = scene.status("/sessions/pinned/binlog_dump").await?;
    assert_eq!(pins, serde_json::json!(1));
    let sessions = scene.proxy.admin().json("/v1/sessions").await?.to_string();
    assert!(sessions.contains("\"repl\"") && sessions.contains("binlog_dump"), "{sessions}");
    // Nobody waits for a stream that has no end.
    let report = scene.switch().await?;
    assert!(report.cut_units == 0, "{report:#?}");
    arrives(&mut client, "a row after a switchover").await?;
    // Its server goes, which is a replica by now.
    scene.cluster.servers()[0].kill().await?;
    arrives(&mut client, "a row after its server was lost").await?;
    assert_eq!(scene.status("/sessions/pinned/binlog_dump").await?, serde_json::json!(1));
    scene.finish()
}
