//! Sessions with something on their server that no other one has, and a server that is closed, hangs or is replaced: nothing is
//! lost while the server is there, and nothing is lost unsaid.

use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor, PromoteOptions, Server};
use tokio::{task::JoinHandle, time::sleep};

use crate::support::{Scene, TestResult, code, eventually};

/// Longer than the monitor takes to find a server down.
const FROZEN: Duration = Duration::from_millis(3500);

#[tokio::test]
async fn mariadb_10_11() -> TestResult {
    all(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9() -> TestResult {
    all(Flavor::Mysql9).await
}

async fn all(flavor: Flavor) -> TestResult {
    let scene = Scene::with(ClusterOptions::new(flavor), |options| options).await?;
    let mut client = pinned(&scene).await?;
    client.query_drop("CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40))").await?;
    closed_for_a_while(&scene, &mut client).await?;
    frozen_for_a_while(&scene, &mut client).await?;
    frozen_amid_a_transaction(&scene).await?;
    replaced(&scene, client).await?;
    scene.finish()
}

/// A session with a temporary table and a lock.
async fn pinned(scene: &Scene) -> TestResult<Conn> {
    let mut client = scene.connect().await?;
    client.query_drop("CREATE TEMPORARY TABLE scratch (a INT)").await?;
    client.query_drop("INSERT INTO scratch VALUES (7)").await?;
    client.query_drop("SELECT GET_LOCK('mine', 1)").await?;
    Ok(client)
}

async fn still_there(client: &mut Conn) -> TestResult {
    let seven: Option<i32> = client.query_first("SELECT a FROM scratch").await?;
    let locked: Option<i32> = client.query_first("SELECT IS_USED_LOCK('mine') IS NOT NULL").await?;
    assert_eq!((seven, locked), (Some(7), Some(1)));
    Ok(())
}

fn insert(mut client: Conn, v: &'static str) -> JoinHandle<(Conn, mysql_async::Result<()>)> {
    tokio::spawn(async move {
        let done = client.query_drop(format!("INSERT INTO t (v) VALUES ('{v}')")).await;
        (client, done)
    })
}

async fn close(server: &Server, closed: bool) -> TestResult {
    let sql = match (server.flavor.is_mariadb(), closed) {
        (true, true) => "SET GLOBAL read_only=1",
        (true, false) => "SET GLOBAL read_only=0",
        (false, true) => "SET GLOBAL super_read_only=1",
        (false, false) => "SET GLOBAL super_read_only=0, GLOBAL read_only=0",
    };
    Ok(server.run(&[sql]).await?)
}

/// A switchover that somebody began and gave up.
async fn closed_for_a_while(scene: &Scene, client: &mut Conn) -> TestResult {
    let primary = scene.cluster.primary().clone();
    close(&primary, true).await?;
    let opens = async {
        let held = || async { Ok(scene.status("/gate/held").await?.as_u64() == Some(1)) };
        let held = eventually("the write is held", Duration::from_secs(10), held).await;
        close(&primary, false).await?;
        held
    };
    let (done, opened) = tokio::join!(client.query_drop("INSERT INTO t (v) VALUES ('closed')"), opens);
    opened?;
    done?;
    still_there(client).await
}

/// The server hangs, and comes back: with a statement on its way, and between two.
async fn frozen_for_a_while(scene: &Scene, client: &mut Conn) -> TestResult {
    let primary = scene.cluster.primary().clone();
    primary.freeze()?;
    let thaws = async {
        sleep(FROZEN).await;
        primary.thaw()
    };
    let (done, thawed) = tokio::join!(client.query_drop("INSERT INTO t (v) VALUES ('frozen')"), thaws);
    thawed?;
    done?;
    still_there(client).await?;
    primary.freeze()?;
    sleep(FROZEN).await;
    primary.thaw()?;
    still_there(client).await?;
    let stored: Option<u64> =
        client.query_first("SELECT COUNT(*) FROM t WHERE v IN ('closed', 'frozen')").await?;
    assert_eq!(stored, Some(2));
    Ok(())
}

/// What the proxy asks itself before a statement is answered late, and not taken for the statement's answer.
async fn frozen_amid_a_transaction(scene: &Scene) -> TestResult {
    let mut client = scene.connect().await?;
    let primary = scene.cluster.primary().clone();
    client.query_drop("BEGIN").await?;
    client.query_drop("INSERT INTO t (id, v) VALUES (1007, 'named')").await?;
    primary.freeze()?;
    let thaws = async {
        sleep(FROZEN).await;
        primary.thaw()
    };
    let asked = client.query_first::<(u64, String), _>("SELECT LAST_INSERT_ID() * 0, 'mine'");
    let (row, thawed) = tokio::join!(asked, thaws);
    thawed?;
    assert_eq!(row?, Some((0, "mine".to_owned())));
    client.query_drop("COMMIT").await?;
    let stored: Option<u64> = client.query_first("SELECT COUNT(*) FROM t WHERE v = 'named'").await?;
    assert_eq!(stored, Some(1));
    Ok(())
}

/// Another server becomes the primary while a write is held. The next use says what is lost, once.
async fn replaced(scene: &Scene, client: Conn) -> TestResult {
    let (primary, target) = (scene.cluster.primary().clone(), scene.next_primary().await?);
    close(&primary, true).await?;
    let inserted = insert(client, "replaced");
    eventually("the write is held", Duration::from_secs(10), || async {
        Ok(scene.status("/gate/held").await?.as_u64() == Some(1))
    })
    .await?;
    let servers = scene.cluster.servers();
    let target = servers.iter().find(|server| server.address() == target).ok_or("no such server")?.clone();
    scene.cluster.promote_by_hand(&target, PromoteOptions::planned()).await?;
    let (mut client, done) = inserted.await?;
    let (number, message) = done.err().as_ref().map(code).ok_or("lost, and nobody said so")?;
    assert!(
        number == 1927 && message.contains("temporary_table") && message.contains("user_lock"),
        "{message}"
    );
    client.query_drop("INSERT INTO t (v) VALUES ('afterwards')").await?;
    let stored: Vec<String> = client.query("SELECT v FROM t WHERE v IN ('replaced', 'afterwards')").await?;
    assert_eq!(stored, ["afterwards"], "what was refused was not done");
    Ok(())
}
