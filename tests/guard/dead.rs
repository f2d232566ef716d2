//! The primary dies while answers are due, and a replica is promoted, or it comes back itself.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tideover_sandbox::servers::{ClusterOptions, Flavor, PromoteOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::Bench;
use super::relay::Cut;

#[tokio::test]
async fn mariadb_10_11() {
    all(Flavor::MariaDb1011).await;
}

#[tokio::test]
async fn mariadb_11_8() {
    all(Flavor::MariaDb118).await;
}

#[tokio::test]
async fn mysql_9() {
    all(Flavor::Mysql9).await;
}

/// Clients that insert and lose their answers, beside one of each sort.
const CROWD: usize = 30;
/// What happens to the server.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    /// A replica is promoted in its place.
    Promoted,
    /// The same, and it remains set up as the replica that it was.
    PromotedUntidied,
    /// It is started again.
    Restarted,
}

/// MySQL does not log the texts of statements by default: that is switched on, for replicas' appliers too.
#[tokio::test]
async fn mysql_9_as_it_comes() {
    let options = ClusterOptions {
        semi_sync: true,
        server_options: vec!["--binlog-rows-query-log-events=OFF".to_owned()],
        ..ClusterOptions::new(Flavor::Mysql9)
    };
    let bench = Arc::new(Bench::start_with(options, |options| options).await);
    assert_eq!(bench.guard().await["guarded"], true, "{}", bench.proxy.log());
    for server in bench.cluster.servers() {
        assert_eq!(
            server.query_one::<u8>("SELECT @@GLOBAL.binlog_rows_query_log_events").await.unwrap(),
            Some(1)
        );
    }
    bench.run(TABLE).await;
    lose_answers(&bench, Then::Promoted).await;
}

const TABLE: &str =
    "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60) UNIQUE, n INT DEFAULT 0)";

async fn all(flavor: Flavor) {
    let bench = Arc::new(Bench::start(flavor).await);
    bench.run(TABLE).await;
    lose_answers(&bench, Then::Restarted).await;
    replicas_are_back(&bench).await;
    lose_answers(&bench, Then::Promoted).await;
    replicas_are_back(&bench).await;
    lose_answers(&bench, Then::PromotedUntidied).await;
}

/// A restarted primary commits alone until its replicas have found it again: what is lost then is lost.
async fn replicas_are_back(bench: &Bench) {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let rows =
            bench.cluster.primary().query("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%_clients'").await.unwrap();
        let clients = rows.into_iter().filter_map(|mut row| row.take::<String, _>(1)).find(|v| v != "0");
        if clients.is_some() {
            return bench.cluster.wait_in_sync().await.unwrap();
        }
        assert!(Instant::now() < deadline, "no replica has come back");
        sleep(Duration::from_millis(100)).await;
    }
}

/// One client with one command whose answer is lost.
struct Lost {
    task: JoinHandle<Result<Conn, Error>>,
    what: &'static str,
    cut: Cut,
    value: String,
}

async fn lose_answers(bench: &Arc<Bench>, then: Then) {
    let cuts = [Cut::AfterExecution, Cut::BeforeArrival];
    let (release, released) = watch::channel(false);
    let mut lost = Vec::new();
    for cut in cuts {
        for what in ["insert", "update", "prepared", "commit", "definition"] {
            lost.push(begin(bench, (what, cut), format!("{what}_{cut:?}_{then:?}"), &released).await);
        }
        for at in 0..CROWD / 2 {
            lost.push(begin(bench, ("insert", cut), format!("crowd_{at}_{cut:?}_{then:?}"), &released).await);
        }
    }
    let old = bench.cluster.primary().clone();
    old.kill().await.unwrap();
    let _ = release.send(true);
    let new = bench.cluster.most_advanced_replica().await.unwrap().clone();
    match then {
        Then::Promoted => {
            bench.cluster.promote_by_hand(&new, PromoteOptions::failover()).await.unwrap();
        }
        Then::PromotedUntidied => {
            let (io, writable) = if bench.cluster.flavor().is_mariadb() {
                ("STOP SLAVE IO_THREAD", "SET GLOBAL read_only=0")
            } else {
                ("STOP REPLICA IO_THREAD", "SET GLOBAL super_read_only=0, GLOBAL read_only=0")
            };
            new.run(&[io, writable]).await.unwrap();
            *bench.promoted.lock() = Some(new);
        }
        Then::Restarted => old.start_again().await.unwrap(),
    }
    for lost in lost {
        check(bench, lost).await;
    }
}

/// Sends the command and waits until its connection is cut behind the relay.
async fn begin(
    bench: &Arc<Bench>,
    (what, cut): (&'static str, Cut),
    value: String,
    released: &watch::Receiver<bool>,
) -> Lost {
    let mut client = bench.client().await;
    let mut needle = value.clone();
    match what {
        "update" => bench.run(&format!("INSERT INTO t (v) VALUES ('{value}')")).await,
        "commit" => {
            client.query_drop("BEGIN").await.unwrap();
            client.query_drop(format!("INSERT INTO t (v) VALUES ('{value}')")).await.unwrap();
            needle = format!("COMMIT /* {value} */");
        }
        _ => {}
    }
    let mut done = bench.relay_of_primary().cut_and_hold(&needle, cut.into(), released.clone());
    let (text, parameter) = (needle, value.clone());
    let task = tokio::spawn(async move {
        match what {
            "insert" => client.query_drop(format!("INSERT INTO t (v) VALUES ('{parameter}')")).await?,
            "update" => client.query_drop(format!("UPDATE t SET n = n + 1 WHERE v = '{parameter}'")).await?,
            "prepared" => client.exec_drop("INSERT INTO t (v) VALUES (?)", (parameter,)).await?,
            "commit" => client.query_drop(text).await?,
            _ => client.query_drop(format!("CREATE TABLE {parameter} (a INT)")).await?,
        }
        Ok(client)
    });
    let cut_off = done.within(Duration::from_secs(20)).await;
    assert!(cut_off, "{what}, {cut:?}: was not cut\n{}", bench.proxy.log());
    Lost { task, what, cut, value }
}

async fn check(bench: &Bench, lost: Lost) {
    let Lost { task, what, cut, value } = lost;
    let name = format!("{what}, {cut:?}, {value}");
    let result = timeout(Duration::from_secs(40), task).await.expect("hangs").unwrap();
    let there = |sql: String| async move { bench.number(&sql).await };
    let rows = there(format!("SELECT COUNT(*) FROM app.t WHERE v = '{value}'")).await;
    let mut client = match result {
        Ok(client) => client,
        Err(error) => panic!("{name}: {error}\n{}", bench.proxy.log()),
    };
    match what {
        "update" => {
            assert_eq!(there(format!("SELECT n FROM app.t WHERE v = '{value}'")).await, 1, "{name}");
            assert_eq!(client.affected_rows(), 1, "{name}");
        }
        "definition" => {
            let sql = format!("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = '{value}'");
            assert_eq!(there(sql).await, 1, "{name}");
        }
        "commit" => assert_eq!(rows, 1, "{name}"),
        _ => {
            assert_eq!((rows, client.affected_rows()), (1, 1), "{name}");
            let id = there(format!("SELECT id FROM app.t WHERE v = '{value}'")).await;
            assert_eq!(client.last_insert_id(), Some(id), "{name}");
        }
    }
    client.query_drop("SELECT 1").await.unwrap();
}
