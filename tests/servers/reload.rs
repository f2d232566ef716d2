//! The configuration read again while the proxy runs: what counts at once does, the rest is named, mistakes change nothing.

use std::{fs, time::Duration};

use mysql_async::{Conn, prelude::Queryable};
use serde_json::{Value, json};
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::support::{Scene, TestResult, code, eventually, open, refused};

/// Puts `new` in place of `old` in the configuration.
fn edit(scene: &Scene, old: &str, new: &str) -> TestResult {
    let path = scene.proxy.config_path();
    let text = fs::read_to_string(&path)?;
    assert!(text.contains(old), "{old} is not in {text}");
    Ok(fs::write(path, text.replace(old, new))?)
}

async fn reload(scene: &Scene) -> TestResult<Value> {
    let answer = scene.proxy.admin().post("/v1/reload", "").await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

#[tokio::test]
async fn what_counts_at_once_and_what_does_not() -> TestResult {
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb118), |options| {
        options
            .set("auth", "mode", "\"users\"")
            .set("", "user", "[{ name = \"app\", password = \"app\" }]")
            .set("", "max_connections", "50")
            .set("hold", "timeout", "\"30s\"")
            .set("hold", "max_ttl", "\"1m\"")
            .set("pool", "max_per_server", "100")
            .set("pool", "acquire_timeout", "\"10s\"")
            .set("log", "level", "\"info\"")
            .set("routing", "max_lag", "\"10s\"")
    })
    .await?;
    let setup = ["CREATE USER late@'%' IDENTIFIED BY 'late'", "GRANT ALL ON app.* TO late@'%'"];
    scene.cluster.primary().run(&setup).await?;
    let mut app = scene.connect().await?;

    users(&scene).await?;
    limits(&scene).await?;
    times(&scene).await?;
    mistakes(&scene).await?;
    hang_up(&scene).await?;
    // Who was there is there.
    assert_eq!(app.query_first::<i32, _>("SELECT 1").await?, Some(1));
    scene.finish()
}

async fn users(scene: &Scene) -> TestResult {
    let late = |password: &str| scene.options("late", password);
    assert!(open(late("late")).await.is_err(), "let in before it was in the list");
    let list = "[{ name = \"app\", password = \"app\" }]";
    edit(scene, list, "[{ name = \"app\", password = \"app\" }, { name = \"late\", password = \"late\" }]")?;
    let done = reload(scene).await?;
    assert_eq!(done["changed"], json!(["user.1.name", "user.1.password"]), "{done}");
    assert_eq!(done["needs_restart"], json!([]), "{done}");
    let mut connection = open(late("late")).await?;
    assert_eq!(
        connection.query_first::<String, _>("SELECT CURRENT_USER()").await?.as_deref(),
        Some("late@%")
    );
    edit(scene, ", { name = \"late\", password = \"late\" }", "")?;
    reload(scene).await?;
    let error = open(late("late")).await.err().ok_or("let in after it was taken out")?;
    assert_eq!(code(&error).0, 1045, "{error}");
    // Its open sessions go on.
    assert_eq!(connection.query_first::<i32, _>("SELECT 1").await?, Some(1));
    connection.disconnect().await?;
    Ok(())
}

async fn limits(scene: &Scene) -> TestResult {
    edit(scene, "max_connections = 50", "max_connections = 1")?;
    edit(scene, "max_per_server = 100", "max_per_server = 1")?;
    edit(scene, "acquire_timeout = \"10s\"", "acquire_timeout = \"200ms\"")?;
    edit(scene, "max_lag = \"10s\"", "max_lag = \"11s\"")?;
    let done = reload(scene).await?;
    assert_eq!(done["changed"], json!(["max_connections", "pool.acquire_timeout", "pool.max_per_server"]));
    assert_eq!(done["needs_restart"], json!(["routing.max_lag"]));
    eventually("the limit on clients holds", Duration::from_secs(10), async || {
        Ok(open(scene.options("app", "app")).await.is_err_and(|error| code(&error).0 == 1040))
    })
    .await?;
    edit(scene, "max_connections = 1", "max_connections = 50")?;
    let done = reload(scene).await?;
    // What needs a restart is said again until there was one.
    assert_eq!(
        (&done["changed"], &done["needs_restart"]),
        (&json!(["max_connections"]), &json!(["routing.max_lag"]))
    );
    let mut holder = scene.connect().await?;
    let mut other = scene.connect().await?;
    // The permits that are too many go within a second or two.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        holder.query_drop("BEGIN").await?;
        holder.query_drop("DO 1").await?;
        let error = other.query_drop("DO 1").await.err().map(|error| code(&error).1);
        holder.query_drop("ROLLBACK").await?;
        if error.is_some_and(|text| text.contains("pool.max_per_server = 1")) {
            break;
        }
        assert!(Instant::now() < deadline, "more than one server connection is in use");
    }
    paced(scene, [&mut holder, &mut other]).await?;
    edit(scene, "max_per_server = 1\n", "max_per_server = 100\n")?;
    reload(scene).await?;
    holder.query_drop("BEGIN").await?;
    holder.query_drop("DO 1").await?;
    other.query_drop("DO 1").await?;
    Ok(())
}

