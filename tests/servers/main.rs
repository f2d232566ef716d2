//! Scenarios against real servers, one module for each promise. Short in `make test`; in full with `TIDEOVER_SOAK=1`
//! (`make soak`). What is measured is printed: `cargo test --test servers -- --nocapture`.

#![allow(clippy::print_stdout, reason = "what was measured is for people")]
#![allow(clippy::disallowed_types, reason = "hostile clients are sockets without a protocol")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod appliers;
mod bounds;
mod certificates;
mod choice;
mod crash;
mod disconnects;
mod external;
mod failover;
mod fallback;
mod flights;
mod frozen;
mod full;
mod hold;
mod hostile;
mod keys;
mod left;
mod many;
mod outside;
mod pinned;
mod planned;
mod pools;
mod preflight;
mod promotions;
mod proxied;
mod readers;
mod reads;
mod refused;
mod reload;
mod replicas;
mod routes;
mod sessions;
mod shapes;
mod shares;
mod signals;
mod stuck;
mod texts;
mod tls;
mod unheard;
mod unreadable;
mod versions;
mod waits;
