//! The servers refuse the monitor's account: its password was changed by somebody. They serve their clients as before.

use std::{fs, time::Duration};

use mysql_async::{SslOpts, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor, Server};

use crate::support::{Scene, TestResult, code, eventually, open};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    the_monitor_is_refused(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    the_monitor_is_refused(Flavor::Mysql9).await
}

async fn the_monitor_is_refused(flavor: Flavor) -> TestResult {
    let scene =
        Scene::with(ClusterOptions::new(flavor), |options| options.set("", "login_timeout", "\"5s\""))
            .await?;
    let primary = scene.cluster.primary().clone();
    let mut open_before = scene.connect().await?;
    open_before.query_drop("CREATE TABLE t (a INT PRIMARY KEY)").await?;
    let before = scene.status("/primary").await?;
    primary
        .run(&[
            "CREATE USER late@'%' IDENTIFIED BY 'late'",
            "GRANT ALL PRIVILEGES ON app.* TO late@'%'",
            "ALTER USER tideover@'%' IDENTIFIED BY 'another'",
        ])
        .await?;
    scene.cluster.wait_in_sync().await?;
    for server in scene.cluster.servers() {
        end_connections(server).await?;
    }
    eventually("every server refuses", LIMIT, || problems(&scene, "1045")).await?;

    assert_eq!(scene.status("/primary").await?, before);
    open_before.query_drop("INSERT INTO t VALUES (1)").await?;
    scene.connect().await?.query_drop("INSERT INTO t VALUES (2)").await?;
    let late = scene.options("late", "late");
    if flavor.is_mariadb() {
        // Without the account nobody can be checked; that is not a wrong password.
        let Err(error) = open(late.clone()).await else { return Err("somebody unknown was let in".into()) };
        let (number, text) = code(&error);
        assert_eq!(number, 1205, "{text}");
        assert!(text.contains("the accounts cannot be read now") && text.contains("1045"), "{text}");
    } else {
        // The client sends its password, and the server decides.
        let tls = SslOpts::default().with_danger_accept_invalid_certs(true);
        open(late.clone().ssl_opts(Some(tls))).await?.query_drop("INSERT INTO t VALUES (3)").await?;
    }
    let log = scene.proxy.log();
    assert!(log.contains("refuses the monitor's account") && log.contains("1045"), "{log}");
    assert!(!log.contains("no primary"), "{log}");

    // The new password is read while the proxy runs.
    let path = scene.proxy.config_path();
    let text = fs::read_to_string(&path)?;
    assert!(text.contains("password = \"tideover\""), "{text}");
    fs::write(path, text.replace("password = \"tideover\"", "password = \"another\""))?;
    let answer = scene.proxy.admin().post("/v1/reload", "").await?;
    assert!(answer.status == 200 && answer.body.contains("monitor.password"), "{}", answer.body);
    eventually("no server refuses", LIMIT, || problems(&scene, "")).await?;
    open(late.clone()).await?.query_drop("INSERT INTO t VALUES (4)").await?;
    let report = scene.switch().await?;
    assert!(report.is_done(), "{}", report.timeline());
    open_before.query_drop("INSERT INTO t VALUES (5)").await?;
    scene.finish()
}

/// Ends what the monitor's account has open: what it holds goes on with the old password.
async fn end_connections(server: &Server) -> TestResult {
    let sql = "SELECT id FROM information_schema.processlist WHERE user='tideover'";
    for row in server.query(sql).await? {
        let id: Option<u64> = row.get(0);
        // It may have ended by itself.
        let _ = server.run(&[format!("KILL {}", id.unwrap_or_default())]).await;
    }
    Ok(())
}

/// Whether every server's problem has `text`; with an empty one, whether none has a problem.
async fn problems(scene: &Scene, text: &str) -> TestResult<bool> {
    let servers = scene.status("/servers").await?;
    let all = servers.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(all.iter().all(|s| {
        let problem = s["problem"].as_str().unwrap_or_default();
        if text.is_empty() { problem.is_empty() } else { problem.contains(text) }
    }))
}
