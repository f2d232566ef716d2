//! The configuration of Tideover: what may stand in `tideover.toml`, in the environment and on the command line,
//! and what is wrong with it.
//!
//! `load` reads all three, later ones over earlier ones, checks everything and reports every mistake at once,
//! each with its place and with what would be right. The tables of the file are one module each. The result,
//! `Config`, has no impossible values. This crate knows nothing of the proxy.

mod address;
mod admin;
mod auth;
mod checked;
mod cluster;
mod diff;
mod failover;
mod guard;
mod hold;
mod kind;
mod load;
mod log;
mod monitor;
mod nearest;
mod pool;
mod problem;
mod replay;
mod routing;
mod runtime;
mod secret;
mod section;
mod server_tls;
mod shutdown;
mod switchover;
mod tls;
mod tree;
mod units;

pub use address::{ListenAddress, Network, ServerAddress};
pub use admin::Admin;
pub use auth::{Auth, AuthMode, Credential, User};
pub use checked::Config;
pub use cluster::Cluster;
pub use diff::{Difference, diff};
pub use failover::{Failover, FailoverMode, OnLoss};
pub use guard::{Guard, GuardMode};
pub use hold::Hold;
pub use load::{Override, keys, load, parse};
pub use log::{Log, LogFormat, LogLevel};
pub use monitor::Monitor;
pub use pool::{Compression, Pool, PoolMode, ProxyProtocol};
pub use problem::{Place, Problem, Problems};
pub use replay::Replay;
pub use routing::{Consistency, Fallback, Reads, RouteRule, Routing, ServerShare};
pub use runtime::Runtime;
pub use secret::Secret;
pub use server_tls::{ServerTls, ServerTlsMode};
pub use shutdown::Shutdown;
pub use switchover::Switchover;
pub use tls::{Tls, TlsFiles, TlsMode};
pub use units::{parse_size, parse_time, show_size, show_time};
