//! Real clusters on loopback, and a workload that keeps books.
//!
//! * [`servers`] starts a primary and its replicas (MariaDB or MySQL) as processes of their own, and does to them what
//!   operators and accidents do: stop, kill, freeze, promote by hand.
//! * [`proxy`] starts the proxy in front of such a cluster and speaks with its admin API.
//! * [`faults`] breaks connections between proxy and server at chosen moments.
//! * [`workload`] runs clients against an address, a proxy's or a server's, and writes down what was acknowledged to
//!   them; [`workload::Books::check`] compares that with what the database holds in the end.
//!
//! Tests, benches and `tideover demo` share this crate. Of the proxy it knows the command line, the
//! configuration and the admin API, and nothing of its code; its clients are `mysql_async`, so that a mistake in the
//! proxy's own protocol code cannot hide itself.
#![allow(clippy::disallowed_types, reason = "real sockets and the real clock, outside the proxy")]
#![warn(missing_docs)]

mod error;
pub mod faults;
pub mod measure;
pub mod ports;
mod process;
pub mod proxy;
mod scratch;
pub mod servers;
pub mod workload;

pub use error::SandboxError;
