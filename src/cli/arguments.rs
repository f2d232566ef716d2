//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tideover_sandbox::servers::Flavor;

use crate::demo::DemoOptions;

/// A MySQL-wire-protocol proxy for switching a database primary without the application seeing an error.
#[derive(Debug, Parser)]
#[command(name = "tideover", version, about)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Runs the proxy.
    Run(ConfigOptions),
    /// Checks the configuration; with --connect the servers too.
    Check(CheckOptions),
    /// Shows topology, gate, pools, and sessions that cannot move and why.
    Status(StatusOptions),
    /// Says where a statement goes, to the primary or to a replica, and why. Asks no server.
    Explain(ExplainOptions),
    /// Makes another server the primary; held clients wait, none sees an error.
    Switchover(SwitchoverOptions),
    /// Holds units of work while somebody else's script switches the database.
    Hold(HoldOptions),
    /// Ends a hold.
    Release(AdminOptions),
    /// Leaves service: for preStop hooks.
    Drain(AdminOptions),
    /// Shows all of it on this machine: real servers, load, a switchover every few seconds, and the books at the end.
    Demo(DemoArguments),
}

/// Where the running proxy's admin API is.
#[derive(Debug, Clone, Args)]
pub(super) struct AdminOptions {
    /// URL of the admin API.
    #[arg(long, env = "TIDEOVER_ADMIN", default_value = "http://127.0.0.1:9307")]
    pub(super) admin: String,
    /// Bearer token, if the API demands one.
    #[arg(long, env = "TIDEOVER_ADMIN_TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ConfigOptions {
    /// Configuration file.
    #[arg(short = 'c', long = "config", env = "TIDEOVER_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Where to serve clients (host:port or unix:/path); repeatable.
    #[arg(long)]
    pub(super) listen: Vec<String>,
    /// A server of the cluster (host:port); repeatable, in any order.
    #[arg(long)]
    pub(super) server: Vec<String>,
    /// Name of the monitor account.
    #[arg(long)]
    pub(super) monitor_user: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ExplainOptions {
    /// The statement.
    pub(super) statement: String,
    /// Configuration file, for its rules.
    #[arg(short = 'c', long = "config", env = "TIDEOVER_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// The account that the rules are asked about.
    #[arg(long, default_value = "")]
    pub(super) user: String,
    /// The default schema that the rules are asked about.
    #[arg(long, default_value = "")]
    pub(super) schema: String,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct CheckOptions {
    #[command(flatten)]
    pub(super) config: ConfigOptions,
    /// Look at the servers: rights, topology, readiness for a switchover.
    #[arg(long)]
    pub(super) connect: bool,
    /// Install the commit marker on the primary, from where it replicates: schema `tideover`, a table, a procedure, and
    /// the right to call it. Running it again changes nothing.
    #[arg(long, requires = "connect")]
    pub(super) setup: bool,
    /// Print one JSON document on standard output.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct StatusOptions {
    #[command(flatten)]
    pub(super) admin: AdminOptions,
    /// Show again every second until interrupted.
    #[arg(long)]
    pub(super) watch: bool,
    /// List the sessions too.
    #[arg(long)]
    pub(super) sessions: bool,
    /// Show the flight record instead: each switchover and failover, and what it was to the sessions that met it.
    #[arg(long, conflicts_with_all = ["watch", "sessions"])]
    pub(super) flights: bool,
}

#[derive(Debug, Args)]
pub(super) struct SwitchoverOptions {
    #[command(flatten)]
    pub(super) admin: AdminOptions,
    /// The server to become the primary (host:port); the best replica if absent.
    #[arg(long)]
    pub(super) to: Option<String>,
    /// Only run all checks.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Units inside may take this long to finish, like 5s.
    #[arg(long)]
    pub(super) drain_timeout: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct HoldOptions {
    #[command(flatten)]
    pub(super) admin: AdminOptions,
    /// The hold ends by itself after this long.
    #[arg(long, default_value = "30s")]
    pub(super) ttl: String,
}

#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// Kind of servers: mariadb-10.11, mariadb-11.8 or mysql-9.
    #[arg(long, default_value = "mariadb-10.11")]
    pub(super) flavor: Flavor,
    /// How long the load goes on, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) seconds: u64,
    /// A switchover is begun this often, like 5s.
    #[arg(long, default_value = "5s", value_parser = time)]
    pub(super) every: Duration,
    /// Clients through the proxy, and as many connected directly.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=400))]
    pub(super) clients: u16,
    /// Plain lines even on a terminal.
    #[arg(long)]
    pub(super) plain: bool,
}

fn time(text: &str) -> Result<Duration, &'static str> {
    crate::admin::parse_ttl(text).filter(|time| !time.is_zero()).ok_or("write a time like 5s or 500ms")
}

impl From<DemoArguments> for DemoOptions {
    fn from(arguments: DemoArguments) -> Self {
        let DemoArguments { flavor, seconds, every, clients, plain } = arguments;
        Self { flavor, time: Duration::from_secs(seconds), every, clients, plain }
    }
}
