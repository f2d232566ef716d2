//! What reads on replicas cost: the classification of a statement in nanoseconds, and with real servers the share of reads
//! that replicas serve and the price of the GTID rule beside `routing.consistency = "eventual"`, in turns within one run.
//! `cargo bench --bench reads` measures both, `-- --texts` the first alone.
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::disallowed_types, reason = "it stands outside the proxy")]

mod texts;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use tideover_sandbox::proxy::{Proxy, ProxyOptions};
use tideover_sandbox::servers::{Cluster, ClusterOptions, Flavor};
use tokio::task::JoinSet;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Clients at once, and how long each turn is.
const CLIENTS: u64 = 16;
const TURN: Duration = Duration::from_secs(3);
const ROUNDS: usize = 20;

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
    for consistency in ["session", "eventual"] {
        let options = ProxyOptions::new(&program, &cluster)
            .set("routing", "reads", "\"replicas\"")
            .set("routing", "slow_start", "\"0s\"")
            .set("routing", "consistency", format!("\"{consistency}\""));
        proxies.push((consistency, Proxy::start(&options).await?));
    }
    cluster.primary().run(&["USE app", "CREATE TABLE kv (id INT PRIMARY KEY, n BIGINT NOT NULL)"]).await?;
    let rows: Vec<String> = (0..1000).map(|id| format!("({id}, 0)")).collect();
    cluster.primary().run(&[format!("INSERT INTO app.kv VALUES {}", rows.join(","))]).await?;
    cluster.wait_in_sync().await?;
    // One turn more, which does not count.
    let mut done = [Done::default(), Done::default()];
    for round in 0..=ROUNDS {
        for at in [round % 2, (round + 1) % 2] {
            let (Some((_, proxy)), Some(done)) = (proxies.get(at), done.get_mut(at)) else { continue };
            let before = cpu_time(&cluster, proxy)?;
            let statements = turn(proxy).await?;
            if round > 0 {
                done.rates.push(statements as f64 / TURN.as_secs_f64());
                done.statements += statements;
                done.cpu += cpu_time(&cluster, proxy)? - before;
            }
        }
    }
    for ((consistency, proxy), done) in proxies.iter().zip(&done) {
        report(flavor, consistency, proxy, done).await?;
    }
    let [session, eventual] = done;
    let ratios: Vec<f64> =
        session.rates.iter().zip(&eventual.rates).map(|(one, other)| one / other).collect();
    let of_cpu = |done: &Done| done.cpu.as_secs_f64() / done.statements as f64;
    println!(
        "{flavor}: statements with the rule {:.3} of those without; CPU time of one {:.3}",
        (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp(),
        of_cpu(&session) / of_cpu(&eventual),
    );
    Ok(())
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
    let range = |pick: fn(f64, f64) -> f64, from| done.rates.iter().copied().fold(from, pick);
    println!(
        "{flavor}, {consistency:<8}: {:>8.0} statements a second (of {ROUNDS} turns: {:.0} to {:.0}), {:.0} us of CPU each; \
         {:.1} % of reads on replicas",
        done.statements as f64 / (ROUNDS as f64 * TURN.as_secs_f64()),
        range(f64::min, f64::MAX),
        range(f64::max, 0.0),
        1e6 * done.cpu.as_secs_f64() / done.statements as f64,
        100.0 * on_replicas as f64 / reads as f64,
    );
    Ok(())
}

/// 95 reads of a hundred statements. Gives the number of statements.
async fn turn(proxy: &Proxy) -> Outcome<u64> {
    let (count, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let options = OptsBuilder::default()
            .ip_or_hostname(proxy.address().ip().to_string())
            .tcp_port(proxy.address().port())
            .user(Some("app"))
            .pass(Some("app"))
            .db_name(Some("app"))
            .prefer_socket(false);
        let (count, stop) = (count.clone(), stop.clone());
        clients.spawn(async move {
            let mut connection = Conn::new(options).await?;
            let mut n = client * 977;
            while !stop.load(Ordering::Relaxed) {
                n += 1;
                let id = n * 7919 % 1000;
                if n.is_multiple_of(20) {
                    connection.exec_drop("UPDATE kv SET n = n + 1 WHERE id = ?", (id,)).await?;
                } else {
                    let _: Option<u64> =
                        connection.exec_first("SELECT n FROM kv WHERE id = ?", (id,)).await?;
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
            connection.disconnect().await?;
            Outcome::Ok(())
        });
    }
    tokio::time::sleep(TURN).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(count.load(Ordering::Relaxed))
}
