//! Real clusters on loopback, and a workload that keeps books.
//!
//! * [`servers`] starts a primary and its replicas (MariaDB or MySQL) as processes of their own, and does to them what
//!   operators and accidents do: stop, kill, freeze, promote by hand.
//! * [`workload`] runs clients against an address, a proxy's or a server's, and writes down what was acknowledged to
//!   them; [`workload::Books::check`] compares that with what the database holds in the end.
//!
//! Tests, benches and `tideover demo` share this crate. It knows nothing of the proxy, and its clients are
//! `mysql_async`, so that a mistake in the proxy's own protocol code cannot hide itself.
#![warn(missing_docs)]

mod error;
pub mod servers;
pub mod workload;

pub use error::SandboxError;
