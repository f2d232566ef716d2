use std::{fmt, net::SocketAddr, path::PathBuf, process::Stdio};

use tideover_sandbox::servers;
use tokio::process::Command;

use crate::Outcome;

/// One kind of load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    script: &'static str,
    threads: u32,
    prepared: bool,
}

impl Load {
    /// Every combination, in the order of the table.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for script in ["oltp_point_select", "oltp_read_write"] {
            for threads in [8, 64] {
                for prepared in [false, true] {
                    all.push(Self { script, threads, prepared });
                }
            }
        }
        all
    }

    /// Read-write with 8 clients, which may have variables of their own.
    pub(crate) const fn read_write(own_variables: bool, prepared: bool) -> Self {
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/load/own_variables.lua");
        Self { script: if own_variables { own } else { "oltp_read_write" }, threads: 8, prepared }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.script == "oltp_point_select" { "point selects" } else { "read-write" };
        let how = if self.prepared { "prepared" } else { "text" };
        write!(formatter, "{kind}, {} clients, {how}", self.threads)
    }
}

/// What one run came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Run {
    /// Queries in all.
    pub(crate) queries: f64,
    /// Queries a second.
    pub(crate) rate: f64,
    /// 95 of 100 events took at most this long, in milliseconds.
    pub(crate) p95: f64,
    /// CPU time of the proxy per query, in microseconds.
    pub(crate) cpu_per_query: f64,
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, p95, cpu_per_query, .. } = self;
        write!(
            formatter,
            "{rate:.0} queries/s, 95 % within {p95:.2} ms, {cpu_per_query:.1} µs of CPU per query"
        )
    }
}

/// A program that `scripts/servers tools` has got.
pub(crate) fn tool(name: &str) -> PathBuf {
    servers::tools_directory().join("bin").join(name)
}

/// Gets sysbench and HAProxy if they are not here yet.
pub(crate) async fn provision() -> Outcome {
    Ok(servers::provision_tools().await?)
}

pub(crate) async fn version() -> Outcome<String> {
    let text = std::fs::read_to_string(servers::tools_directory().join("version"))?;
    Ok(text.trim().to_owned())
}

/// Makes the tables, on the server itself.
pub(crate) async fn prepare(server: SocketAddr) -> Outcome {
    let load = Load { script: "oltp_read_write", threads: 2, prepared: false };
    call(load, server, "prepare", &[]).await.map(drop)
}

/// Runs a load. An error that a client saw ends it, and this run with it.
pub(crate) async fn run(load: Load, target: SocketAddr, seconds: u64) -> Outcome<Run> {
    let mode = if load.prepared { "auto" } else { "disable" };
    let options = [format!("--time={seconds}"), format!("--db-ps-mode={mode}")];
    let text = call(load, target, "run", &options).await?;
    parse(&text).ok_or_else(|| format!("sysbench said something unexpected:\n{text}").into())
}

async fn call(load: Load, target: SocketAddr, command: &str, options: &[String]) -> Outcome<String> {
    let output = Command::new(tool("sysbench"))
        .arg(load.script)
        .args(["--db-driver=mysql", "--mysql-user=app", "--mysql-password=app", "--mysql-db=app"])
        .args(["--tables=4", "--table-size=25000", "--percentile=95"])
        .arg(format!("--mysql-host={}", target.ip()))
        .arg(format!("--mysql-port={}", target.port()))
        .arg(format!("--threads={}", load.threads))
        .args(options)
        .arg(command)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("sysbench {command} failed:\n{text}{}", String::from_utf8_lossy(&output.stderr)).into())
}

/// Reads the lines `queries: N (R per sec.)` and `95th percentile: T`.
fn parse(text: &str) -> Option<Run> {
    let line = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name));
    let mut words = line("queries:")?.split_ascii_whitespace();
    let queries = words.next()?.parse().ok()?;
    let rate = words.next()?.trim_start_matches('(').parse().ok()?;
    let p95 = line("95th percentile:")?.trim().parse().ok()?;
    Some(Run { queries, rate, p95, cpu_per_query: 0.0 })
}
