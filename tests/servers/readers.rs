//! Reads on replicas that die amid their answers, and the ordinary load with its books.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mysql_async::{Conn, prelude::Queryable};
use tideover_sandbox::servers::{ClusterOptions, Flavor};
use tideover_sandbox::workload::Workload;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::reads::{ALL_SESSIONS, SESSIONS, Tally, on_replicas, scene};
use crate::support::{Scene, TestResult, length};

#[tokio::test]
async fn mariadb_10_11_books_agree() -> TestResult {
    books_agree(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_books_agree() -> TestResult {
    books_agree(Flavor::Mysql9).await
}

/// The ordinary load with its books, its reads on replicas, through switchovers.
async fn books_agree(flavor: Flavor) -> TestResult {
    let scene = Scene::with(ClusterOptions::new(flavor), |options| {
        options.set("routing", "reads", "\"replicas\"").set("routing", "slow_start", "\"0s\"")
    })
    .await?;
    scene.wait_roles().await?;
    let workload = Workload::start(scene.workload()).await?;
    sleep(Duration::from_secs(1)).await;
    for _ in 0..length(2, 20) {
        scene.switch().await?;
        sleep(Duration::from_millis(500)).await;
    }
    let replicas = on_replicas(&scene).await?;
    let (report, books) = scene.close(workload).await?;
    println!("{flavor}: {} units, {replicas} reads on replicas", report.snapshot.total_ok());
    assert!(report.snapshot.is_clean(), "clients noticed: {:#?}", report.snapshot);
    assert!(books.is_clean() && books.unknown == 0, "{books:#?}");
    assert!(replicas > 0);
    scene.finish()
}

#[tokio::test]
async fn mariadb_10_11_replicas_killed_in_turn() -> TestResult {
    killed_in_turn(Flavor::MariaDb1011).await
}

#[tokio::test]
async fn mysql_9_replicas_killed_in_turn() -> TestResult {
    killed_in_turn(Flavor::Mysql9).await
}

/// Phases of the load: all goes well, and replicas die.
const CALM: usize = 1;
const KILLS: usize = 2;
/// Rows of a result that takes long enough to be cut.
const ROWS: u64 = 8_000;

async fn fill(scene: &Scene) -> TestResult {
    let mut connection = scene.connect().await?;
    connection.query_drop("CREATE TABLE big (id INT PRIMARY KEY, filler VARCHAR(200) NOT NULL)").await?;
    for from in (0..ROWS).step_by(1000) {
        let rows: Vec<String> = (from..from + 1000).map(|id| format!("({id}, REPEAT('x', 180))")).collect();
        connection.query_drop(format!("INSERT INTO big VALUES {}", rows.join(","))).await?;
    }
    Ok(scene.cluster.wait_in_sync().await?)
}

/// Readers whose replicas die amid their answers: no error, and every answer whole.
async fn killed_in_turn(flavor: Flavor) -> TestResult {
    let scene = scene(flavor, "\"10ms\"").await?;
    fill(&scene).await?;
    let tally = Arc::new(Tally::default());
    let mut readers = JoinSet::new();
    for number in 0..length(SESSIONS, ALL_SESSIONS) {
        let (options, tally) = (scene.options("app", "app"), tally.clone());
        readers.spawn(async move { read_on(number, Conn::new(options).await?, tally).await });
    }
    sleep(Duration::from_secs(2)).await;
    tally.phase.store(CALM, Ordering::Relaxed);
    sleep(length(Duration::from_secs(2), Duration::from_secs(30))).await;
    tally.phase.store(KILLS, Ordering::Relaxed);
    for round in 0..length(2, 60_usize) {
        let replicas = scene.cluster.replicas();
        let replica = replicas[round % replicas.len()];
        replica.kill().await?;
        sleep(Duration::from_secs(1)).await;
        replica.start_again().await?;
        sleep(Duration::from_secs(1)).await;
    }
    tally.phase.store(0, Ordering::Relaxed);
    // One that hangs is known by the monitor alone.
    let replica = scene.cluster.replicas()[0];
    replica.freeze()?;
    sleep(Duration::from_secs(4)).await;
    replica.thaw()?;
    tally.stop.store(true, Ordering::Relaxed);
    let mut times: [Vec<Duration>; 3] = Default::default();
    while let Some(ended) = readers.join_next().await {
        for (all, own) in times.iter_mut().zip(ended??) {
            all.extend(own);
        }
    }
    for (phase, times) in ["else", "undisturbed", "replicas killed"].iter().zip(&mut times) {
        times.sort_unstable();
        println!(
            "{flavor}, {phase}: {} reads, median {:?}, p99 {:?}, worst {:?}",
            times.len(),
            at(times, 500),
            at(times, 990),
            at(times, 1000)
        );
    }
    assert!(times.iter().map(Vec::len).sum::<usize>() > 100);
    let all = scene.status("/routing/reasons/reads").await?.as_u64().unwrap_or(1);
    let share = on_replicas(&scene).await? as f64 / all as f64;
    println!("{flavor}: {:.1} % of {all} reads on replicas", 100.0 * share);
    assert!(
        share > 0.5,
        "those of a replica that dies go to the other one: {}",
        scene.status("/routing").await?
    );
    let ratio = at(&times[KILLS], 990).as_secs_f64() / at(&times[CALM], 990).as_secs_f64().max(1e-6);
    println!("{flavor}: p99 with dying replicas {ratio:.2} times the undisturbed");
    scene.finish()
}

fn at(sorted: &[Duration], part: usize) -> Duration {
    sorted.get((sorted.len() * part / 1000).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Small and big reads until told to stop; gives the times of the small ones, by phase.
async fn read_on(number: u64, mut connection: Conn, tally: Arc<Tally>) -> TestResult<[Vec<Duration>; 3]> {
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut count = number;
    while !tally.stop.load(Ordering::Relaxed) {
        count += 1;
        if count.is_multiple_of(16) {
            let ids: Vec<u64> = connection
                .query("SELECT id, filler FROM big ORDER BY id")
                .await
                .map(|rows: Vec<(u64, String)>| rows.into_iter().map(|(id, _)| id).collect())?;
            if !ids.iter().copied().eq(0..ROWS) {
                return Err(format!("reader {number}: {} rows, not {ROWS} in order", ids.len()).into());
            }
        } else {
            let began = Instant::now();
            let id = count * 7919 % ROWS;
            let seen: Option<u64> = connection.exec_first("SELECT id FROM big WHERE id = ?", (id,)).await?;
            if seen != Some(id) {
                return Err(format!("reader {number}: {seen:?} and not {id}").into());
            }
            times[tally.phase.load(Ordering::Relaxed)].push(began.elapsed());
        }
    }
    connection.disconnect().await?;
    Ok(times)
}
