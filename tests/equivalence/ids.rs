//! A session has one number: that of its greeting. CONNECTION_ID() gives it, and KILL with it ends the right statement and
//! nobody else's.

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
    scene.finish()
}
