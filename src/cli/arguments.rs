//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    Run(RunOptions),
    /// Shows topology, gate, pools, and sessions that cannot move and why.
    Status(StatusOptions),
    /// Makes another server the primary; held clients wait, none sees an error.
    Switchover(SwitchoverOptions),
    /// Holds units of work while somebody else's script switches the database.
    Hold(HoldOptions),
    /// Ends a hold.
    Release(AdminOptions),
    /// Leaves service: for preStop hooks.
    Drain(AdminOptions),
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
pub(super) struct RunOptions {
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
pub(super) struct StatusOptions {
    #[command(flatten)]
    pub(super) admin: AdminOptions,
    /// Show again every second until interrupted.
    #[arg(long)]
    pub(super) watch: bool,
    /// List the sessions too.
    #[arg(long)]
    pub(super) sessions: bool,
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
