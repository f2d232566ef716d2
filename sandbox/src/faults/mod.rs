//! Faults on the wire: a relay between the proxy and one server that breaks a connection at a moment of one's choice.
//!
//! A relay knows packet frames, so that "after the command was sent" and "amid its answer" are exact. Which command is
//! meant is said by a text that it contains. All that goes over the relay must be without TLS.

mod frames;
mod line;
mod order;
mod relay;

pub use order::{Hit, Moment};
pub use relay::{Relay, Unheard, relays};
