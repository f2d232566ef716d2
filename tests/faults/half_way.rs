//! A unit of several autocommit writes is refused by a server that became read-only when some were done: what was done must
//! not be done again.

use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::servers::Flavor;
use tokio::time::timeout;

use super::{bench::Bench, support};

#[tokio::test]
async fn mariadb_10_11() {
    all(Flavor::MariaDb1011).await;
}

#[tokio::test]
async fn mysql_9() {
    all(Flavor::Mysql9).await;
}

/// Between both writes there is time to close the server.
const PROCEDURE: &str = "CREATE PROCEDURE two(x VARCHAR(60)) SQL SECURITY INVOKER BEGIN INSERT INTO t (v) VALUES (x); DO SLEEP(2); \
                         INSERT INTO t (v) VALUES (x); END";

/// The same with a COMMIT of its own in between.
const COMMITS: &str = "CREATE PROCEDURE commits(x VARCHAR(60)) SQL SECURITY INVOKER BEGIN INSERT INTO u (v) VALUES (x); COMMIT; DO SLEEP(1); \
                       INSERT INTO u (v) VALUES (x); END";

async fn all(flavor: Flavor) {
    let bench = Bench::start(flavor).await;
    bench.run("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60), KEY (v))").await;
    // Nothing in it keeps a row from being stored twice.
    bench.run("CREATE TABLE u (v VARCHAR(60), KEY (v))").await;
    bench.run(PROCEDURE).await;
    bench.run(COMMITS).await;
    for side in &bench.sides {
        for (name, sql) in [
            ("called", "CALL two('{}')"),
            ("texts", "INSERT INTO t (v) VALUES ('{}'); DO SLEEP(2); INSERT INTO t (v) VALUES ('{}')"),
        ] {
            let token = format!("{name} {}", side.name());
            let client = support::open(support::options(side.proxy.address(), "app", "app")).await.unwrap();
            refused_half_way(&bench, client, (sql, &token)).await;
        }
        for (name, sql) in [
            ("called inside", "CALL commits('{}')"),
            (
                "texts inside",
                "INSERT INTO u (v) VALUES ('{}'); COMMIT; DO SLEEP(1); INSERT INTO u (v) VALUES ('{}')",
            ),
        ] {
            let token = format!("{name} {}", side.name());
            let client = support::open(support::options(side.proxy.address(), "app", "app")).await.unwrap();
            committed_half_way(&bench, client, (sql, &token)).await;
        }
        for (name, begin) in [("open", "BEGIN"), ("never by itself", "SET autocommit=0")] {
            let token = format!("{name} {}", side.name());
            let client = support::open(support::options(side.proxy.address(), "app", "app")).await.unwrap();
            open_half_way(&bench, client, (begin, &token)).await;
        }
    }
}

/// What a part of a transaction has committed must not be done again with the rest.
async fn committed_half_way(bench: &Bench, mut client: Conn, (sql, token): (&str, &str)) {
    let stored = format!("SELECT COUNT(*) FROM app.u WHERE v = '{token}'");
    let texts = ["BEGIN", "INSERT INTO u (v) VALUES ('{}')", sql].map(|text| text.replace("{}", token));
    let task = tokio::spawn(async move {
        let mut told = Ok(());
        for text in texts {
            told = client.query_drop(text).await;
        }
        (told, client)
    });
    until(bench, &stored, 2).await;
    close_until_refused(bench).await;
    let (told, mut client) = timeout(Duration::from_secs(45), task).await.expect("hangs").unwrap();
    let stored = bench.number(&stored).await;
    match &told {
        Ok(()) => assert_eq!(stored, 3, "{token}: told as done"),
        Err(error) => {
            assert!(stored == 2 && support::code(error).0 > 0, "{token}: {stored}, {error}")
        }
    }
    println!("{token}: stored {stored}, told {told:?}");
    client.query_drop("ROLLBACK").await.unwrap();
}

/// A procedure that certainly commits nothing is done again with its transaction.
async fn open_half_way(bench: &Bench, mut client: Conn, (begin, token): (&str, &str)) {
    let texts = [begin.to_owned(), format!("CALL two('{token}')"), "COMMIT".to_owned()];
    let task = tokio::spawn(async move {
        for text in texts {
            client.query_drop(text).await?;
        }
        Ok::<_, mysql_async::Error>(())
    });
    until(bench, SLEEPING, 1).await;
    close_until_refused(bench).await;
    let told = timeout(Duration::from_secs(45), task).await.expect("hangs").unwrap();
    let stored = bench.number(&format!("SELECT COUNT(*) FROM app.t WHERE v = '{token}'")).await;
    told.unwrap_or_else(|error| panic!("{token}: {error}"));
    assert_eq!(stored, 2, "{token}");
}

async fn until(bench: &Bench, sql: &str, wanted: u64) {
    let reached = || async { Ok(bench.number(sql).await == wanted) };
    support::eventually(sql, Duration::from_secs(10), reached).await.unwrap();
}

async fn refused_half_way(bench: &Bench, mut client: Conn, (sql, token): (&str, &str)) {
    let stored = format!("SELECT COUNT(*) FROM app.t WHERE v = '{token}'");
    let text = sql.replace("{}", token);
    let task = tokio::spawn(async move { (client.query_drop(text).await, client) });
    until(bench, &stored, 1).await;
    close_until_refused(bench).await;
    let (told, mut client) = timeout(Duration::from_secs(45), task).await.expect("hangs").unwrap();
    let stored = bench.number(&stored).await;
    match told {
        Ok(()) => assert_eq!(stored, 2, "{token}: told as done"),
        Err(error) => assert!(stored <= 2 && support::code(&error).0 > 0, "{token}: {stored}, {error}"),
    }
    println!("{token}: stored {stored}");
    client.query_drop("SELECT 1").await.unwrap();
}

/// Statements amid their SLEEP.
const SLEEPING: &str = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '%sleep%'";

/// Closes the primary for writes while something sleeps between two of them.
async fn close_until_refused(bench: &Bench) {
    let primary = bench.cluster.primary();
    let (close, open) = if primary.flavor.is_mariadb() {
        ("SET GLOBAL read_only=1", "SET GLOBAL read_only=0")
    } else {
        ("SET GLOBAL super_read_only=1", "SET GLOBAL super_read_only=0, GLOBAL read_only=0")
    };
    primary.run(&[close]).await.unwrap();
    // Until the second write was refused, and whatever follows from that has begun.
    until(bench, SLEEPING, 0).await;
    primary.run(&[open]).await.unwrap();
}
