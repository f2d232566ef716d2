//! Towards the servers: logging in, pooling, leasing, and the control connections that monitor and switchover use. It
//! must not know what a client or a unit of work is.

mod account;
mod acquire;
mod answers;
mod asking;
mod base;
mod commits;
mod connection;
mod connector;
mod control;
mod growth;
mod lease;
mod limits;
mod marks;
mod pool;
mod reading;
mod restoring;
mod signature;
mod slots;
mod upkeep;

pub use account::{Account, Manner};
pub use acquire::AcquireError;
pub use answers::{Swallow, payload_of};
pub use commits::Commits;
pub use connection::ServerConnection;
pub use connector::{ConnectFailure, Connector, Dial, Target, Wire};
pub use control::{Control, ControlError, Row, Rows};
pub use lease::Lease;
pub use limits::PoolLimits;
pub use marks::Mark;
pub use pool::{AccountPool, PoolStats, Pools, Use};
pub use restoring::{NotRestored, Restoring};
pub use signature::Signature;
