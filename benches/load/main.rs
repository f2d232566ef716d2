//! Throughput and CPU time per query beside a direct connection and beside HAProxy in TCP mode, in one run, and the memory
//! of idle clients. `make bench` runs it; `make bench BENCH=--quick` takes two minutes and says less,
//! and `--no-batch` sets `runtime.sched_batch = false`.
//!
//! The targets take turns within every round, so that whatever else the machine does falls on all of them. What counts
//! are the ratios: absolute figures are those of one machine, which runs server, proxies and clients on the same cores.
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::disallowed_types, reason = "it stands outside the proxy")]

mod haproxy;
mod idle;
mod own;
mod sysbench;
mod table;

use std::{error::Error, net::SocketAddr, time::Duration};

use tideover_sandbox::{
    measure,
    proxy::{Proxy, ProxyOptions},
    servers::{Cluster, ClusterOptions, Flavor},
};

use haproxy::Haproxy;
use sysbench::{Load, Run};
use table::Row;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long and how often.
struct Plan {
    seconds: u64,
    rounds: usize,
    idle_clients: usize,
    batch: bool,
}

impl Plan {
    fn from_arguments() -> Self {
        let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
        let batch = !has("--no-batch");
        if has("--quick") {
            // Short turns: what else the machine does falls on all targets alike only over several rounds.
            Self { seconds: 1, rounds: 3, idle_clients: 5000, batch }
        } else {
            Self { seconds: 10, rounds: 3, idle_clients: 5000, batch }
        }
    }
}

/// Whom sysbench connects to; the process id is of the proxy whose CPU time is counted.
struct Target {
    address: SocketAddr,
    pid: Option<u32>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let plan = Plan::from_arguments();
    raise_file_limit(plan.idle_clients)?;
    sysbench::provision().await?;
    let options = ClusterOptions {
        replicas: 0,
        server_options: vec!["--innodb-buffer-pool-size=256M".into(), "--max-connections=600".into()],
        ..ClusterOptions::new(Flavor::MariaDb1011)
    };
    let cluster = Cluster::start(options).await?;
    let server = cluster.primary().address();
    // `make bench` names the release build; only what it is compared by need not be optimised.
    let program = std::env::var("TIDEOVER_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tideover").into());
    let options = ProxyOptions::new(program.as_str(), &cluster);
    let tideover = Proxy::start(&options.set("runtime", "sched_batch", plan.batch.to_string())).await?;
    let haproxy = Haproxy::start(server).await?;
    println!("{}; {}", Flavor::MariaDb1011.provision().await?, sysbench::version().await?);
    sysbench::prepare(server).await?;

    let targets = [
        Target { address: server, pid: None },
        Target { address: haproxy.address(), pid: Some(haproxy.pid()) },
        Target { address: tideover.address(), pid: Some(tideover.pid()) },
    ];
    // Alone with `--own`: what of it is noise shows in many short turns.
    if std::env::args().any(|argument| argument == "--own") {
        return own::print(&program, &cluster, &Plan { seconds: 4, rounds: 9, ..plan }).await;
    }
    let mut rows = Vec::new();
    for load in Load::all() {
        rows.push(measure_load(load, &targets, &plan).await?);
    }
    println!("\n{}", table::markdown(&rows));
    own::print(&program, &cluster, &plan).await?;
    let growth = idle::growth(&tideover, plan.idle_clients).await?;
    println!("{} idle clients: {:.1} KiB resident each", plan.idle_clients, growth / 1024.0);
    Ok(())
}

async fn measure_load(load: Load, targets: &[Target; 3], plan: &Plan) -> Outcome<Row> {
    let mut runs: [Vec<Run>; 3] = [const { Vec::new() }; 3];
    for round in 0..plan.rounds {
        for turn in 0..targets.len() {
            // Another one begins in every round.
            let which = (round + turn) % targets.len();
            let run = measure_run(load, &targets[which], plan.seconds).await?;
            eprintln!("{load} {}: {run}", ["direct", "HAProxy", "Tideover"][which]);
            runs[which].push(run);
        }
    }
    Ok(Row { load, runs: runs.map(table::median) })
}

async fn measure_run(load: Load, target: &Target, seconds: u64) -> Outcome<Run> {
    let cpu = || target.pid.map_or(Ok(Duration::ZERO), measure::cpu_time);
    let before = cpu()?;
    let mut run = sysbench::run(load, target.address, seconds).await?;
    let used = cpu()?.saturating_sub(before);
    run.cpu_per_query = used.as_secs_f64() * 1e6 / run.queries.max(1.0);
    Ok(run)
}

/// Idle clients need a file each, here and in the proxy, which inherits the limit.
fn raise_file_limit(clients: usize) -> Outcome {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// Files beside those of the clients: server connections, sockets, logs.
    const OTHERS: usize = 500;
    let limit = getrlimit(Resource::Nofile);
    let need = clients + OTHERS;
    if limit.maximum.is_some_and(|maximum| maximum < need as u64) {
        return Err(format!("{clients} idle clients need `ulimit -Hn` to be at least {need}").into());
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(())
}
