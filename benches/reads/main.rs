//! What reads on replicas cost: the classification of a statement in nanoseconds, and with real servers the share of reads
//! that replicas serve and the price of the GTID rule beside `routing.consistency = "eventual"`, in turns within one run.
//! `cargo bench --bench reads` measures both, `-- --texts` the first alone.
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::disallowed_types, reason = "it stands outside the proxy")]

mod texts;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use tideover_sandbox::proxy::{Proxy, ProxyOptions};
use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// What takes turns.
const RULES: [&str; 2] = ["session", "eventual"];
/// Clients of each, connected all the time.
const CLIENTS: u64 = 16;
/// Short ones: what else the machine does changes in seconds and meets both alike.
const TURN: Duration = Duration::from_millis(300);
const ROUNDS: usize = 250;
/// These do not count.
const WARM_UP: usize = 20;
/// Nobody's turn any more.
const OVER: usize = RULES.len();

/// Whose turn it is, and what has been done.
#[derive(Default)]
struct Turns {
    whose: AtomicUsize,
    changed: Notify,
    statements: [AtomicU64; RULES.len()],
}

/// What one proxy has done in its turns.
#[derive(Default)]
struct Done {
    /// Statements a second, one number for each turn.
    rates: Vec<f64>,
    statements: u64,
    /// CPU time of proxies and servers.
    cpu: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    texts::print();
    if std::env::args().any(|argument| argument == "--texts") {
        return Ok(());
    }
    for flavor in [Flavor::MariaDb1011, Flavor::Mysql9] {
        shares(flavor).await?;
    }
    Ok(())
}

/// Two proxies in front of one cluster take turns.
async fn shares(flavor: Flavor) -> Outcome {
    let cluster = Cluster::start(ClusterOptions::new(flavor)).await?;
    let program =
        std::env::var_os("TIDEOVER_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_tideover").into());
    let mut proxies = Vec::new();
    for consistency in RULES {
        let options = ProxyOptions::new(&program, &cluster)
            .set("routing", "reads", "\"replicas\"")
            .set("routing", "slow_start", "\"0s\"")
            .set("routing", "consistency", format!("\"{consistency}\""));
        proxies.push(Proxy::start(&options).await?);
    }
    cluster.primary().run(&["USE app", "CREATE TABLE kv (id INT PRIMARY KEY, n BIGINT NOT NULL)"]).await?;
    let rows: Vec<String> = (0..1000).map(|id| format!("({id}, 0)")).collect();
    cluster.primary().run(&[format!("INSERT INTO app.kv VALUES {}", rows.join(","))]).await?;
    cluster.wait_in_sync().await?;
    let done = take_turns(&cluster, &proxies).await?;
    for (at, (proxy, done)) in proxies.iter().zip(&done).enumerate() {
        report(flavor, RULES[at], proxy, done).await?;
    }
    compare(flavor, &done);
    Ok(())
}

async fn take_turns(cluster: &Cluster, proxies: &[Proxy]) -> Outcome<[Done; RULES.len()]> {
    let turns = Arc::new(Turns { whose: AtomicUsize::new(OVER - 1), ..Turns::default() });
    let mut clients = JoinSet::new();
    for (at, proxy) in proxies.iter().enumerate() {
        for client in 0..CLIENTS {
            let options = OptsBuilder::default()
                .ip_or_hostname(proxy.address().ip().to_string())
                .tcp_port(proxy.address().port())
                .user(Some("app"))
                .pass(Some("app"))
                .db_name(Some("app"))
                .prefer_socket(false);
            clients.spawn(run(Conn::new(options).await?, turns.clone(), at, client));
        }
    }
    let mut done: [Done; RULES.len()] = Default::default();
    for round in 0..WARM_UP + ROUNDS {
        for at in [round % 2, (round + 1) % 2] {
            let before = (cpu_time(cluster, &proxies[at])?, turns.statements[at].load(Ordering::Relaxed));
            turns.whose.store(at, Ordering::Relaxed);
            turns.changed.notify_waiters();
            let began = Instant::now();
            tokio::time::sleep(TURN).await;
            let statements = turns.statements[at].load(Ordering::Relaxed) - before.1;
            if round >= WARM_UP {
                done[at].rates.push(statements as f64 / began.elapsed().as_secs_f64());
                done[at].statements += statements;
                done[at].cpu += cpu_time(cluster, &proxies[at])? - before.0;
            }
        }
    }
    turns.whose.store(OVER, Ordering::Relaxed);
    turns.changed.notify_waiters();
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(done)
}

/// 95 reads of a hundred statements, when it is its turn.
async fn run(mut connection: Conn, turns: Arc<Turns>, own: usize, client: u64) -> Outcome {
    let mut n = client * 977;
    loop {
        let changed = turns.changed.notified();
        match turns.whose.load(Ordering::Relaxed) {
            OVER => break,
            at if at != own => changed.await,
            _ => {
                n += 1;
                let id = n * 7919 % 1000;
                if n.is_multiple_of(20) {
                    connection.exec_drop("UPDATE kv SET n = n + 1 WHERE id = ?", (id,)).await?;
                } else {
                    let _: Option<u64> =
                        connection.exec_first("SELECT n FROM kv WHERE id = ?", (id,)).await?;
                }
                turns.statements[own].fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    Ok(connection.disconnect().await?)
}

fn cpu_time(cluster: &Cluster, proxy: &Proxy) -> Outcome<Duration> {
    let mut all = proxy.cpu_time()?;
    for server in cluster.servers() {
        all += server.cpu_time()?;
    }
    Ok(all)
}

async fn report(flavor: Flavor, consistency: &str, proxy: &Proxy, done: &Done) -> Outcome {
    let status = proxy.admin().json("/v1/status").await?;
    let readers = status.pointer("/routing/readers").and_then(|r| r.as_array()).cloned().unwrap_or_default();
    let on_replicas: u64 = readers.iter().filter_map(|reader| reader["reads"].as_u64()).sum();
    let reads = status.pointer("/routing/reasons/reads").and_then(serde_json::Value::as_u64).unwrap_or(1);
    println!(
        "{flavor}, {consistency:<8}: {:>8.0} statements a second, {:.0} us of CPU each; {:.1} % of reads on replicas",
        done.rates.iter().sum::<f64>() / done.rates.len() as f64,
        1e6 * done.cpu.as_secs_f64() / done.statements as f64,
        100.0 * on_replicas as f64 / reads as f64,
    );
    Ok(())
}

/// The geometric mean of the ratios of neighbouring turns, with its standard error.
fn compare(flavor: Flavor, [session, eventual]: &[Done; RULES.len()]) {
    let ratios: Vec<f64> =
        session.rates.iter().zip(&eventual.rates).map(|(one, other)| (one / other).ln()).collect();
    let count = ratios.len() as f64;
    let mean = ratios.iter().sum::<f64>() / count;
    let variance = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let of_cpu = |done: &Done| done.cpu.as_secs_f64() / done.statements as f64;
    println!(
        "{flavor}: statements with the rule {:.3} (+-{:.3}) of those without, {count} turns each; CPU time of one {:.3}",
        mean.exp(),
        (variance / count).sqrt(),
        of_cpu(session) / of_cpu(eventual),
    );
}
