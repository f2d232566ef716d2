//! Reads that no replica serves, and what a replica has shown before its primary does.

use std::error::Error;
use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor, Server};
use tokio::time::{Instant, sleep};

use crate::reads::on_replicas;
use crate::support::{Scene, TestResult, eventually, refused};

const SEMI_SYNC: [&str; 2] = [
    "SET GLOBAL rpl_semi_sync_master_timeout = 1500, GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'",
    "SET GLOBAL rpl_semi_sync_master_enabled = 1",
];

async fn scene(fallback: &str, consistency: &str) -> TestResult<Scene> {
    let [fallback, consistency] = [fallback, consistency].map(|name| format!("\"{name}\""));
    let scene = Scene::with(ClusterOptions::new(Flavor::MariaDb1011), |options| {
        options
            .set("routing", "reads", "\"replicas\"")
            .set("routing", "slow_start", "\"0s\"")
            .set("routing", "wait", "\"5s\"")
            .set("routing", "consistency", consistency)
            .set("routing", "fallback", fallback)
    })
    .await?;
    scene.wait_roles().await?;
    let mut connection = scene.connect().await?;
    connection.query_drop("CREATE TABLE f (id INT PRIMARY KEY, n BIGINT NOT NULL)").await?;
    connection.query_drop("INSERT INTO f VALUES (1, 0)").await?;
    scene.cluster.wait_in_sync().await?;
    Ok(scene)
}

async fn read(connection: &mut Conn) -> TestResult<Option<u64>> {
    Ok(connection.query_first("SELECT n FROM f WHERE id = 1").await?)
}

/// Stops or starts the appliers of all replicas, and waits until the proxy knows.
async fn appliers(scene: &Scene, run: bool) -> TestResult {
    let word = if run { "START" } else { "STOP" };
    for replica in scene.cluster.replicas() {
        replica.run(&[format!("{word} REPLICA SQL_THREAD")]).await?;
    }
    eventually("the proxy knows who can serve", Duration::from_secs(20), || async {
        let readers = scene.status("/routing/readers").await?;
        Ok(readers.as_array().into_iter().flatten().any(|reader| reader["fit"] == true) == run)
    })
    .await
}