/// Held sessions are let in as the pool can serve them now, and not as it could when the proxy was started: the second waits
/// at the gate, where nothing is wrong with that, and not for a connection, which would be an error after 200 ms.
async fn paced(scene: &Scene, sessions: [&mut Conn; 2]) -> TestResult {
    let admin = scene.proxy.admin();
    let held =
        async |count: u32| scene.wait_status("/gate/held", json!(count), Duration::from_secs(20)).await;
    admin.post("/v1/hold", r#"{"ttl": "30s"}"#).await?;
    let begun = Notify::new();
    let unit = async |session: &mut Conn| -> TestResult {
        session.query_drop("BEGIN").await?;
        session.query_drop("DO 1").await?;
        // The first to be let in stays until the other is seen waiting.
        begun.notified().await;
        Ok(session.query_drop("COMMIT").await?)
    };
    let [one, other] = sessions;
    let watch = async || -> TestResult {
        held(2).await?;
        admin.post("/v1/release", "").await?;
        held(1).await?;
        begun.notify_one();
        held(0).await?;
        begun.notify_one();
        Ok(())
    };
    tokio::try_join!(unit(one), unit(other), watch())?;
    Ok(())
}

async fn times(scene: &Scene) -> TestResult {
    edit(scene, "timeout = \"30s\"", "timeout = \"300ms\"")?;
    edit(scene, "max_ttl = \"1m\"", "max_ttl = \"20s\"")?;
    assert_eq!(reload(scene).await?["changed"], json!(["hold.max_ttl", "hold.timeout"]));
    let admin = scene.proxy.admin();
    let long = admin.post("/v1/hold", r#"{"ttl": "30s"}"#).await?;
    assert_eq!(long.status, 400, "{}", long.body);
    let mut client = scene.connect().await?;
    admin.post("/v1/hold", r#"{"ttl": "15s"}"#).await?;
    let began = Instant::now();
    let (number, message) = refused(&mut client, "SELECT 1").await?;
    assert_eq!(number, 1205, "{message}");
    assert!(began.elapsed() < Duration::from_secs(10), "held for {:?}", began.elapsed());
    admin.post("/v1/release", "").await?;
    client.query_drop("DO 1").await?;
    edit(scene, "timeout = \"300ms\"", "timeout = \"30s\"")?;
    reload(scene).await?;
    Ok(())
}

async fn mistakes(scene: &Scene) -> TestResult {
    edit(scene, "max_connections = 50", "max_connections = 0\nmax_conections = 7")?;
    let answer = scene.proxy.admin().post("/v1/reload", "").await?;
    assert_eq!(answer.status, 422, "{}", answer.body);
    for wanted in ["tideover.toml:", "max_connections: found 0", "max_conections: unknown key"] {
        assert!(answer.body.contains(wanted), "{}", answer.body);
    }
    let (one, two) = (scene.connect().await?, scene.connect().await?);
    one.disconnect().await?;
    two.disconnect().await?;
    edit(scene, "max_connections = 0\nmax_conections = 7", "max_connections = 50")
}

async fn hang_up(scene: &Scene) -> TestResult {
    assert!(!scene.proxy.log().contains("DEBUG"), "before it was asked for");
    edit(scene, "level = \"info\"", "level = \"debug\"")?;
    scene.proxy.hang_up()?;
    eventually("the level of the log", Duration::from_secs(20), async || {
        scene.connect().await?.disconnect().await?;
        Ok(scene.proxy.log().contains("DEBUG") && scene.proxy.log().contains("log.level"))
    })
    .await
}
