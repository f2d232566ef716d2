//! What proof costs: commit tag and commit marker beside no guard at all, in one run, on servers alike. `cargo bench --bench
//! guard`; with `TIDEOVER_PROGRAM` for the release build, and `-- --quick` for one of six minutes that says less. Then how
//! long it takes to settle what is in doubt (`-- --settle`: only that).
//!
//! The proxies take turns within every round, so that whatever else the machine does falls on all of them. What counts are
//! the ratios, medians of those of the rounds; one of a second proxy without a guard says how much of them is chance.
#![allow(clippy::print_stdout, reason = "it prints a table")]
#![allow(clippy::disallowed_types, reason = "it stands outside the proxy")]

mod settle;

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use mysql_async::{Conn, OptsBuilder, prelude::Queryable};
use tideover_sandbox::{
    proxy::{Proxy, ProxyOptions, set_up},
    servers::{Cluster, ClusterOptions, Flavor},
};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Clients that work at once.
const CLIENTS: usize = 8;
/// How long one proxy is measured before the next one is: so short that what else the machine does falls on all alike.
const TURN: Duration = Duration::from_millis(60);
/// The mean of the first two is what the others are compared with.
const MODES: [&str; 4] = ["off", "off", "tag", "marker"];
const LOADS: [Load; 3] = [Load::Insert, Load::Transaction, Load::Call];
const TABLES: [&str; 4] = [
    "USE app",
    "CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60) NOT NULL)",
    "CREATE TABLE counters (id INT PRIMARY KEY, n BIGINT NOT NULL)",
    "CREATE PROCEDURE p(x VARCHAR(60)) INSERT INTO t (v) VALUES (x)",
];

/// What a client does again and again.
#[derive(Clone, Copy)]
enum Load {
    /// An INSERT by itself.
    Insert,
    /// BEGIN, an INSERT and two UPDATEs by key, COMMIT.
    Transaction,
    /// A CALL of a procedure with an INSERT in it.
    Call,
}

impl Load {
    const fn name(self) -> &'static str {
        match self {
            Self::Insert => "autocommit INSERT",
            Self::Transaction => "transaction of 4 statements",
            Self::Call => "autocommit CALL",
        }
    }

    async fn once(self, client: &mut Conn, number: usize) -> Outcome {
        const INSERT: &str = "INSERT INTO t (v) VALUES ('twenty bytes of text')";
        match self {
            Self::Insert => client.query_drop(INSERT).await?,
            Self::Call => client.query_drop("CALL p('twenty bytes of text')").await?,
            Self::Transaction => {
                client.query_drop("BEGIN").await?;
                client.query_drop(INSERT).await?;
                for key in [2 * number, 2 * number + 1] {
                    client.query_drop(format!("UPDATE counters SET n = n + 1 WHERE id = {key}")).await?;
                }
                client.query_drop("COMMIT").await?;
            }
        }
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let has = |wanted: &str| std::env::args().any(|argument| argument == wanted);
    if !has("--settle") {
        prices(has("--quick")).await?;
    }
    settle::table(if has("--quick") { 128 << 20 } else { 1 << 30 }).await
}

/// The price of tag and marker.
async fn prices(quick: bool) -> Outcome {
    let rounds = if quick { 61 } else { 251 };
    println!(
        "| server | settings | load | off, 1/s | off / off | tag / off | marker / off |\n|---|---|---|---|---|---|---|"
    );
    for flavor in [Flavor::MariaDb1011, Flavor::Mysql9] {
        for (settings, flush) in [("durable", 1), ("relaxed", 0)] {
            let options = ClusterOptions {
                replicas: 0,
                server_options: vec![
                    format!("--sync-binlog={flush}"),
                    format!("--innodb-flush-log-at-trx-commit={}", 2 - flush),
                ],
                ..ClusterOptions::new(flavor)
            };
            let mut bench = Bench::start(options).await?;
            for load in LOADS {
                let found = bench.measure(load, rounds).await?;
                let rate = spread(found.iter().map(|round| round[0]).collect()).median;
                let off = spread(found.iter().map(|round| round[1] / round[0]).collect());
                let ratio = |at: usize| {
                    spread(found.iter().map(|round| 2.0 * round[at] / (round[0] + round[1])).collect())
                };
                let (load, tag, marker) = (load.name(), ratio(2), ratio(3));
                println!("| {flavor} | {settings} | {load} | {rate:.0} | {off} | {tag} | {marker} |");
            }
        }
    }
    Ok(())
}

