//! A session has one number: that of its greeting. CONNECTION_ID() gives it, and KILL with it ends the right statement and
//! nobody else's.

use tideover_protocol::response::ResponseShape;
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::time::{Duration, sleep};

use crate::pair::{MODERN, collation};
use crate::support::{Scene, TestResult, eventually};
use crate::wire::Wire;

#[tokio::test]
async fn mariadb_11_8_ids() -> TestResult {
    ids_are_the_clients(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9_ids() -> TestResult {
    ids_are_the_clients(Flavor::Mysql9).await
}

async fn ids_are_the_clients(flavor: Flavor) -> TestResult {
    let mut options = ClusterOptions::new(flavor);
    options.replicas = 0;
    let scene = Scene::with(options, |options| options).await?;
    // So that the server and the proxy know the password.
    drop(scene.connect().await?);
    let connect =
        async || Wire::connect(scene.proxy.address(), "app", Some("app"), (MODERN, collation(flavor))).await;
    let (mut one, mut other, mut killer) = (connect().await?, connect().await?, connect().await?);
    assert_eq!(one.run("SELECT CONNECTION_ID()").await?.value(), Some(one.id.to_string()));
    assert_eq!(one.run("SELECT 0 + CONNECTION_ID() AS id").await?.value(), Some(one.id.to_string()));

    // Of two that run, the one that is meant ends.
    let one_id = one.id;
    let running = tokio::spawn(async move { (one.query("SELECT SLEEP(30)").await, one) });
    let bystander = tokio::spawn(async move { (other.query("SELECT SLEEP(1), 7").await, other) });
    eventually("both run", Duration::from_secs(10), async || {
        let sessions = scene.proxy.admin().json("/v1/sessions").await?.to_string();
        Ok(sessions.matches("\"statement\"").count() == 2)
    })
    .await?;
    sleep(Duration::from_millis(100)).await;
    killer.run(&format!("KILL QUERY {one_id}")).await?;
    let (answer, mut one) = tokio::time::timeout(Duration::from_secs(20), running).await??;
    let answer = answer?;
    let ended =
        answer.error().is_some_and(|(code, _)| code == 1317) || answer.value().as_deref() == Some("1");
    assert!(ended, "{answer:?}");
    let (answer, mut other) = bystander.await?;
    assert_eq!(answer?.value().as_deref(), Some("0"), "a bystander's SLEEP was ended");

    // It lives on; KILL without QUERY ends it.
    assert_eq!(one.run("SELECT 5").await?.value().as_deref(), Some("5"));
    killer.command(&[&[0x0c][..], &one_id.to_le_bytes()].concat()).await?;
    assert!(one.query("SELECT 5").await.is_err(), "a killed session answers");
    assert_eq!(other.run("SELECT 6").await?.value().as_deref(), Some("6"));
    let unknown = killer.query(&format!("KILL {one_id}")).await?;
    assert_eq!(unknown.error().map(|(code, _)| code), Some(1094), "{unknown:?}");
    let unknown = killer.query("KILL QUERY 999999999").await?;
    assert_eq!(unknown.error().map(|(code, _)| code), Some(1094), "{unknown:?}");
    a_result_ends_amid_its_rows(&scene, flavor).await?;
    scene.finish()
}

/// Of an account that may do anything: MySQL's `SYSTEM_USER`, which it then has, keeps others from ending what it does,
/// whatever they may.
async fn a_result_ends_amid_its_rows(scene: &Scene, flavor: Flavor) -> TestResult {
    const ROWS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) \
        SELECT REPEAT('x', 200) FROM n a, n b, n c";
    let primary = scene.cluster.primary();
    primary
        .run(&["CREATE USER boss@'%' IDENTIFIED BY 'boss'", "GRANT ALL ON *.* TO boss@'%' WITH GRANT OPTION"])
        .await?;
    // So that the server and the proxy know the password.
    drop(primary.connect_as("boss", "boss", None).await?);
    drop(mysql_async::Conn::new(scene.options("boss", "boss")).await?);
    let client = (MODERN, collation(flavor));
    let connect = async || Wire::connect(scene.proxy.address(), "boss", Some("app"), client).await;
    let (mut one, mut killer) = (connect().await?, connect().await?);
    one.send(&[&[3], ROWS.as_bytes()].concat(), 0).await?;
    eventually("it runs", Duration::from_secs(10), async || {
        let running = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%REPEAT%n c'";
        Ok(primary.query_one::<u64>(running).await? == Some(1))
    })
    .await?;
    killer.run(&format!("KILL QUERY {}", one.id)).await?;
    let answer = one.answer(ResponseShape::ResultSets { cursor: false }).await?;
    assert_eq!(answer.error().map(|(code, _)| code), Some(1317));
    assert_eq!(one.run("SELECT 5").await?.value().as_deref(), Some("5"));
    Ok(())
}
