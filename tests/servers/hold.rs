//! Holding on somebody else's command: 500 clients wait, go on in order, and cost little memory meanwhile.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use serde_json::json;
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::support::{Scene, TestResult, length, refused};

const CLIENTS: usize = 500;
/// Between the arrivals of two clients, so that there is an order to keep.
const APART: Duration = Duration::from_millis(2);
/// The promise, in bytes for each held client.
const GROWTH: u64 = 16 * 1024;

#[tokio::test]
async fn five_hundred_clients_are_held_and_go_on_in_order() -> TestResult {
    let scene = Scene::alone(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options.set("pool", "max_per_server", "50")
    })
    .await?;
    let setup = "CREATE TABLE app.arrivals (row_id INT AUTO_INCREMENT PRIMARY KEY, client INT NOT NULL)";
    scene.cluster.primary().run(&[setup]).await?;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut connection = scene.connect().await?;
        connection.query_drop("SELECT 1").await?;
        clients.push(connection);
    }
    let before = scene.proxy.resident()?;
    let answer = scene.proxy.admin().post("/v1/hold", r#"{"ttl":"60s"}"#).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut waiting = JoinSet::new();
    for (client, mut connection) in clients.into_iter().enumerate() {
        waiting.spawn(async move {
            let result =
                connection.query_drop(format!("INSERT INTO arrivals (client) VALUES ({client})")).await;
            (client, result, connection)
        });
        sleep(APART).await;
    }
    scene.wait_status("/gate/held", json!(CLIENTS), Duration::from_secs(10)).await?;
    sleep(Duration::from_secs(length(3, 10))).await;
    let held = scene.proxy.resident()?;
    let growth = held.saturating_sub(before) / CLIENTS as u64;

    let released = Instant::now();
    let answer = scene.proxy.admin().post("/v1/release", "").await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut connections = Vec::new();
    while let Some(finished) = waiting.join_next().await {
        let (client, result, connection) = finished?;
        result.map_err(|error| format!("client {client}: {error}"))?;
        connections.push(connection);
    }
    println!(
        "{CLIENTS} held clients: {growth} bytes each beside {} KiB; all served {} ms after the release",
        before / 1024,
        released.elapsed().as_millis()
    );
    assert!(growth < GROWTH, "{growth} bytes for each held client");
    in_order(&scene).await?;
    scene.finish()
}

/// Rows are in the order of arrival but for what runs side by side after the release.
async fn in_order(scene: &Scene) -> TestResult {
    let rows = scene.cluster.primary().query("SELECT client FROM app.arrivals ORDER BY row_id").await?;
    let order: Vec<usize> = rows.into_iter().filter_map(|mut row| row.take("client")).collect();
    assert_eq!(order.len(), CLIENTS, "a client's row is missing or doubled");
    // What is let in together (as many as the pool has connections, a fifth of them) runs side by side, and any single one
    // may be slow, as long as it likes; the queue itself is in order.
    let mut displaced: Vec<_> =
        order.iter().enumerate().map(|(place, &client)| place.abs_diff(client)).collect();
    displaced.sort_unstable();
    let (half, nearly, most) = (displaced[CLIENTS / 2], displaced[CLIENTS * 9 / 10], displaced[CLIENTS - 1]);
    println!(
        "half of them within {half} places of their arrival, nine of ten within {nearly}, all within {most}"
    );
    assert!(half <= 20 && nearly <= CLIENTS / 4, "not in order: {order:?}");
    Ok(())
}