/// Two servers where a tag makes the server do more for everybody: MySQL must log the texts of statements then, whoever sends
/// them. There proxies without a guard stand in front of the first, those with one in front of the second. MariaDB logs them
/// anyway, and one server serves all.
struct Bench {
    clients: Vec<Vec<Conn>>,
    _proxies: Vec<Proxy>,
    _clusters: Vec<Cluster>,
}

impl Bench {
    async fn start(options: ClusterOptions) -> Outcome<Self> {
        let mut clusters = vec![prepared(options.clone()).await?];
        if options.flavor == Flavor::Mysql9 {
            clusters.push(prepared(options).await?);
        }
        let (mut proxies, mut clients) = (Vec::new(), Vec::new());
        for mode in MODES {
            let cluster = &clusters[usize::from(mode != "off").min(clusters.len() - 1)];
            let options = ProxyOptions::new(program(), cluster).set("guard", "mode", format!("\"{mode}\""));
            if mode == "marker" {
                let (printed, done) = set_up(&options).await?;
                if !done {
                    return Err(printed.into());
                }
            }
            let proxy = Proxy::start(&options).await?;
            let mut of_proxy = Vec::new();
            for number in 0..CLIENTS {
                let mut client = connect(proxy.address()).await?;
                // What is opened and read at first is not measured.
                for load in LOADS {
                    load.once(&mut client, number).await?;
                }
                of_proxy.push(client);
            }
            clients.push(of_proxy);
            proxies.push(proxy);
        }
        Ok(Self { clients, _proxies: proxies, _clusters: clusters })
    }

    /// Units a second, round by round, mode by mode.
    async fn measure(&mut self, load: Load, rounds: usize) -> Outcome<Vec<Vec<f64>>> {
        let mut found = vec![vec![0.0; MODES.len()]; rounds];
        for (round, rates) in found.iter_mut().enumerate() {
            for at in 0..MODES.len() {
                // Another one begins in every round.
                let which = (round + at) % MODES.len();
                rates[which] = run(load, &mut self.clients[which]).await?;
            }
        }
        Ok(found)
    }
}

/// A server with the tables.
async fn prepared(options: ClusterOptions) -> Outcome<Cluster> {
    let cluster = Cluster::start(options).await?;
    cluster.primary().run(&TABLES).await?;
    for key in 0..2 * CLIENTS {
        let sql = format!("INSERT INTO app.counters VALUES ({key}, 0)");
        cluster.primary().run(&[&sql]).await?;
    }
    Ok(cluster)
}

/// The proxy: `make bench` names the release build.
fn program() -> String {
    std::env::var("TIDEOVER_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tideover").into())
}

async fn connect(address: SocketAddr) -> Outcome<Conn> {
    let options = OptsBuilder::default()
        .ip_or_hostname(address.ip().to_string())
        .tcp_port(address.port())
        .user(Some("app"))
        .pass(Some("app"))
        .db_name(Some("app"))
        .prefer_socket(false);
    Ok(Conn::new(options).await?)
}

/// Has all clients work for a turn. Gives units a second.
async fn run(load: Load, clients: &mut Vec<Conn>) -> Outcome<f64> {
    let (stop, units) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    let mut tasks = Vec::new();
    for (number, mut client) in clients.drain(..).enumerate() {
        let (stop, units) = (stop.clone(), units.clone());
        tasks.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                load.once(&mut client, number).await?;
                units.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Ok(client)
        }));
    }
    tokio::time::sleep(TURN).await;
    let (done, took) = (units.load(Ordering::Relaxed), began.elapsed());
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        clients.push(task.await??);
    }
    Ok(done as f64 / took.as_secs_f64())
}

/// The middle of some values, and where the true one lies with 95 % confidence (from their order: whatever their
/// distribution).
struct Spread {
    low: f64,
    median: f64,
    high: f64,
}

impl std::fmt::Display for Spread {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:.3} ({:.3} to {:.3})", self.median, self.low, self.high)
    }
}

fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let (middle, aside) = (values.len() / 2, ((values.len() as f64).sqrt() * 0.98).ceil() as usize);
    let last = values.len() - 1;
    Spread {
        low: values[middle.saturating_sub(aside)],
        median: values[middle],
        high: values[last.min(middle + aside)],
    }
}
