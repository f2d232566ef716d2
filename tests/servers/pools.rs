//! What `[pool]` says of connections to servers: kept by sessions, kept ahead of need, compressed.

use std::time::Duration;

use mysql_async::{Conn, params, prelude::Queryable};
use serde_json::json;
use tideover_sandbox::{
    servers::{ClusterOptions, Flavor, Server},
    workload::{Workload, WorkloadOptions},
};

use crate::support::{Scene, TestResult, code, eventually, length, open};

/// Nothing here takes nearly so long.
const LIMIT: Duration = Duration::from_secs(60);

/// Connections of an account on a server itself.
async fn connections(server: &Server, user: &str) -> TestResult<i64> {
    let sql = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE user = '{user}'");
    Ok(server.query_one::<i64>(&sql).await?.unwrap_or_default())
}

#[tokio::test]
async fn mariadb_11_8_sessions_keep_their_connections() -> TestResult {
    kept(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9_sessions_keep_their_connections() -> TestResult {
    kept(Flavor::Mysql9).await
}

/// Idle sessions have a connection each, and the same for what they leave unsaid; a switchover takes them along.
async fn kept(flavor: Flavor) -> TestResult {
    let scene =
        Scene::with(ClusterOptions::new(flavor), |options| options.set("pool", "mode", "\"session\""))
            .await?;
    let mut clients = Vec::new();
    for number in 0..3 {
        let mut client = scene.connect().await?;
        client.query_drop(format!("SET @own = {number}, sql_mode = 'NO_ZERO_DATE'")).await?;
        clients.push(client);
    }
    leased(&scene, 3).await?;
    for switches in 0..2 {
        for (number, client) in clients.iter_mut().enumerate() {
            check(client, number).await?;
            // Nothing can rebuild this table: it goes when the connection does, and so must be gone with the switch.
            client.query_drop("CREATE TEMPORARY TABLE mine (a INT)").await?;
            client.query_drop("DROP TEMPORARY TABLE mine").await?;
        }
        leased(&scene, 3).await?;
        if switches == 0 {
            scene.cluster.wait_in_sync().await?;
            scene.switch().await?;
        }
    }
    let primary = scene.cluster.find_primary().await?;
    let before = connections(primary, "app").await?;
    assert!(before >= 3, "{before} connections on the new primary");
    // What a session gives up at its end is clean for the next.
    for client in clients {
        client.disconnect().await?;
    }
    leased(&scene, 0).await?;
    let mut next = scene.connect().await?;
    let own: Option<(Option<i64>, String)> = next.query_first("SELECT @own, @@sql_mode").await?;
    let (own, mode) = own.ok_or("no row")?;
    assert!(own.is_none() && mode != "NO_ZERO_DATE", "{own:?} {mode}");
    under_load(&scene).await?;
    scene.finish()
}

/// What keeps a silent session on its server connection is given up to who waits for one, and told all the same.
#[tokio::test]
async fn mariadb_11_8_warnings_go_with_their_session() -> TestResult {
    warnings(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9_warnings_go_with_their_session() -> TestResult {
    warnings(Flavor::Mysql9).await
}

async fn warnings(flavor: Flavor) -> TestResult {
    let options = ClusterOptions { replicas: 0, ..ClusterOptions::new(flavor) };
    let scene = Scene::with(options, |options| {
        options.set("pool", "max_per_server", "1").set("pool", "acquire_timeout", "\"60s\"")
    })
    .await?;
    let (mut one, mut two) = (scene.connect().await?, scene.connect().await?);
    for round in 0..3 {
        one.query_drop("SELECT 1 + 'x'").await?;
        // Shown a moment after the answer; it stays, since nobody waits.
        scene.wait_status("/sessions/pinned", json!({ "warnings": 1 }), Duration::from_secs(20)).await?;
        // There is one server connection, and the session that has it says nothing.
        two.query_drop("SELECT 1").await?;
        scene.wait_status("/sessions/pinned", json!({}), Duration::from_secs(20)).await?;
        let shown: Vec<(String, u32, String)> = one.query("SHOW WARNINGS").await?;
        assert!(matches!(&shown[..], [(_, 1292, _)]), "round {round}: {shown:?}");
    }
    all_at_once(&scene, (&mut one, &mut two)).await?;
    scene.finish()
}

/// The same of a statement that leaves warnings, a number for FOUND_ROWS() and a variable that only the server knows.
async fn all_at_once(scene: &Scene, (one, two): (&mut Conn, &mut Conn)) -> TestResult {
    let three = "(SELECT 1 UNION SELECT 2 UNION SELECT 3) AS t";
    for round in 0..3 {
        let sql =
            format!("SELECT SQL_CALC_FOUND_ROWS @a := CONCAT('it is ', {round} + '0x') FROM {three} LIMIT 1");
        one.query_drop(sql).await?;
        let pinned = json!({ "warnings": 1, "found_rows": 1, "user_variable": 1 });
        scene.wait_status("/sessions/pinned", pinned, Duration::from_secs(20)).await?;
        two.query_drop("SELECT 1").await?;
        scene.wait_status("/sessions/pinned", json!({}), Duration::from_secs(20)).await?;
        let shown: Vec<(String, u32, String)> = one.query("SHOW WARNINGS").await?;
        assert!(shown.iter().any(|(_, code, _)| *code == 1292), "round {round}: {shown:?}");
        let found: Option<(u64, String)> = one.query_first("SELECT FOUND_ROWS(), @a").await?;
        assert_eq!(found, Some((3, format!("it is {round}"))));
        two.query_drop("SELECT 1").await?;
        one.query_drop("DO 1").await?;
    }
    Ok(())
}

async fn check(client: &mut Conn, number: usize) -> TestResult {
    let found: Option<(i64, String)> =
        client.exec_first("SELECT @own, @@sql_mode FROM dual WHERE 1 = :one", params! { "one" => 1 }).await?;
    assert_eq!(found, Some((number as i64, "NO_ZERO_DATE".to_owned())));
    Ok(())
}

/// Server connections in use, over all servers, while no client says anything.
async fn leased(scene: &Scene, wanted: u64) -> TestResult {
    let what = format!("{wanted} connections are kept");
    eventually(&what, Duration::from_secs(10), async || {
        let servers = scene.status("/servers").await?;
        let primary = scene.status("/primary").await?;
        let of_primary = servers.as_array().into_iter().flatten().find(|server| server["address"] == primary);
        Ok(of_primary.is_some_and(|server| server["leased"] == json!(wanted)))
    })
    .await
}

async fn under_load(scene: &Scene) -> TestResult {
    let options = WorkloadOptions { clients: 8, pace: Some(50), ..scene.workload() };
    let workload = Workload::start(options).await?;
    for _ in 0..length(2, 10) {
        scene.switch().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let (report, books) = scene.close(workload).await?;
    assert!(report.snapshot.is_clean() && books.is_clean(), "{:#?}\n{books:#?}", report.snapshot);
    Ok(())
}

#[tokio::test]
async fn mysql_9_idle_connections_are_kept_on_every_server() -> TestResult {
    let scene = Scene::with(ClusterOptions::new(Flavor::Mysql9), |options| {
        options.set("pool", "min_idle", "4").set("pool", "idle_timeout", "\"1s\"")
    })
    .await?;
    scene.wait_roles().await?;
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TABLE t (a INT PRIMARY KEY)").await?;
    let everywhere = async || {
        eventually("four connections on each server", Duration::from_secs(20), async || {
            for server in scene.cluster.servers() {
                if connections(server, "app").await? < 4 {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    };
    everywhere().await?;
    // Somebody ends them all on one server: they are opened again.
    let replica = scene.cluster.replicas()[0].clone();
    let rows = replica.query("SELECT id FROM information_schema.processlist WHERE user = 'app'").await?;
    let kills: Vec<String> =
        rows.into_iter().map(|row| format!("KILL {}", mysql_async::from_row::<u64>(row))).collect();
    replica.run(&kills).await?;
    everywhere().await?;
    scene.switch().await?;
    client.query_drop("INSERT INTO t VALUES (1)").await?;
    everywhere().await?;
    scene.finish()
}

#[tokio::test]
async fn mariadb_11_8_compressed_with_zlib() -> TestResult {
    compressed(Flavor::MariaDb118, "zlib").await
}

#[tokio::test]
async fn mysql_9_compressed_with_zlib() -> TestResult {
    compressed(Flavor::Mysql9, "zlib").await
}

#[tokio::test]
async fn mysql_9_compressed_with_zstd() -> TestResult {
    compressed(Flavor::Mysql9, "zstd").await
}

/// Packets of every size, several results, files, and pipelined restoring, while servers number their packets as they like.
async fn compressed(flavor: Flavor, codec: &str) -> TestResult {
    let cluster = ClusterOptions {
        server_options: vec!["--local-infile=ON".to_owned(), "--max-allowed-packet=64M".to_owned()],
        ..ClusterOptions::new(flavor)
    };
    let scene =
        Scene::with(cluster, |options| options.set("pool", "compression", format!("\"{codec}\""))).await?;
    let options = scene.options("app", "app").max_allowed_packet(Some(64 << 20));
    let mut client = open(options).await?;
    let status: Option<(String, String)> = client.query_first("SHOW STATUS LIKE 'Compression'").await?;
    assert_eq!(status.map(|(_, value)| value).as_deref(), Some("ON"), "the server sees no compression");
    client.query_drop("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB)").await?;
    for length in [0_usize, 1, 49, 50, 5_000, 300_000, 17 << 20] {
        let value: Vec<u8> = (0..length).map(|at| ((at * at / 7) % 251) as u8).collect();
        client.exec_drop("INSERT INTO t (b) VALUES (?)", (&value,)).await?;
        let found: Option<(u64, Vec<u8>)> =
            client.query_first("SELECT id, b FROM t ORDER BY id DESC LIMIT 1").await?;
        assert!(found.is_some_and(|(_, found)| found == value), "{length} bytes came back otherwise");
    }
    let mut results =
        client.query_iter("SELECT 1; SELECT REPEAT('x', 100000); SET @a = 5; SELECT @a").await?;
    let mut rows = Vec::new();
    while !results.is_empty() {
        rows.extend(results.collect::<String>().await?.iter().map(String::len));
    }
    drop(results);
    assert_eq!(rows, [1, 100_000, 1]);
    let error = client.query_drop("SELECT 1; SELECT nonsense FROM nowhere").await;
    assert!(matches!(error, Err(mysql_async::Error::Server(ref error)) if error.code == 1146), "{error:?}");
    // Many rows, so that answers come in many packets.
    let many: Vec<u64> = client
        .query("WITH RECURSIVE r AS (SELECT 1 n UNION ALL SELECT n + 1 FROM r WHERE n < 900) SELECT n FROM r")
        .await?;
    assert_eq!(many.len(), 900);
    drop(client);
    restored(&scene).await?;
    under_load(&scene).await?;
    scene.finish()
}

/// Two sessions on one connection: what restores them goes in front of their reads, in the same write.
async fn restored(scene: &Scene) -> TestResult {
    let (mut a, mut b) = (scene.connect().await?, scene.connect().await?);
    a.query_drop("SET @v = 1, sql_mode = 'ANSI_QUOTES'").await?;
    b.query_drop("SET @v = 2, sql_mode = ''").await?;
    for _ in 0..20 {
        for (client, wanted) in [(&mut a, 1), (&mut b, 2)] {
            let value: Option<i64> = client.query_first("SELECT @v").await?;
            assert_eq!(value, Some(wanted));
        }
    }
    Ok(())
}

#[tokio::test]
async fn mariadb_10_11_takes_fewer_than_the_pool_may() -> TestResult {
    full(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_takes_fewer_than_the_pool_may() -> TestResult {
    full(Flavor::Mysql9).await
}

/// The server's own limit is below `pool.max_per_server`: its connections are shared, and everybody has one in turn. When
/// none comes back, the error says whose limit it is.
async fn full(flavor: Flavor) -> TestResult {
    let options = ClusterOptions { replicas: 0, ..ClusterOptions::new(flavor) };
    let scene = Scene::with(options, |options| options.set("pool", "acquire_timeout", "\"15s\"")).await?;
    let primary = scene.cluster.primary().clone();
    let workload = Workload::start(WorkloadOptions { clients: 24, ..scene.workload() }).await?;
    eventually("all clients are served", LIMIT, || async { Ok(workload.snapshot().total_ok() > 100) })
        .await?;
    let mut root = primary.connect().await?;
    // Nothing is open when the connections go that are more than the server takes from now on.
    let admin = scene.proxy.admin();
    admin.post("/v1/hold", r#"{"ttl": "30s"}"#).await?;
    root.query_drop("SET GLOBAL max_connections = 10").await?;
    let ids = "SELECT id FROM information_schema.processlist WHERE user = 'app'";
    for id in root.query::<u64, _>(ids).await? {
        let _ = root.query_drop(format!("KILL {id}")).await;
    }
    admin.post("/v1/release", "").await?;
    let before = workload.snapshot().total_ok();
    eventually("they are served by fewer", LIMIT, || async {
        Ok(workload.snapshot().total_ok() > before + 1000)
    })
    .await?;
    let open: Option<u64> =
        root.query_first("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'").await?;
    assert!(open.is_some_and(|open| (1..=10).contains(&open)), "{open:?}");
    root.query_drop("SET GLOBAL max_connections = 1000").await?;
    let (report, books) = scene.close(workload).await?;
    assert!(report.snapshot.is_clean(), "{:#?}", report.snapshot);
    assert!(books.is_clean(), "{books:#?}");

    root.query_drop("SET GLOBAL max_connections = 10").await?;
    let mut holders = Vec::new();
    let told = loop {
        let mut client = scene.connect().await?;
        match client.query_drop("SELECT GET_LOCK(CONCAT('l', CONNECTION_ID()), 0)").await {
            Ok(()) => holders.push(client),
            Err(error) => break code(&error),
        }
        assert!(holders.len() < 20, "the server took {} connections", holders.len());
    };
    assert_eq!(told.0, 1040, "{}", told.1);
    assert!(told.1.contains("the server itself takes no more"), "{}", told.1);
    root.query_drop("SET GLOBAL max_connections = 1000").await?;
    scene.finish()
}

#[tokio::test]
async fn mariadb_11_8_idle_connections_of_others_make_room() -> TestResult {
    room(Flavor::MariaDb118).await
}

#[tokio::test]
async fn mysql_9_idle_connections_of_others_make_room() -> TestResult {
    room(Flavor::Mysql9).await
}

/// The server has as many connections as it takes, and one account has them all: another one is let in all the same, and as
/// often as it needs, one for one.
async fn room(flavor: Flavor) -> TestResult {
    let options = ClusterOptions { replicas: 0, ..ClusterOptions::new(flavor) };
    let scene = Scene::with(options, |options| {
        let users = "[{ name = \"app\", password = \"app\" }, { name = \"late\", password = \"late\" }]";
        options.set("auth", "mode", "\"users\"").set("", "user", users)
    })
    .await?;
    let mut root = scene.cluster.primary().connect().await?;
    root.query_drop("CREATE USER late@'%' IDENTIFIED BY 'late'").await?;
    root.query_drop("GRANT ALL ON app.* TO late@'%'").await?;
    // As many connections as transactions that are open together.
    let mut clients = Vec::new();
    for _ in 0..12 {
        clients.push(in_transaction(&scene, "app").await?);
    }
    for client in &mut clients {
        client.query_drop("COMMIT").await?;
    }
    leased(&scene, 0).await?;
    let all: Option<(String, u64)> = root.query_first("SHOW STATUS LIKE 'Threads_connected'").await?;
    let (_, all) = all.ok_or("no count of connections")?;
    let count = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'";
    let before: i64 = root.query_first(count).await?.unwrap_or_default();
    assert!(before >= 12, "{before} connections");
    root.query_drop(format!("SET GLOBAL max_connections = {all}")).await?;

    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(in_transaction(&scene, "late").await?);
    }
    let after: i64 = root.query_first(count).await?.unwrap_or_default();
    // The monitor may have come for one of its own in between.
    assert!((before - 6..before).contains(&after), "{before} connections before, {after} after");
    for client in &mut others {
        client.query_drop("COMMIT").await?;
    }
    // And the other way round.
    for client in &mut clients {
        client.query_drop("BEGIN").await?;
        client.query_drop("DO 1").await?;
    }
    root.query_drop("SET GLOBAL max_connections = 1000").await?;
    scene.finish()
}

/// A session of this account with a transaction open, and so with a server connection.
async fn in_transaction(scene: &Scene, user: &str) -> TestResult<Conn> {
    let mut client = open(scene.options(user, user)).await?;
    client.query_drop("BEGIN").await?;
    client.query_drop("DO 1").await?;
    Ok(client)
}
