//! Scenarios against real servers, one module for each promise. Short in `make test`; in full with `TIDEOVER_SOAK=1`
//! (`make soak`). What is measured is printed: `cargo test --test servers -- --nocapture`.

#[path = "../support/mod.rs"]
mod support;

mod crash;
mod external;
mod planned;
