//! Towards the clients: accepting, logging in, and the session loop. The only place where a statement meets the gate,
//! a pool and a server. It must not know how a switchover is done.

mod accept;
mod accounts;
mod aftermath;
mod ahead;
mod answer;
mod change_user;
mod channel;
mod check_in;
mod command;
mod doubt;
mod dump;
mod error;
mod handshake;
mod idle;
mod ids;
mod journaling;
mod kill;
mod marking;
mod network;
mod outcome;
mod prepared;
mod reading;
mod registry;
mod replayer;
mod rerun;
mod run;
mod seen;
mod session;
mod settle;
mod shared;
mod torn;
mod trace;
mod turns;
mod unit;
mod visible;
mod work;
mod wrap;

pub use accept::{serve, welcome};
pub use accounts::{AccountDirectory, AuthMode, FixedUser, Users};
pub use network::Network;
pub use registry::{SessionHandle, SessionRegistry, SessionView};
pub use shared::{SessionOptions, Shared};
pub use visible::Visible;
