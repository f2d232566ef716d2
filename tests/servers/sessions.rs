//! What a session is made of follows it to any server connection; what cannot follow is named.

use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tokio::time::sleep;

use crate::support::{Scene, TestResult, eventually, refused};

#[tokio::test]
async fn mariadb_10_11_state_follows() -> TestResult {
    state_follows(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_state_follows() -> TestResult {
    state_follows(Flavor::Mysql9).await
}

const STATE: &str = "SELECT CONCAT_WS('|', @@session.character_set_client, @@session.character_set_results, \
    @@session.collation_connection, @@session.time_zone, @@session.sql_mode, @@session.group_concat_max_len, \
    @@session.lock_wait_timeout, @@session.autocommit, @text, @number, @float, IFNULL(@nothing, 'NULL'), @sum, @name, \
    DATABASE())";

async fn state(connection: &mut Conn) -> TestResult<String> {
    let state: Option<String> = connection.query_first(STATE).await?;
    state.ok_or_else(|| "no row".into())
}

async fn isolation(connection: &mut Conn, flavor: Flavor) -> TestResult<String> {
    let name = if flavor == Flavor::MariaDb1011 { "tx_isolation" } else { "transaction_isolation" };
    let level: Option<String> = connection.query_first(format!("SELECT @@session.{name}")).await?;
    level.ok_or_else(|| "no row".into())
}

async fn state_follows(flavor: Flavor) -> TestResult {
    let scene = Scene::start(flavor).await?;
    let setup = ["CREATE DATABASE other", "GRANT ALL ON other.* TO app@'%'"];
    scene.cluster.primary().run(&setup).await?;
    let mut set_up = scene.connect().await?;
    let mut plain = scene.connect().await?;
    set_up
        .query_drop("CREATE TABLE other.t (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(100), b LONGBLOB)")
        .await?;
    for sql in [
        "USE other",
        "SET NAMES latin1",
        "SET time_zone='+05:30', sql_mode='ANSI_QUOTES,NO_ZERO_DATE', group_concat_max_len=4321",
        "SET SESSION lock_wait_timeout=77",
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET @text='it''s here', @number=-42, @float=1.5e10, @nothing=NULL",
        "SET @sum = @number + 100, @name = CONCAT('a', 'ä')",
        "PREPARE asked FROM 'SELECT ? + 7'",
        "INSERT INTO t (a) VALUES ('one'), ('two')",
    ] {
        set_up.query_drop(sql).await.map_err(|error| format!("{sql}: {error}"))?;
        // Values that only the server knows are read when the client is silent.
        eventually(&format!("{sql}: can follow, and is pinned"), Duration::from_secs(10), async || {
            let pins = scene.status("/sessions/pinned").await?;
            // Warnings are there until the next statement; everything else would stay.
            Ok(pins.as_object().ok_or("no object")?.keys().all(|pin| pin == "warnings"))
        })
        .await?;
    }
    let statements = Statements::prepare(&mut set_up).await?;
    let before = (state(&mut set_up).await?, isolation(&mut set_up, flavor).await?);
    let plain_before = state(&mut plain).await?;
    for round in 0..3 {
        if round > 0 {
            scene.switch().await?;
        }
        let id = statements.run(&mut set_up, round).await?;
        let again: Option<u64> = set_up.query_first("SELECT LAST_INSERT_ID()").await?;
        assert_eq!(again, Some(id), "round {round}");
        let asked: Option<i64> = set_up.query_first("EXECUTE asked USING @sum").await?;
        assert_eq!(asked, Some(65), "round {round}");
        // Sessions take turns on the same connections.
        assert_eq!(state(&mut plain).await?, plain_before, "round {round}");
        assert_eq!(state(&mut set_up).await?, before.0, "round {round}");
        assert_eq!(isolation(&mut set_up, flavor).await?, before.1, "round {round}");
        assert_eq!(state(&mut plain).await?, plain_before, "round {round}");
    }
    // And all of it goes when the client says so.
    set_up.reset().await?;
    let text: Option<Option<String>> = set_up.query_first("SELECT @text").await?;
    assert_eq!(text, Some(None), "a reset session still has its variables");
    scene.finish()
}

/// Prepared statements of one session.
struct Statements {
    insert: mysql_async::Statement,
    read: mysql_async::Statement,
    many: Vec<mysql_async::Statement>,
}

impl Statements {
    async fn prepare(connection: &mut Conn) -> TestResult<Self> {
        let insert = connection.prep("INSERT INTO t (a, b) VALUES (?, ?)").await?;
        let read = connection.prep("SELECT a, LENGTH(b), CRC32(b) FROM t WHERE id = ?").await?;
        let mut many = Vec::new();
        for number in 0..20 {
            many.push(connection.prep(format!("SELECT {number} + ?, ?")).await?);
        }
        Ok(Self { insert, read, many })
    }

    /// Runs all of them, and gives the id of the row that was inserted.
    async fn run(&self, connection: &mut Conn, round: usize) -> TestResult<u64> {
        let blob = vec![b'x'; 1 << 20];
        let text = format!("round {round}");
        connection.exec_drop(&self.insert, (text.as_str(), &blob)).await?;
        let id = connection.last_insert_id().ok_or("no insert id")?;
        let row: Option<(String, u64, u64)> = connection.exec_first(&self.read, (id,)).await?;
        let (found, length, _) = row.ok_or("the row is not there")?;
        assert_eq!((found, length), (text, 1 << 20));
        for (number, statement) in self.many.iter().enumerate() {
            let row: Option<(i64, Option<String>)> =
                connection.exec_first(statement, (7, None::<String>)).await?;
            assert_eq!(row, Some((number as i64 + 7, None)));
        }
        // One that is closed is gone; the others stay.
        let closed = connection.prep("SELECT 'closed'").await?;
        connection.close(closed).await?;
        Ok(id)
    }
}

#[tokio::test]
async fn mariadb_10_11_what_cannot_follow_is_named() -> TestResult {
    what_cannot_follow_is_named(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_what_cannot_follow_is_named() -> TestResult {
    what_cannot_follow_is_named(Flavor::Mysql9).await
}

/// Temporary tables and locks live on one server. A session that has them is pinned and shown as such; when that server
/// is no primary any more the next use says so once, and the session goes on.
async fn what_cannot_follow_is_named(flavor: Flavor) -> TestResult {
    let scene = Scene::start(flavor).await?;
    let cases = [
        ("CREATE TEMPORARY TABLE scratch (a INT)", "SELECT COUNT(*) FROM scratch", "temporary"),
        ("SELECT GET_LOCK('mine', 1)", "SELECT 1", "lock"),
    ];
    for (make, next, word) in cases {
        let mut connection = scene.connect().await?;
        connection.query_drop("SET @kept='yes'").await?;
        connection.query_drop(make).await?;
        eventually(&format!("{make}: the pin is shown"), Duration::from_secs(2), async || {
            Ok(scene.status("/sessions/pinned").await?.to_string().contains(word))
        })
        .await?;
        scene.switch().await?;
        let (code, message) = refused(&mut connection, next).await?;
        assert_eq!(code, 1927, "{next}: {message}");
        assert!(message.contains(word), "{next}: the message names nothing: {message}");
        let kept: Option<String> = connection.query_first("SELECT @kept").await?;
        assert_eq!(kept.as_deref(), Some("yes"), "the rest of the session stays");
        let pins = scene.status("/sessions/pinned").await?;
        assert!(!pins.to_string().contains(word), "{make}: {pins}");
    }
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_transaction_that_cannot_be_drained() -> TestResult {
    transaction_that_cannot_be_drained(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_transaction_that_cannot_be_drained() -> TestResult {
    transaction_that_cannot_be_drained(Flavor::Mysql9).await
}

/// It is done again on the new primary, idle or amid a statement, and its client notices nothing but the wait.
async fn transaction_that_cannot_be_drained(flavor: Flavor) -> TestResult {
    let options = ClusterOptions::new(flavor);
    let scene =
        Scene::with(options, |options| options.set("switchover", "drain_timeout", "\"300ms\"")).await?;
    let mut idle = scene.connect().await?;
    let mut busy = scene.connect().await?;
    idle.query_drop("CREATE TABLE t (a INT PRIMARY KEY)").await?;
    idle.query_drop("SET @mine=5").await?;
    for (client, key) in [(&mut idle, 1), (&mut busy, 2)] {
        client.query_drop("BEGIN").await?;
        client.query_drop(format!("INSERT INTO t VALUES ({key})")).await?;
    }
    let busy = tokio::spawn(async move {
        let result = busy.query_drop("SELECT SLEEP(3)").await;
        (busy, result)
    });
    sleep(Duration::from_millis(100)).await;
    let report = scene.switch().await?;
    assert!(report.cut_units >= 2, "{report:#?}");
    assert!(report.total_ms < 10_000.0, "{report:#?}");

    // MySQL's SLEEP answers 1 when it is ended, and no error; on MariaDB it is run again.
    let (mut busy, result) = busy.await?;
    result?;
    for (client, key) in [(&mut idle, 4), (&mut busy, 5)] {
        client.query_drop(format!("INSERT INTO t VALUES ({key})")).await?;
        client.query_drop("COMMIT").await?;
    }
    let rows: Vec<i32> = busy.query("SELECT a FROM t ORDER BY a").await?;
    assert_eq!(rows, [1, 2, 4, 5], "what came before the switchover, and what came after it");
    let mine: Option<i32> = idle.query_first("SELECT @mine").await?;
    assert_eq!(mine, Some(5));
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_writes_wait_for_their_session() -> TestResult {
    writes_wait_for_their_session(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_writes_wait_for_their_session() -> TestResult {
    writes_wait_for_their_session(Flavor::Mysql9).await
}

/// What brings a server connection to the state of a session goes in one write with the statement. If it is refused, here
/// because a role was revoked, the statement has not run; nor has anything, once it is granted again, run twice.
async fn writes_wait_for_their_session(flavor: Flavor) -> TestResult {
    let options = ClusterOptions { replicas: 0, ..ClusterOptions::new(flavor) };
    let scene = Scene::with(options, |options| options.set("pool", "max_per_server", "1")).await?;
    let primary = scene.cluster.primary();
    primary
        .run(&["CREATE ROLE keeper", "GRANT SELECT ON app.* TO keeper", "GRANT keeper TO app@'%'"])
        .await?;
    let (mut writer, mut other) = (scene.connect().await?, scene.connect().await?);
    writer.query_drop("CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(20))").await?;
    for sql in ["SET ROLE keeper", "SET @b = 'mine', time_zone = '+02:00'"] {
        writer.query_drop(sql).await?;
    }
    let insert = writer.prep("INSERT INTO t VALUES (?, @b)").await?;
    writer.exec_drop(&insert, (1,)).await?;
    for round in 2..5 {
        // The one server connection is another session's each time.
        other.query_drop("SET @b = 'not mine', time_zone = '+09:00'").await?;
        writer.query_drop(format!("INSERT INTO t VALUES ({round}0, @b)")).await?;
        other.query_drop("SELECT 1").await?;
        writer.exec_drop(&insert, (round,)).await?;
    }
    other.query_drop("SELECT 1").await?;
    primary.run(&["REVOKE keeper FROM app@'%'"]).await?;
    let (code, message) = refused(&mut writer, "INSERT INTO t VALUES (100, @b)").await?;
    assert!(code != 0 && code != 1792, "{code} {message}");
    other.query_drop("SELECT 1").await?;
    assert!(writer.exec_drop(&insert, (101,)).await.is_err(), "ran in a session that cannot be restored");
    primary.run(&["GRANT keeper TO app@'%'"]).await?;
    writer.query_drop("INSERT INTO t VALUES (102, @b)").await?;

    let rows: Vec<(i32, String)> =
        primary.connect_as("root", "", Some("app")).await?.query("SELECT a, b FROM t ORDER BY a").await?;
    let keys: Vec<i32> = rows.iter().map(|row| row.0).collect();
    assert_eq!(keys, [1, 2, 3, 4, 20, 30, 40, 102]);
    assert!(rows.iter().all(|row| row.1 == "mine"), "{rows:?}");
    scene.finish()
}
