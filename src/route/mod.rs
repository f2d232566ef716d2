//! Where reads go: to the primary, or to which replica.
//!
//! `route` says what a text allows. `Position` is what a server must have so that a session never sees less than it has
//! seen. `Desk` knows the replicas' loads and picks one. All but `delay`, `desk` and the counters of `rules` is PURE.

mod choice;
mod classify;
mod delay;
mod desk;
mod position;
mod rules;
mod why;

pub use choice::{Candidate, is_fit};
pub use classify::route;
pub use desk::{Consistency, Desk, Fallback, ReaderView, RoutingOptions, Share};
pub use position::{Position, SETTLE, everything};
pub use rules::{Rule, Rules};
pub use why::{Route, Why};

#[cfg(test)]
mod tests;
