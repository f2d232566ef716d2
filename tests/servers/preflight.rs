//! What a switchover refuses, each with a clear message and nothing changed.

use std::{cell::RefCell, time::Duration};

use mysql_async::prelude::Queryable;
use tideover_sandbox::{
    proxy::SwitchoverReport,
    servers::{ClusterOptions, Flavor, Server},
};

use crate::support::{Scene, TestResult, eventually};

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    refusals(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    refusals(Flavor::Mysql9).await
}

/// MySQL counts a commit as its own once it is acknowledged; a replica has it before. That looks errant, and is not.
#[tokio::test]
async fn mysql_9_a_commit_that_waits_for_its_acknowledgement() -> TestResult {
    let cluster = ClusterOptions { semi_sync: true, ..ClusterOptions::new(Flavor::Mysql9) };
    let scene = Scene::alone(cluster, |options| options).await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT PRIMARY KEY)").await?;
    scene.cluster.wait_in_sync().await?;
    scene.cluster.wait_semi_sync().await?;
    let [primary, target, silent] = scene.cluster.servers() else { return Err("three servers".into()) };
    let waits = [
        "SET GLOBAL rpl_semi_sync_source_timeout=600000",
        "SET GLOBAL rpl_semi_sync_source_wait_no_replica=ON",
        "SET GLOBAL rpl_semi_sync_source_wait_for_replica_count=2",
    ];
    primary.run(&waits).await?;
    silent.run(&["STOP REPLICA IO_THREAD"]).await?;
    let write = tokio::spawn(async move { client.query_drop("INSERT INTO t VALUES (1)").await });
    let rows = async |server: &Server| -> TestResult<i64> {
        let mut connection = server.connect_as("root", "", Some("app")).await?;
        Ok(connection.query_first("SELECT COUNT(*) FROM t").await?.unwrap_or_default())
    };
    eventually("the replica has it", Duration::from_secs(20), async || Ok(rows(target).await? == 1)).await?;
    assert_eq!(rows(primary).await?, 0, "the primary has it too");
    let to = target.address().to_string();
    let (report, started) = tokio::join!(request(&scene, &to, true), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        silent.run(&["START REPLICA IO_THREAD"]).await
    });
    started?;
    assert_eq!(report?.map(|report| report.outcome), Ok("dry_run".to_owned()));
    write.await??;
    scene.finish()
}

/// Server 0 is the primary, 1 is made bad in one way after another, 2 has no binary log.
async fn refusals(flavor: Flavor) -> TestResult {
    let cluster =
        ClusterOptions { options_of_one: vec![(2, "--skip-log-bin".into())], ..ClusterOptions::new(flavor) };
    let scene = Scene::with(cluster, |options| options.set("monitor", "interval", "\"100ms\"")).await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT PRIMARY KEY)").await?;
    scene.cluster.wait_in_sync().await?;
    let [primary, target, logless] = scene.cluster.servers() else { return Err("three servers".into()) };

    refuses(&scene, "127.0.0.1:1", &["127.0.0.1:1", "not a server"]).await?;
    refuses(&scene, &primary.address().to_string(), &["is the primary already"]).await?;
    refuses(&scene, &logless.address().to_string(), &["binary log"]).await?;
    let to = target.address().to_string();
    not_replicating(&scene, target, &to).await?;
    lagging(&scene, target, &to).await?;
    without_rights(&scene, target, &to).await?;
    errant(&scene, target, &to).await?;

    client.query_drop("INSERT INTO t VALUES (1)").await?;
    scene.finish()
}

async fn not_replicating(scene: &Scene, target: &Server, to: &str) -> TestResult {
    target.run(&["STOP REPLICA"]).await?;
    refuses(scene, to, &[to, "not replicating"]).await?;
    target.run(&["START REPLICA"]).await?;
    healthy(scene, to).await
}

async fn lagging(scene: &Scene, target: &Server, to: &str) -> TestResult {
    let delay = |seconds: u32| {
        let change = if scene.cluster.flavor().is_mariadb() {
            format!("CHANGE MASTER TO MASTER_DELAY={seconds}")
        } else {
            format!("CHANGE REPLICATION SOURCE TO SOURCE_DELAY={seconds}")
        };
        ["STOP REPLICA".to_owned(), change, "START REPLICA".to_owned()]
    };
    target.run(&delay(60)).await?;
    scene.cluster.primary().run(&["INSERT INTO app.t VALUES (100)"]).await?;
    refuses(scene, to, &[to, "lag"]).await?;
    target.run(&delay(0)).await?;
    healthy(scene, to).await
}