#[tokio::test]
async fn a_hold_ends_by_itself_and_by_its_time_out() -> TestResult {
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options.set("hold", "timeout", "\"1s\"")
    })
    .await?;
    let mut connection = scene.connect().await?;
    connection.query_drop("CREATE TABLE t (a INT)").await?;

    // Its commander is never heard of again.
    scene.proxy.admin().post("/v1/hold", r#"{"ttl":"500ms"}"#).await?;
    let begin = Instant::now();
    connection.query_drop("INSERT INTO t VALUES (1)").await?;
    assert!(begin.elapsed() > Duration::from_millis(300), "was not held: {:?}", begin.elapsed());
    assert_eq!(scene.status("/gate/state").await?, json!("open"));

    // Longer than a client may be made to wait: a clear error, and the connection lives.
    scene.proxy.admin().post("/v1/hold", r#"{"ttl":"30s"}"#).await?;
    let begin = Instant::now();
    let (code, message) = refused(&mut connection, "INSERT INTO t VALUES (2)").await?;
    let waited = begin.elapsed();
    assert_eq!(code, 1205, "{message}");
    assert!(message.contains("nothing was executed"), "{message}");
    assert!(waited > Duration::from_millis(900) && waited < Duration::from_secs(5), "{waited:?}");
    scene.proxy.admin().post("/v1/release", "").await?;
    connection.query_drop("INSERT INTO t VALUES (3)").await?;
    let rows: Vec<i32> = connection.query("SELECT a FROM t ORDER BY a").await?;
    assert_eq!(rows, [1, 3]);
    scene.finish()
}

#[tokio::test]
async fn held_clients_that_leave_are_noticed() -> TestResult {
    let scene = Scene::start(Flavor::MariaDb1011).await?;
    let mut connection = scene.connect().await?;
    connection.query_drop("CREATE TABLE t (a INT)").await?;
    scene.proxy.admin().post("/v1/hold", r#"{"ttl":"60s"}"#).await?;
    let mut waiting = JoinSet::new();
    for client in 0..20 {
        let mut other = scene.connect().await?;
        waiting.spawn(async move { other.query_drop(format!("INSERT INTO t VALUES ({client})")).await });
    }
    scene.wait_status("/gate/held", json!(20), Duration::from_secs(5)).await?;
    // Their sockets close; nobody has told the proxy.
    waiting.shutdown().await;
    scene.wait_status("/gate/held", json!(0), Duration::from_secs(5)).await?;
    scene.wait_status("/sessions/clients", json!(1), Duration::from_secs(5)).await?;
    scene.proxy.admin().post("/v1/release", "").await?;
    let rows: Vec<i32> = connection.query("SELECT a FROM t").await?;
    assert!(rows.is_empty(), "a statement of a client that had left was run: {rows:?}");
    scene.finish()
}

/// One more than may wait is told so at once, with the bound and its key; those who wait go on.
#[tokio::test]
async fn no_more_are_held_than_may_be() -> TestResult {
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb118), |options| {
        options.set("hold", "max_sessions", "2").set("runtime", "shards", "3")
    })
    .await?;
    let mut late = scene.connect().await?;
    late.query_drop("CREATE TABLE t (a INT)").await?;
    // Whoever logs in has a server check the account, once for each thread.
    let others = [scene.connect().await?, scene.connect().await?];
    scene.proxy.admin().post("/v1/hold", r#"{"ttl":"120s"}"#).await?;
    let mut waiting = JoinSet::new();
    for (client, mut other) in others.into_iter().enumerate() {
        waiting.spawn(async move { other.query_drop(format!("INSERT INTO t VALUES ({client})")).await });
    }
    scene.wait_status("/gate/held", json!(2), Duration::from_secs(20)).await?;
    let text = "tideover: 2 sessions are held already (hold.max_sessions = 2; hold); nothing was executed"
        .to_owned();
    assert_eq!(refused(&mut late, "INSERT INTO t VALUES (2)").await?, (1205, text));
    let metrics = scene.proxy.admin().get("/metrics").await?.body;
    for line in [
        "tideover_client_errors_total{cause=\"hold_full\"} 1",
        "tideover_held_sessions 2",
        "tideover_client_connections 3",
        "tideover_gate_state 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
    scene.proxy.admin().post("/v1/release", "").await?;
    while let Some(done) = waiting.join_next().await {
        done??;
    }
    late.query_drop("INSERT INTO t VALUES (2)").await?;
    let rows: Vec<i32> = late.query("SELECT a FROM t ORDER BY a").await?;
    assert_eq!(rows, [0, 1, 2]);
    let threads = scene.proxy.threads()?;
    let shards = threads.iter().filter(|name| name.starts_with("shard-")).count();
    assert_eq!(shards, 3, "{threads:?}");
    scene.finish()
}
