//! Real MariaDB and MySQL servers: got by `scripts/servers`, run as processes on loopback, ended by process id.

mod accounts;
mod cluster;
mod command_line;
mod dialect;
mod flavor;
mod promote;
mod provision;
mod server;

pub use accounts::{
    APP_USER, DATABASE, MARIADB_MONITOR_GRANTS, MONITOR_USER, MYSQL_MONITOR_GRANTS, REPLICATION_USER,
};
pub use cluster::{Cluster, ClusterOptions};
pub use flavor::Flavor;
pub use promote::{OldPrimary, PromoteOptions, PromoteReport};
pub use provision::{provision_tools, tools_directory};
pub use server::Server;
pub(crate) use server::connection_options;
