//! TLS on both sides: optional and required, verified, certificates reloaded.

use std::fs;

use mysql_async::prelude::Queryable;
use tideover_sandbox::{
    proxy::{Proxy, ProxyOptions},
    servers::{ClusterOptions, Flavor},
};
use tokio::time::{Duration, sleep};

pub(crate) use crate::support::authority::{Authority, directory, file, server_options};
use crate::support::{Scene, TestResult, code, open, program};

#[tokio::test]
async fn clients_required_verified_and_reloaded() -> TestResult {
    let folder = directory("client-tls");
    let (first, second) = (Authority::new("first")?, Authority::new("second")?);
    first.write(&folder)?;
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options.set("tls", "mode", "\"required\"").set("tls", "cert_file", file(&folder, "cert.pem")).set(
            "tls",
            "key_file",
            file(&folder, "key.pem"),
        )
    })
    .await?;
    let plain = open(scene.options("app", "app")).await.err().ok_or("a client without TLS was let in")?;
    let (number, message) = code(&plain);
    assert_eq!(number, 3159, "{message}");
    let trusting = |authority: &Authority| open(authority.trusted(scene.options("app", "app")));
    let mut old = trusting(&first).await.map_err(|error| format!("the first authority: {error}"))?;
    assert!(trusting(&second).await.is_err(), "an unknown authority was trusted");

    second.write(&folder)?;
    let answer = scene.proxy.admin().post("/v1/reload", "").await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut new = trusting(&second).await.map_err(|error| format!("after the reload: {error}"))?;
    for connection in [&mut old, &mut new] {
        let one: Option<i32> = connection.query_first("SELECT 1").await?;
        assert_eq!(one, Some(1));
    }
    // Large answers cross record boundaries.
    let text: Option<String> = new.query_first("SELECT REPEAT('z', 1000000)").await?;
    assert_eq!(text.map(|text| text.len()), Some(1_000_000));

    // A broken file is refused, and what is in use stays.
    fs::write(folder.join("cert.pem"), "not a certificate")?;
    let answer = scene.proxy.admin().post("/v1/reload", "").await?;
    assert!(answer.status >= 400 && answer.body.contains("cert.pem"), "{}: {}", answer.status, answer.body);
    trusting(&second).await.map_err(|error| format!("after the refused reload: {error}"))?;
    let _ = fs::remove_dir_all(&folder);
    scene.finish()
}

#[tokio::test]
async fn servers_verified() -> TestResult {
    let folder = directory("server-tls");
    let (right, wrong) = (Authority::new("right")?, Authority::new("wrong")?);
    right.write(&folder)?;
    fs::write(folder.join("wrong.pem"), &wrong.pem)?;
    let cluster = ClusterOptions {
        server_options: server_options(&folder),
        ..ClusterOptions::new(Flavor::MariaDb1011)
    };
    let scene = Scene::with(cluster, |options| {
        options.set("server_tls", "mode", "\"verify_identity\"").set(
            "server_tls",
            "ca_file",
            file(&folder, "ca.pem"),
        )
    })
    .await?;
    let mut connection = scene.connect().await?;
    let cipher: Option<(String, String)> = connection.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await?;
    assert!(cipher.is_some_and(|(_, cipher)| !cipher.is_empty()), "the server sees no TLS");

    let options = ProxyOptions::new(program(), &scene.cluster)
        .set("server_tls", "mode", "\"verify_ca\"")
        .set("server_tls", "ca_file", file(&folder, "wrong.pem"));
    let distrustful = Proxy::spawn(&options)?;
    sleep(Duration::from_secs(2)).await;
    assert!(!distrustful.admin().is_ready().await, "servers of an unknown authority were trusted");
    let _ = fs::remove_dir_all(&folder);
    scene.finish()
}

#[tokio::test]
async fn mysql_9_required_towards_servers() -> TestResult {
    // MySQL makes certificates for itself at its first start.
    let scene = Scene::with(ClusterOptions::new(Flavor::Mysql9), |options| {
        options.set("server_tls", "mode", "\"required\"")
    })
    .await?;
    let mut connection = scene.connect().await?;
    let cipher: Option<(String, String)> = connection.query_first("SHOW STATUS LIKE 'Ssl_cipher'").await?;
    assert!(cipher.is_some_and(|(_, cipher)| !cipher.is_empty()), "the server sees no TLS");
    scene.switch().await?;
    connection.query_drop("CREATE TABLE t (a INT)").await?;
    scene.finish()
}
