//! Where reads go: to the primary, or to which replica. PURE.
//!
//! `route` says what a text allows. `Position` is what a replica must have so that a session never sees less than it has
//! seen. `choice` picks among the replicas that may serve.

mod classify;
mod why;

pub use classify::route;
pub use why::{Route, Why};

#[cfg(test)]
mod tests;