async fn without_rights(scene: &Scene, target: &Server, to: &str) -> TestResult {
    let right =
        if scene.cluster.flavor().is_mariadb() { "READ_ONLY ADMIN" } else { "SYSTEM_VARIABLES_ADMIN" };
    // MySQL: root may not write under super_read_only.
    let mut revoke = vec![format!("REVOKE {right} ON *.* FROM tideover@'%'")];
    let mut grant = vec![format!("GRANT {right} ON *.* TO tideover@'%'")];
    for statements in [&mut revoke, &mut grant] {
        let (open, close) = open_for_root(scene);
        statements.insert(0, "SET SESSION sql_log_bin=0".into());
        statements.splice(0..0, open);
        statements.extend(close);
    }
    target.run(&revoke).await?;
    refuses(scene, to, &["rights", to, right]).await?;
    target.run(&grant).await?;
    healthy(scene, to).await
}

async fn errant(scene: &Scene, target: &Server, to: &str) -> TestResult {
    let (mut statements, close) = open_for_root(scene);
    if scene.cluster.flavor().is_mariadb() {
        // The strict mode would refuse the primary's next transaction on this server.
        statements.push("SET SESSION gtid_domain_id=7".into());
    }
    statements.push("CREATE TABLE app.errant (a INT)".into());
    statements.extend(close);
    target.run(&statements).await?;
    refuses(scene, to, &[to, "transactions that the primary lacks"]).await
}

/// What lets root write on a closed replica, and what closes it again.
fn open_for_root(scene: &Scene) -> (Vec<String>, Vec<String>) {
    if scene.cluster.flavor().is_mariadb() {
        (Vec::new(), Vec::new())
    } else {
        (vec!["SET GLOBAL super_read_only=0".into()], vec!["SET GLOBAL super_read_only=1".into()])
    }
}

/// Waits until the dry run says yes again.
async fn healthy(scene: &Scene, to: &str) -> TestResult {
    eventually("a dry run succeeds again", Duration::from_secs(20), async || {
        let report = request(scene, to, true).await?;
        Ok(report.is_ok_and(|report| report.outcome == "dry_run"))
    })
    .await
}

async fn request(scene: &Scene, to: &str, dry: bool) -> TestResult<Result<SwitchoverReport, String>> {
    let body = format!(r#"{{"to":"{to}","dry_run":{dry}}}"#);
    let result = scene.proxy.admin().switchover_with(&body, |_| {}).await;
    Ok(result.map_err(|error| error.to_string()))
}

/// A switchover to `to` must fail with all of `parts` in its message, in reality and dry, and must change nothing. Dry first,
/// again and again: what was done to a server is told once the monitor has seen it.
async fn refuses(scene: &Scene, to: &str, parts: &[&str]) -> TestResult {
    let before = state(scene).await?;
    let says_it = |message: &str| parts.iter().all(|part| message.contains(part));
    let last = RefCell::new(String::new());
    let told = eventually("a dry run is refused", Duration::from_secs(20), || async {
        let said = refusal(request(scene, to, true).await?);
        let says = says_it(&said);
        last.replace(said);
        Ok(says)
    });
    let told = told.await;
    let said = last.into_inner();
    told.map_err(|error| format!("to {to}: {error} with {parts:?}: {said}"))?;
    assert_eq!(state(scene).await?, before, "to {to}: a dry run changed something ({said})");
    let said = refusal(request(scene, to, false).await?);
    println!("{}: {said}", scene.cluster.flavor());
    assert!(says_it(&said), "to {to}: the message has not all of {parts:?}: {said}");
    assert_eq!(state(scene).await?, before, "to {to}: a refused switchover changed something ({said})");
    Ok(())
}

/// Why a switchover was refused; how it ended if it was not.
fn refusal(result: Result<SwitchoverReport, String>) -> String {
    match result {
        Ok(report) if report.outcome == "failed" => report.problems.join("; "),
        Ok(report) => format!("not refused: {report:#?}"),
        Err(message) => message,
    }
}

/// What a refused switchover must leave as it is.
async fn state(scene: &Scene) -> TestResult<String> {
    let mut state = String::new();
    for server in scene.cluster.servers() {
        let source = if scene.cluster.flavor().is_mariadb() { "Master_Port" } else { "Source_Port" };
        state += &format!(
            "{} read_only={} source={:?}; ",
            server.port,
            server.is_read_only().await?,
            server.replica_status(source).await?
        );
    }
    for pointer in ["/primary", "/epoch", "/gate/state"] {
        state += &format!("{pointer}={}; ", scene.status(pointer).await?);
    }
    Ok(state)
}