#[tokio::test]
async fn mariadb_10_11_reads_that_only_replicas_may_serve() -> TestResult {
    let scene = scene("error", "session").await?;
    let (mut reader, mut fresh) = (scene.connect().await?, scene.connect().await?);
    let before = on_replicas(&scene).await?;
    assert_eq!(read(&mut reader).await?, Some(0));
    assert_eq!(on_replicas(&scene).await?, before + 1);
    appliers(&scene, false).await?;
    for connection in [&mut reader, &mut fresh] {
        let error = refused(connection, "SELECT n FROM f WHERE id = 1").await?;
        assert!(error.0 == 1205 && error.1.contains("routing.fallback"), "{error:?}");
        let error = refused(connection, "START TRANSACTION READ ONLY").await?;
        assert_eq!(error.0, 1205, "{error:?}");
        // What belongs on the primary is served there, as ever.
        connection.query_drop("UPDATE f SET n = n + 1 WHERE id = 1").await?;
        let locked: Option<u64> = connection.query_first("SELECT n FROM f WHERE id = 1 FOR UPDATE").await?;
        assert!(locked.is_some());
        connection.query_drop("BEGIN").await?;
        assert_eq!(read(connection).await?, locked);
        connection.query_drop("COMMIT").await?;
    }
    appliers(&scene, true).await?;
    assert_eq!(read(&mut fresh).await?, Some(2));
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_reads_that_wait_for_a_replica() -> TestResult {
    let scene = scene("wait", "session").await?;
    let mut reader = scene.connect().await?;
    reader.query_drop("UPDATE f SET n = 7 WHERE id = 1").await?;
    appliers(&scene, false).await?;
    let before = on_replicas(&scene).await?;
    let arrived = || async {
        let reasons = scene.status("/routing/reasons").await?;
        Ok::<_, Box<dyn Error + Send + Sync>>(reasons["reads"].as_u64())
    };
    let earlier = arrived().await?;
    let waiting = tokio::spawn(async move { read(&mut reader).await });
    eventually("it has arrived", Duration::from_secs(20), || async { Ok(arrived().await? > earlier) })
        .await?;
    assert!(!waiting.is_finished());
    appliers(&scene, true).await?;
    assert_eq!(waiting.await??, Some(7));
    assert_eq!(on_replicas(&scene).await?, before + 1, "a replica served it");
    scene.finish()
}

/// A lossless primary that waits for one replica does not show what the other one shows already. A session that read it
/// there waits before it reads on the primary.
#[tokio::test]
async fn mariadb_10_11_what_a_replica_showed_the_primary_shows() -> TestResult {
    let scene = scene("primary", "session").await?;
    let mut reader = scene.connect().await?;
    let primary = scene.cluster.primary();
    // A log that has just begun says nothing.
    primary
        .run(&["CREATE TABLE app.filler (t TEXT)", "INSERT INTO app.filler VALUES (REPEAT('x', 20000))"])
        .await?;
    let [quick, slow] = scene.cluster.replicas()[..] else { return Err("not two replicas".into()) };
    slow.run(&["SET GLOBAL rpl_semi_sync_slave_enabled = 1", "STOP REPLICA", "START REPLICA"]).await?;
    primary.run(&SEMI_SYNC).await?;
    eventually("the primary waits for one replica", Duration::from_secs(20), || async {
        let clients = "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = \
                       'RPL_SEMI_SYNC_MASTER_CLIENTS'";
        Ok(primary.query_one::<String>(clients).await?.as_deref() == Some("1"))
    })
    .await?;
    appliers(&scene, true).await?;
    for n in 1..=3_u64 {
        slow.freeze()?;
        let mut writer = scene.connect().await?;
        let began = Instant::now();
        let update = format!("UPDATE f SET n = {n} WHERE id = 1");
        let writing = tokio::spawn(async move { writer.query_drop(update).await });
        shown_by(quick, n).await?;
        let mut seen = 0;
        while seen < n && !writing.is_finished() {
            seen = read(&mut reader).await?.unwrap_or_default();
        }
        let hint = "/* tideover:primary */ SELECT n FROM f WHERE id = 1";
        let then: Option<u64> = reader.query_first(hint).await?;
        println!("seen {seen} on a replica, {then:?} on the primary after {:?}", began.elapsed());
        assert!(then >= Some(seen), "it went back from {seen} to {then:?}");
        writing.await??;
        slow.thaw()?;
        primary.run(&SEMI_SYNC[1..]).await?;
        scene.cluster.wait_in_sync().await?;
    }
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_the_primary_is_waited_for() -> TestResult {
    primary_is_waited_for(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_the_primary_is_waited_for() -> TestResult {
    primary_is_waited_for(Flavor::Mysql9).await
}

/// A primary that waits for a replica for longer than anybody wants to: what a session saw on the other replica is never gone.
async fn primary_is_waited_for(flavor: Flavor) -> TestResult {
    let mut cluster = ClusterOptions::new(flavor);
    cluster.semi_sync = true;
    let scene = Scene::with(cluster, |options| {
        options
            .set("routing", "reads", "\"replicas\"")
            .set("routing", "slow_start", "\"0s\"")
            .set("routing", "wait", "\"5s\"")
            .set("hold", "timeout", "\"5s\"")
    })
    .await?;
    scene.wait_roles().await?;
    let mut reader = scene.connect().await?;
    reader.query_drop("CREATE TABLE f (id INT PRIMARY KEY, n BIGINT NOT NULL, t TEXT)").await?;
    // A log that has just begun says nothing.
    reader.query_drop("INSERT INTO f VALUES (1, 0, NULL), (2, 0, REPEAT('x', 20000))").await?;
    let [quick, slow] = scene.cluster.replicas()[..] else { return Err("not two replicas".into()) };
    let primary = scene.cluster.primary();
    acknowledged_by_one(flavor, primary, quick).await?;
    scene.wait_roles().await?;
    scene.cluster.wait_in_sync().await?;
    let hint = "/* tideover:primary */ SELECT n FROM f WHERE id = 1";
    for n in 1..=2_u64 {
        slow.freeze()?;
        let mut writer = scene.connect().await?;
        let update = format!("UPDATE f SET n = {n} WHERE id = 1");
        let writing = tokio::spawn(async move { writer.query_drop(update).await });
        shown_by(quick, n).await?;
        while read(&mut reader).await? < Some(n) {}
        let began = Instant::now();
        if n == 1 {
            // Longer than a moment, and not as long as `hold.timeout`.
            let waiting = tokio::spawn(async move {
                let seen = reader.query_first::<u64, _>(hint).await;
                (reader, seen)
            });
            sleep(Duration::from_secs(3)).await;
            assert!(!writing.is_finished() && !waiting.is_finished());
            slow.thaw()?;
            let (back, seen) = waiting.await?;
            println!("{flavor}: {seen:?} after {:?}", began.elapsed());
            match seen {
                Ok(seen) => assert_eq!(seen, Some(n)),
                // The machine is slow.
                Err(error) => assert_eq!(crate::support::code(&error).0, 1205),
            }
            reader = back;
        } else {
            let error = refused(&mut reader, hint).await?;
            println!("{flavor}: {error:?} after {:?}", began.elapsed());
            assert!(error.0 == 1205 && error.1.contains("does not show yet"), "{error:?}");
            assert_eq!(refused(&mut reader, hint).await?.0, 1205, "nor does it forget");
            assert!(read(&mut reader).await? == Some(n), "the other replica shows it still");
            slow.thaw()?;
        }
        writing.await??;
        let seen: Option<u64> = reader.query_first(hint).await?;
        assert_eq!(seen, Some(n));
        scene.wait_roles().await?;
        scene.cluster.wait_in_sync().await?;
    }
    scene.finish()
}

/// The primary waits for the acknowledgement of one replica for as long as it takes, and not for that of `quick`.
async fn acknowledged_by_one(flavor: Flavor, primary: &Server, quick: &Server) -> TestResult {
    let (timeout, enabled) = match flavor.is_mariadb() {
        true => ("rpl_semi_sync_master_timeout", "rpl_semi_sync_slave_enabled"),
        false => ("rpl_semi_sync_source_timeout", "rpl_semi_sync_replica_enabled"),
    };
    primary.run(&[format!("SET GLOBAL {timeout} = 120000")]).await?;
    let off = format!("SET GLOBAL {enabled} = 0");
    quick.run(&[off.as_str(), "STOP REPLICA IO_THREAD", "START REPLICA IO_THREAD"]).await?;
    eventually("the primary waits for one replica", Duration::from_secs(20), || async {
        let rows = primary.query("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%_clients'").await?;
        let clients: Vec<(String, String)> = rows.into_iter().map(mysql_async::from_row).collect();
        Ok(clients.iter().all(|(_, count)| count == "1"))
    })
    .await
}

async fn shown_by(server: &Server, n: u64) -> TestResult {
    eventually("the other replica shows it", Duration::from_secs(20), || async {
        Ok(server.query_one::<u64>("SELECT n FROM app.f WHERE id = 1").await? == Some(n))
    })
    .await
}

/// A READ ONLY transaction whose replica ends its connection moves at once, also if the session's last transaction lost its
/// connection while the client was silent.
#[tokio::test]
async fn mariadb_10_11_a_read_only_transaction_moves_while_its_client_is_silent() -> TestResult {
    // With "session" it would go to the primary first, whose connection it would notice.
    let scene = scene("primary", "eventual").await?;
    let mut connection = scene.connect().await?;
    connection.query_drop("BEGIN").await?;
    connection.query_drop("SAVEPOINT a").await?;
    let primary = scene.cluster.primary();
    let others = "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'app'";
    for row in primary.query(others).await? {
        primary.run(&[format!("KILL {}", mysql_async::from_row::<u64>(row))]).await?;
    }
    eventually("the server has ended them", Duration::from_secs(20), || async {
        Ok(primary.query(others).await?.is_empty())
    })
    .await?;
    // The proxy hears of it while the client is silent. If that takes longer, this test only shows less.
    sleep(Duration::from_millis(100)).await;
    connection.query_drop("ROLLBACK").await?;
    let before = on_replicas(&scene).await?;
    connection.query_drop("START TRANSACTION READ ONLY").await?;
    assert_eq!(read(&mut connection).await?, Some(0));
    assert!(on_replicas(&scene).await? > before, "it runs on a replica");
    for replica in scene.cluster.replicas() {
        end_transactions(replica).await?;
    }
    eventually("it is done again on the primary", Duration::from_secs(20), || async {
        Ok(transactions(scene.cluster.primary()).await?.len() == 1)
    })
    .await?;
    assert_eq!(read(&mut connection).await?, Some(0));
    connection.query_drop("COMMIT").await?;
    scene.finish()
}

/// Connections of the application with an open transaction. InnoDB shows what it showed before to whoever asks again within
/// 100 ms, so this pauses first.
async fn transactions(server: &Server) -> TestResult<Vec<u64>> {
    sleep(Duration::from_millis(150)).await;
    let sql = "SELECT t.trx_mysql_thread_id FROM information_schema.innodb_trx t JOIN information_schema.PROCESSLIST p \
               ON p.ID = t.trx_mysql_thread_id WHERE p.USER = 'app'";
    let rows = server.query(sql).await?;
    Ok(rows.into_iter().map(mysql_async::from_row).collect())
}

async fn end_transactions(server: &Server) -> TestResult {
    for thread in transactions(server).await? {
        server.run(&[format!("KILL {thread}")]).await?;
    }
    Ok(())
}
