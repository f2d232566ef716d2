//! A second failure while the first is being dealt with: nothing lost, nothing doubled, nobody hangs.

use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::{
    faults::{Moment, Relay, relays},
    proxy::{Progress, Proxy, ProxyOptions},
    servers::{Cluster, ClusterOptions, Flavor, PromoteOptions},
    workload::{Workload, WorkloadOptions},
};
use tokio::{
    sync::SemaphorePermit,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::support::{self, TestResult, eventually};

/// `hold.timeout` and some room.
const LIMIT: Duration = Duration::from_secs(40);
/// Sessions with a transaction open.
const SESSIONS: usize = 100;

/// A cluster, a relay in front of each server, and a proxy in front of those.
struct Relayed {
    // Dropped in this order.
    proxy: Proxy,
    relays: Vec<Relay>,
    cluster: Cluster,
    _slot: SemaphorePermit<'static>,
}

impl Relayed {
    async fn start(flavor: Flavor) -> TestResult<Self> {
        let slot = support::slots(1).await?;
        let options = ClusterOptions { semi_sync: true, ..ClusterOptions::new(flavor) };
        let cluster = Cluster::start(options).await?;
        // On a busy machine a replica needs more than a second now and then.
        let options = ProxyOptions::new(support::program(), &cluster).set("switchover", "max_lag", "\"20s\"");
        let (relays, options) = relays(&cluster, options).await?;
        let proxy = Proxy::start(&options).await?;
        Ok(Self { proxy, relays, cluster, _slot: slot })
    }

    async fn client(&self) -> TestResult<Conn> {
        Ok(support::open(support::options(self.proxy.address(), "app", "app")).await?)
    }

    /// The relay in front of the server with this port.
    fn relay_of(&self, port: u16) -> &Relay {
        let at = self.cluster.servers().iter().position(|server| server.port == port);
        &self.relays[at.unwrap()]
    }

    fn workload(&self) -> WorkloadOptions {
        let most = Duration::from_millis(40);
        WorkloadOptions {
            transaction_hold: Duration::ZERO..most,
            ..WorkloadOptions::new(self.proxy.address())
        }
    }

    /// Nobody noticed, and the books agree with the one primary there is.
    async fn close(&self, workload: Workload, what: &str) -> TestResult {
        let report = workload.stop().await;
        let primary = self.cluster.find_primary().await?;
        let mut connection = primary.connect_as("root", "", Some("app")).await?;
        let books = report.books.check(&mut connection).await?;
        let snapshot = &report.snapshot;
        println!("{what}: {} units, longest wait {:?}", snapshot.total_ok(), snapshot.longest_wait);
        assert!(snapshot.is_clean(), "{what}: clients noticed: {snapshot:#?}\n{}", self.proxy.log());
        assert!(books.is_clean() && books.unknown == 0, "{what}: {books:#?}\n{}", self.proxy.log());
        assert!(snapshot.longest_wait < LIMIT, "{what}: somebody hung");
        Ok(())
    }

    async fn gate_is_open(&self) -> TestResult {
        eventually("the gate is open", LIMIT, || async {
            let status = self.proxy.admin().json("/v1/status").await?;
            Ok(status.pointer("/gate/state").is_some_and(|state| state == "open"))
        })
        .await
    }
}

#[tokio::test]
async fn mariadb_10_11_the_new_primary_dies_amid_replays() -> TestResult {
    dies_amid_replays(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_the_new_primary_dies_amid_replays() -> TestResult {
    dies_amid_replays(Flavor::Mysql9).await
}

/// A hundred open transactions are to be done again on the promoted server, which dies when some have been.
async fn dies_amid_replays(flavor: Flavor) -> TestResult {
    let bench = Relayed::start(flavor).await?;
    let table = "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v INT NOT NULL, part INT NOT NULL)";
    bench.cluster.primary().run(&[table]).await?;
    let mut clients = Vec::new();
    for session in 0..SESSIONS {
        let mut client = bench.client().await?;
        client.query_drop("BEGIN").await?;
        client.query_drop(format!("INSERT INTO t (v, part) VALUES ({session}, 1)")).await?;
        client.query_drop(format!("INSERT INTO t (v, part) VALUES ({session}, 2)")).await?;
        clients.push(client);
    }
    bench.cluster.primary().kill().await?;
    let second = bench.cluster.most_advanced_replica().await?.clone();
    // When one of them has come this far, the others are about to.
    let mut amid = bench.relay_of(second.port).cut(&format!("VALUES ({}, 2)", SESSIONS / 2), Moment::Passed);
    let mut sessions = JoinSet::new();
    for (session, mut client) in clients.into_iter().enumerate() {
        sessions.spawn(async move {
            client.query_drop(format!("INSERT INTO t (v, part) VALUES ({session}, 3)")).await?;
            client.query_drop("COMMIT").await?;
            client.query_drop("SELECT 1").await
        });
    }
    let how = PromoteOptions { others_first: true, ..PromoteOptions::failover() };
    bench.cluster.promote_by_hand(&second, how.clone()).await?;
    let replayed = amid.within(LIMIT).await;
    second.kill().await?;
    let third = bench.cluster.most_advanced_replica().await?.clone();
    bench.cluster.promote_by_hand(&third, how).await?;
    let mut failed = Vec::new();
    while let Some(result) = timeout(LIMIT, sessions.join_next()).await? {
        failed.extend(result?.err().map(|error| error.to_string()));
    }
    assert!(replayed, "no transaction was done again: {failed:?}");
    assert!(failed.is_empty(), "{} clients noticed: {failed:#?}\n{}", failed.len(), bench.proxy.log());
    let rows = third.query("SELECT v, COUNT(*) AS n, SUM(part) AS s FROM app.t GROUP BY v").await?;
    let once = rows.iter().filter(|row| row.get("n") == Some(3) && row.get("s") == Some(6)).count();
    assert_eq!((rows.len(), once), (SESSIONS, SESSIONS), "lost, doubled or torn");
    Ok(())
}

#[tokio::test]
async fn the_commander_of_a_switchover_dies() -> TestResult {
    let bench = Relayed::start(Flavor::MariaDb1011).await?;
    for phase in ["drain", "fence", "promote"] {
        let workload = Workload::start(bench.workload()).await?;
        sleep(Duration::from_millis(500)).await;
        let admin = bench.proxy.admin().clone();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let commander = tokio::spawn(async move {
            let begun = |progress: &Progress| {
                if matches!(progress, Progress::Phase { phase: now, .. } if now == phase) {
                    let _ = tell.send(());
                }
            };
            admin.switchover(None, begun).await.map(|_| ())
        });
        let begun = timeout(LIMIT, told.recv()).await?;
        commander.abort();
        assert!(begun.is_some(), "{phase}: was never begun");
        sleep(Duration::from_millis(500)).await;
        bench.gate_is_open().await?;
        bench.close(workload, &format!("the commander died in {phase}")).await?;
        bench.cluster.wait_semi_sync().await?;
    }
    Ok(())
}

/// What the coordinator itself says to the servers is cut: before it is heard, and after it was done.
#[tokio::test]
async fn mariadb_10_11_the_coordinator_loses_its_connection() -> TestResult {
    coordinator(Flavor::MariaDb1011, "read_only").await
}

#[tokio::test]
async fn mysql_9_the_coordinator_loses_its_connection() -> TestResult {
    coordinator(Flavor::Mysql9, "super_read_only").await
}

async fn coordinator(flavor: Flavor, option: &str) -> TestResult {
    let bench = Relayed::start(flavor).await?;
    for (on_target, moment) in [
        (false, Moment::Swallowed),
        (false, Moment::Executed),
        (true, Moment::Swallowed),
        (true, Moment::Executed),
    ] {
        let what = format!("{flavor}: {} {moment:?}", if on_target { "promotion" } else { "fence" });
        let workload = Workload::start(bench.workload()).await?;
        sleep(Duration::from_millis(500)).await;
        let from = bench.cluster.find_primary().await?.clone();
        let to = bench.cluster.replicas()[0].clone();
        let port = if on_target { to.port } else { from.port };
        let mut hit = bench.relay_of(port).cut(&format!("SET GLOBAL {option}"), moment);
        let target = bench.relay_of(to.port).address();
        let report = timeout(LIMIT, bench.proxy.admin().switchover(Some(target), |_| {})).await??;
        println!("{what}: {} {:?}", report.outcome, report.problems);
        assert!(hit.happened(), "{what}: was not cut: {report:#?}");
        bench.gate_is_open().await?;
        bench.close(workload, &what).await?;
        if on_target && flavor == Flavor::Mysql9 {
            // MySQL's replicas do not get through the relay's login to their new source: there is no next round.
            break;
        }
        bench.cluster.wait_semi_sync().await?;
    }
    Ok(())
}

/// The network between the proxy and all servers is silent for five seconds.
#[tokio::test]
async fn nobody_can_be_reached_for_a_while() -> TestResult {
    for flavor in [Flavor::MariaDb1011, Flavor::Mysql9] {
        let bench = Relayed::start(flavor).await?;
        let workload = Workload::start(bench.workload()).await?;
        sleep(Duration::from_millis(500)).await;
        let begin = Instant::now();
        bench.relays.iter().for_each(|relay| relay.silence(true));
        sleep(Duration::from_secs(5)).await;
        bench.relays.iter().for_each(|relay| relay.silence(false));
        bench.gate_is_open().await?;
        println!("{flavor}: open {:?} after the silence began", begin.elapsed());
        sleep(Duration::from_secs(1)).await;
        bench.close(workload, &format!("{flavor}: silence")).await?;
    }
    Ok(())
}
