//! Scenarios against real servers, one module for each promise. Short in `make test`; in full with `TIDEOVER_SOAK=1`
//! (`make soak`). What is measured is printed: `cargo test --test servers -- --nocapture`.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod crash;
mod disconnects;
mod external;
mod hold;
mod hostile;
mod planned;
mod preflight;
mod sessions;
mod shapes;
mod signals;
mod tls;
