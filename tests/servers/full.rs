//! The disk under the primary's binary log is full: it lets everybody log in and read, and every commit hangs. In full length
//! only (`TIDEOVER_SOAK=1`), and only where a small file system may be mounted.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use serde_json::Value;
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::time::{Instant, timeout};

use crate::support::{Scene, TestResult, eventually, soak};

/// `failover.stall` of this test.
const STALL: Duration = Duration::from_secs(5);

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    full(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    full(Flavor::Mysql9).await
}

/// A file system of 6 MiB, as long as this lives.
struct Small(PathBuf);

impl Small {
    fn mount(flavor: Flavor) -> Option<Self> {
        let path = std::env::temp_dir().join(format!("tideover-full-{flavor}-{}", std::process::id()));
        std::fs::create_dir_all(&path).ok()?;
        let small = Self(path);
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(&small.0).status();
        mount.is_ok_and(|status| status.success()).then_some(small)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

async fn full(flavor: Flavor) -> TestResult {
    let Some(small) = soak().then(|| Small::mount(flavor)).flatten() else {
        println!("{flavor}, full disk: left out (only with TIDEOVER_SOAK=1, and by root)");
        return Ok(());
    };
    let log = format!("--log-bin={}", small.0.join("binlog").display());
    let cluster = ClusterOptions { options_of_one: vec![(0, log)], ..ClusterOptions::new(flavor) };
    let scene = Scene::with(cluster, |options| {
        let stall = format!("\"{}s\"", STALL.as_secs());
        options.set("failover", "mode", "\"auto\"").set("failover", "stall", stall)
    })
    .await?;
    let old = scene.cluster.primary().clone();
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT PRIMARY KEY, b LONGBLOB)").await?;
    // Each is acknowledged once and is there once, wherever it ended up.
    let began = Instant::now();
    let mut longest = Duration::ZERO;
    for number in 0..20 {
        let one = Instant::now();
        let sql = format!("INSERT INTO t VALUES ({number}, REPEAT('x', 500000))");
        timeout(Duration::from_secs(28), client.query_drop(sql)).await??;
        longest = longest.max(one.elapsed());
    }
    println!(
        "{flavor}, full disk: longest wait {} ms of {} ms",
        longest.as_millis(),
        began.elapsed().as_millis()
    );
    let rows: Option<(i32, i32)> = client.query_first("SELECT COUNT(*), MAX(a) FROM t").await?;
    assert_eq!(rows, Some((20, 19)));
    let primary = scene.status("/primary").await?;
    assert_ne!(primary, Value::from(old.address().to_string()));
    assert!(longest > STALL, "nothing was full");
    // The hung server is not asked anything any more; it ends as a crash would.
    old.kill().await?;
    eventually("the others follow", Duration::from_secs(10), || async {
        let servers = scene.status("/servers").await?;
        let replicas = servers.as_array().into_iter().flatten().filter(|s| s["role"] == "replica");
        Ok(replicas.count() == 1)
    })
    .await?;
    scene.finish()
}
